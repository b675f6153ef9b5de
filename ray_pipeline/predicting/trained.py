"""What a finished run says about its models: their names, the symbols they serve, their needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ray_pipeline.calibration.meanings import Meaning
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.errors import ArtifactError, ConfigError, DamagedFileError
from ray_pipeline.inspecting.panel import rules_of
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.predicting.doubt import doubted_models, doubted_targets
from ray_pipeline.predicting.history import has_standings
from ray_pipeline.predicting.serving import ServingTable, models_of
from ray_pipeline.predicting.times import looked_until
from ray_pipeline.records import Task
from ray_pipeline.results.documents import TrainedRecord
from ray_pipeline.results.tables import EVALUATED_JOBS, PLAN, ROUTES, SYMBOLS
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.models import read_metadata
from ray_pipeline.training.served_jobs import ServedJob
from ray_pipeline.user_code.features import FeatureFunction
from ray_pipeline.user_code.functions import (
    function_path,
    has_source,
    import_from,
    load_function,
)
from ray_pipeline.versions.opening import open_models
from ray_pipeline.wording import plural

__all__ = ["TrainedRun", "open_trained_run"]

_N_THREADS = 16
_OF_DOUBT = (
    *("job_id", "target", "symbol", "doubtful", "doubted"),
    *("doubted_value", "doubted_limit", "doubt"),
)
"""Columns of ``evaluation/jobs.parquet`` that say which models are doubtful."""


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A finished run with at least one model.

    Attributes
    ----------
    home
        The run directory.
    run, run_options
        Where its models are: there, or in the folder of the version that serves; and the storage
        options with which a worker opens it.
    record
        What ``run.json`` says about models and data.
    config
        Its config.
    jobs
        Trained jobs in the order of the plan, strongest target first.
    left_out
        Symbols that the run quarantined or rejected, with the reason.
    routes
        Route by (target, symbol).
    doubted_targets, doubted
        Why targets are doubtful, and why models are, by target and by job.
    outcomes
        Kind and horizon in bars of the label of each target that was ranked.
    """

    home: RunDirectory
    run: RunDirectory
    run_options: Mapping[str, Any]
    record: TrainedRecord
    config: ExperimentConfig
    jobs: tuple[ServedJob, ...]
    left_out: Mapping[str, str]
    routes: Mapping[tuple[str, str], str]
    doubted_targets: Mapping[str, str]
    doubted: Mapping[str, str]
    outcomes: Mapping[str, tuple[Task, int]]

    @property
    def content(self) -> str:
        """The run's ``content_sha256``."""
        return self.record.content_sha256

    @property
    def seals(self) -> Mapping[str, str] | None:
        """The ``sha256`` of the metadata of the models that the run trained, by job.

        None in a run of a version that recorded none.
        """
        return self.record.models

    @property
    def interval(self) -> str | None:
        """Bar interval from the layout of the run's data, or from its config."""
        return self.record.data.interval or self.config.data.interval

    @property
    def targets(self) -> tuple[str, ...]:
        """Targets that have a model, strongest first."""
        return tuple(dict.fromkeys(job.target for job in self.jobs))

    def jobs_of(self, targets: Sequence[str]) -> tuple[ServedJob, ...]:
        """Return the jobs of some targets, none meaning all.

        Raises
        ------
        ConfigError
            When a target has no model.
        """
        if isinstance(targets, str):
            raise ConfigError(f"targets={targets!r} is one text; a list is needed: [{targets!r}].")
        unknown = [target for target in targets if target not in self.targets]
        if unknown:
            doubtful = [f" {name} is doubtful: {told}." for name, told in self._doubted_of(unknown)]
            raise ConfigError(
                f"{self.run.uri} has no model of the target {', '.join(unknown)}; it has models of "
                f"{', '.join(self.targets)}.{''.join(doubtful)}"
            )
        return tuple(job for job in self.jobs if not targets or job.target in targets)

    def _doubted_of(self, targets: Sequence[str]) -> list[tuple[str, str]]:
        return [
            (name, self.doubted_targets[name]) for name in targets if name in self.doubted_targets
        ]

    def meanings(self, targets: Sequence[str]) -> tuple[Meaning, ...]:
        """Return the outcomes to which the scores of targets are calibrated.

        None for a run of a version before 0.5.0, whose walk-forward has no scores to learn from.
        """
        if not has_standings(self.run):
            return ()
        coverage = self.config.training.interval_coverage
        return tuple(
            Meaning(target, *self.outcomes[target], coverage)
            for target in targets
            if target in self.outcomes
        )

    def serving_all(self) -> dict[str, tuple[ServedJob, ...]]:
        """Return the models that serve each symbol of the run, for those with any."""
        table = self.serving(self.jobs)
        jobs = {symbol: table.of(symbol).jobs for symbol in sorted({s for _, s in self.routes})}
        return {symbol: its for symbol, its in jobs.items() if its}

    def serving(self, jobs: Sequence[ServedJob]) -> ServingTable:
        """Return the symbols that these jobs serve."""
        targets = {job.target for job in jobs}
        routes = {pair: route for pair, route in self.routes.items() if pair[0] in targets}
        return ServingTable(jobs, routes, self.left_out)

    def request(self, features: Sequence[str], import_folders: Sequence[str] = ()) -> TableRequest:
        """Return the request for these features of a symbol: all of its rows, without targets.

        Parameters
        ----------
        import_folders
            Additional folders to search for modules, if the run had your own features.
        """
        data = self.record.data
        return TableRequest(
            kind=data.kind,
            time_column=self.config.data.time_name,
            features=tuple(features),
            targets=(),
            max_rows=None,
            min_rows=1,
            bar_seconds=data.bar_seconds,
            session_bars=data.session_bars,
            functions=self._functions(import_folders),
            rules=rules_of(self.config, self.interval),
            own_columns=data.own_columns,
            bar_months=data.bar_months,
            group=self.config.columns.group,
        )

    @property
    def until_ns(self) -> int | None:
        """Time from which on the run used no rows; None if unknown."""
        return looked_until(self.record.data)

    @property
    def members(self) -> frozenset[str]:
        """Symbols that cross-sectional features compare with: those of the run."""
        return frozenset(self.record.cross_section.members)

    def _functions(self, import_folders: Sequence[str]) -> tuple[FeatureFunction, ...]:
        """Return the functions that compute features, exactly those of the run.

        A run directory may come from anyone. Only a module with exactly the recorded source is
        imported, because importing a module runs it.

        Raises
        ------
        ArtifactError
            When one cannot be imported, or was edited since.
        """
        functions = []
        for given in self.record.data.feature_functions:
            import_from(*import_folders)
            function = FeatureFunction(**given.model_dump())
            try:
                path = function_path("data.feature_functions", function.function, "my_features")
                is_same = (
                    has_source(path, function.source_sha256)
                    and load_function(path)[1] == function.source_sha256
                )
            except ConfigError as error:
                raise ArtifactError(
                    f"{self.run.uri} has features of {function.function}: {error}"
                ) from error
            if not is_same:
                raise ArtifactError(
                    f"{self.run.uri} has features of {function.function}, whose module was edited "
                    "since: its models would get other features than they learned from. Restore "
                    "the module, or retrain."
                )
            functions.append(function)
        return tuple(functions)

    def quantiles(self, jobs: Sequence[ServedJob]) -> dict[str, tuple[float, ...]]:
        """Return the quantiles by raw column, for families that predict quantiles.

        One model represents its target, view and family: the first usable one.

        Raises
        ------
        ArtifactError, DamagedFileError
            When a pooled model cannot be used.
        """
        seals = self.seals or {}
        found: dict[str, tuple[float, ...]] = {}
        for job in jobs:
            if job.column in found:
                continue
            try:
                metadata = read_metadata(self.run, job.job_id, seals.get(job.job_id))
                job.check(metadata, self.run.uri)
            except (ArtifactError, DamagedFileError):
                if job.is_pooled:
                    raise
                continue  # only its symbol is lost, when that is scored
            found[job.column] = tuple(metadata["quantiles"] or ())
        return found

    def seals_of(self, jobs: Iterable[ServedJob]) -> dict[str, str]:
        """Return the recorded seals of the models that jobs use.

        If the run recorded none, they are those of the existing models, if usable: reading a model
        says why it is not.
        """
        trained = {job.job_id for job in self.jobs}
        names = [name for name in models_of(jobs) if name in trained]
        if self.seals is not None:
            return {name: self.seals[name] for name in names}
        with ThreadPoolExecutor(_N_THREADS) as pool:
            found = zip(names, pool.map(self._found_seal, names), strict=True)
            return {name: seal for name, seal in found if seal is not None}

    def _found_seal(self, job_id: str) -> str | None:
        try:
            return str(read_metadata(self.run, job_id)["sha256"])
        except (ArtifactError, DamagedFileError):
            return None


