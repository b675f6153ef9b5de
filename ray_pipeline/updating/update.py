"""One update: score what arrived since the last one, and retrain models when it is due.

Days are processed in order, however many arrive at once: rows before a retraining date are scored
by the previous models, then models are trained, then later rows are scored. So sixty days that
arrive together give the same ledger as sixty updates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import Batch, choose_batch, fingerprint
from ray_pipeline.driving.progress import Reporter
from ray_pipeline.driving.workers import open_executor
from ray_pipeline.errors import ConfigError, DiscoveryError, ExecutionError
from ray_pipeline.execution import Failed
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.schedule import UpTo
from ray_pipeline.ledger.ledger import UPDATE, PredictionLedger, last_update
from ray_pipeline.monitoring.watching import monitor_run
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting.models import ScoringReader
from ray_pipeline.predicting.options import execution_keys
from ray_pipeline.predicting.trained import TrainedRun, open_trained_run
from ray_pipeline.results.opening import open_run
from ray_pipeline.results.reading import Results
from ray_pipeline.storage import RunDirectory, absolute_uri
from ray_pipeline.storage.lease import DriverLease
from ray_pipeline.updating.edited import follow_edits, require_followed
from ray_pipeline.updating.latest import latest_training
from ray_pipeline.updating.options import UpdateOptions
from ray_pipeline.updating.restated import Restatement
from ray_pipeline.updating.step import STAGE, NewRows, Scoring, version_of
from ray_pipeline.wording import iso_time

__all__ = ["Update", "update_run"]

_N_TOLD = 5
"""Number of restated symbols to report; the document has them all."""

_TEMPORARY = (f"units/{STAGE}", "units/look_at_times", "units/calibrate")
"""Useless once an update is done: the next one has other files to read."""


@dataclass
class Update:
    """What an update did.

    Attributes
    ----------
    n_predictions, n_outcomes
        Rows added to the ledger.
    first_ts, last_ts
        First and last time of the predictions; None without any.
    retrained
        Dates at which models were retrained, ISO 8601.
    restated
        Past rows that differ from those used in training.
    problems
        By symbol, why it could not be scored.
    version
        Version of the models that serve from now on.
    notes
        Sentences about rows that the ledger keeps unchanged, or never gets, and about targets that
        are no longer served.
    alarms
        Alarms of `ray_pipeline.monitoring`, in sentences; if nothing was new, the standing ones.
    """

    run_dir: str
    n_predictions: int = 0
    n_outcomes: int = 0
    first_ts: str | None = None
    last_ts: str | None = None
    retrained: list[str] = field(default_factory=list)
    restated: list[Restatement] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    version: str = ""
    notes: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        """Whether there was nothing new."""
        return not (self.n_predictions or self.n_outcomes or self.retrained or self.restated)

    def document(self) -> dict[str, Any]:
        """Return the content of ``update.json``."""
        return asdict(self) | {"status": "nothing new" if self.is_nothing else "done"}


def update_run(
    run_uri: str,
    reporter: Reporter,
    options: UpdateOptions,
    import_folders: Sequence[str] = (),
) -> Update:
    """Bring a run up to date with its data.

    Parameters
    ----------
    import_folders
        Where modules with features of your own are looked for too.

    Raises
    ------
    ArtifactError
        When the run has no usable model.
    ConfigError, DiscoveryError
        When an option or the data directory is wrong.
    RunInUseError
        When another process updates the run.
    ExecutionError
        When more symbols fail than the config tolerates, or training failed.
    """
    trained = open_trained_run(run_uri)
    run = trained.home
    with DriverLease(run.below("ledger"), reporter.say, None).held() as lease:
        _look_at_config(run, reporter)
        updating = _Updating(run_uri, reporter, options, import_folders, Update(run.uri))
        updating.follow(lease)
        update = updating.update
        if update.retrained or update.restated:
            served = open_trained_run(run_uri).targets
            update.notes += [
                f"{name} is served no longer: the models trained last have none of it; explain "
                "says why"
                for name in trained.targets
                if name not in served
            ]
        for name in _TEMPORARY:
            run.remove(name)
        if update.is_nothing:
            update.alarms = _standing(run)
        else:
            watched = monitor_run(run_uri, options.watch_since, import_folders)
            update.alarms = [*updating.feed, *watched.alarms]
        run.write_json(UPDATE, update.document() | {"ledger": PredictionLedger(run).end()})
        return update


def _look_at_config(run: RunDirectory, reporter: Reporter) -> None:
    """Refuse edits of the run's config that an update does not follow."""
    own = _own_result(run)
    if own is not None:
        require_followed(run, own, reporter.say)


def _own_result(run: RunDirectory) -> Results | None:
    """Return the result of the run directory, whichever version serves; None if it has none."""
    try:
        found = open_run(run.uri)
    except DiscoveryError:
        return None
    return found if found.record.status == "done" else None


@dataclass(frozen=True, slots=True)
class Step:
    """What remains to do after the current models have scored their rows.

    Attributes
    ----------
    until_ns
        Up to when the latest training used rows.
    due_ns
        Retraining date that the data have reached; None: there is none.
    restated
        Changed rows, because of which the current models no longer match the data.
    """

    until_ns: int
    due_ns: int | None
    restated: tuple[Restatement, ...]


