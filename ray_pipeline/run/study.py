"""One run as the stages see it: its config, batch, directory, journal and failures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from ray_pipeline.batch import Batch, fingerprint
from ray_pipeline.config import ExperimentConfig, dump_config
from ray_pipeline.errors import RayPipelineError
from ray_pipeline.execution import Executor, Failed
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.progress import Reporter
from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.report import write_report
from ray_pipeline.run.failures import FailureLedger
from ray_pipeline.run.journal import Journal
from ray_pipeline.run.publishing import Publisher
from ray_pipeline.run.tracking import Tracker
from ray_pipeline.run.workers import options_for
from ray_pipeline.storage import RunDirectory

__all__ = ["Study"]


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
        self, config: ExperimentConfig, batch: Batch, reporter: Reporter, *, fresh: bool
    ) -> None:
        self.config, self.batch, self.reporter = config, batch, reporter
        self.run = RunDirectory(config.output.run_dir, options_for(config.output.run_dir, config))
        self.publish = Publisher(self.run)
        self.ledger = FailureLedger(list(batch.partitions), config.execution.max_failed_fraction)
        self.tracker = Tracker(config.tracking.mlflow_uri, config.experiment.name)
        self.inspections: Mapping[str, SymbolInspection] = {}
        self.pooled: Sequence[str] = ()
        self.ranked: Sequence[TargetRow] = ()
        resolved = dump_config(config)
        self.journal = Journal(
            self.run,
            {
                "name": config.experiment.name,
                "seed": config.experiment.seed,
                "config_sha256": hashlib.sha256(resolved.encode()).hexdigest(),
                "input_fingerprint": fingerprint(batch.partitions),
            },
        )
        self.journal.clear_results()
        if fresh:
            self.run.remove("units")
        self.run.write_text("config.yaml", resolved)
        self.journal.write()

    def runner(self, executor: Executor) -> UnitRunner:
        """Return what the stages run their units through."""
        return UnitRunner(executor, self.run.units, self.reporter.outcome, self._failed)

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
        """Record how the run ends, whatever ends it, and write failures and the report."""
        try:
            yield
        except KeyboardInterrupt:
            self.journal.finish("interrupted", "interrupted; the same command continues from here")
            raise
        except RayPipelineError as error:
            self.journal.finish("failed", "the run failed", str(error))
            raise
        finally:
            if self.journal.record["status"] == "running":
                unexpected = "an unexpected error; standard error has its traceback"
                self.journal.finish("failed", "the run failed", unexpected)
            self.publish_symbols()
            self.publish.failures(self.ledger, list(self.batch.partitions))
            report = write_report(self.run)
            problem = self.tracker.finish(self.journal, self.ranked, self.run.read_text(report))
            if problem is not None:
                self.reporter.say(f"warning: {problem}")

    def _failed(self, failures: Sequence[Failed]) -> None:
        try:
            self.ledger.add(failures)
        finally:
            self.journal.count(
                failed_units=len(self.ledger.failures), quarantined=len(self.ledger.quarantined)
            )
