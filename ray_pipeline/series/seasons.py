"""Rows a season ago, found by time: a missing day moves no weekday onto another."""

from __future__ import annotations

import numpy as np

from ray_pipeline.intervals import Interval, read_duration
from ray_pipeline.series.values import FloatArray, IntArray

__all__ = ["ago", "season_bars", "season_seconds"]

_NS = 10**9
_DAY_S = 86_400
_SECONDS = {"h": 3_600, "d": _DAY_S, "w": 7 * _DAY_S}
_MONTHS = {"mo": 1, "q": 3, "y": 12}


def season_seconds(season: str) -> int | None:
    """Return the length of a season as it is written, of months on average; None where it is none.

    Examples
    --------
    >>> season_seconds("7d"), season_seconds("12mo"), season_seconds("7b")
    (604800, 31556952, None)
    """
    read = read_duration(season)
    if read is None or read.count < 1:
        return None
    if read.unit in _MONTHS:
        return Interval(read.count * _MONTHS[read.unit], "mo").seconds
    return read.count * _SECONDS[read.unit] if read.unit in _SECONDS else None


def season_bars(season: str, interval: Interval) -> int:
    """Return the most rows from one season's place to the next, where no two are within a bar."""
    return -(-(season_seconds(season) or 0) // interval.seconds) + 1


def ago(time_ns: IntArray, values: FloatArray, seconds: int, interval: Interval) -> FloatArray:
    """Return the value of the row nearest to so long ago, at most half a bar off; else NaN.

    Half a bar allows for months of different lengths and for clocks that are put forward. What is
    asked for is at least a bar ago, so that no row after its own is ever read.

    Parameters
    ----------
    time_ns : int64 (n_rows,)
        Increasing.
    values : float64 (n_rows,)
        Of the same rows.
    seconds
        At least a bar.
    """
    n_rows = len(time_ns)
    if not n_rows:
        return values.copy()
    asked = time_ns - seconds * _NS
    after = np.minimum(np.searchsorted(time_ns, asked), n_rows - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(time_ns[before] - asked) <= np.abs(time_ns[after] - asked)
    rows = np.where(is_before, before, after)
    is_there = 2 * np.abs(time_ns[rows] - asked) <= interval.seconds * _NS
    # At exactly half a bar a row of its own time would do for a season of half a bar alone.
    return np.where(is_there & (rows < np.arange(n_rows)), values[rows], np.nan)
