"""What a finished run says of its models: which there are, whom they serve, what they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.config import ExperimentConfig, parse_experiment_config
from ray_pipeline.errors import ArtifactError, ConfigError
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.predicting.serving import ServedJob, ServingTable
from ray_pipeline.results.opening import open_run
from ray_pipeline.results.tables import PLAN, ROUTES
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.models import read_metadata
from ray_pipeline.user_code.features import FeatureFunction
from ray_pipeline.user_code.functions import (
    function_path,
    has_source,
    import_from,
    load_function,
)

__all__ = ["TrainedRun", "open_trained_run"]


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A finished run with at least one model.

    Attributes
    ----------
    run, run_options
        Its directory, and the storage options by which a worker opens it too.
    record
        ``run.json``.
    config
        Its config.
    jobs
        Trained jobs in the order of the plan, strongest target first.
    left_out
        Symbols that the run quarantined or rejected, with the reason.
    """

    run: RunDirectory
    run_options: Mapping[str, Any]
    record: Mapping[str, Any]
    config: ExperimentConfig
    jobs: tuple[ServedJob, ...]
    left_out: Mapping[str, str]

    @property
    def content(self) -> str:
        """The run's ``content_sha256``."""
        return str(self.record["content_sha256"])

    @property
    def interval(self) -> str | None:
        """Bar interval as the layout of the run's data, or its config, names it."""
        named: str | None = self.record["data"]["interval"]
        return named or self.config.data.interval

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
            raise ConfigError(
                f"{self.run.uri} has no model of the target {', '.join(unknown)}; it has models of "
                f"{', '.join(self.targets)}."
            )
        return tuple(job for job in self.jobs if not targets or job.target in targets)

    def serving(self, jobs: Sequence[ServedJob]) -> ServingTable:
        """Return whom these jobs serve."""
        targets = list(dict.fromkeys(job.target for job in jobs))
        table = self.run.read_table(ROUTES, ["target", "symbol", "route"])
        table = table.filter(pc.is_in(table.column("target"), pa.array(targets)))
        columns = (table.column(name).to_pylist() for name in table.column_names)
        routes = {(target, symbol): route for target, symbol, route in zip(*columns, strict=True)}
        return ServingTable(jobs, routes, self.left_out)

    def request(self, features: Sequence[str], import_folders: Sequence[str] = ()) -> TableRequest:
        """Return what to read of a symbol for these features: all of its rows, no target.

        Parameters
        ----------
        import_folders
            Where modules are looked for too, if the run had features of your own.
        """
        data = self.record["data"]
        return TableRequest(
            kind=data["kind"],
            time_column=self.config.data.time_column,
            features=tuple(features),
            targets=(),
            max_rows=None,
            min_rows=1,
            bar_seconds=data["bar_seconds"],
            session_bars=data["session_bars"],
            functions=self._functions(import_folders),
        )

    @property
    def members(self) -> frozenset[str]:
        """Symbols that cross-sectional features compare with: those of the run."""
        return frozenset(self.record.get("cross_section", {}).get("members", ()))

    def _functions(self, import_folders: Sequence[str]) -> tuple[FeatureFunction, ...]:
        """Return the functions that compute features, the very ones that the run had.

        A run directory may be anybody's. Only a module with the very source that the run recorded
        is imported, for importing a module runs it.

        Raises
        ------
        ArtifactError
            When one cannot be imported, or was edited since.
        """
        functions = []
        for given in self.record["data"]["feature_functions"]:
            import_from(*import_folders)
            function = FeatureFunction(**{**given, "names": tuple(given["names"])})
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
                    "since: its models would be given other features than they learned from. "
                    "Bring back the module as it was, or train anew."
                )
            functions.append(function)
        return tuple(functions)

    def quantiles(self, jobs: Sequence[ServedJob]) -> dict[str, tuple[float, ...]]:
        """Return the quantiles by raw column, of the families that predict some.

        One model speaks for all of its target, view and family.
        """
        found: dict[str, tuple[float, ...]] = {}
        for job in jobs:
            if job.column not in found:
                metadata = read_metadata(self.run, job.job_id)
                found[job.column] = tuple(metadata["quantiles"] or ())
        return found


def open_trained_run(uri: str, storage_options: Mapping[str, Any] | None = None) -> TrainedRun:
    """Open a run whose models are to be used.

    Raises
    ------
    DiscoveryError
        When there is no run.
    ArtifactError
        When it is not done, trained nothing, or lost a model.
    ConfigError
        When its config cannot be read by this version.
    """
    run = open_run(uri, storage_options)
    record = run.read_json("run.json")
    if record["status"] != "done":
        raise ArtifactError(
            f"{run.uri}: the run is {record['status']}, and only one that is done can predict. "
            f"The same command that started it continues it."
        )
    n_models = record["counts"]["models"]
    if not n_models:
        raise ArtifactError(
            f"{run.uri} trained no model, so that nothing can be predicted: {record['message']}."
        )
    trained = {name.split("/")[1] for name in run.list("models") if name.endswith("/metadata.json")}
    plan = run.read_json(PLAN)["jobs"]
    jobs = tuple(ServedJob.of_plan(job) for job in plan if job["job_id"] in trained)
    if len(jobs) != n_models:
        # Without this the scores would be those of the models that are left, and nobody told.
        raise ArtifactError(
            f"{run.uri}: run.json counts {n_models} models, and models/ holds the metadata.json of "
            f"{len(jobs)}. Copy the whole run directory, or run again."
        )
    config = parse_experiment_config(run.read_text("config.yaml"), f"{run.uri}/config.yaml")
    symbols = run.read_json("symbols.json")
    left_out = (*symbols["rejected"], *symbols["quarantined"])
    reasons = {item["symbol"]: item["reason"] for item in left_out}
    return TrainedRun(run, dict(storage_options or {}), record, config, jobs, reasons)
