"""Requests about a job's predictions, and the rows of the resulting tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.records import Question, Task, View

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = [
    "NOTHING_MISSING",
    "Curve",
    "DecayRow",
    "Doubted",
    "EvaluatedJob",
    "EvaluatedRow",
    "EvaluationSettings",
    "JobEvaluation",
    "Predictions",
    "QuantileRow",
    "Returns",
    "WhyNot",
    "WorthVerdict",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WorthVerdict = Literal[
    "",
    "no quantiles",
    "no labels",
    "predictions tie",
    "no portfolio",
    "too few periods",
    "no Sharpe ratio",
]
"""Reasons why figures are not measured."""


Doubted = Literal["", "skill", "hit rate", "Sharpe ratio"]
"""The doubtful figure of a trained model."""


@dataclass(frozen=True, slots=True)
class WhyNot:
    """A kind of reason, and the reason in full."""

    verdict: WorthVerdict
    reason: str


NOTHING_MISSING = WhyNot("", "")


@dataclass(frozen=True, slots=True)
class EvaluatedJob:
    """A trained job and the table of its out-of-sample predictions.

    Attributes
    ----------
    symbol
        Of a model on a symbol's own rows; None for a pooled one.
    is_return
        Whether the label is a return, so that a portfolio earns it.
    span
        Positions that a label reaches over: panel positions for a pooled job, else rows.
    spacing
        Positions from one timestamp to the next; above 1 when they were sampled.
    table
        Name in the run directory; it hashes what the predictions depend on.
    """

    job_id: str
    target: str
    view: View
    symbol: str | None
    family: str
    task: Task
    horizon_bars: int
    is_return: bool
    span: int
    spacing: float
    table: str


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """See `ray_pipeline.config.EvaluationConfig`; `min_cs` is that of target ranking.

    `is_grouped` says whether predictions are compared within groups, which their tables name.
    """

    n_quantiles: int
    cost_bps: float
    min_cs: int
    is_grouped: bool = False

    @classmethod
    def from_config(cls, config: ExperimentConfig) -> EvaluationSettings:
        """Take the settings from the config."""
        asked = config.evaluation
        is_grouped = config.columns.group is not None
        return cls(asked.n_quantiles, asked.cost_bps, config.target_ranking.min_cs, is_grouped)

    @property
    def min_names(self) -> int:
        """Symbols that a timestamp, or a group of it, needs for its quantiles."""
        return max(self.min_cs, self.n_quantiles)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Out-of-sample rows of one job, by symbol and by time within it, all of shape (n_rows,).

    Attributes
    ----------
    symbols
        Number of each row's symbol.
    positions
        Panel position for a pooled job, else the number of the row.
    cells
        What each row is compared within; see `ray_pipeline.samples.design.Design`.
    stretches
        Rises where a fold was left out, so that rows are missing.
    time_ns
        Timestamps.
    prediction, label
        The label is NaN where unknown.
    """

    symbols: Ints
    positions: Ints
    cells: Ints
    stretches: Ints
    time_ns: Ints
    prediction: Floats
    label: Floats


