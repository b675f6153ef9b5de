"""Evaluation of the trained jobs, fanned out as training was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.evaluating.deflation import count_trials, deflate
from ray_pipeline.evaluating.records import (
    DecayRow,
    EvaluatedJob,
    EvaluatedRow,
    EvaluationSettings,
    QuantileRow,
)
from ray_pipeline.evaluating.units import (
    CurvesSpec,
    EvaluationSpec,
    curves_schema,
    evaluate_unit,
    join_curves,
)
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.subject import Subject
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.records import TargetSpec, first_match
from ray_pipeline.routing.jobs import Job, TrainingPlan
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.training.training import Training

__all__ = [
    "DECAY",
    "EQUITY",
    "EVALUATED_JOBS",
    "EVALUATION",
    "QUANTILES",
    "Evaluation",
    "evaluate_models",
]

_FOLDER = "evaluation"
EVALUATED_JOBS = f"{_FOLDER}/jobs.parquet"
QUANTILES = f"{_FOLDER}/quantiles.parquet"
DECAY = f"{_FOLDER}/decay.parquet"
EQUITY = f"{_FOLDER}/equity.parquet"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of the trained jobs, in the order of the plan.

    `curves` names the table of the net curves, None where no job has a portfolio.
    """

    jobs: tuple[EvaluatedRow, ...]
    quantiles: tuple[QuantileRow, ...]
    decay: tuple[DecayRow, ...]
    curves: str | None


def evaluate_models(
    runner: UnitRunner,
    frame: PanelFrame,
    ranking: Ranking,
    plan: TrainingPlan,
    training: Training,
    config: ExperimentConfig,
) -> Evaluation:
    """Evaluate every trained job on its out-of-sample predictions.

    Pooled jobs are one unit each, the jobs of a symbol one together. A job whose unit failed is
    missing.
    """
    settings = EvaluationSettings.from_config(config)
    targets = {target.name: target for target in frame.targets}
    pooled: list[Unit] = []
    own: dict[str, list[EvaluatedJob]] = {}
    for job in plan.jobs:
        if job.job_id not in training.results:
            continue
        is_return = first_match(job.target, config.evaluation.return_targets) is not None
        result = training.results[job.job_id]
        wanted = _job(job, targets[job.target], frame, is_return, result)
        if wanted.symbol is None:
            spec = EvaluationSpec(frame.axis, (wanted,), settings)
            pooled.append(Unit("evaluate_pooled", job.job_id, evaluate_unit, spec))
        else:
            own.setdefault(wanted.symbol, []).append(wanted)
    units = [
        Unit(
            "evaluate_symbol",
            symbol,
            evaluate_unit,
            EvaluationSpec(frame.axis, tuple(jobs), settings),
        )
        for symbol, jobs in own.items()
    ]
    records = [*runner.run(pooled).values(), *runner.run(units).values()]
    found = {job_id: each for record in records for job_id, each in record["jobs"].items()}
    evaluated = [found[job.job_id] for job in plan.jobs if job.job_id in found]
    n_trials = count_trials(
        sum(row.family is not None for row in ranking.targets),
        len(config.target_ranking.families),
        len(training.results),
        sum(map(_n_searched, training.results.values())),
    )
    return Evaluation(
        jobs=tuple(deflate([EvaluatedRow(**each["job"]) for each in evaluated], n_trials)),
        quantiles=tuple(QuantileRow(**row) for each in evaluated for row in each["quantiles"]),
        decay=tuple(DecayRow(**row) for each in evaluated for row in each["decay"]),
        curves=_join(runner, records),
    )


def _job(
    job: Job,
    target: TargetSpec,
    frame: PanelFrame,
    is_return: bool,
    result: Mapping[str, Any],
) -> EvaluatedJob:
    return EvaluatedJob(
        job_id=job.job_id,
        target=job.target,
        view=job.view,
        symbol=None if job.view == "cross_sectional" else job.symbols[0],
        family=job.family,
        task=target.task,
        horizon_bars=target.horizon_bars,
        is_return=is_return,
        span=frame.span_of(target, job.view),
        spacing=result["spacing"],
        table=str(result["predictions"]),
    )


def _n_searched(result: Mapping[str, Any]) -> int:
    """Trials of the search for hyperparameters behind a job."""
    return int((result.get("search") or {}).get("n_trials", 0))


def _join(runner: UnitRunner, records: Sequence[Mapping[str, Any]]) -> str | None:
    tables = [str(record["curves"]) for record in records if record["curves"] is not None]
    if not tables:
        return None
    unit = Unit("join_curves", "all", join_curves, CurvesSpec(tuple(tables)))
    return str(runner.run_required([unit])["all"]["table"])


def _evaluate(context: StageContext) -> None:
    """Tell what the predictions would have been worth."""
    evaluation = evaluate_models(
        context.runner,
        context.get(Subject).frame,
        context.get(Ranking),
        context.get(TrainingPlan),
        context.get(Training),
        context.config,
    )
    context.write.rows(EVALUATED_JOBS, EvaluatedRow, evaluation.jobs)
    context.write.rows(QUANTILES, QuantileRow, evaluation.quantiles)
    context.write.rows(DECAY, DecayRow, evaluation.decay)
    if evaluation.curves is None:
        context.write.table(EQUITY, curves_schema().empty_table())
    else:
        context.write.copy(evaluation.curves, EQUITY)


EVALUATION = Stage(
    name="evaluation",
    run=_evaluate,
    units=(
        UnitKind("evaluate_pooled", "evaluating, pooled"),
        UnitKind("evaluate_symbol", "evaluating, per symbol"),
        UnitKind("join_curves", "joining curves"),
    ),
    sections=("evaluation", "target_ranking"),
    tables=(EVALUATED_JOBS, QUANTILES, DECAY, EQUITY),
    needs=("training",),
)
