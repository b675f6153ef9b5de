"""Sharpe ratios judged by how many trials the run made (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ray_pipeline.evaluating.records import EvaluatedRow
from ray_pipeline.statistics.sharpe import SharpeRatio, deflated_sharpe_ratio

__all__ = ["MIN_JOBS", "count_trials", "deflate"]


MIN_JOBS = 10
"""A variance of fewer than ten values is off by half or more."""


def count_trials(n_ranked: int, n_families: int, n_jobs: int, n_searched: int) -> int:
    """Count what the run tried before anyone looked at a Sharpe ratio.

    Every family on every ranked (target, view), every trained job, every trial of a search. Most
    of them are alike, so that fewer are independent: the count is the cautious one.
    """
    return n_ranked * n_families + n_jobs + n_searched


def deflate(rows: Sequence[EvaluatedRow], n_trials: int) -> list[EvaluatedRow]:
    """Add the deflated Sharpe ratio to every row that has a Sharpe ratio.

    The variance of the ratios across trials is estimated from the run's own jobs, as ratios a
    year, since they hold for different times. One job has no variance, and the difference of a
    few says more of what their targets hold than of luck: below `MIN_JOBS` jobs with a ratio the
    variance is ``1 / (n_periods − 1)`` per period, that of the ratios of worthless trials (Lo
    2002). It is never taken for less: the trained jobs are the trials that survived, and their
    ratios may lie closer together than those of all.
    """
    ratios = [row.sharpe for row in rows if np.isfinite(row.sharpe)]
    across = float(np.var(ratios, ddof=1)) if len(ratios) >= MIN_JOBS else 0.0
    return [_deflated(row, n_trials, across) for row in rows]


def _deflated(row: EvaluatedRow, n_trials: int, variance_per_year: float) -> EvaluatedRow:
    if not np.isfinite(row.sharpe):
        return replace(row, n_trials=n_trials)
    root = float(np.sqrt(row.periods_per_year))
    found = SharpeRatio(row.sharpe / root, row.skewness, row.kurtosis, row.n_periods)
    variance = max(variance_per_year / row.periods_per_year, 1.0 / (row.n_periods - 1.0))
    probability, by_luck = deflated_sharpe_ratio(found, n_trials, variance)
    return replace(
        row, deflated_sharpe=probability, sharpe_by_luck=by_luck * root, n_trials=n_trials
    )
