"""Comparing a run's new models with the serving version, on rows that it has not seen."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.comparing.settings import compare_configs
from ray_pipeline.config import dump_config, read_config_values
from ray_pipeline.driving.places import options_for
from ray_pipeline.driving.progress import Reporter
from ray_pipeline.errors import (
    ArtifactError,
    ConfigError,
    DamagedFileError,
    DiscoveryError,
    ExecutionError,
)
from ray_pipeline.execution.protocol import Executor, Failed, Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.families import family_identity
from ray_pipeline.inspecting.cross_section import compute_cross_section
from ray_pipeline.inspecting.subject import Subject, current_subject
from ray_pipeline.predicting.times import since_ns
from ray_pipeline.predicting.trained import TrainedRun, open_trained_run
from ray_pipeline.promoting.deciding import Compared, decide
from ray_pipeline.promoting.units import (
    PresentSpec,
    SameRowsSpec,
    compare_versions,
    score_present,
)
from ray_pipeline.records import View
from ray_pipeline.results.tables import CONFIG
from ray_pipeline.results.version_documents import (
    ComparedRecord,
    CurrentVersion,
    DecisionRecord,
    EvidenceKind,
)
from ray_pipeline.routing.jobs import RANK_AVERAGE, Job, TrainingPlan
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.writing import nulls
from ray_pipeline.training.served_jobs import ServedJob, without_symbols
from ray_pipeline.training.training import Training
from ray_pipeline.versions.kept import check_files, read_version, version_place
from ray_pipeline.versions.serving import finish_change
from ray_pipeline.wording import plural

__all__ = ["judge_challenger"]

_UNTIL = "data.until"
"""It limits the data in use, and does not affect how models are trained."""

_SYMBOLS_A_UNIT = 16
"""They share one reading of the pooled models."""

TargetView = tuple[str, View]


def judge_challenger(
    context: StageContext, executor: Executor, reporter: Reporter
) -> DecisionRecord | None:
    """Decide whether a run's models replace the version that serves.

    Parameters
    ----------
    context
        The context of a run whose stages are done.

    Returns
    -------
    DecisionRecord or None
        None if no version serves yet, or the run trained nothing.

    Raises
    ------
    ExecutionError
        When the comparison could not be made because workers, memory or storage failed.
    """
    current = finish_change(context.run)
    if current is None or not context.get(Training).results:
        return None
    rule = context.config.training.promote
    if rule == "always":
        return _decided(current, rule, promoted=True, why="training.promote is always")
    try:
        record = read_version(context.run, current.version)
        check_files(context.run, record, predictions=False)
        options = options_for(context.config.output.run_dir, context.config)
        # In its own folder, whether or not it is the current result, because units are named after
        # it.
        place = version_place(context.run, current.version)
        trained = open_trained_run(place.uri, options)
        found = _Comparison(context, executor, reporter, trained, record.trained_until).made()
    except (ArtifactError, ConfigError, DamagedFileError, DiscoveryError) as error:
        why = f"the models of the version that serves cannot be used: {error}"
        context.account.warn([f"version {current.version}: {why}"])
        return _unproven(current, rule, why)
    if isinstance(found, str):
        return _unproven(current, rule, found)
    verdict = decide(found)
    compared = [_record(each, p) for each, p in zip(found, verdict.p_adjusted, strict=True)]
    if verdict.evidence != "compared":
        return _unproven(current, rule, verdict.why, verdict.evidence, compared)
    why = f"training.promote is never; {verdict.why}" if rule == "never" else verdict.why
    promoted = verdict.promoted and rule != "never"
    return _decided(
        current, rule, promoted=promoted, why=why, evidence=verdict.evidence, compared=compared
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Both versions on the rows after those that the current one learned from."""

    context: StageContext
    executor: Executor
    reporter: Reporter
    trained: TrainedRun
    until: str

    def made(self) -> list[Compared] | str:
        """Return the comparisons, or why there was nothing to compare."""
        context, subject = self.context, current_subject(self.context)
        request, record = subject.frame.request, self.trained.record
        if (record.data.kind, record.data.bar_seconds) != (request.kind, request.bar_seconds):
            return "the present version is of data of another kind or interval"
        times = context.run.read_table(subject.frame.axis).column("time_ns").to_numpy()
        if times[-1] <= since_ns(self.until):
            return f"no row is later than {self.until}, until when the present version has learned"
        new = self._new_jobs()
        jobs = [
            job
            for job in self.trained.jobs
            if (job.target, job.view) in new and job.family != RANK_AVERAGE
        ]
        if not jobs:
            return "they have no target and view in common"
        failures: list[Failed] = []

        def failed(found: Sequence[Failed]) -> None:
            failures.extend(found)

        runner = UnitRunner(
            self.executor, context.run.units, self.reporter.outcome, failed, context.account.say
        )
        tables = self._present(runner, subject, jobs)
        views = dict.fromkeys((job.target, job.view) for job in jobs)
        told = self._told(subject, times)
        records = runner.run([self._unit(subject, key, new[key], tables, told) for key in views])
        if failures:
            first = failures[0]
            raise ExecutionError(
                f"{first.unit.stage}: {plural(len(failures), 'unit')} failed, so that the new "
                f"models could not be compared with version {self.trained.run.uri}: "
                f"{first.reason} What was trained is not lost: the same command goes on from here."
            )
        return [Compared.from_record(record) for record in records.values()]

    def _new_jobs(self) -> dict[TargetView, list[Job]]:
        """Return the jobs that were trained, without averages, by target and view."""
        trained = self.context.get(Training).results
        found: dict[TargetView, list[Job]] = {}
        for job in self.context.get(TrainingPlan).jobs:
            if job.job_id in trained and job.family != RANK_AVERAGE:
                found.setdefault((job.target, job.view), []).append(job)
        return found

    def _present(
        self, runner: UnitRunner, subject: Subject, jobs: Sequence[ServedJob]
    ) -> tuple[str, ...]:
        """Score rows that the serving models have not seen; return the tables."""
        context, trained = self.context, self.trained
        features = tuple(dict.fromkeys(name for job in jobs for name in job.features))
        request = compute_cross_section(
            runner,
            context.run,
            subject.partitions,
            trained.request(features, [os.getcwd()]),
            trained.members,
        )
        own: dict[str, list[ServedJob]] = {}
        for job in jobs:
            for symbol in subject.partitions if job.is_pooled else job.serves:
                own.setdefault(symbol, []).append(job)
        symbols = [symbol for symbol in sorted(subject.partitions) if symbol in own]
        units = []
        for start in range(0, len(symbols), _SYMBOLS_A_UNIT):
            chosen = symbols[start : start + _SYMBOLS_A_UNIT]
            used = [job for symbol in chosen for job in own[symbol]]
            spec = PresentSpec(
                run_uri=trained.run.uri,
                run_options=trained.run_options,
                symbols=tuple(
                    (subject.partitions[each], without_symbols(own[each])) for each in chosen
                ),
                request=request,
                seals=trained.seals_of(used),
                families=tuple(family_identity(name) for name in sorted({j.family for j in used})),
                interval=trained.interval,
                since_ns=since_ns(self.until) + 1,
            )
            units.append(Unit("score_present", chosen[0], score_present, spec))
        records = runner.run(units)
        for record in records.values():
            for symbol, reason in record["left_out"].items():
                context.account.say(f"{symbol} is not compared with the present version: {reason}")
        return tuple(str(record["table"]) for record in records.values())

    def _told(self, subject: Subject, times: NDArray[np.int64]) -> tuple[int, ...] | None:
        """Return the informative folds: with the same config, those with newer rows."""
        there, here = (
            read_config_values(dump_config(config), CONFIG)
            for config in (self.trained.config, self.context.config)
        )
        differing = compare_configs(there, here)["config"]
        if any(each["key"] != _UNTIL for each in differing):
            return None
        n_present = int(np.searchsorted(times, since_ns(self.until), side="right"))
        return tuple(fold.index for fold in subject.frame.folds if fold.test_start > n_present)

    def _unit(
        self,
        subject: Subject,
        key: TargetView,
        jobs: Sequence[Job],
        tables: tuple[str, ...],
        told: tuple[int, ...] | None,
    ) -> Unit:
        """Return the unit that compares a target and view."""
        results = self.context.get(Training).results
        target = next(each for each in subject.frame.targets if each.name == key[0])
        spec = SameRowsSpec(
            axis=subject.frame.axis,
            target=target.name,
            view=key[1],
            task=target.task,
            present=tables,
            new=tuple(str(results[job.job_id]["predictions"]) for job in jobs),
            told=told,
            span=subject.frame.span_of(target, "cross_sectional"),
            spacing=max(float(results[job.job_id]["spacing"]) for job in jobs),
            min_cs=self.context.config.target_ranking.min_cs,
        )
        return Unit("compare_versions", f"{key[0]} {key[1]}", compare_versions, spec)


def _unproven(
    current: CurrentVersion,
    rule: str,
    found: str,
    evidence: EvidenceKind = "none",
    compared: Sequence[ComparedRecord] = (),
) -> DecisionRecord:
    """Decide when there is no evidence for or against the new models, and say so."""
    why = f"training.promote is never; {found}"
    if rule != "never":
        why = f"no evidence for or against it ({found}); training.promote is {rule}"
    return _decided(
        current, rule, promoted=rule != "never", why=why, evidence=evidence, compared=compared
    )


def _decided(
    current: CurrentVersion,
    rule: str,
    *,
    promoted: bool,
    why: str,
    evidence: EvidenceKind = "none",
    compared: Sequence[ComparedRecord] = (),
) -> DecisionRecord:
    return DecisionRecord(
        over=current.version,
        promoted=promoted,
        rule=rule,
        why=why,
        compared=tuple(compared),
        evidence=evidence,
    )


def _record(found: Compared, p_adjusted: float) -> ComparedRecord:
    return ComparedRecord(**nulls(asdict(found) | {"p_adjusted": p_adjusted}))
