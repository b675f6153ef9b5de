"""Rolling statistics whose value at a row depends on the window's values alone, to the last bit.

Everything is an elementwise operation between shifted copies of a series, in an order that
depends on the window's length only. IEEE elementwise operations give the same bits wherever in
memory an element lies; running sums carry their past along, and numpy's own reductions choose
their order by alignment. So cutting a series' past or future changes nothing, and a missing
value is forgotten when it leaves the window.

All functions take and return float64 (n_rows,); row t holds the statistic of rows
``t - window + 1 … t``, NaN where the window is not full or holds a NaN. Where several
statistics of one series are wanted, `rolling.Rolling` shares what they have in common.
"""

from __future__ import annotations

import numpy as np

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.rolling import EMA_LENGTH_IN_SPANS, Rolling, ratio

__all__ = [
    "EMA_LENGTH_IN_SPANS",
    "ratio",
    "rolling_ema",
    "rolling_max",
    "rolling_mean",
    "rolling_min",
    "rolling_std",
    "shift",
]


def shift(values: FloatArray, lag: int) -> FloatArray:
    """Return the value of ``lag`` rows earlier, NaN in the first rows."""
    shifted = np.empty_like(values)
    shifted[:lag] = np.nan
    shifted[lag:] = values[: max(len(values) - lag, 0)]
    return shifted


def rolling_mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the window."""
    return Rolling(values).mean(window)


def rolling_ema(values: FloatArray, span: int) -> FloatArray:
    """Return the exponential moving average, truncated to a window of three spans."""
    return Rolling(values).ema(span)


def rolling_max(values: FloatArray, window: int) -> FloatArray:
    """Return the largest value of the window."""
    return Rolling(values).max(window)


def rolling_min(values: FloatArray, window: int) -> FloatArray:
    """Return the smallest value of the window."""
    return Rolling(values).min(window)


def rolling_std(values: FloatArray, window: int) -> FloatArray:
    """Return the standard deviation (ddof=1), 0 where the window is constant up to rounding."""
    return Rolling(values).std(window)
