"""Rolling statistics whose value at a row depends on the window's values alone, to the last bit.

Everything is an elementwise operation between shifted copies of a series, in an order that
depends on the window's length only. IEEE elementwise operations give the same bits wherever in
memory an element lies; running sums carry their past along, and numpy's own reductions choose
their order by alignment. So cutting a series' past or future changes nothing, and a missing
value is forgotten when it leaves the window.

All functions take and return float64 (n_rows,); row t holds the statistic of rows
``t - window + 1 … t``, NaN where the window is not full or holds a NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ray_pipeline.panel.bars.bars import FloatArray

__all__ = [
    "EMA_LENGTH_IN_SPANS",
    "ratio",
    "rolling_correlation",
    "rolling_ema",
    "rolling_kurtosis",
    "rolling_max",
    "rolling_mean",
    "rolling_mean_absolute_deviation",
    "rolling_min",
    "rolling_skewness",
    "rolling_std",
    "rolling_sum",
    "rolling_trend",
    "shift",
]

# A moving average keeps 1 − e^−6 = 99.75 % of its weight within three spans.
EMA_LENGTH_IN_SPANS = 3

# Deviations below this share of the window's largest value are what rounding leaves of a
# constant; taking them for a spread would divide noise by noise.
_ROUNDING_SHARE = 1e-12


def shift(values: FloatArray, lag: int) -> FloatArray:
    """Return the value of ``lag`` rows earlier, NaN in the first rows."""
    shifted = np.full_like(values, np.nan)
    if lag < len(values):
        shifted[lag:] = values[: len(values) - lag]
    return shifted


def ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide, NaN where the denominator is zero."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(denominator == 0.0, np.nan, numerator / denominator)


def rolling_sum(values: FloatArray, window: int) -> FloatArray:
    """Return the sum of the window."""
    return _decayed_sum(values, window, decay=1.0)


def rolling_mean(values: FloatArray, window: int) -> FloatArray:
    """Return the mean of the window."""
    return rolling_sum(values, window) / window


def rolling_ema(values: FloatArray, span: int) -> FloatArray:
    """Return the exponential moving average, truncated to a window of three spans.

    ``Σ (1−α)^k x[t−k] / Σ (1−α)^k`` over k < 3·span with ``α = 2/(span + 1)``. The truncation
    gives it the finite lookback that a recursive average lacks.
    """
    decay = 1.0 - 2.0 / (span + 1)
    length = EMA_LENGTH_IN_SPANS * span
    weight = (1.0 - decay**length) / (1.0 - decay)
    return _decayed_sum(values, length, decay) / weight


def rolling_max(values: FloatArray, window: int) -> FloatArray:
    """Return the largest value of the window."""
    return _rolling_extreme(values, window, np.maximum)


def rolling_min(values: FloatArray, window: int) -> FloatArray:
    """Return the smallest value of the window."""
    return _rolling_extreme(values, window, np.minimum)


def rolling_std(values: FloatArray, window: int) -> FloatArray:
    """Return the standard deviation (ddof=1), 0 where the window is constant up to rounding."""
    return np.sqrt(_central_sums(values, window, 2)[0] / (window - 1))


def rolling_skewness(values: FloatArray, window: int) -> FloatArray:
    """Return the skewness ``m3 / m2^1.5``, NaN where the window is constant."""
    second, third = (total / window for total in _central_sums(values, window, 3))
    return ratio(third, second * np.sqrt(second))


def rolling_kurtosis(values: FloatArray, window: int) -> FloatArray:
    """Return the excess kurtosis ``m4 / m2² − 3``, NaN where the window is constant."""
    second, _, fourth = (total / window for total in _central_sums(values, window, 4))
    return ratio(fourth, second * second) - 3.0


def rolling_mean_absolute_deviation(values: FloatArray, window: int) -> FloatArray:
    """Return the mean distance to the window's mean, exactly 0 where the window is constant."""
    mean, total = rolling_mean(values, window), _zeros_where_full(values, window)
    for _, rows, lagged in _lags(len(values), window):
        total[rows] += np.abs(values[lagged] - mean[rows])
    return _without_rounding(total / window, values, window)


