"""Evaluation of the trained jobs, fanned out as training was."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.evaluating.comparison import Likeness, OverfittingRow, TestRange
from ray_pipeline.evaluating.deflation import Trials, deflate
from ray_pipeline.evaluating.doubt import doubt_worth, doubted_worth
from ray_pipeline.evaluating.doubting import doubt_models
from ray_pipeline.evaluating.overfitting import (
    ComparedJob,
    ComparisonSpec,
    compare_models,
)
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
from ray_pipeline.ranking.doubt import DoubtedFigure, DoubtLimits
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.records import TargetSpec, first_match
from ray_pipeline.routing.jobs import Job, TrainingPlan
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.training.training import Training
from ray_pipeline.wording import some_of

__all__ = [
    "DECAY",
    "EQUITY",
    "EVALUATED_JOBS",
    "EVALUATION",
    "OVERFITTING",
    "QUANTILES",
    "Evaluation",
    "evaluate_models",
]

_MOST_SWING = 5.0
_FOLDER = "evaluation"
EVALUATED_JOBS = f"{_FOLDER}/jobs.parquet"
QUANTILES = f"{_FOLDER}/quantiles.parquet"
DECAY = f"{_FOLDER}/decay.parquet"
EQUITY = f"{_FOLDER}/equity.parquet"
OVERFITTING = f"{_FOLDER}/overfitting.parquet"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of the trained jobs, in the order of the plan.

    `curves` names the table of the net curves, None if no job has a portfolio.
    """

    jobs: tuple[EvaluatedRow, ...]
    quantiles: tuple[QuantileRow, ...]
    decay: tuple[DecayRow, ...]
    overfitting: tuple[OverfittingRow, ...]
    curves: str | None

    @property
    def doubted(self) -> list[DoubtedFigure]:
        """A doubtful figure for each target that its trained models make doubtful."""
        return doubted_worth(asdict(row) for row in self.jobs)


def evaluate_models(
    runner: UnitRunner,
    frame: PanelFrame,
    ranking: Ranking,
    plan: TrainingPlan,
    training: Training,
    config: ExperimentConfig,
    doubt: DoubtLimits,
) -> Evaluation:
    """Evaluate every trained job on its out-of-sample predictions.

    Pooled jobs are one unit each, the jobs of a symbol one together. A job whose unit failed is
    missing.

    Parameters
    ----------
    doubt
        The limits beyond which no figure is believed.
    """
    settings = EvaluationSettings.from_config(config)
    tested = TestRange(frame.test_start, frame.folds[-1].test_end - frame.test_start)
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
            spec = EvaluationSpec(frame.axis, tested, (wanted,), settings)
            pooled.append(Unit("evaluate_pooled", job.job_id, evaluate_unit, spec))
        else:
            own.setdefault(wanted.symbol, []).append(wanted)
    units = [
        Unit(
            "evaluate_symbol",
            symbol,
            evaluate_unit,
            EvaluationSpec(frame.axis, tested, tuple(jobs), settings),
        )
        for symbol, jobs in own.items()
    ]
    records = [*runner.run(pooled).values(), *runner.run(units).values()]
    found = {job_id: each for record in records for job_id, each in record["jobs"].items()}
    evaluated = [found[job.job_id] for job in plan.jobs if job.job_id in found]
    rows = [EvaluatedRow(**each["job"]) for each in evaluated]
    compared = _compare(runner, [job for job in plan.jobs if job.job_id in found], records)
    trained = [job for job in plan.jobs if job.job_id in training.results]
    trials = Trials(
        n_ranked=sum(row.family is not None for row in ranking.targets),
        n_families=len(config.target_ranking.families),
        n_trained=len({(job.target, job.view) for job in trained}),
        n_questions=len({(job.target, job.view, job.symbols) for job in trained}),
        n_jobs=len(training.results),
        n_searched=sum(map(_n_searched, training.results.values())),
    )
    decay = tuple(DecayRow(**row) for each in evaluated for row in each["decay"])
    deflated = deflate(rows, trials, Likeness(**compared["likeness"]))
    limits = {target.name: doubt.of(target) for target in frame.targets}
    return Evaluation(
        jobs=tuple(doubt_worth(deflated, decay, limits, doubt.std_errors)),
        quantiles=tuple(QuantileRow(**row) for each in evaluated for row in each["quantiles"]),
        decay=decay,
        overfitting=tuple(OverfittingRow(**row) for row in compared["rows"]),
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
        symbol=_symbol_of(job),
        family=job.family,
        task=target.task,
        horizon_bars=target.horizon_bars,
        is_return=is_return,
        span=frame.span_of(target, job.view, _symbol_of(job)),
        spacing=result["spacing"],
        table=str(result["predictions"]),
    )


