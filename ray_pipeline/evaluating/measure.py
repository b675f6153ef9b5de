"""All figures of one job's out-of-sample predictions (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.evaluating.ranked import Ranked, rank_predictions
from ray_pipeline.evaluating.records import (
    NOTHING_MISSING,
    DecayRow,
    EvaluatedJob,
    EvaluatedRow,
    EvaluationSettings,
    JobEvaluation,
    Predictions,
    QuantileRow,
    WhyNot,
)
from ray_pipeline.evaluating.trading import form_cohorts, trade, turnover_of_legs
from ray_pipeline.records import QUESTIONS
from ray_pipeline.statistics.decay import decay_lags, later_rows
from ray_pipeline.statistics.hac import overlapping_mean
from ray_pipeline.statistics.hits import agreement, agreement_by_chance
from ray_pipeline.statistics.quantile_returns import (
    mean_of_cells,
    quantile_matrix,
    quantile_returns,
)
from ray_pipeline.statistics.skill import grouped_skill, time_contributions, timestamp_skills

__all__ = ["evaluate_job"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def evaluate_job(
    rows: Predictions, job: EvaluatedJob, settings: EvaluationSettings
) -> JobEvaluation:
    """Measure what predictions of the past would have been worth.

    Figures that cannot be measured are NaN, and `EvaluatedRow.reason` says why. The figures that
    depend on other jobs (the deflated Sharpe ratio) are left to
    `ray_pipeline.evaluating.deflation`.
    """
    ranked = rank_predictions(rows, job, settings)
    decay = _decay(rows, ranked, job, settings)
    if not ranked.used.any():
        why_not = ranked.why_not
        if why_not == NOTHING_MISSING:
            why_not = WhyNot("no labels", "no prediction has both a quantile and a known label")
        return JobEvaluation(_row(job, settings, {}, why_not), (), decay, None, None)
    figures, quantiles = _quantiles(rows, ranked, job, settings)
    figures |= _hits(rows, ranked, job)
    cohorts = form_cohorts(rows, ranked, job, settings)
    if job.view == "cross_sectional":
        figures["turnover_top"], figures["turnover_bottom"] = turnover_of_legs(cohorts)
    curve = returns = None
    if len(cohorts.gross) == 0:
        why_not = WhyNot(
            "predictions tie", "predictions tie: no timestamp has both a top and a bottom quantile"
        )
    elif job.task == "binary":
        why_not = WhyNot("no portfolio", "no portfolio: a binary label is not a return")
    elif not job.is_return:
        why_not = WhyNot(
            "no portfolio", "no portfolio: the target is not among evaluation.return_targets"
        )
    else:
        traded = trade(cohorts, job, settings)
        figures |= traded.figures
        curve, returns, why_not = traded.curve, traded.returns, traded.why_not
    row = _row(job, settings, figures, why_not)
    return JobEvaluation(row, quantiles, decay, curve, returns)


def _row(
    job: EvaluatedJob, settings: EvaluationSettings, figures: Mapping[str, Any], why: WhyNot
) -> EvaluatedRow:
    known = {**_identity(job), "task": job.task, "horizon_bars": job.horizon_bars}
    known["question"] = QUESTIONS[job.view]
    counts = {"n_rows": 0, "n_timestamps": 0, "n_trials": 0, "cost_bps": settings.cost_bps}
    values = {field.name: math.nan for field in fields(EvaluatedRow) if field.default is MISSING}
    return EvaluatedRow(**(values | known | counts | dict(figures) | asdict(why)))


def _identity(job: EvaluatedJob) -> dict[str, Any]:
    return {name: getattr(job, name) for name in ("job_id", "target", "view", "symbol", "family")}


def _quantiles(
    rows: Predictions, ranked: Ranked, job: EvaluatedJob, settings: EvaluationSettings
) -> tuple[dict[str, float], tuple[QuantileRow, ...]]:
    used, n_quantiles = ranked.used, settings.n_quantiles
    quantile, label = ranked.quantile[used], rows.label[used]
    times, n_times, of_time = _by_time(rows.positions[used], label)
    matrix = quantile_matrix(quantile, label, times, n_times, n_quantiles)
    pooled = job.view == "cross_sectional"
    benchmark = of_time if pooled else np.full(n_times, label.mean())
    cells, first, cell = np.unique(rows.cells[used], return_index=True, return_inverse=True)
    if len(cells) > n_times:
        counts = np.bincount(cell)
        of_cells = quantile_matrix(quantile, label, cell, len(cells), n_quantiles)
        means = np.bincount(cell, weights=label) / counts
        matrix, benchmark = mean_of_cells(of_cells, means, counts, times[first], n_times)
    found = quantile_returns(matrix, benchmark, job.span, job.spacing)
    counts = np.bincount(quantile, minlength=n_quantiles)
    base = float(label.mean()) if job.task == "binary" else math.nan
    rows_of = tuple(
        QuantileRow(
            **_identity(job),
            quantile=q + 1,
            mean_actual=float(found.means[q]),
            excess=float(found.excess[q]),
            std_error=float(found.std_errors[q]),
            lift=float(found.means[q]) / base if base > 0 else math.nan,
            n_rows=int(counts[q]),
        )
        for q in range(n_quantiles)
    )
    figures = {
        "n_rows": int(used.sum()),
        "n_timestamps": n_times,
        "spread": found.spread.mean,
        "spread_std_error": found.spread.std_error,
        "spread_p_value": math.nan if math.isnan(found.spread.std_error) else found.spread.p_value,
        "monotonicity": found.monotonicity,
    }
    return figures, rows_of


def _hits(rows: Predictions, ranked: Ranked, job: EvaluatedJob) -> dict[str, float]:
    used = ranked.used
    call, side = ranked.call[used], ranked.side[used]
    _, _, series = _by_time(rows.positions[used], agreement(call, side))
    estimate = overlapping_mean(series, job.span, job.spacing)
    return {
        "hit_rate": estimate.mean,
        "hit_rate_std_error": estimate.std_error,
        "hit_rate_by_chance": agreement_by_chance(call, side),
    }


def _by_time(positions: Ints, values: Floats) -> tuple[Ints, int, Floats]:
    """Return the number of each row's timestamp, their count, and the mean value of each."""
    distinct, times = np.unique(positions, return_inverse=True)
    means = np.bincount(times, weights=values) / np.bincount(times)
    return times, len(distinct), means