@dataclass
class _Updating:
    """One update under way."""

    run_uri: str
    reporter: Reporter
    options: UpdateOptions
    import_folders: Sequence[str]
    update: Update
    feed: list[str] = field(default_factory=list)

    def follow(self, lease: DriverLease) -> None:
        """Score and train in the order of the days, until nothing remains."""
        redone: int | None = None
        while True:
            lease.check()
            step = self._step()
            if step is None:
                return
            if step.restated:
                if redone == step.until_ns:
                    raise ExecutionError(
                        "the rows that the models were made of are others each time they are read: "
                        f"{step.restated[0].told}. Is the data still being written?"
                    )
                redone = step.until_ns
                self.update.restated += step.restated
                for each in step.restated[:_N_TOLD]:
                    self.reporter.say(f"restated: {each.told}")
                self._train(step.until_ns)
            elif step.due_ns is not None:
                self._train(step.due_ns)
                self.update.retrained.append(iso_time(step.due_ns))
            else:
                return

    def _train(self, until_ns: int) -> None:
        latest = latest_training(open_trained_run(self.run_uri))
        config = self._config(latest.config)
        self.reporter.say(f"training on the rows before {iso_time(until_ns)}")
        run_pipeline(config, self.reporter, until=UpTo(until_ns))

    def _config(self, config: ExperimentConfig) -> ExperimentConfig:
        """Return a config of the run, with the options for where and how to work."""
        own = _own_result(RunDirectory(self.run_uri))
        if own is not None:
            config = follow_edits(config, own.config())
        execution = execution_keys(self.options.n_workers, self.options.address)
        output = config.output.model_copy(update={"run_dir": self.run_uri})
        return config.model_copy(
            update={
                "execution": config.execution.model_copy(update=execution),
                "output": output,
            }
        )

    def _step(self) -> Step | None:
        """Score the current models' rows; None if there is nothing new."""
        trained = open_trained_run(self.run_uri)
        config, latest = self._config(trained.config), latest_training(trained)
        _require_same_place(trained, config)
        batch = _batch(trained, config, self.reporter)
        ledger = PredictionLedger(trained.home)
        parts = ledger.parts()
        files = fingerprint(batch.partitions)
        self.update.version = version_of(trained)
        if parts and (parts[-1].input_fingerprint, parts[-1].content_sha256, parts[-1].upto) == (
            files,
            trained.content,
            None,
        ):
            return None
        scoring = Scoring(trained, latest, config, batch, self.import_folders)
        with open_executor(config, trained.home, self.reporter, reader=ScoringReader) as executor:
            runner = UnitRunner(
                executor,
                trained.home.units,
                self.reporter.outcome,
                _failed,
                self.reporter.say,
            )
            panel = scoring.times(runner)
            due = scoring.due(panel)
            found = scoring.score(runner, ledger, due, panel)
        self.update.problems = found.problems
        self.feed = found.alarms
        self.update.notes += [note for note in found.notes if note not in self.update.notes]
        if found.restated:
            scoring.require_date(panel, found.restated)
            return Step(latest.until_ns, due, found.restated)
        # A part without rows records that these files were read.
        self._append(ledger, trained, found, files if due is None else "", due)
        return Step(latest.until_ns, due, ())

    def _append(
        self,
        ledger: PredictionLedger,
        trained: TrainedRun,
        found: NewRows,
        files: str,
        due: int | None,
    ) -> None:
        ledger.append(
            found.predictions,
            found.outcomes,
            {
                "version": version_of(trained),
                "content_sha256": trained.content,
                "input_fingerprint": files,
                "upto": None if due is None else iso_time(due),
            },
        )
        self.update.n_predictions += found.predictions.num_rows
        self.update.n_outcomes += found.outcomes.num_rows
        if found.predictions.num_rows:
            times = pc.min_max(found.predictions["ts"].cast(pa.int64())).as_py()
            self.update.first_ts = self.update.first_ts or iso_time(times["min"])
            self.update.last_ts = iso_time(times["max"])


def _require_same_place(trained: TrainedRun, config: ExperimentConfig) -> None:
    """Refuse a relative data path that leads to another place than it did for the run."""
    meant, path = trained.record.data.data_uri, config.data.data_dir
    here = absolute_uri(path)
    if meant is not None and here not in (path, meant):
        raise ConfigError(
            f"data.data_dir={path!r} is {here} from here, and {trained.home.uri} was made of "
            f"{meant}. Give the command in the folder where the run was started, or write the "
            f"whole path into {trained.home.uri}/config.yaml."
        )


def _standing(run: RunDirectory) -> list[str]:
    """Return the alarms of the previous update."""
    alarms = (last_update(run) or {}).get("alarms")
    return [str(each) for each in alarms] if isinstance(alarms, list) else []


def _batch(trained: TrainedRun, config: ExperimentConfig, reporter: Reporter) -> Batch:
    """Return the symbols to use: those of the run, and new ones if it uses all symbols.

    New ones are served by pooled models, like those that the run could not use.
    """
    data = config.data
    if data.symbols or data.symbol_batch_size is not None:
        symbols = tuple(sorted({symbol for _, symbol in trained.routes} | set(trained.members)))
        data = data.model_copy(update={"symbols": symbols, "symbol_batch_size": None})
    return choose_batch(config.model_copy(update={"data": data}), reporter.listed)


def _failed(failures: Sequence[Failed]) -> None:
    """Do not end the update: a symbol that cannot be scored does not fail its unit."""
    for failure in failures:
        raise ExecutionError(
            f"{failure.unit.stage}/{failure.unit.key} failed: {failure.error_type}: "
            f"{failure.message}"
        )
