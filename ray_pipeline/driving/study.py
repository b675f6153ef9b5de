"""One run as the stages see it: its config, batch, directory, journal and failures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ray_pipeline.config import ExperimentConfig, dump_config
from ray_pipeline.discovery.choosing import Batch, fingerprint
from ray_pipeline.driving.failures import FailureLedger
from ray_pipeline.driving.journal import Journal, Status, refuse_foreign
from ray_pipeline.driving.places import options_for
from ray_pipeline.driving.progress import Reporter
from ray_pipeline.driving.publishing import Publisher
from ray_pipeline.driving.tracking import Tracker
from ray_pipeline.errors import RayPipelineError
from ray_pipeline.execution import Executor, Failed, Outcome
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.report import write_report
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.lease import DriverLease

__all__ = ["Study", "open_study"]


@contextmanager
def open_study(
    config: ExperimentConfig, batch: Batch, reporter: Reporter, *, fresh: bool
) -> Iterator[Study]:
    """Take hold of the run directory, and record how the block ends, whatever ends it.

    Parameters
    ----------
    fresh
        Forget the units that earlier runs finished in this directory.

    Raises
    ------
    ConfigError
        When the directory holds something else than a run.
    RunInUseError
        When another driver works on it.
    """
    run = RunDirectory(config.output.run_dir, options_for(config.output.run_dir, config))
    tracker = Tracker(config.tracking.mlflow_uri, config.experiment.name)
    refuse_foreign(run)
    with DriverLease(run, reporter.say).held() as lease:
        study = Study(config, batch, reporter, run, lease, tracker)
        study.begin(fresh=fresh)
        with study.recorded():
            yield study


class Study:
    """What the stages of one run share.

    Attributes
    ----------
    config, batch, reporter
        As given.
    run, publish, journal, ledger
        The run directory, its writer, its account, and the failures so far.
    inspections
        What was learned of each symbol, once there is anything.
    pooled
        Symbols of the pooled panel, once it is built.
    ranked
        Rows of target ranking, once there are any.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        batch: Batch,
        reporter: Reporter,
        run: RunDirectory,
        lease: DriverLease,
        tracker: Tracker,
    ) -> None:
        self.config, self.batch, self.reporter, self.run = config, batch, reporter, run
        self._lease, self._tracker = lease, tracker
        self.publish = Publisher(run)
        self.ledger = FailureLedger(list(batch.partitions), config.execution.max_failed_fraction)
        self.inspections: Mapping[str, SymbolInspection] = {}
        self.pooled: Sequence[str] = ()
        self.ranked: Sequence[TargetRow] = ()
        self._resolved = dump_config(config)
        self.journal = Journal(
            self.run,
            {
                "name": config.experiment.name,
                "seed": config.experiment.seed,
                "config_sha256": hashlib.sha256(self._resolved.encode()).hexdigest(),
                "input_fingerprint": fingerprint(batch.partitions),
            },
            lease.check,
        )

    def begin(self, *, fresh: bool) -> None:
        """Clear what earlier runs published here, and say that this one runs."""
        self.journal.clear_results()
        if fresh:
            self.run.remove("units")
        self.run.write_text("config.yaml", self._resolved)
        self.journal.write()

    def runner(self, executor: Executor) -> UnitRunner:
        """Return what the stages run their units through."""
        return UnitRunner(executor, self.run.units, self._outcome, self._failed)

    def warn(self, warnings: Sequence[str]) -> None:
        """Tell the user, and keep it for the report."""
        self.journal.warn(warnings)
        for text in warnings:
            self.reporter.say(f"warning: {text}")

    def publish_symbols(self) -> None:
        """Write what is known of the symbols by now."""
        seed = self.config.experiment.seed
        self.publish.symbols(self.batch, seed, self.inspections, self.ledger)

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record how the run ends, whatever ends it, and write failures and the report.

        A run that another driver has taken over is that one's to record.
        """
        try:
            yield
        except KeyboardInterrupt:
            self._end("interrupted", "interrupted; the same command continues from here")
            raise
        except RayPipelineError as error:
            self._end("failed", "the run failed", str(error))
            raise
        finally:
            if self.journal.record["status"] == "running":
                unexpected = "an unexpected error; standard error has its traceback"
                self._end("failed", "the run failed", unexpected)
            if not self._lease.is_lost:
                self._write_account()

    def _end(self, status: Status, message: str, error: str | None = None) -> None:
        if not self._lease.is_lost:
            self.journal.finish(status, message, error)

    def _write_account(self) -> None:
        self.publish_symbols()
        self.publish.failures(self.ledger, list(self.batch.partitions))
        report = write_report(self.run)
        problem = self._tracker.finish(self.journal, self.ranked, self.run.read_text(report))
        if problem is not None:
            self.reporter.say(f"warning: {problem}")

    def _outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        self._lease.check()
        self.reporter.outcome(outcome, n_done, n_total)

    def _failed(self, failures: Sequence[Failed]) -> None:
        try:
            self.ledger.add(failures)
        finally:
            self.journal.count(
                failed_units=len(self.ledger.failures), quarantined=len(self.ledger.quarantined)
            )
