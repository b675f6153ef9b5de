"""Features less what the rows of a timestamp have in common.

A regression of labels that are compared within their timestamp asks what tells its rows apart.
What all of them share cannot, but it adds variance to the features, and a penalty that falls on
that variance shrinks the directions that matter by chance. Taking the timestamp's mean off is the
within estimator of fixed effects (Mundlak 1978, "On the Pooling of Time Series and Cross Section
Data", Econometrica 46; by Frisch & Waugh 1933 it equals a dummy for every timestamp).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["GroupMeans", "less_group_means", "subtract_group_means"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCK_ROWS = 32_768
"""Rows whose means are looked up at a time: bounded memory."""


class GroupMeans:
    """Means of the features of each group, from rows that come block by block.

    Parameters
    ----------
    groups
        Group of every row that will come, in any order, shape (n_rows,).
    n_features
        Columns of the blocks.
    """

    def __init__(self, groups: Ints, n_features: int) -> None:
        self._known, counts = np.unique(groups, return_counts=True)
        self._counts = counts.astype(np.float64)
        self._sums = np.zeros((len(self._known), n_features))

    def add(self, Z: Floats, groups: Ints) -> None:
        """Add rows (n, n_features) of some groups (n,), each row once."""
        places, inverse = np.unique(self._places(groups), return_inverse=True)
        rows = np.arange(len(Z))
        members = sparse.csr_matrix((np.ones(len(Z)), (inverse, rows)))
        self._sums[places] += members @ Z

    def subtract(self, Z: Floats, groups: Ints) -> None:
        """Take the means off rows (n, n_features), in place."""
        for start in range(0, len(Z), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            places = self._places(groups[part])
            Z[part] -= self._sums[places] / self._counts[places, np.newaxis]

    def _places(self, groups: Ints) -> Ints:
        return np.searchsorted(self._known, groups)


def subtract_group_means(Z: Floats, groups: Ints) -> None:
    """Take the mean of each row's group off, in place.

    Parameters
    ----------
    Z
        Features without NaN, shape (n_rows, n_features).
    groups
        Shape (n_rows,).

    Examples
    --------
    >>> Z = np.array([[1.0], [3.0], [5.0]])
    >>> subtract_group_means(Z, np.array([7, 7, 8]))
    >>> Z.ravel().tolist()
    [-1.0, 1.0, 0.0]
    """
    means = GroupMeans(groups, Z.shape[1])
    means.add(Z, groups)
    means.subtract(Z, groups)


def less_group_means(X: NDArray[np.float32], groups: Ints) -> NDArray[np.float32]:
    """Return features less the mean of the values that each row's group has.

    Parameters
    ----------
    X
        NaN = missing, which stays, shape (n_rows, n_features).
    groups
        Shape (n_rows,).

    Examples
    --------
    >>> X = np.array([[1.0], [3.0], [np.nan], [5.0]], dtype=np.float32)
    >>> less_group_means(X, np.array([7, 7, 7, 8])).ravel().tolist()
    [-1.0, 1.0, nan, 0.0]
    """
    known, group = np.unique(groups, return_inverse=True)
    found = np.full_like(X, np.nan)
    for j, column in enumerate(X.T.astype(np.float64)):
        rows = np.flatnonzero(~np.isnan(column))
        there = group[rows]
        counts = np.bincount(there, minlength=len(known))
        sums = np.bincount(there, weights=column[rows], minlength=len(known))
        means = np.divide(sums, counts, out=np.zeros(len(known)), where=counts > 0)
        found[rows, j] = column[rows] - means[there]
    return found
