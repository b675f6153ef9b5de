"""Labels from the extremes within the interval: ``mfe_*``, ``mae_*`` and ``mdd_*``.

The maximum favourable and adverse excursions are those of Sweeney (1996), of one who is long from
the close of bar t.

Each function takes a symbol's series and what each label sees, and returns float64 (n_labels,). T
is the row of the last bar that a label sees. It is NaN where ``close[t]`` or any high or low that
the formula names is missing, however far the others reach: a high that is not there could have been
above them all, a low below them all. Opens and closes within the interval are not read.
"""

from __future__ import annotations

import numpy as np

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.label_series import LabelSeries, Seen
from ray_pipeline.bars.windows import ratio, shift

__all__ = [
    "adverse_excursion",
    "adverse_excursion_zscore",
    "favourable_excursion",
    "favourable_excursion_zscore",
    "maximum_drawdown",
    "maximum_drawdown_zscore",
]


def favourable_excursion(series: LabelSeries, seen: Seen) -> FloatArray:
    """Return ``max(high[t+1], …, high[T]) / close[t] − 1``.

    Negative where the price opens lower and does not come back: it is not cut at zero.
    """
    return ratio(_extreme(np.maximum, series.high, seen), series.close[seen.own]) - 1.0


def adverse_excursion(series: LabelSeries, seen: Seen) -> FloatArray:
    """Return ``min(low[t+1], …, low[T]) / close[t] − 1``.

    Positive where the price opens higher and does not come back: it is not cut at zero.
    """
    return ratio(_extreme(np.minimum, series.low, seen), series.close[seen.own]) - 1.0


def maximum_drawdown(series: LabelSeries, seen: Seen) -> FloatArray:
    """Return the deepest fall from a running peak, at most 0.

    ``min(0, min over j = 1 … T−t of low[t+j] / peak[j] − 1)`` with ``peak[j] = max(close[t],
    high[t+1], …, high[t+j−1])``: the fall of Magdon-Ismail & Atiya (2004), on highs and lows. A low
    is compared with the highs of earlier bars only, since a bar does not tell which of its own came
    first; so the last bar's high is not read.
    """
    from_peak = _deepest_fall(series.high, series.low, seen) - 1.0
    return np.minimum(adverse_excursion(series, seen), from_peak)


def favourable_excursion_zscore(series: LabelSeries, seen: Seen) -> FloatArray:
    """Return ``mfe / (σ·√H)``; a plain excursion mostly says how volatile the symbol is."""
    return series.in_deviations(favourable_excursion(series, seen), seen)


def adverse_excursion_zscore(series: LabelSeries, seen: Seen) -> FloatArray:
    """Return ``mae / (σ·√H)``."""
    return series.in_deviations(adverse_excursion(series, seen), seen)


def maximum_drawdown_zscore(series: LabelSeries, seen: Seen) -> FloatArray:
    """Return ``mdd / (σ·√H)``."""
    return series.in_deviations(maximum_drawdown(series, seen), seen)


def _extreme(of: np.ufunc, values: FloatArray, seen: Seen) -> FloatArray:
    """Return the extreme of rows t+1 … T, (n_labels,); NaN where one of them is.

    The extremes of two stretches of 2^p rows, which may overlap: O(n log H), and exact.

    Parameters
    ----------
    of
        `numpy.maximum` or `numpy.minimum`.
    """
    lengths = seen.last - seen.own
    found = np.full(len(lengths), np.nan)
    powers = np.frexp(lengths)[1] - 1
    stretches, size = values, 1
    for power in range(int(powers.max(initial=-1)) + 1):
        chosen = np.flatnonzero(powers == power)
        first, last = seen.own[chosen] + 1, seen.last[chosen] - size + 1
        found[chosen] = of(stretches[first], stretches[last])
        stretches, size = of(stretches[:-size], stretches[size:]), 2 * size
    return found


def _deepest_fall(high: FloatArray, low: FloatArray, seen: Seen) -> FloatArray:
    """Return the smallest ``low[j] / high[i]`` with i < j of rows t+1 … T; 1 if none is below.

    The window is put together from the blocks of its binary digits, newest rows first, in
    O(n log H). A fall lies within one of two neighbouring blocks, or goes from the highest
    high of the older one to the lowest low of the newer one. Extremes round nothing and a
    quotient's rounding keeps the order of quotients, so the result is that of all pairs, to the
    last bit.

    Returns
    -------
    float64 (n_labels,)
        NaN where the window lacks a high but its last or a low but its first.
    """
    lengths = seen.last - seen.own
    longest = int(lengths.max(initial=0))
    fall, lowest = np.ones(len(lengths)), np.full(len(lengths), np.inf)
    newest = seen.last.copy()  # row of each window that is still to be covered
    block_fall, block_high, block_low, size = np.ones_like(low), high, low, 1
    while size <= longest:
        taken = np.flatnonzero(lengths & size)
        rows, lows = newest[taken], lowest[taken]
        # The high of a window's last bar is not read, not even where it is missing.
        crossing = np.where(rows < seen.last[taken], lows / block_high[rows], 1.0)
        fall[taken] = np.minimum(np.minimum(block_fall[rows], fall[taken]), crossing)
        lowest[taken] = np.minimum(block_low[rows], lows)
        newest[taken] -= size
        crossing = block_low / shift(block_high, size)
        block_fall = np.minimum(np.minimum(shift(block_fall, size), block_fall), crossing)
        block_high = np.maximum(shift(block_high, size), block_high)
        block_low = np.minimum(shift(block_low, size), block_low)
        size *= 2
    return fall
