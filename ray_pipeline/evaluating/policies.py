"""Comparing what retraining schedules would have earned, corrected for the choice among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.config.policy_section import PoliciesConfig
from ray_pipeline.errors import DataError
from ray_pipeline.evaluating.policy_fits import (
    PolicyFoldSpec,
    PolicyJob,
    PolicyJudgingSpec,
    SymbolPoliciesSpec,
    judge_pooled_policies,
    policies_of_symbol,
    serve_pooled_policies,
)
from ray_pipeline.evaluating.policy_records import (
    NEVER,
    Policy,
    PolicyFoldRow,
    PolicyRow,
    Variant,
)
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.inspecting.subject import Subject, current_subject
from ray_pipeline.intervals import read_duration
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import TargetSpec
from ray_pipeline.routing.jobs import Job, TrainingPlan
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.statistics.retraining import predicted_by
from ray_pipeline.statistics.training_windows import rolling_folds
from ray_pipeline.training.search.searching import Searches
from ray_pipeline.training.settings import TrainingSettings
from ray_pipeline.training.training import Training, job_spec
from ray_pipeline.wording import some_of

__all__ = [
    "POLICIES",
    "POLICY_FOLDS",
    "POLICY_TABLE",
    "n_trained",
    "policy_job",
    "variants_of",
]

POLICY_TABLE = "evaluation/policies.parquet"
POLICY_FOLDS = "evaluation/policy_folds.parquet"


def n_trained(asked: PoliciesConfig, n_folds: int) -> int:
    """Return the models of a job that a comparison needs; schedules share those of a fold."""
    every = [None if each == NEVER else int(each) for each in asked.retrain_every]
    n_variants = len(asked.windows) * len(asked.half_lives)
    return n_variants * len(predicted_by(n_folds, every))


def variants_of(
    asked: PoliciesConfig, frame: PanelFrame, target: TargetSpec, axis: NDArray[np.int64]
) -> tuple[tuple[Variant, ...], tuple[str, ...]]:
    """Return the variants that a target's horizon has room for, and why others are left out."""
    expanding = tuple(replace(fold, train_start=0) for fold in frame.folds)
    horizon = frame.span_of(target, "cross_sectional")
    found: list[Variant] = []
    problems: list[str] = []
    for window in asked.windows:
        length = read_duration(window)
        folds = expanding
        if length is not None:
            try:
                folds, _ = rolling_folds(axis, expanding, length, horizon, frame.embargo)
            except DataError as error:
                told = str(error).replace("validation.window=", "evaluation.policies.windows: ")
                problems.append(f"{target.name}: {told}")
                continue
        found += [Variant(window, half_life, folds) for half_life in asked.half_lives]
    return tuple(found), tuple(problems)


def policy_job(
    job: Job,
    asked: PoliciesConfig,
    variants: Sequence[Variant],
    search: Searches | None,
    results: Mapping[str, Any],
) -> PolicyJob:
    """Return a job with all its policies, in the order in which the config names their parts."""
    accepted = (results.get("search") or {}).get("accepted")
    searches = search.jobs if search is not None and accepted else {}
    policies = tuple(
        Policy(None if every == NEVER else int(every), place)
        for place in range(len(variants))
        for every in asked.retrain_every
    )
    return PolicyJob(job_spec(job, searches), tuple(variants), policies)


def _evaluate(context: StageContext) -> None:
    """Compare policies of retraining for the trained jobs."""
    config, subject = context.config, current_subject(context)
    asked = config.evaluation.policies
    if asked is None:
        return
    frame, training = subject.frame, context.get(Training)
    axis = context.run.read_table(frame.axis).column("time_ns").to_numpy()
    plan, search = context.get(TrainingPlan), context.find(Searches)
    wanted: list[Job] = []
    jobs: dict[str, PolicyJob] = {}
    problems: dict[str, None] = {}
    targets = {target.name: target for target in frame.targets}
    for job in plan.jobs:
        if not _is_wanted(job, asked, training):
            continue
        variants, told = variants_of(asked, frame, targets[job.target], axis)
        problems |= dict.fromkeys(told)
        if variants:
            wanted.append(job)
            result = training.results[job.job_id]
            jobs[job.job_id] = policy_job(job, asked, variants, search, result)
    records = [
        *_pooled(context, subject, [jobs[j.job_id] for j in wanted if j.view == "cross_sectional"]),
        *_own(context, subject, [j for j in wanted if j.view == "symbol_specific"], jobs),
    ]
    order = {job.job_id: place for place, job in enumerate(wanted)}
    rows = [PolicyRow(**row) for record in records for row in record["rows"]]
    folds = [PolicyFoldRow(**row) for record in records for row in record["folds"]]
    context.write.rows(POLICY_TABLE, PolicyRow, sorted(rows, key=lambda row: order[row.job_id]))
    context.write.rows(
        POLICY_FOLDS, PolicyFoldRow, sorted(folds, key=lambda row: order[row.job_id])
    )
    left_out = [why for record in records for why in record.get("left_out", ())]
    context.account.warn([*problems, *_sampled(config), *_told(left_out)])


