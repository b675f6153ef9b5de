"""What the order of a window's values tells: extremes and where they are, ranks, quantiles.

Nothing here rounds except a quantile between two values, so that results do not depend on how
a window is put together. Arrays are compact, as in `moments`. Input holds no NaN that matters:
callers set a window that holds one to NaN, whatever comes out here.
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import numpy.typing as npt

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.moments import parts

__all__ = ["Extremes", "quantiles", "rank_shares"]

_Places = npt.NDArray[np.int16]


class Extremes:
    """Largest (or smallest) values of windows, and their places.

    A window is covered by two overlapping ones whose length is a power of two.

    Parameters
    ----------
    values
        (n_rows,).
    largest
        Whether the extreme is the maximum.
    """

    def __init__(self, values: FloatArray, *, largest: bool) -> None:
        self._extreme: np.ufunc = np.maximum if largest else np.minimum
        self._beyond: np.ufunc = np.greater if largest else np.less
        self._values = {1: values}
        self._places: dict[int, _Places] = {1: np.zeros(len(values), dtype=np.int16)}

    def value(self, window: int) -> FloatArray:
        """Return the extreme, NaN where the window holds a NaN."""
        if window not in self._values:
            part = _power_below(window)
            values, rest = self.value(part), window - part
            self._values[window] = self._extreme(values[rest:], values[:-rest])
        return self._values[window]

    def place(self, window: int) -> _Places:
        """Return where the extreme is, counted from 0 at the oldest row; of equals the oldest."""
        if window not in self._places:
            part = _power_below(window)
            values, places, rest = self.value(part), self.place(part), window - part
            is_newer = self._beyond(values[rest:], values[:-rest])
            # Arithmetic, since a choice by an unpredictable mask is ten times slower.
            before, after = places[:-rest], places[rest:] + np.int16(rest)
            self._places[window] = before + is_newer * (after - before)
        return self._places[window]


def quantiles(
    values: FloatArray, windows: tuple[int, ...], shares: tuple[float, ...]
) -> list[list[FloatArray]]:
    """Return quantiles of windows, linear between the two values around ``share · (window − 1)``.

    Parameters
    ----------
    values
        (n_rows,).
    windows
        Of two rows or more.
    shares
        Shares of the window below the quantile, in [0, 1].

    Returns
    -------
    list of list of float64 (n_rows − window + 1,)
        One list per window, of one array per share.
    """
    ordered, found = _SortedWindows(values), {}
    for window in sorted(windows, reverse=True):  # the shorter ones are among its parts, mostly
        found[window] = [_quantile(ordered, window, share) for share in shares]
    return [found[window] for window in windows]


def rank_shares(values: FloatArray, windows: tuple[int, ...]) -> list[FloatArray]:
    """Return the newest value's rank in windows, from 1 for the smallest, over their length.

    Equal values share the mean of their ranks, as `pandas.Series.rank` does with ``pct=True``.
    One pass over the lags serves all windows.

    Parameters
    ----------
    values
        (n_rows,).
    windows
        Increasing.
    """
    # Twice the rank, less 2: 2 for a smaller value, 1 for an equal one, up to 2 · 32767.
    counts = np.zeros(len(values), dtype=np.uint16)
    narrow = np.zeros(len(values), dtype=np.uint8)  # sums of bytes are the fastest
    shares, first_lag = [], 1
    for window in windows:
        for lag in range(first_lag, window):
            now, then = values[lag:], values[:-lag]
            narrow[lag:] += (then < now).view(np.uint8)
            narrow[lag:] += (then <= now).view(np.uint8)
            if lag % 100 == 0:  # before 255 is passed
                counts += narrow
                narrow[:] = 0
        first_lag = window
        twice = counts[window - 1 :] + narrow[window - 1 :]
        shares.append((twice * 0.5 + 1.0) / window)
    return shares


class _SortedWindows:
    """Windows in order, each merged of the sorted windows that it consists of.

    Neighbouring windows share nearly all of their parts, so that a part is sorted once for all
    of them; and the comparisons of a merge are the same for every row.

    Parameters
    ----------
    values
        (n_rows,).
    """

    def __init__(self, values: FloatArray) -> None:
        self._sorted = {1: [values]}

    def value(self, window: int, place: int) -> FloatArray:
        """Return the value at a place, counted from 0 for the smallest."""
        if window in self._sorted:
            return self._sorted[window][place]
        one, other = self._parts(window)
        if 2 * place < window:
            return _selected(one, other, place, np.maximum, np.minimum)
        return _selected(one[::-1], other[::-1], window - 1 - place, np.minimum, np.maximum)

    def _all(self, window: int) -> list[FloatArray]:
        if window not in self._sorted:
            self._sorted[window] = _merged(*self._parts(window))
        return self._sorted[window]

    def _parts(self, window: int) -> tuple[list[FloatArray], list[FloatArray]]:
        newer, older = parts(window)
        return (
            [values[older:] for values in self._all(newer)],
            [values[:-newer] for values in self._all(older)],
        )


def _merged(one: list[FloatArray], other: list[FloatArray]) -> list[FloatArray]:
    """Merge two sorted lists, row by row: Batcher's odd-even merge (Knuth, 5.3.4)."""
    if not one or not other:
        return one or other
    if len(one) == len(other) == 1:
        return [np.minimum(one[0], other[0]), np.maximum(one[0], other[0])]
    odd, even = _merged(one[::2], other[::2]), _merged(one[1::2], other[1::2])
    merged = [odd[0]]
    for left, right in zip(odd[1:], even, strict=False):
        merged += [np.minimum(left, right), np.maximum(left, right)]
    return merged + odd[len(even) + 1 :] + even[len(odd) - 1 :]


def _selected(
    one: list[FloatArray], other: list[FloatArray], place: int, later: np.ufunc, earlier: np.ufunc
) -> FloatArray:
    """Return the value at a place of two sorted lists together, row by row.

    Of ``place + 1`` values some are from one list and the rest from the other; the last of
    them is the value, where they are split so that it comes earliest.
    """
    n_values = place + 1
    splits = range(max(0, n_values - len(other)), min(n_values, len(one)) + 1)
    return reduce(earlier, (_last(one[:n], other[: n_values - n], later) for n in splits))


def _last(one: list[FloatArray], other: list[FloatArray], later: np.ufunc) -> FloatArray:
    if not one or not other:
        return (one or other)[-1]
    last: FloatArray = later(one[-1], other[-1])
    return last


def _quantile(ordered: _SortedWindows, window: int, share: float) -> FloatArray:
    position = share * (window - 1)
    below = min(int(position), window - 2)
    low, high = ordered.value(window, below), ordered.value(window, below + 1)
    between = high - low
    between *= position - below
    between += low
    return between


def _power_below(window: int) -> int:
    """Return the largest power of two that is below the window, 1 for a window of 2."""
    return 1 << ((window - 1).bit_length() - 1)
