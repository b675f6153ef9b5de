"""What the order of a window's values tells: extremes and where they are, ranks, quantiles.

Nothing here rounds except a quantile between two values, so that results do not depend on how
a window is put together. Arrays are compact, as in `moments`. Input holds no NaN that matters:
callers set a window that holds one to NaN, whatever comes out here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from ray_pipeline.panel.bars.bars import FloatArray

__all__ = ["Extremes", "quantiles", "rank_shares"]

_ROWS_AT_ONCE = 1024  # whose sorted windows fit into the cache of a core

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


def quantiles(values: FloatArray, window: int, shares: tuple[float, ...]) -> list[FloatArray]:
    """Return quantiles of windows, linear between the two values around ``share · (window − 1)``.

    A window is sorted whole: the library sorts short rows in the registers of the processor,
    which is faster than to select or to carry an order along.

    Parameters
    ----------
    values
        (n_rows,).
    shares
        Shares of the window below the quantile, in [0, 1].
    """
    found = [np.empty(len(values) - window + 1) for _ in shares]
    rows = sliding_window_view(values, window)
    room = np.empty((min(_ROWS_AT_ONCE, len(rows)), window))
    for start in range(0, len(rows), len(room)):
        part = rows[start : start + len(room)]
        ordered = room[: len(part)]
        ordered[:] = part
        ordered.sort(axis=1)
        for share, result in zip(shares, found, strict=True):
            position = share * (window - 1)
            below = min(int(position), window - 2)
            low, high = ordered[:, below], ordered[:, below + 1]
            result[start : start + len(low)] = low + (position - below) * (high - low)
    return found


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


def _power_below(window: int) -> int:
    """Return the largest power of two that is below the window, 1 for a window of 2."""
    return 1 << ((window - 1).bit_length() - 1)
