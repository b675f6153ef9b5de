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
    n_bars : int64 (n_labels,)
        Number of bars looked at; one more stands for no touch.
    is_defined : bool (n_labels,)
        Whether the row has a level.
    certain : int64 (n_labels,)
        Bars until the first touch by a price that is there.
    possible : int64 (n_labels,)
        The same, taking every missing price for a touch.
    at_open : bool (n_labels,)
        Whether the bar of the certain touch opens at or beyond the level.
    """

    n_bars: IntArray
    is_defined: BoolArray
    certain: IntArray
    possible: IntArray
    at_open: BoolArray


def find_touches(
    extremes: FloatArray, opens: FloatArray, levels: FloatArray, own: IntArray, last: IntArray
) -> Touches:
    """Find the first bar after each row whose extreme is at or above the row's level.

    Parameters
    ----------
    extremes, opens
        Highs and opens, (n_rows,), NaN where missing; for levels below the price negated lows
        and opens.
    levels
        (n_labels,); NaN where a row has none.
    own, last
        Rows that have a level, and the last row that each looks at, which is a later one,
        (n_labels,).
    """
    is_missing = np.isnan(extremes)
    certain = _first_reach(np.where(is_missing, -np.inf, extremes), levels, own, last)
    possible = certain
    if is_missing.any():
        possible = _first_reach(np.where(is_missing, np.inf, extremes), levels, own, last)
    return Touches(
        n_bars=last - own,
        is_defined=~np.isnan(levels),
        certain=certain,
        possible=possible,
        at_open=_is_reached_at_open(opens, levels, certain, own, last),
    )


def _first_reach(values: FloatArray, levels: FloatArray, own: IntArray, last: IntArray) -> IntArray:
    """Find the smallest j in 1 … last − own with ``values[own+j] ≥ level``, else one more.

    Skips over stretches of 2^p rows whose maximum stays below the level, longest first:
    O(n log horizon) time and memory, and exact, since a maximum rounds nothing.

    Parameters
    ----------
    values
        (n_rows,), without NaN.
    levels
        (n_labels,); a NaN is never reached.
    """
    lengths = last - own
    longest = int(lengths.max(initial=0))
    maxima = [values]
    while 2 ** len(maxima) <= longest:
        block, size = maxima[-1], 2 ** (len(maxima) - 1)
        maxima.append(np.maximum(block[:-size], block[size:]))
    skipped = np.zeros(len(levels), dtype=np.int64)
    for power in reversed(range(len(maxima))):
        size = 2**power
        fits = skipped + size <= lengths
        # Where the stretch does not fit, any row in range will do: its answer is not used.
        starts = np.where(fits, own + 1 + skipped, 0)
        skipped += size * (fits & ~(maxima[power][starts] >= levels))
    return skipped + 1


def _is_reached_at_open(
    opens: FloatArray, levels: FloatArray, first_touch: IntArray, own: IntArray, last: IntArray
) -> BoolArray:
    at_open = opens[np.minimum(own + first_touch, last)] >= levels
    reached: BoolArray = at_open & (first_touch <= last - own)
    return reached
