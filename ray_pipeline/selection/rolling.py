"""Labels rolled in time: what features show of labels that they cannot know.

The all-relevant idea of Kursa & Rudnicki (2010, "Feature Selection with the Boruta Package",
J. Stat. Softw. 36), with circular shifts in place of permutations: permuted labels lose their
persistence and with it the chance correlations that persistent features must show. Labels are
rolled rather than features, so that what is computed of the features serves all rolls.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["rolled_rows", "shift_within_symbols"]

LEAST_SHIFT = 0.1
"""Share of a history that labels are rolled by at least, on either side: far enough for the
memory of labels and features to have gone."""


def rolled_rows(symbol_index: NDArray[np.int32], n_rolls: int, seed: int) -> NDArray[np.int64]:
    """Roll rows around each symbol's own history, by shares of it that are spread evenly.

    Parameters
    ----------
    symbol_index
        Symbol of each row, rows in time order, shape (n_rows,).
    seed
        Places each share within its stretch of equal length.

    Returns
    -------
    ndarray
        Row numbers, shape (1 + n_rolls, n_rows): of labels y, ``y[result]`` are the labels
        themselves and their rolls. Rolled ranks are ranks of rolled labels.
    """
    places = (np.arange(n_rolls) + np.random.default_rng(seed).random(n_rolls)) / max(n_rolls, 1)
    shares = LEAST_SHIFT + (1.0 - 2.0 * LEAST_SHIFT) * places
    every = np.arange(len(symbol_index))[np.newaxis]
    return np.concatenate([every, shift_within_symbols(symbol_index, shares)])


def shift_within_symbols(symbol_index: NDArray[np.int32], shares: ArrayLike) -> NDArray[np.int64]:
    """Return for each row the row of the same symbol, a share of its history away, circularly.

    One share serves all symbols, so that their cross-correlations survive.

    Parameters
    ----------
    symbol_index
        Symbol of each row, rows in time order, shape (n_rows,).
    shares
        Shifts as shares of each symbol's rows, in (0, 1), shape (n_shifts,).

    Returns
    -------
    ndarray
        Row numbers, shape (n_shifts, n_rows): ``y[result]`` are the rolled labels.

    Examples
    --------
    >>> shift_within_symbols(np.array([0, 1, 0, 1, 0, 0], dtype=np.int32), [0.5]).tolist()
    [[4, 3, 5, 1, 0, 2]]
    """
    by_symbol = np.argsort(symbol_index, kind="stable")
    counts = np.bincount(symbol_index)
    starts = np.cumsum(counts) - counts
    asked = np.asarray(shares, dtype=np.float64)
    sources = np.empty((len(asked), len(symbol_index)), dtype=np.int64)
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        rows = by_symbol[start : start + count]
        for source, share in zip(sources, asked.tolist(), strict=True):
            source[rows] = np.roll(rows, -int(share * count))
    return sources
