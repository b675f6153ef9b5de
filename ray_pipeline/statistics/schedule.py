"""Dates of a schedule that a panel has reached: models are trained of what came before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["lone_end", "reached"]

_DAY_NS = 86_400 * 10**9
_FAR_DAYS, _FAR_STEPS = 10, 10
"""A date that lies farther than both after what is before it is not the next one."""

_ENOUGH = 0.5
"""Share of the usual number of symbols that a date needs: the first file to arrive is not a new
day, and a symbol that a vendor dates a century ahead is none either."""


def reached(
    starts: Sequence[int], n_symbols: NDArray[np.int64], enough: float = _ENOUGH
) -> list[int]:
    """Return the dates that most symbols have reached, of those at which folds begin.

    A date is reached when some timestamp from it on has at least half as many symbols as the
    timestamps of the fold before it have in the median.

    Parameters
    ----------
    starts
        Positions on the panel's time axis at which folds begin, increasing.
    n_symbols
        Symbols at each timestamp, shape (n_timestamps,).

    Examples
    --------
    >>> reached([2, 4, 6], np.array([3, 3, 3, 3, 3, 3, 1]))
    [2, 4]
    """
    edges = [0, *starts]
    found = []
    for before, start in zip(edges, starts, strict=False):
        usual = n_symbols[before:start]
        later = n_symbols[start:]
        if len(usual) and len(later) and later.max() >= enough * float(np.median(usual)):
            found.append(start)
    return found


def lone_end(axis: NDArray[np.int64]) -> int:
    """Return how many timestamps come before a last date that lies far after all others.

    It may be a wrong date: what comes next tells. A market that opens again after weeks has a
    second date on the next day.

    Parameters
    ----------
    axis
        Timestamps in nanoseconds since 1970, increasing, shape (n_timestamps,).

    Returns
    -------
    int
        `n_timestamps` where there is no such date.

    Examples
    --------
    >>> days = np.array([1, 2, 3, 4, 40]) * 86_400 * 10**9
    >>> lone_end(days), lone_end(days[:4])
    (4, 4)
    """
    if len(axis) < 3:
        return len(axis)
    first = int(np.searchsorted(axis, axis[-1] // _DAY_NS * _DAY_NS))
    if first < 2:
        return len(axis)
    usual = int(np.median(np.diff(axis[:first])))
    far = max(_FAR_DAYS * _DAY_NS, _FAR_STEPS * usual)
    return first if axis[first] - axis[first - 1] > far else len(axis)
