"""A fold's training rows as features are scored on them: thinned, and ranked once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.samples.design import Design
from ray_pipeline.samples.thinning import thinned
from ray_pipeline.statistics.tails import average_ranks

__all__ = ["FoldSample", "likeness", "rank_columns"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POOLED_ROWS = 100_000
"""Rows of the pooled training range that features are scored on, by whole timestamps, evenly
spaced: labels of successive rows overlap, so that thinning costs little."""

OWN_ROWS = 30_000
"""The same for a symbol's own models: there are as many of them as symbols."""

TWIN_ROWS = 20_000
"""Rows that redundancy is measured on, evenly spaced."""


@dataclass(frozen=True, slots=True)
class FoldSample:
    """Rows before a test fold, the same for all targets.

    Attributes
    ----------
    rows
        Of the design, sorted, shape (n_rows,).
    X
        Their features, shape (n_rows, n_features).
    ranks
        Centred average ranks of each feature, 0 where it is missing, same shape.
    symbol_index
        Shape (n_rows,).
    """

    rows: Ints
    X: NDArray[np.float32]
    ranks: NDArray[np.float32]
    symbol_index: NDArray[np.int32]

    @classmethod
    def before(cls, design: Design, start: int) -> FoldSample:
        """Take rows of ``[:start]``, which lie before the test."""
        most = POOLED_ROWS if design.view == "cross_sectional" else OWN_ROWS
        rows = thinned(design.positions[:start], most)
        X = design.X[rows]
        ranks = rank_columns(X).astype(np.float32)
        return cls(rows, X, ranks, design.symbol_index[rows])


def rank_columns(X: NDArray[np.float32]) -> Floats:
    """Centred average ranks of each column, in units of their number; 0 where missing.

    Parameters
    ----------
    X
        Shape (n_rows, n_features), NaN = missing.
    """
    ranks = np.zeros(X.shape)
    for j in range(X.shape[1]):
        column = X[:, j].astype(np.float64)
        present = ~np.isnan(column)
        if present.any():
            known = average_ranks(column[present])
            ranks[present, j] = (known - known.mean()) / len(known)
    return ranks


def likeness(X: NDArray[np.float32]) -> Floats:
    """|Rank correlation| of each pair of features, shape (n_features, n_features).

    Rows that a feature lacks count as its mean; a feature that does not vary is like none.
    """
    ranks = rank_columns(X)
    norms = np.sqrt((ranks * ranks).sum(axis=0))
    ranks /= np.where(norms > 0, norms, 1.0)
    return np.abs(ranks.T @ ranks)