def rolling_correlation(x: FloatArray, y: FloatArray, window: int) -> FloatArray:
    """Return the Pearson correlation of two series, NaN where one of them is constant."""
    x_mean, y_mean = rolling_mean(x, window), rolling_mean(y, window)
    total = _zeros_where_full(x, window)
    for _, rows, lagged in _lags(len(x), window):
        total[rows] += (x[lagged] - x_mean[rows]) * (y[lagged] - y_mean[rows])
    x_scatter, y_scatter = _central_sums(x, window, 2)[0], _central_sums(y, window, 2)[0]
    return ratio(total, np.sqrt(x_scatter) * np.sqrt(y_scatter))


def rolling_trend(values: FloatArray, window: int) -> FloatArray:
    """Return the Pearson correlation with time, NaN where the window is constant.

    Time is counted back from the window's end: a row's own number would round differently at
    another place in the series.
    """
    mean, total = rolling_mean(values, window), _zeros_where_full(values, window)
    for lag, rows, lagged in _lags(len(values), window):
        total[rows] += ((window - 1) / 2 - lag) * (values[lagged] - mean[rows])
    time_scatter = window * (window * window - 1) / 12
    return ratio(total, math.sqrt(time_scatter) * np.sqrt(_central_sums(values, window, 2)[0]))


def _decayed_sum(values: FloatArray, window: int, decay: float) -> FloatArray:
    """Return the sum of ``decay^k x[t−k]`` over k < window, by doubling: O(log window) passes.

    ``block`` holds the sum of the last ``size`` rows; the window is put together from the
    blocks of its binary digits, newest rows first.
    """
    total = np.zeros_like(values)
    block, size, covered = values, 1, 0
    while True:
        if window & size:
            total = total + decay**covered * shift(block, covered)
            covered += size
        if covered == window:
            return total
        block = block + decay**size * shift(block, size)
        size *= 2


def _rolling_extreme(
    values: FloatArray, window: int, extreme: Callable[[FloatArray, FloatArray], FloatArray]
) -> FloatArray:
    """Find the extreme of the window from two overlapping blocks whose length is a power of two."""
    block, size = values, 1
    while 2 * size <= window:
        block = extreme(block, shift(block, size))
        size *= 2
    return extreme(block, shift(block, window - size))


def _lags(n_rows: int, window: int) -> Iterator[tuple[int, slice, slice]]:
    """Yield each lag of the window, the rows with a full window, and those rows one lag earlier."""
    if window <= n_rows:
        for lag in range(window):
            yield lag, slice(window - 1, n_rows), slice(window - 1 - lag, n_rows - lag)


def _zeros_where_full(values: FloatArray, window: int) -> FloatArray:
    zeros = np.zeros_like(values)
    zeros[: window - 1] = np.nan
    return zeros


def _central_sums(values: FloatArray, window: int, highest_power: int) -> list[FloatArray]:
    """Return the sums of the deviations' powers 2 … highest_power, each (n_rows,).

    Two passes (the mean first): sums of raw powers lose all digits on prices, which are large
    against their changes.
    """
    mean = rolling_mean(values, window)
    totals = [_zeros_where_full(values, window) for _ in range(2, highest_power + 1)]
    for _, rows, lagged in _lags(len(values), window):
        deviation = values[lagged] - mean[rows]
        power = deviation
        for total in totals:
            power = power * deviation
            total[rows] += power
    spread = np.sqrt(totals[0] / window)
    totals[0] = np.where(_without_rounding(spread, values, window) == 0.0, 0.0, totals[0])
    return totals


def _without_rounding(spread: FloatArray, values: FloatArray, window: int) -> FloatArray:
    largest = rolling_max(np.abs(values), window)
    return np.where(spread <= _ROUNDING_SHARE * largest, 0.0, spread)
