"""Tails of the t and the normal distribution, and ranks.

The bits are those of `scipy.stats`, whose import takes half a second of every process that needs
it: of each command, and of each worker.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

__all__ = ["average_ranks", "normal_upper_quantile", "normal_upper_tail", "t_upper_tail"]

Floats = NDArray[np.float64]


def t_upper_tail(t: ArrayLike, freedom: ArrayLike) -> Floats:
    """Return P(T > t) of Student's t: one-sided p-values.

    Parameters
    ----------
    t
        Statistics, of any shape.
    freedom
        Degrees of freedom, a shape that broadcasts; NaN for any that are not above 0.
    """
    tail: Floats = special.stdtr(freedom, np.negative(t))
    return tail


def normal_upper_quantile(p: ArrayLike) -> Floats:
    """Return the z with P(Z > z) = p of a standard normal Z; p of any shape, in [0, 1]."""
    quantile: Floats = np.negative(special.ndtri(p))
    return quantile


def normal_upper_tail(z: ArrayLike) -> Floats:
    """Return P(Z > z) of a standard normal Z, of any shape."""
    tail: Floats = special.ndtr(np.negative(z))
    return tail


def average_ranks(values: ArrayLike) -> Floats:
    """Rank from 1 upwards; equal values share the mean of their ranks.

    Parameters
    ----------
    values
        Shape (n_values,). Where one is NaN, none can be ranked: all ranks are NaN.
    """
    given = np.asarray(values)
    if np.isnan(given).any():
        return np.full(len(given), np.nan)
    # Not stable: equal values share their rank in whatever order, and it is six times slower.
    order = np.argsort(given)
    in_order = given[order]
    starts = np.flatnonzero(np.concatenate(([True], in_order[1:] != in_order[:-1])))
    sizes = np.diff(np.append(starts, len(given)))
    ranks = np.empty(len(given))
    ranks[order] = np.repeat(starts + (sizes + 1) / 2, sizes)
    return ranks
