"""Labels from the extremes within the interval: ``mfe_*``, ``mae_*`` and ``mdd_*``.

The maximum favourable and adverse excursions are those of Sweeney (1996), of one who is long from
the close of bar t.

Each function takes a symbol's series and the horizon H in bars, and returns float64
(n_rows − H,). It is NaN where ``close[t]`` or any high or low that the formula names is missing,
however far the others reach: a high that is not there could have been above them all, a low below
them all. Opens and closes within the interval are not read.
"""

from __future__ import annotations

import numpy as np

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.label_series import LabelSeries
from ray_pipeline.bars.windows import ratio, rolling_max, rolling_min, shift

__all__ = [
    "adverse_excursion",
    "adverse_excursion_zscore",
    "favourable_excursion",
    "favourable_excursion_zscore",
    "maximum_drawdown",
    "maximum_drawdown_zscore",
]


def favourable_excursion(series: LabelSeries, horizon: int) -> FloatArray:
    """Return ``max(high[t+1], …, high[t+H]) / close[t] − 1``.

    Negative where the price opens lower and does not come back: it is not cut at zero.
    """
    return ratio(rolling_max(series.high, horizon)[horizon:], series.base(horizon)) - 1.0


def adverse_excursion(series: LabelSeries, horizon: int) -> FloatArray:
    """Return ``min(low[t+1], …, low[t+H]) / close[t] − 1``.

    Positive where the price opens higher and does not come back: it is not cut at zero.
    """
    return ratio(rolling_min(series.low, horizon)[horizon:], series.base(horizon)) - 1.0


def maximum_drawdown(series: LabelSeries, horizon: int) -> FloatArray:
    """Return the deepest fall from a running peak, at most 0.

    ``min(0, min over j = 1 … H of low[t+j] / peak[j] − 1)`` with
    ``peak[j] = max(close[t], high[t+1], …, high[t+j−1])``: the fall of Magdon-Ismail & Atiya
    (2004), on highs and lows. A low is held against the highs of earlier bars only, since a bar
    does not tell which of its own came first; so the last bar's high is not read.
    """
    from_peak = _deepest_fall(series.high, series.low, horizon)[horizon:] - 1.0
    return np.minimum(adverse_excursion(series, horizon), from_peak)


def favourable_excursion_zscore(series: LabelSeries, horizon: int) -> FloatArray:
    """Return ``mfe / (σ·√H)``; a plain excursion mostly says how volatile the symbol is."""
    return series.in_deviations(favourable_excursion(series, horizon), horizon)


def adverse_excursion_zscore(series: LabelSeries, horizon: int) -> FloatArray:
    """Return ``mae / (σ·√H)``."""
    return series.in_deviations(adverse_excursion(series, horizon), horizon)


def maximum_drawdown_zscore(series: LabelSeries, horizon: int) -> FloatArray:
    """Return ``mdd / (σ·√H)``."""
    return series.in_deviations(maximum_drawdown(series, horizon), horizon)


def _deepest_fall(high: FloatArray, low: FloatArray, window: int) -> FloatArray:
    """Return the smallest ``low[j] / high[i]`` with i < j of the window's rows; 1 if none is below.

    The window is put together from the blocks of its binary digits, newest rows first, in
    O(n log window). A fall lies within one of two neighbouring blocks, or goes from the highest
    high of the older one to the lowest low of the newer one. Extremes round nothing and a
    quotient's rounding keeps the order of quotients, so the result is that of all pairs, to the
    last bit.

    Returns
    -------
    float64 (n_rows,)
        NaN where the window is not full, or lacks a high but its last or a low but its first.
    """
    fall, lowest, covered = np.ones_like(low), np.full_like(low, np.inf), 0
    block_fall, block_high, block_low, size = fall, high, low, 1
    while True:
        if window & size:
            crossing = lowest / shift(block_high, covered) if covered else fall
            fall = np.minimum(np.minimum(shift(block_fall, covered), fall), crossing)
            lowest = np.minimum(shift(block_low, covered), lowest)
            covered += size
        if covered == window:
            return fall
        crossing = block_low / shift(block_high, size)
        block_fall = np.minimum(np.minimum(shift(block_fall, size), block_fall), crossing)
        block_high = np.maximum(shift(block_high, size), block_high)
        block_low = np.minimum(shift(block_low, size), block_low)
        size *= 2
