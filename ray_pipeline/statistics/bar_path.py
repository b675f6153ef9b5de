"""The path that labels ran: the return of every bar, recovered from labels that add several up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ray_pipeline.statistics.tails import average_ranks

__all__ = ["is_unforeseeable", "returns_behind"]

Floats = NDArray[np.float64]

LONGEST_SOLVED = 128
"""Bars. A longer label is only differenced: the system's width is the horizon, its cost the square
of it."""

RIDGES = (0.01, 0.1, 1.0, 10.0)
"""Penalties, of which the first serves returns. The others keep labels that are not sums of returns
from being blown up at the periods that sums over its horizon do not see."""

LARGEST_GAIN = 2.0
"""Variance that the bars of a horizon may have together, in that of the label."""

MOST_MEMORY = 0.1
"""|Rank correlation| of a label with the one that starts where it ends, beyond chance, up to which
what it adds up could not be foreseen: returns have 0.03 at most, volumes and loads 0.3 to 0.9."""

MIN_PAIRS = 100

LAGS = 8
"""Horizons back that a label may remember: a week of days among them, and a day of three hours."""


def is_unforeseeable(labels: Floats, horizon: int) -> bool:
    """Tell whether labels are about something that their own past hardly tells.

    The tests by other clocks take what bars do after a row for news. It is none where a series
    remembers itself: a load, a volume or a level says much of its next hours, and so do the hour,
    the weekday, and all that honest features are made of.

    Parameters
    ----------
    labels
        Shape (n_rows,), NaN = missing.
    horizon
        Bars that a label looks ahead.

    Examples
    --------
    >>> walk = np.random.default_rng(0).standard_normal(2_000).cumsum()
    >>> is_unforeseeable(walk[1:] - walk[:-1], 1), is_unforeseeable(walk[1:], 1)
    (True, False)
    """
    for lag in range(horizon, (LAGS + 1) * horizon, horizon):
        early, late = labels[:-lag], labels[lag:]
        both = np.isfinite(early) & np.isfinite(late)
        n_pairs = int(both.sum())
        if n_pairs < MIN_PAIRS:
            return lag > horizon
        early, late = average_ranks(early[both]), average_ranks(late[both])
        if early.min() == early.max() or late.min() == late.max():
            return False
        chance = 2.0 * np.sqrt(horizon / n_pairs)
        if abs(float(np.corrcoef(early, late)[0, 1])) > MOST_MEMORY + chance:
            return False
    return True


def returns_behind(labels: Floats, horizon: int) -> Floats:
    """Recover one-bar returns from the labels of a horizon.

    A label of h bars at row t is r(t+1) + … + r(t+h). One return is the label itself where h is 1.
    Otherwise the labels are a moving sum, and the returns the ridge solution of that system
    (Tikhonov regularisation): all that is lost of them is what repeats with a period of h.

    Parameters
    ----------
    labels
        Shape (n_rows,), NaN = missing. Where all are above −1 they are taken for simple returns,
        whose logarithms add up.
    horizon
        Bars that a label looks ahead.

    Returns
    -------
    ndarray
        Shape (n_rows,): the return of each row's own bar, known at the row. NaN where no label
        covers the bar.
    """
    known = np.isfinite(labels)
    total = np.where(known, labels, 0.0)
    if known.any() and total.min() > -1.0:
        total = np.log1p(total)
    n_rows = len(labels)
    if horizon > LONGEST_SOLVED or n_rows <= 2 * horizon:
        # r(t+1) less a return beyond the label's end, which is noise to all that is asked here.
        changes = np.full(n_rows, np.nan)
        both = known[:-1] & known[1:]
        changes[1:][both] = (total[:-1] - total[1:])[both]
        return changes
    covered = _windows_over(known.astype(np.float64), horizon, 0)
    bars = np.flatnonzero(covered > 0)
    returns = np.full(n_rows, np.nan)
    if horizon == 1:
        returns[bars] = total[bars - 1]
        return returns
    if not len(bars):
        return returns
    wanted = LARGEST_GAIN * float(np.var(total[known])) / horizon
    right = _windows_over(total, horizon, 0)
    bands = np.stack(
        [_windows_over(known.astype(np.float64), horizon, apart) for apart in range(horizon)]
    )
    for ridge in RIDGES:
        system = bands.copy()
        system[0] += ridge
        solved = linalg.solveh_banded(system, right, lower=True, check_finite=False)
        if float(np.var(solved[bars])) <= wanted:
            break
    returns[bars] = solved[bars]
    return returns


def _windows_over(values: Floats, horizon: int, apart: int) -> Floats:
    """Sum values over the labels whose windows hold both bars i and i + apart, shape (n_rows,)."""
    total = np.r_[0.0, np.cumsum(values)]
    i = np.arange(len(values))
    first = np.clip(i + apart - horizon, 0, len(values))
    sums: Floats = np.where(i + apart < len(values), total[i] - total[np.minimum(first, i)], 0.0)
    return sums
