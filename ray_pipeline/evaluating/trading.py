"""The long–short portfolio of a job's predictions (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.evaluating.ranked import Ranked
from ray_pipeline.evaluating.records import (
    NOTHING_MISSING,
    Curve,
    EvaluatedJob,
    EvaluationSettings,
    Predictions,
    Returns,
    WhyNot,
)
from ray_pipeline.statistics.hac import overlapping_mean
from ray_pipeline.statistics.portfolio import (
    booked,
    leg_turnover,
    max_drawdown,
    predecessors,
    thinned,
    traded_weight,
)
from ray_pipeline.statistics.quantile_returns import quantile_matrix
from ray_pipeline.statistics.sharpe import (
    min_track_record_length,
    probabilistic_sharpe_ratio,
    sharpe_ratio,
)

__all__ = ["Cohorts", "Traded", "form_cohorts", "trade", "turnover_of_legs"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_POINTS = 250
"""Points of a curve: more would be narrower than a line."""

MIN_PERIODS = 12
"""Minimum number of holding periods for a meaningful Sharpe ratio."""

_YEAR_NS = 365.25 * 86_400e9
_PER_BPS = 1e-4


# Of the cohorts that a label spans: with fewer, the timestamps in between are none of theirs.
_SPARSE = 0.8


@dataclass(frozen=True, slots=True)
class Cohorts:
    """Portfolios formed at successive timestamps.

    Attributes
    ----------
    positions, time_ns, gross
        When each was formed and what it returned until its labels' end, shape (n_cohorts,).
    before
        Cohort that each takes over from; see `predecessors`.
    weights, owners, symbols
        Signed weight of each holding, its cohort and symbol, shape (n_holdings,).
    """

    positions: Ints
    time_ns: Ints
    gross: Floats
    before: Ints
    weights: Floats
    owners: Ints
    symbols: Ints


@dataclass(frozen=True, slots=True)
class Traded:
    """Figures by the names of `EvaluatedRow`, the curve and the returns, and what is missing."""

    figures: dict[str, float]
    curve: Curve | None
    returns: Returns | None
    why_not: WhyNot


def form_cohorts(
    rows: Predictions, ranked: Ranked, job: EvaluatedJob, settings: EvaluationSettings
) -> Cohorts:
    """Form a portfolio at each timestamp that allows one.

    Across symbols: 1 is long in equal parts in the names of the top quantile, 1 is short in those
    of the bottom one; both need a name whose label is known, and the return of a leg is the mean
    over these. Where symbols are compared within groups, each group has such a portfolio of its
    own, whose share in the capital is that of its names: as much is long in a group as is short,
    so that what moves the whole group moves nothing. For a symbol alone: long 1 in the top
    quantile, short 1 in the bottom one, nothing in between.
    """
    last = settings.n_quantiles - 1
    sign = (ranked.quantile == last).astype(np.float64) - (ranked.quantile == 0)
    if job.view == "cross_sectional":
        return _across(rows, ranked, job, settings.n_quantiles, sign)
    order = np.flatnonzero(ranked.used)
    return Cohorts(
        positions=rows.positions[order],
        time_ns=rows.time_ns[order],
        gross=sign[order] * rows.label[order],
        before=predecessors(rows.positions[order], job.span),
        weights=sign[order],
        owners=np.arange(len(order)),
        symbols=np.zeros(len(order), dtype=np.int64),
    )


def _across(
    rows: Predictions, ranked: Ranked, job: EvaluatedJob, n_quantiles: int, sign: Floats
) -> Cohorts:
    cells, first, cell = np.unique(rows.cells, return_index=True, return_inverse=True)
    matrix = quantile_matrix(ranked.quantile, rows.label, cell, len(cells), n_quantiles)
    gross = matrix[:, -1] - matrix[:, 0]
    formed = np.isfinite(gross)
    # Cells ascend with the positions, so that their times do.
    positions, start, time = np.unique(
        rows.positions[first[formed]], return_index=True, return_inverse=True
    )
    names = np.bincount(cell[ranked.quantile >= 0], minlength=len(cells))[formed]
    share = np.zeros(len(cells))
    share[formed] = names / np.bincount(time, weights=names)[time]
    place = np.zeros(len(cells), dtype=np.int64)
    place[formed] = time
    holding = np.flatnonzero((sign != 0.0) & formed[cell])
    leg = 2 * cell[holding] + (sign[holding] > 0)
    n_names = np.bincount(leg, minlength=2 * len(cells))
    return Cohorts(
        positions=positions,
        time_ns=rows.time_ns[first[formed][start]],
        gross=np.bincount(time, weights=share[formed] * gross[formed]).astype(np.float64),
        before=predecessors(positions, job.span),
        weights=sign[holding] * share[cell[holding]] / n_names[leg],
        owners=place[cell[holding]],
        symbols=rows.symbols[holding],
    )


def turnover_of_legs(cohorts: Cohorts) -> tuple[float, float]:
    """Mean share of the top and of the bottom quantile that is replaced per holding period."""
    top, bottom = (
        leg_turnover(
            np.abs(cohorts.weights[chosen]),
            cohorts.owners[chosen],
            cohorts.symbols[chosen],
            cohorts.before,
        )
        for chosen in (cohorts.weights > 0, cohorts.weights < 0)
    )
    return top, bottom


def trade(cohorts: Cohorts, job: EvaluatedJob, settings: EvaluationSettings) -> Traded:
    """Follow the portfolio with and without costs.

    The ratio a year is that of holding periods: mean and moments are taken over all cohorts, the
    number of periods that do not overlap is what counts as evidence (see `sharpe_ratio`), and it
    grows with the root of the periods in a year (Lo 2002, for returns of periods that are not
    correlated; `net_std_error` is HAC and does not need that).
    """
    n = len(cohorts.gross)
    n_periods = _n_periods(cohorts, job)
    if n_periods < MIN_PERIODS:
        too_few = f"{n_periods:.0f} holding periods are fewer than {MIN_PERIODS}"
        return Traded({}, None, None, WhyNot("too few periods", too_few))
    if not cohorts.weights.any():
        never = "no position is ever taken: the predictions do not reach the outer quantiles"
        return Traded({}, None, None, WhyNot("no portfolio", never))
    traded = traded_weight(cohorts.weights, cohorts.owners, cohorts.symbols, cohorts.before)
    net = cohorts.gross - traded * settings.cost_bps * _PER_BPS
    n_parts = int((cohorts.before < 0).sum())
    curve = booked(net, n_parts)
    years = float(cohorts.time_ns[-1] - cohorts.time_ns[0]) / _YEAR_NS * n / (n - 1)
    per_year = n_periods / years
    gross_mean, net_mean = float(cohorts.gross.mean()), float(net.mean())
    figures = {
        "gross": gross_mean,
        "traded": float(traded.mean()),
        "net": net_mean,
        "net_std_error": overlapping_mean(net, job.span, job.spacing).std_error,
        "break_even_bps": gross_mean / float(traded.mean()) / _PER_BPS,
        "net_per_year": net_mean * per_year,
        "n_periods": n_periods,
        "periods_per_year": per_year,
        "max_drawdown": max_drawdown(curve),
        **_ratios(cohorts.gross, net, n_periods, per_year, job),
    }
    why_not = NOTHING_MISSING
    if "sharpe" not in figures:
        why_not = WhyNot("no Sharpe ratio", "no Sharpe ratio: the returns do not vary")
    points = thinned(n, MAX_POINTS)
    drawn = Curve(cohorts.time_ns[points], booked(cohorts.gross, n_parts)[points], curve[points])
    return Traded(figures, drawn, Returns(cohorts.time_ns, net), why_not)


def _n_periods(cohorts: Cohorts, job: EvaluatedJob) -> float:
    """Return how many holding periods there are that do not overlap.

    Where cohorts are formed at every timestamp, a period has as many as a label spans. Where they
    are formed at some of the day alone, as of stocks beside coins, it has as many as are formed
    within a span, in the median.
    """
    n, per_span = len(cohorts.gross), max(1.0, job.span / job.spacing)
    ended = np.searchsorted(cohorts.positions, cohorts.positions - job.span, side="right")
    counts = np.arange(1, n + 1) - ended
    if (ended > 0).any():
        formed = float(np.median(counts[ended > 0]))
        if formed < _SPARSE * per_span:
            return n / max(formed, 1.0)
    return n / per_span


def _ratios(
    gross: Floats, net: Floats, n_periods: float, per_year: float, job: EvaluatedJob
) -> dict[str, float]:
    of_gross, of_net = (
        sharpe_ratio(returns, n_periods, job.span, job.spacing) for returns in (gross, net)
    )
    if of_net is None or of_gross is None:
        return {}
    root = math.sqrt(per_year)
    return {
        "gross_sharpe": of_gross.ratio * root,
        "sharpe": of_net.ratio * root,
        "sharpe_std_error": of_net.std_error * root,
        "sharpe_degrees_of_freedom": (
            math.nan if of_net.hac_error is None else of_net.degrees_of_freedom
        ),
        "skewness": of_net.skewness,
        "kurtosis": of_net.kurtosis,
        "probabilistic_sharpe": probabilistic_sharpe_ratio(of_net),
        "min_track_record_years": min_track_record_length(of_net) / per_year,
    }
