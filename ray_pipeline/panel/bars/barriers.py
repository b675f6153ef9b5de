"""When prices after a bar first reach the two barriers around its close."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ray_pipeline.panel.bars.bars import Bars, FloatArray
from ray_pipeline.panel.bars.series import missing_unless_positive
from ray_pipeline.panel.bars.windows import ratio, rolling_std, shift

__all__ = ["SIGMA_RETURNS", "BoolArray", "IntArray", "Touches", "find_touches"]

SIGMA_RETURNS = 20

# Simple returns carry a rounding error of 1e-16 whatever their size: a deviation below this is
# that of a price which grows at a constant rate, and its barriers would lie on the close.
_SMALLEST_SIGMA = 1e-12

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Touches:
    """First touches of a row's barriers by the bars after it.

    Attributes
    ----------
    horizon
        Number of bars looked at; ``horizon + 1`` stands for no touch.
    is_defined : bool (n_rows − horizon,)
        Whether the row has barriers: 21 closes, and a deviation that is not zero.
    upper_certain, lower_certain : int64 (n_rows − horizon,)
        Bars until the first touch by a price that is there.
    upper_possible, lower_possible : int64 (n_rows − horizon,)
        The same, taking every missing high or low for a touch.
    upper_at_open, lower_at_open : bool (n_rows − horizon,)
        Whether the bar of the certain touch opens at or beyond the barrier.
    """

    horizon: int
    is_defined: BoolArray
    upper_certain: IntArray
    upper_possible: IntArray
    upper_at_open: BoolArray
    lower_certain: IntArray
    lower_possible: IntArray
    lower_at_open: BoolArray


def find_touches(bars: Bars, horizon: int, multiple: float) -> Touches:
    """Find the first touches of the barriers ``close · (1 ± multiple · σ · √horizon)``.

    σ is the standard deviation (ddof=1) of the last 20 simple returns. A high touches the upper
    barrier, a low the lower one, at equality too. A price that is not positive is missing.

    Parameters
    ----------
    bars
        Bars of one symbol, (n_rows,).
    horizon
        Number of bars after each row to look at.
    multiple
        Distance of the barriers in deviations.
    """
    n_labels = max(len(bars) - horizon, 0)
    close = missing_unless_positive(bars.close)
    width = multiple * math.sqrt(horizon) * _trailing_deviation(close)[:n_labels]
    upper, lower = close[:n_labels] * (1.0 + width), close[:n_labels] * (1.0 - width)
    opening = missing_unless_positive(bars.open)
    high, low = missing_unless_positive(bars.high), missing_unless_positive(bars.low)
    # A low reaches down to a level where the negated low reaches up to the negated level.
    upper_certain, upper_possible = _first_touches(high, upper, horizon)
    lower_certain, lower_possible = _first_touches(-low, -lower, horizon)
    return Touches(
        horizon=horizon,
        is_defined=~np.isnan(width),
        upper_certain=upper_certain,
        upper_possible=upper_possible,
        upper_at_open=_is_reached_at_open(opening, upper, upper_certain, horizon),
        lower_certain=lower_certain,
        lower_possible=lower_possible,
        lower_at_open=_is_reached_at_open(-opening, -lower, lower_certain, horizon),
    )


def _trailing_deviation(close: FloatArray) -> FloatArray:
    """Return σ of the last 20 simple returns, NaN where it is missing or zero."""
    returns = ratio(close, shift(close, 1)) - 1.0
    sigma = rolling_std(returns, SIGMA_RETURNS)
    return np.where(sigma > _SMALLEST_SIGMA, sigma, np.nan)


def _first_touches(
    values: FloatArray, levels: FloatArray, horizon: int
) -> tuple[IntArray, IntArray]:
    """Find the first touch, with the missing values taken for none and for touches."""
    is_missing = np.isnan(values)
    certain = _first_reach(np.where(is_missing, -np.inf, values), levels, horizon)
    if not is_missing.any():
        return certain, certain
    return certain, _first_reach(np.where(is_missing, np.inf, values), levels, horizon)


def _first_reach(values: FloatArray, levels: FloatArray, horizon: int) -> IntArray:
    """Find the smallest j in 1 … horizon with ``values[t+j] ≥ levels[t]``, else ``horizon + 1``.

    Skips over stretches of 2^p rows whose maximum stays below the level, longest first:
    O(n log horizon) time and memory, and exact, since a maximum rounds nothing.

    Parameters
    ----------
    values
        (n_rows,), without NaN.
    levels
        (n_rows − horizon,); a NaN is never reached.
    """
    if not len(levels):
        return np.zeros(0, dtype=np.int64)
    maxima = [values]
    while 2 ** len(maxima) <= horizon:
        block, size = maxima[-1], 2 ** (len(maxima) - 1)
        maxima.append(np.maximum(block[:-size], block[size:]))
    first_rows = np.arange(1, len(levels) + 1)
    skipped = np.zeros(len(levels), dtype=np.int64)
    for power in reversed(range(len(maxima))):
        size = 2**power
        fits = skipped + size <= horizon
        # Where the stretch does not fit, any row in range will do: its answer is not used.
        starts = first_rows + np.where(fits, skipped, 0)
        skipped += size * (fits & ~(maxima[power][starts] >= levels))
    return skipped + 1


def _is_reached_at_open(
    opening: FloatArray, levels: FloatArray, first_touch: IntArray, horizon: int
) -> BoolArray:
    bars_after = np.minimum(first_touch, horizon)
    at_open = opening[np.arange(len(levels)) + bars_after] >= levels
    reached: BoolArray = at_open & (first_touch <= horizon)
    return reached
