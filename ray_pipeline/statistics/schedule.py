"""Dates of a schedule that a panel has reached: models are trained of what came before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["reached"]

_ENOUGH = 0.5
"""Share of the usual number of symbols that a date needs: the first file to arrive is no new day,
and a symbol that a vendor dates a century ahead is none either."""


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
