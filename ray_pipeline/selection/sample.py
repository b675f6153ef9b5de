"""A fold's training rows as features are scored on them: thinned, and ranked once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.samples.design import Design
from ray_pipeline.samples.thinning import thinned
from ray_pipeline.statistics.within_groups import less_group_means

__all__ = [
    "ColumnOrders",
    "FoldSample",
    "as_compared",
    "cells_compared",
    "likeness",
    "likeness_of_ranks",
    "rows_before",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POOLED_ROWS = 50_000
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
        Centred average ranks of each feature, 0 where it is missing, shape (n_features, n_rows);
        see `as_compared`.
    symbol_index
        Shape (n_rows,).
    """

    rows: Ints
    X: NDArray[np.float32]
    ranks: NDArray[np.float32]
    symbol_index: NDArray[np.int32]

    @classmethod
    def of(cls, design: Design, rows: Ints, orders: ColumnOrders | None = None) -> FoldSample:
        """Take rows of a design, see `rows_before`.

        Parameters
        ----------
        orders
            Of all rows of the design, where several folds are asked for.
        """
        X = design.X[rows]
        if orders is None:
            ranks = ColumnOrders.of(as_compared(design, rows)).ranks()
        else:
            ranks = orders.ranks(rows)
        return cls(rows, X, ranks.astype(np.float32), design.symbol_index[rows])


def rows_before(design: Design, first: int, start: int) -> Ints:
    """Return those of the rows ``[first:start]``, which lie before a test, that are a sample."""
    most = POOLED_ROWS if design.view == "cross_sectional" else OWN_ROWS
    return first + thinned(design.positions[first:start], most)


def as_compared(design: Design, rows: Ints) -> NDArray[np.float32]:
    """Return features of some rows, by whole timestamps, as labels see them.

    What the rows of a group have in common says nothing of who is ahead within it, as in the
    within estimator (`ray_pipeline.statistics.within_groups`), but makes features look alike that
    are not. So features are taken less the mean of their group at the timestamp, if there are
    groups.
    """
    X, cells = design.X[rows], cells_compared(design, rows)
    return X if cells is None else less_group_means(X, cells)


def cells_compared(design: Design, rows: Ints) -> Ints | None:
    """Return the group and timestamp of rows, within which they are compared; None: no groups."""
    if design.groups is None or design.view == "symbol_specific":
        return None
    return design.cells[rows]


@dataclass(frozen=True, slots=True)
class ColumnOrders:
    """The order of each column's values, from which ranks among any of its rows are counted.

    Sorting takes longer than all else that is done to a column; folds share it. Which rows are
    ranked is asked afterwards, so that what a fold sees of a column are its own rows' values.

    Attributes
    ----------
    places
        Place of each value among the different values of its column from 0 upwards, after them
        all where it is missing, shape (n_features, n_rows).
    n_different
        Different values of each column, shape (n_features,).
    """

    places: NDArray[np.int32]
    n_different: Ints

    @classmethod
    def of(cls, X: NDArray[np.float32]) -> ColumnOrders:
        """Sort each column of X, shape (n_rows, n_features), NaN = missing."""
        columns = np.ascontiguousarray(X.T)
        places = np.empty(columns.shape, dtype=np.int32)
        n_different = np.zeros(len(columns), dtype=np.int64)
        for j, column in enumerate(columns):
            order = np.argsort(column)  # NaN last
            in_order = column[order]
            is_new = np.empty(len(column), dtype=np.int32)
            is_new[:1] = 0
            is_new[1:] = in_order[1:] != in_order[:-1]
            n_present = len(column) - int(np.isnan(column).sum())
            found = np.cumsum(is_new)
            n_different[j] = found[n_present - 1] + 1 if n_present else 0
            found[n_present:] = n_different[j]
            places[j, order] = found
        return cls(places, n_different)

    def ranks(self, rows: Ints | None = None) -> Floats:
        """Centred average ranks among some rows, in units of their number; 0 where missing.

        Parameters
        ----------
        rows
            None: all.

        Returns
        -------
        ndarray
            Shape (n_features, n_rows).
        """
        places = self.places if rows is None else self.places.take(rows, axis=1)
        ranks = np.zeros(places.shape)
        for j, column in enumerate(places):
            counts = np.bincount(column, minlength=self.n_different[j] + 1)
            counts[-1] = 0
            upto = np.cumsum(counts)
            n_present = int(upto[-1])
            if n_present == 0:
                continue
            of_place = (upto - 0.5 * (counts - 1) - 0.5 * (n_present + 1)) / n_present
            of_place[-1] = 0.0
            ranks[j] = of_place[column]
        return ranks


def likeness(X: NDArray[np.float32]) -> Floats:
    """|Rank correlation| of each pair of features, shape (n_features, n_features).

    Rows that a feature lacks count as its mean; a feature that does not vary is like none.
    """
    return likeness_of_ranks(ColumnOrders.of(X).ranks())


def likeness_of_ranks(ranks: Floats) -> Floats:
    """Return `likeness` of features whose centred ranks, shape (n_features, n_rows), are known."""
    norms = np.sqrt((ranks * ranks).sum(axis=1, keepdims=True))
    scaled = ranks / np.where(norms > 0, norms, 1.0)
    return np.abs(scaled @ scaled.T)