def open_trained_run(
    uri: str, storage_options: Mapping[str, Any] | None = None, version: str | None = None
) -> TrainedRun:
    """Open a run whose models are to be used.

    Parameters
    ----------
    version
        The version of its models; None: the one that serves, or the run's own if it kept none.

    Raises
    ------
    DiscoveryError
        When there is no run.
    ArtifactError
        When it is not done, trained nothing, or lost a model.
    DamagedFileError
        When one of its files has contents that no run writes.
    ConfigError
        When its config cannot be read by this version, or it has no such version of its models.
    """
    run = open_models(uri, storage_options, version)
    if run.record.status != "done":
        raise ArtifactError(
            f"{run.uri}: the run is {run.record.status}, but only a finished run can predict. The "
            "command that started it continues it."
        )
    record = run.trained_record()
    n_models = record.counts.models
    if not n_models:
        raise ArtifactError(
            f"{run.uri} trained no model, so nothing can be predicted: {record.message}."
        )
    trained, plan, symbols = run.trained_jobs(), run.plan(), run.symbols()
    routes = run.table(ROUTES, ["target", "symbol", "route"])
    if plan is None or symbols is None or routes is None:
        raise ArtifactError(
            f"{run.uri} lacks {PLAN}, {SYMBOLS} or {ROUTES}, which say which symbols the models "
            "serve. Copy the whole run directory, or run again."
        )
    jobs = tuple(ServedJob.of_plan(job) for job in plan.jobs if job.job_id in trained)
    if len(jobs) != n_models:
        # Otherwise the scores would silently come from the remaining models.
        raise ArtifactError(
            f"{run.uri}: run.json counts {plural(n_models, 'model')}, and models/ holds the "
            f"metadata.json of {len(jobs)}. Copy the whole run directory, or run again."
        )
    known = record.models
    unknown = [] if known is None else [job.job_id for job in jobs if job.job_id not in known]
    if unknown:
        raise ArtifactError(
            f"{run.uri}: models/ holds {unknown[0]}, and run.json has no model of that name. Copy "
            "the whole run directory, or run again."
        )
    ranked, evaluated = run.target_rows() or (), run.table(EVALUATED_JOBS, _OF_DOUBT)
    figures = [] if evaluated is None else evaluated.to_pylist()
    doubtful = doubted_targets(ranked, figures)
    return TrainedRun(
        home=RunDirectory(uri, storage_options),
        run=run.files,
        run_options=dict(storage_options or {}),
        record=record,
        config=run.config(),
        jobs=jobs,
        left_out={item.symbol: item.reason for item in (*symbols.rejected, *symbols.quarantined)},
        routes=dict(zip(_pairs(routes), routes.column("route").to_pylist(), strict=True)),
        doubted_targets=doubtful,
        doubted=doubted_models(jobs, doubtful, figures),
        outcomes={row.target: (row.task, row.horizon_bars) for row in ranked},
    )


def _pairs(routes: pa.Table) -> Iterator[tuple[str, str]]:
    columns = (routes.column(name).to_pylist() for name in ("target", "symbol"))
    return zip(*columns, strict=True)
