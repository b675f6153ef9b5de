"""Piecewise linear maps of a score in [0, 1]: a value at each of evenly spaced knots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Hats", "hats_of", "increasing"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Hats:
    """Where scores lie between knots; every operation is elementwise but the sums.

    Attributes
    ----------
    left
        Knot at or below each score, shape (n_rows,).
    share
        How far it is from there to the next one, in [0, 1], shape (n_rows,).
    n_knots
        Of the map.
    """

    left: Ints
    share: Floats
    n_knots: int

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> Hats:
        """Return those of some rows."""
        return Hats(self.left[rows], self.share[rows], self.n_knots)

    def at(self, values: Floats) -> Floats:
        """Interpolate the knots' values, shape (n_knots,), at the scores."""
        left = values[self.left]
        found: Floats = left + self.share * (values[self.left + 1] - left)
        return found

    def sums(self, values: Floats) -> Floats:
        """Add up rows' values by knot, each shared among the two around it, shape (n_knots,)."""
        right = self.share * values
        total = np.zeros(self.n_knots)
        total += np.bincount(self.left, values - right, self.n_knots)
        total += np.bincount(self.left + 1, right, self.n_knots)
        return total


def hats_of(scores: Floats, n_knots: int) -> Hats:
    """Place scores between knots at 0, …, 1; what lies outside counts as the end.

    Examples
    --------
    >>> hats_of(np.array([0.0, 0.25, 1.0]), 3).at(np.array([10.0, 20.0, 40.0])).tolist()
    [10.0, 15.0, 40.0]
    """
    place = np.clip(scores, 0.0, 1.0) * (n_knots - 1)
    left = np.minimum(place.astype(np.int64), n_knots - 2)
    return Hats(left, place - left, n_knots)


def increasing(values: Floats) -> Floats:
    """Return the mean of the least increasing map above values and the largest one below.

    Both bounds are those of isotonic regression, between which its solution lies (Barlow,
    Bartholomew, Bremner & Brunk 1972, ch. 1): what increases already stays as it is.

    Examples
    --------
    >>> increasing(np.array([1.0, 3.0, 2.0])).tolist()
    [1.0, 2.5, 2.5]
    """
    above = np.maximum.accumulate(values)
    below = np.minimum.accumulate(values[::-1])[::-1]
    return (above + below) / 2.0