def _symbol_of(job: Job) -> str | None:
    return None if job.view == "cross_sectional" else job.symbols[0]


def _n_searched(result: Mapping[str, Any]) -> int:
    """Return the number of trials of a job's hyperparameter search."""
    return int((result.get("search") or {}).get("n_trials", 0))


def _compare(
    runner: UnitRunner, jobs: Sequence[Job], records: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Compare the returns of all jobs."""
    compared = tuple(
        ComparedJob(job.job_id, job.target, job.view, _symbol_of(job), job.family) for job in jobs
    )
    tables = tuple(str(each["slices"]) for each in records if each["slices"] is not None)
    if not tables:
        return {"rows": [], "likeness": asdict(Likeness(math.nan, math.nan))}
    unit = Unit("compare_models", "all", compare_models, ComparisonSpec(compared, tables))
    found: Mapping[str, Any] = runner.run_required([unit])["all"]
    return found


def _join(runner: UnitRunner, records: Sequence[Mapping[str, Any]]) -> str | None:
    tables = [str(record["curves"]) for record in records if record["curves"] is not None]
    if not tables:
        return None
    unit = Unit("join_curves", "all", join_curves, CurvesSpec(tuple(tables)))
    return str(runner.run_required([unit])["all"]["table"])


def _evaluate(context: StageContext) -> None:
    """Evaluate what the predictions would have been worth."""
    subject = context.get(Subject)
    evaluation = evaluate_models(
        context.runner,
        subject.frame,
        context.get(Ranking),
        context.get(TrainingPlan),
        context.get(Training),
        context.config,
        DoubtLimits.from_config(context.config, subject.bar_seconds, subject.session_bars),
    )
    context.put(evaluation)
    context.write.rows(EVALUATED_JOBS, EvaluatedRow, evaluation.jobs)
    context.write.rows(QUANTILES, QuantileRow, evaluation.quantiles)
    context.write.rows(DECAY, DecayRow, evaluation.decay)
    context.write.rows(OVERFITTING, OverfittingRow, evaluation.overfitting)
    if evaluation.curves is None:
        context.write.table(EQUITY, curves_schema().empty_table())
    else:
        context.write.copy(evaluation.curves, EQUITY)
    doubt_models(context, evaluation.jobs, evaluation.doubted, EVALUATED_JOBS)
    context.account.warn(_impossible(evaluation.jobs))


def _impossible(jobs: Sequence[EvaluatedRow]) -> list[str]:
    """Warn about portfolios with impossible swings: their labels are not fractions.

    A year's deviation follows from the mean of a period and the Sharpe ratio of a year. That of
    coins against each other is about 1; percent are a hundred times what they mean.
    """
    swings = {
        row.target: abs(row.gross * row.periods_per_year / row.gross_sharpe)
        for row in jobs
        if row.gross_sharpe
    }
    found = {target: swing for target, swing in swings.items() if swing > _MOST_SWING}
    if not found:
        return []
    worst = max(found, key=lambda target: found[target])
    return [
        f"portfolios of {some_of(sorted(found), at_most=5)} swing by {100 * found[worst]:,.0f} % a "
        f"year at {worst}: these labels are not returns as fractions (0.01 is 1 %), so that what "
        "costs take and what breaks even is wrong. Give percent divided by 100, or leave the "
        "target out of evaluation.return_targets."
    ]


EVALUATION = Stage(
    name="evaluation",
    run=_evaluate,
    units=(
        UnitKind("evaluate_pooled", "evaluating, pooled"),
        UnitKind("evaluate_symbol", "evaluating, per symbol"),
        UnitKind("compare_models", "comparing models"),
        UnitKind("join_curves", "joining curves"),
    ),
    sections=("columns", "evaluation", "target_ranking", "doubt", "leakage"),
    tables=(EVALUATED_JOBS, QUANTILES, DECAY, OVERFITTING, EQUITY),
    needs=("doubt", "training"),
)
