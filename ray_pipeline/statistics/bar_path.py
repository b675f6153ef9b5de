"""The path that labels ran: the return of every bar, recovered from labels that add several up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

__all__ = ["returns_behind"]

Floats = NDArray[np.float64]

LONGEST_SOLVED = 128
"""Bars. A longer label is only differenced: the system's width is the horizon, its cost the square
of it."""

RIDGES = (0.01, 0.1, 1.0, 10.0)
"""Penalties, of which the first serves returns. The others keep a label that is no sum of returns
from being blown up at the periods that sums over its horizon do not see."""

LARGEST_GAIN = 2.0
"""Variance that the bars of a horizon may have together, in that of the label."""


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
