"""One run from the driver's side: where its result goes, its journal, failures and end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ray_pipeline.config import ExperimentConfig, dump_config
from ray_pipeline.discovery.choosing import Batch, fingerprint
from ray_pipeline.driving.foreseeing import Foresight
from ray_pipeline.driving.journal import Journal, Status, refuse_foreign
from ray_pipeline.driving.places import options_for
from ray_pipeline.driving.progress import WARNING, Reporter
from ray_pipeline.driving.remaining import Remaining
from ray_pipeline.driving.standing import earlier_record, require_same_config, stands
from ray_pipeline.driving.symbols import symbols_document
from ray_pipeline.driving.tracking import Tracker
from ray_pipeline.driving.versioning import adopt_result, publish_version
from ray_pipeline.errors import ExecutionError, RayPipelineError, RunDirectoryError
from ray_pipeline.execution import Done, Executor, Failed, Outcome
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.subject import Inspections, Subject
from ray_pipeline.report import write_report
from ray_pipeline.results.tables import (
    CONFIG,
    FAILURES,
    RECORD,
    RESULTS,
    SYMBOLS,
    UNITS,
    content_names,
    failures_table,
)
from ray_pipeline.results.version_documents import DecisionRecord
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.failures import FailureLedger
from ray_pipeline.stages.writing import ResultWriter
from ray_pipeline.storage import RunDirectory, content_sha256
from ray_pipeline.storage.lease import DriverLease
from ray_pipeline.storage.replacing import (
    NEXT,
    finish_replacing,
    is_replacing,
    replace_result,
)

__all__ = ["Study", "open_study"]

_OF_ESTIMATE = ("wall_s", "cpu_s", "n_workers", "memory_bytes", "disk_bytes", "n_requests")
"""The facts for programs; ``run.json`` has all."""


@contextmanager
def open_study(
    config: ExperimentConfig,
    batch: Batch,
    reporter: Reporter,
    *,
    fresh: bool,
    replace: bool,
    sources: Mapping[str, str],
) -> Iterator[Study]:
    """Lock the run directory, and record how the block ends, whatever ends it.

    An existing complete result stays until this run has another to replace it.

    Parameters
    ----------
    fresh
        Forget the units that earlier runs finished in this directory.
    replace
        Replace the result of another config.
    sources
        Hash of the source of each user-defined stage, by its name.

    Raises
    ------
    ConfigError
        When the directory holds something other than a run, or the result of another config.
    RunInUseError
        When another driver is working on it.
    """
    run = RunDirectory(config.output.run_dir, options_for(config.output.run_dir, config))
    refuse_foreign(run)
    if not replace and stands(run):
        require_same_config(run, config)
    tracker = Tracker(config, run.uri, fingerprint(batch.partitions))
    with DriverLease(run, reporter.say).held() as lease:
        if is_replacing(run):
            reporter.say("a run was stopped while it put its result in place; finishing that")
            finish_replacing(run, RESULTS)
        tracker.begin()
        study = Study(config, batch, reporter, run, lease, tracker, fresh=fresh, sources=sources)
        study.begin()
        with study.recorded():
            yield study


class Study:
    """One run: where it writes, what it counts, and how it ends.

    Attributes
    ----------
    config
        As resolved.
    run, place
        The run directory, and where the result is written: the same, or a folder in it while
        another result exists.
    journal, ledger
        The run's journal, and the failures so far.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        batch: Batch,
        reporter: Reporter,
        run: RunDirectory,
        lease: DriverLease,
        tracker: Tracker,
        *,
        fresh: bool,
        sources: Mapping[str, str],
    ) -> None:
        self.config, self._batch, self._reporter, self.run = config, batch, reporter, run
        self._lease, self._tracker, self._fresh = lease, tracker, fresh
        self._is_beside = stands(run)
        self.place = run.below(NEXT) if self._is_beside else run
        self._write = ResultWriter(run, NEXT if self._is_beside else "")
        self.ledger = FailureLedger(
            list(batch.partitions),
            config.execution.max_failed_fraction,
            f"{f'{NEXT}/' if self._is_beside else ''}{FAILURES} has them all",
        )
        self._context: StageContext | None = None
        self._executor: Executor | None = None
        self._foresight: Foresight | None = None
        self._remaining = Remaining({})
        self._n_recalled = 0
        self._used: dict[str, set[str]] = {}
        self._decision: DecisionRecord | None = None
        self._stood: str | None = None
        self._resolved = dump_config(config)
        facts = {
            "config_sha256": hashlib.sha256(self._resolved.encode()).hexdigest(),
            "input_fingerprint": fingerprint(batch.partitions),
        }
        before = None if fresh else earlier_record(run, facts)
        named = {"name": config.experiment.name, "seed": config.experiment.seed}
        self.journal = Journal(self.place, named | facts, lease.check, before, sources)

    def begin(self) -> None:
        """Remove what an unfinished run left here, and record that this one is running."""
        self.run.remove_temporary()
        if self._is_beside:
            self._stood = adopt_result(self.run, self.say)
            self.run.remove(NEXT)
        elif self.run.exists(RECORD):
            for name in RESULTS:
                if name not in (RECORD, CONFIG):
                    self.run.remove(name)
        if self._fresh:
            self.run.remove("units")
        elif changed := self.journal.changed_versions:
            self.say(
                f"{', '.join(changed)} since the last run here; work that depends on that is redone"
            )
        self._foresight = Foresight(self.run)
        self.place.write_text(CONFIG, self._resolved)
        self.journal.write()

    def context(self, executor: Executor) -> StageContext:
        """Return what the stages work with."""
        self._executor = executor
        self._context = StageContext(
            self.config,
            self._batch,
            self.run,
            UnitRunner(executor, self.run.units, self._outcome, self._failed, self.say),
            self._write,
            self,
            self.ledger,
            str(self.journal.record["input_fingerprint"]),
        )
        return self._context

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        self._remaining.begin(name)
        with self.journal.stage(name):
            yield
        self._remaining.end()

    def count(self, **counts: int) -> None:
        """Record counts by name."""
        self.journal.count(**counts)

    def note(self, **facts: Any) -> None:
        """Record facts by name."""
        self.journal.note(**facts)

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Tell people a sentence, and programs its facts; see `Reporter.say`."""
        self._reporter.say(text, event, **facts)

    def warn(self, warnings: Sequence[str]) -> None:
        """Warn the user, and keep the warning for the report."""
        self.journal.warn(warnings)
        for text in warnings:
            self._reporter.say(f"{WARNING}{text}")

    def write_symbols(self) -> None:
        """Write what is known about the symbols so far."""
        found = None if self._context is None else self._context.find(Inspections)
        document = symbols_document(
            self._batch,
            self.config.experiment.seed,
            {} if found is None else found.by_symbol,
            self.ledger.quarantined,
        )
        self._write.json(SYMBOLS, document)

    def foresee(self) -> None:
        """Say and record what the whole run will take, once its data are inspected."""
        if self._context is None or self._executor is None or self._foresight is None:
            return
        record, told = self._foresight.foresee(self._context, self._executor)
        self.journal.note(estimate=record)
        for line in told[:1]:
            self.say(line, "estimate", **{name: record[name] for name in _OF_ESTIMATE})
        for line in told[1:]:
            self.say(line)
        if (stages_s := self._foresight.stages_s) is not None:
            self._remaining = Remaining(stages_s)
        if self._n_recalled:
            self.say("this is for the whole run; earlier commands have finished part of it")

    def finish(self, message: str, decision: DecisionRecord | None = None) -> None:
        """Hash everything that was computed, and record that the run is done.

        Parameters
        ----------
        decision
            Whether its models replace those of the serving version.
        """
        self._decision = decision
        digest = content_sha256(self.place, content_names(self.place), self._write.digests)
        self.journal.note(content_sha256=digest)
        self._compare_with_estimate()
        self.journal.finish("done", message)

    def _compare_with_estimate(self) -> None:
        """Compare what the run took with its estimate, if this command did all of it."""
        estimate = self.journal.record.get("estimate")
        if self._foresight is None or estimate is None or self._n_recalled:
            return
        record, told = self._foresight.compare(
            self.journal.elapsed_s, self.journal.record["timings_s"]
        )
        self.journal.note(estimate=estimate | record)
        for line in told:
            self.say(line)

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record how the run ends, whatever ends it, and write failures and the report.

        If another driver took over the run, that driver records its end.
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
        self.write_symbols()
        is_done = self.journal.record["status"] == "done"
        if is_done:
            self._write_units()
        symbols = list(self._batch.partitions)
        self._write.table(FAILURES, failures_table(self.ledger.failures, symbols))
        if self._is_beside or not is_done:  # a result is only replaced by a complete one
            report = self.place.read_text(write_report(self.place))
        if self._is_beside:
            if is_done:
                replace_result(self.run, RESULTS)
            else:
                self.say(f"the result that was in {self.run.uri} before is untouched")
        problems: list[str | None] = []
        if is_done:
            version = publish_version(self.run, self.config, self._decision, self._stood, self.say)
            # Only now is it known which version serves.
            report = self.run.read_text(write_report(self.run, self.run))
            if version is not None:
                problems.append(self._tracker.register(self.run, version))
        place = self.run if is_done else self.place
        problems.append(self._tracker.finish(self.journal, place, self.run.uri, report))
        for problem in problems:
            if problem is not None:
                self.say(f"{WARNING}{problem}")
        if self._tracker.page is not None:
            self.say(f"in MLflow: {self._tracker.page}", "mlflow", url=self._tracker.page)

    def _write_units(self) -> None:
        """Write which units the result uses, so that the others can be removed later."""
        subject = None if self._context is None else self._context.find(Subject)
        self._write.json(
            UNITS,
            {
                "units": {stage: sorted(own) for stage, own in sorted(self._used.items())},
                "files": [] if subject is None else [subject.frame.axis],
            },
        )

    def _outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        self._lease.check()
        if isinstance(outcome, Done):
            self._used.setdefault(outcome.unit.stage, set()).add(outcome.unit.digest)
            if outcome.attempts:
                self.journal.computed()
            else:
                self._n_recalled += 1
        self._tell_progress(outcome, n_done, n_total)
        self._reporter.outcome(outcome, n_done, n_total)

    def _tell_progress(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Say how long the run will still take, here and in its record."""
        step = outcome.unit.stage
        is_from_before = isinstance(outcome, Done) and not outcome.attempts
        self._remaining.count(step, n_done, n_total, is_from_before=is_from_before)
        left_s = self._remaining.left_s if self._remaining.is_of_run else None
        if left_s is not None:
            self._reporter.remaining(left_s)
        units = {name: len(used) for name, used in self._used.items()}
        self.journal.progress(units, step, n_done, n_total, left_s)

    def _failed(self, failures: Sequence[Failed]) -> None:
        try:
            self.ledger.add(failures)
            for failure in failures:
                if failure.error_type == RunDirectoryError.__name__:
                    raise ExecutionError(
                        f"{failure.unit.stage}/{failure.unit.key}: {failure.message} No symbol is "
                        "at fault. Make the run directory readable and writable again, and run the "
                        "same command."
                    )
        finally:
            self.journal.count(
                failed_units=len(self.ledger.failures), quarantined=len(self.ledger.quarantined)
            )