@dataclass(frozen=True, slots=True)
class EvaluatedRow:
    """One row of ``evaluation/jobs.parquet``; figures are NaN where nothing was measured.

    Attributes
    ----------
    n_rows, n_timestamps
        Labelled predictions that have a quantile, and the timestamps that they are of.
    spread, spread_std_error, spread_p_value
        Mean label of the top less that of the bottom quantile, with its HAC error; one-sided for
        a spread above 0.
    monotonicity
        Rank correlation of the quantile's number with its mean label.
    hit_rate, hit_rate_std_error, hit_rate_by_chance
        Share of predictions on the right side, and that of calls that know nothing.
    turnover_top, turnover_bottom
        Share of the quantile's names that is replaced from one holding period to the next.
    gross, net, net_std_error
        Mean return of a holding period before and after costs, in units of the capital that is
        long (as much is short).
    traded
        Sum of absolute changes of weights per holding period: 4 when both legs change entirely.
    break_even_bps
        Cost at which nothing is left.
    net_per_year, sharpe, sharpe_std_error, gross_sharpe
        Annualised, by holding periods that do not overlap; net of costs but for the last.
    skewness, kurtosis
        Of the net returns of holding periods.
    probabilistic_sharpe
        Probability that the true ratio is above 0, of one trial.
    deflated_sharpe, sharpe_by_luck, n_trials
        The same for the best of the trials, the ratio a year that the best of them is expected
        to show when all are worthless, and how many were counted.
    min_track_record_years
        Years after which a ratio like this is above 0 with 95 % confidence.
    max_drawdown
        Largest fall of the summed net returns, in units of the capital that is long.
    reason
        Why there are figures missing, empty when there are none.
    verdict
        The kind of that reason; empty too in tables of version 0.1.0.
    doubtful, doubted, doubted_value, doubted_limit, doubt
        Whether a figure is beyond what such a target has ever shown; which, its size and its limit,
        and the same in a sentence.
    n_effective_trials
        Independent trials that are as many chances as the `n_trials` that were counted, which
        resemble each other; NaN in tables of version 0.2.0 and before, whose deflated ratio is
        that of all `n_trials`.
    sharpe_degrees_of_freedom
        Of the ratio's error, which is HAC; NaN where there were too few returns for that.
    sharpe_p_value
        Probability that the best of so many worthless trials shows a ratio like this.
    question
        What the model answers.
    """

    job_id: str
    target: str
    view: View
    symbol: str | None
    family: str
    task: Task
    horizon_bars: int
    n_rows: int
    n_timestamps: int
    spread: float
    spread_std_error: float
    spread_p_value: float
    monotonicity: float
    hit_rate: float
    hit_rate_std_error: float
    hit_rate_by_chance: float
    turnover_top: float
    turnover_bottom: float
    gross: float
    traded: float
    cost_bps: float
    net: float
    net_std_error: float
    break_even_bps: float
    net_per_year: float
    n_periods: float
    periods_per_year: float
    gross_sharpe: float
    sharpe: float
    sharpe_std_error: float
    skewness: float
    kurtosis: float
    probabilistic_sharpe: float
    deflated_sharpe: float
    sharpe_by_luck: float
    n_trials: int
    min_track_record_years: float
    max_drawdown: float
    reason: str
    verdict: WorthVerdict = ""
    doubtful: bool = False
    doubted: Doubted = ""
    doubted_value: float = math.nan
    doubted_limit: float = math.nan
    doubt: str = ""
    n_effective_trials: float = math.nan
    sharpe_degrees_of_freedom: float = math.nan
    sharpe_p_value: float = math.nan
    question: Question = ""


@dataclass(frozen=True, slots=True)
class QuantileRow:
    """One row of ``evaluation/quantiles.parquet``: 1 is the lowest quantile.

    `excess` is over the mean of the timestamp (over that of all rows for a symbol's own model),
    and `std_error` is its HAC error. `lift` is the mean of a binary label over that of all.
    """

    job_id: str
    target: str
    view: View
    symbol: str | None
    family: str
    quantile: int
    mean_actual: float
    excess: float
    std_error: float
    lift: float
    n_rows: int


@dataclass(frozen=True, slots=True)
class DecayRow:
    """One row of ``evaluation/decay.parquet``.

    Attributes
    ----------
    lag_bars
        Bars of its symbol between a prediction and the label that it is compared with.
    rank_ic, std_error
        Skill of the predictions for these labels (2·AUC − 1 for binary ones), with its HAC error.
    rank_autocorrelation
        Correlation of the predictions' ranks with those of `lag_bars` later.
    n
        Timestamps, or rows of a symbol, that the skill is the mean over.
    """

    job_id: str
    target: str
    view: View
    symbol: str | None
    family: str
    lag_bars: int
    rank_ic: float
    std_error: float
    rank_autocorrelation: float
    n: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Sums of returns over time, thinned; all of shape (n_points,).

    A return is booked at the timestamp at which its sub-portfolio was formed.
    """

    time_ns: Ints
    gross: Floats
    net: Floats


@dataclass(frozen=True, slots=True)
class Returns:
    """Net returns of all sub-portfolios, when each was formed, both of shape (n_cohorts,)."""

    time_ns: Ints
    net: Floats


@dataclass(frozen=True, slots=True)
class JobEvaluation:
    """All figures of one job; `curve` and `returns` are None without a portfolio."""

    job: EvaluatedRow
    quantiles: tuple[QuantileRow, ...]
    decay: tuple[DecayRow, ...]
    curve: Curve | None
    returns: Returns | None
