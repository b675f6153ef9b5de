"""Shadow features: each feature moved in time, so that it keeps its shape and loses its meaning.

The all-relevant idea of Kursa & Rudnicki (2010, "Feature Selection with the Boruta Package",
J. Stat. Softw. 36), with circular shifts in place of permutations: a permuted copy of a
persistent feature loses its persistence and with it the chance correlations that it must show.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["shift_within_symbols"]


def shift_within_symbols(symbol_index: NDArray[np.int32], share: float) -> NDArray[np.int64]:
    """Return for each row the row of the same symbol, a share of its history away, circularly.

    One share serves all features and symbols, so that their cross-correlations survive.

    Parameters
    ----------
    symbol_index
        Symbol of each row, rows in time order, shape (n_rows,).
    share
        Shift as a share of each symbol's rows, in (0, 1).

    Returns
    -------
    ndarray
        Row numbers, shape (n_rows,): ``X[result]`` are the shadows.

    Examples
    --------
    >>> shift_within_symbols(np.array([0, 1, 0, 1, 0, 0], dtype=np.int32), 0.5).tolist()
    [4, 3, 5, 1, 0, 2]
    """
    by_symbol = np.argsort(symbol_index, kind="stable")
    counts = np.bincount(symbol_index)
    source = np.empty(len(symbol_index), dtype=np.int64)
    start = 0
    for count in counts.tolist():
        rows = by_symbol[start : start + count]
        source[rows] = np.roll(rows, -int(share * count))
        start += count
    return source