def _decay(
    rows: Predictions, ranked: Ranked, job: EvaluatedJob, settings: EvaluationSettings
) -> tuple[DecayRow, ...]:
    decay = []
    for lag in decay_lags(job.horizon_bars, job.spacing):
        first, later = later_rows(rows.symbols, rows.stretches, lag)
        if job.view == "cross_sectional":
            series, memory = _across(rows, first, later, job, settings.min_cs)
        else:
            series, memory = _over_time(ranked, first, later, job)
        estimate = overlapping_mean(series, job.span, job.spacing) if len(series) else None
        decay.append(
            DecayRow(
                **_identity(job),
                lag_bars=round(lag * job.spacing),
                rank_ic=estimate.mean if estimate else math.nan,
                std_error=estimate.std_error if estimate else math.nan,
                rank_autocorrelation=memory,
                n=len(series),
            )
        )
    return tuple(decay)


def _across(
    rows: Predictions, first: Ints, later: Ints, job: EvaluatedJob, min_cs: int
) -> tuple[Floats, float]:
    """Skill at each timestamp, and the mean rank correlation of predictions with later ones."""
    cells, prediction = rows.cells[first], rows.prediction
    known = np.isfinite(rows.label[later])
    label, predicted = rows.label[later][known], prediction[first][known]
    times = rows.positions[first][known]
    skills = timestamp_skills(predicted, label, times, cells[known], job.task, min_cs)
    memory = grouped_skill(prediction[first], prediction[later], cells, "regression", min_cs)
    mean = float(memory.skills.mean()) if len(memory.skills) else math.nan
    return skills, mean


def _over_time(ranked: Ranked, first: Ints, later: Ints, job: EvaluatedJob) -> tuple[Floats, float]:
    """Row products of the skill over a symbol's own time, and how its percentiles correlate."""
    percentiles, outcomes = 2.0 * ranked.percentile - 1.0, ranked.outcome
    known = np.isfinite(percentiles[first]) & np.isfinite(outcomes[later])
    scale = 1.0 if job.task == "binary" else 2.0
    series = time_contributions(percentiles[first][known], scale * outcomes[later][known], job.task)
    both = np.isfinite(percentiles[first]) & np.isfinite(percentiles[later])
    u, v = percentiles[first][both], percentiles[later][both]
    if len(u) < 2 or u.std() == 0.0 or v.std() == 0.0:
        return series, math.nan
    return series, float(np.corrcoef(u, v)[0, 1])
