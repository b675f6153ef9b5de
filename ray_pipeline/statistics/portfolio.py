"""Long the highest predictions, short the lowest: what is traded, and what is left after costs.

The portfolio is that of Jegadeesh & Titman (1993), "Returns to Buying Winners and Selling
Losers", J. Finance 48: capital lies in equal parts in as many sub-portfolios as a holding period
has timestamps; each is formed at a timestamp, held for the horizon of the label, and then formed
again. A sub-portfolio from its forming to its end is a *cohort*. Weights within a holding period
are those of its beginning, and capital is not compounded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["booked", "leg_turnover", "max_drawdown", "predecessors", "thinned", "traded_weight"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NONE = -1


def predecessors(positions: Ints, span: int) -> Ints:
    """Cohort that each cohort takes the capital of: the first that has ended and is still free.

    Where every position has a cohort that is the one `span` positions before.

    Parameters
    ----------
    positions
        Positions at which cohorts are formed, increasing, shape (n_cohorts,).
    span
        Positions for which a cohort is held.

    Returns
    -------
    ndarray
        Index of the predecessor, −1 for a cohort that is formed from cash, shape (n_cohorts,).
        The number of those is the number of sub-portfolios.

    Examples
    --------
    >>> predecessors(np.array([0, 1, 2, 5, 6]), span=2).tolist()
    [-1, -1, 0, 1, 2]
    """
    found = np.full(len(positions), NONE, dtype=np.int64)
    ends = (positions + span).tolist()
    free = 0
    for cohort, position in enumerate(positions.tolist()):
        if ends[free] <= position:
            found[cohort] = free
            free += 1
    return found


def traded_weight(weights: Floats, cohorts: Ints, symbols: Ints, before: Ints) -> Floats:
    """Sum of absolute changes of weights in forming each cohort from its predecessor.

    Parameters
    ----------
    weights
        Signed weights, shape (n_holdings,).
    cohorts, symbols
        Whose they are and of what, shape (n_holdings,); a cohort holds a symbol once.
    before
        Of `predecessors`, shape (n_cohorts,).

    Returns
    -------
    ndarray
        Shape (n_cohorts,). One that takes over from nobody buys all of its weights; the closing
        of one that nobody takes over from counts as its own.
    """
    n_cohorts = len(before)
    after = np.full(n_cohorts, NONE, dtype=np.int64)
    replaced = before[before >= 0]
    after[replaced] = np.flatnonzero(before >= 0)
    is_last = after[cohorts] == NONE
    closing = np.bincount(cohorts[is_last], weights=np.abs(weights[is_last]), minlength=n_cohorts)
    handed = ~is_last
    keys = np.r_[cohorts, after[cohorts[handed]]] * (symbols.max(initial=0) + 1)
    keys += np.r_[symbols, symbols[handed]]
    changes = np.r_[weights, -weights[handed]]
    distinct, place = np.unique(keys, return_inverse=True)
    sizes = np.abs(np.bincount(place, weights=changes, minlength=len(distinct)))
    owner = distinct // (symbols.max(initial=0) + 1)
    opening = np.bincount(owner, weights=sizes, minlength=n_cohorts)
    total: Floats = (closing + opening).astype(np.float64)
    return total


def leg_turnover(weights: Floats, cohorts: Ints, symbols: Ints, before: Ints) -> float:
    """Mean share of a leg that is replaced from one cohort to its successor, in [0, 1].

    Half the sum of absolute changes of weights that sum to 1; NaN without a successor.

    Parameters
    ----------
    weights
        Of the leg, 1 in sum over each cohort, shape (n_holdings,).
    """
    if not (before >= 0).any():
        return float("nan")
    changes = traded_weight(weights, cohorts, symbols, before)
    after_any = np.zeros(len(before), dtype=np.bool_)
    after_any[before[before >= 0]] = True
    changes -= np.where(after_any, 0.0, 1.0)  # the closing of the last ones
    return float(changes[before >= 0].mean() / 2.0)


def booked(returns: Floats, n_parts: int) -> Floats:
    """Sum of the cohorts' returns so far, each on its part of the capital, shape (n_cohorts,)."""
    return np.cumsum(returns) / n_parts


def max_drawdown(curve: Floats) -> float:
    """Largest fall of a sum of returns below its highest value so far, which starts at 0.

    Examples
    --------
    >>> max_drawdown(np.array([0.1, 0.3, 0.05, 0.2]))
    0.25
    """
    whole = np.r_[0.0, curve]
    return float((np.maximum.accumulate(whole) - whole).max())


def thinned(n: int, limit: int) -> Ints:
    """Choose at most `limit` of n points, evenly spaced, first and last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, limit)).round().astype(np.int64))