def _is_wanted(job: Job, asked: PoliciesConfig, training: Training) -> bool:
    is_fitted = not job.members and job.job_id in training.results
    return is_fitted and (asked.jobs == "all" or job.view == "cross_sectional")


def _pooled(
    context: StageContext, subject: Subject, jobs: Sequence[PolicyJob]
) -> list[Mapping[str, Any]]:
    pool = context.find(PooledPanel)
    if pool is None or not jobs:
        return []
    frame, settings = subject.frame, TrainingSettings.from_config(context.config)
    units: dict[tuple[str, int], Unit] = {}
    for asked in jobs:
        for place in asked.schedule:
            spec = PolicyFoldSpec(frame, pool.tables, asked, place, settings)
            key = f"{asked.job.job_id} fold {asked.job.fold_features[place][0]}"
            unit = Unit("policy_models", key, serve_pooled_policies, spec)
            units[asked.job.job_id, place] = unit
    served = context.runner.run(list(units.values()), [pool.value])
    judged = []
    for asked in jobs:
        own = {place: units[asked.job.job_id, place] for place in asked.schedule}
        if all(unit.key in served for unit in own.values()):
            tables = tuple((place, str(served[unit.key]["table"])) for place, unit in own.items())
            judging = PolicyJudgingSpec(frame, asked, tables, pool.spacing)
            judged.append(Unit("policies_pooled", asked.job.job_id, judge_pooled_policies, judging))
    return list(context.runner.run(judged).values())


def _own(
    context: StageContext, subject: Subject, wanted: Sequence[Job], jobs: Mapping[str, PolicyJob]
) -> list[Mapping[str, Any]]:
    settings = TrainingSettings.from_config(context.config).for_own_models()
    by_symbol: dict[str, list[PolicyJob]] = {}
    for job in wanted:
        if job.symbols[0] in subject.partitions:
            by_symbol.setdefault(job.symbols[0], []).append(jobs[job.job_id])
    units = [
        Unit(
            "policies_symbol",
            symbol,
            policies_of_symbol,
            SymbolPoliciesSpec(subject.frame, subject.partitions[symbol], tuple(own), settings),
        )
        for symbol, own in by_symbol.items()
    ]
    return list(context.runner.run(units).values())


def _sampled(config: ExperimentConfig) -> list[str]:
    """Say where the compared models differ from the trained ones."""
    ranked, trained = config.target_ranking.max_cs_rows, config.training.max_cs_rows
    if trained is None or trained == ranked:
        return []
    return [
        "policies of retraining are compared on the pooled rows of target_ranking.max_cs_rows "
        f"({ranked:,}), though pooled models train on those of training.max_cs_rows."
    ]


def _told(left_out: Sequence[str]) -> list[str]:
    if not left_out:
        return []
    return [f"no policies of retraining for some models: {some_of(list(left_out), at_most=3)}"]


def _is_asked_for(context: StageContext) -> bool:
    return context.config.evaluation.policies is not None


POLICIES = Stage(
    name="policies",
    run=_evaluate,
    units=(
        UnitKind("policy_models", "retraining by policies"),
        UnitKind("policies_pooled", "comparing policies, pooled"),
        UnitKind("policies_symbol", "comparing policies, per symbol"),
    ),
    sections=("evaluation", "training", "validation", "target_ranking"),
    tables=(POLICY_TABLE, POLICY_FOLDS),
    needs=("training",),
    applies=_is_asked_for,
)
