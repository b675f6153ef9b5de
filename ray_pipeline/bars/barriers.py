"""When prices after a bar first reach a level above them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ray_pipeline.bars.bars import FloatArray

__all__ = ["BoolArray", "IntArray", "Touches", "find_touches"]

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Touches:
    """First touches of a row's level by the bars after it.

    Attributes
    ----------
    horizon
        Number of bars looked at; ``horizon + 1`` stands for no touch.
    is_defined : bool (n_rows − horizon,)
        Whether the row has a level.
    certain : int64 (n_rows − horizon,)
        Bars until the first touch by a price that is there.
    possible : int64 (n_rows − horizon,)
        The same, taking every missing price for a touch.
    at_open : bool (n_rows − horizon,)
        Whether the bar of the certain touch opens at or beyond the level.
    """

    horizon: int
    is_defined: BoolArray
    certain: IntArray
    possible: IntArray
    at_open: BoolArray


def find_touches(
    extremes: FloatArray, opens: FloatArray, levels: FloatArray, horizon: int
) -> Touches:
    """Find the first bar of t+1 … t+horizon whose extreme is at or above ``levels[t]``.

    Parameters
    ----------
    extremes, opens
        Highs and opens, (n_rows,), NaN where missing; for levels below the price negated lows
        and opens.
    levels
        (n_rows − horizon,); NaN where a row has none.
    horizon
        Number of bars after each row to look at, at least 1.
    """
    is_missing = np.isnan(extremes)
    certain = _first_reach(np.where(is_missing, -np.inf, extremes), levels, horizon)
    possible = certain
    if is_missing.any():
        possible = _first_reach(np.where(is_missing, np.inf, extremes), levels, horizon)
    return Touches(
        horizon=horizon,
        is_defined=~np.isnan(levels),
        certain=certain,
        possible=possible,
        at_open=_is_reached_at_open(opens, levels, certain, horizon),
    )


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
    opens: FloatArray, levels: FloatArray, first_touch: IntArray, horizon: int
) -> BoolArray:
    bars_after = np.minimum(first_touch, horizon)
    at_open = opens[np.arange(len(levels)) + bars_after] >= levels
    reached: BoolArray = at_open & (first_touch <= horizon)
    return reached
