"""Skill over time by what was known at each row: figures that no later row changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.records import Task
from ray_pipeline.statistics.skill import centred_percentile

__all__ = ["past_contributions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_KNOWN = 50
"""Labels of a symbol that have to be known before one of it can be judged."""

LEAST_SHARE = 0.02


def past_contributions(
    standing: Floats, actual: Floats, positions: Ints, step: int, horizon: int, task: Task
) -> Floats:
    """Return one symbol's contributions to a skill over time, NaN where too little was known.

    The skill of `ray_pipeline.statistics.skill.time_contributions` measures a label by all later
    ones, so that every day changes the figures of the days before. Here it is measured by the
    symbol's labels that were known when the row's stretch of time began. On a level that wanders
    such figures are not centred, wherefore they are compared with each other alone.

    Parameters
    ----------
    standing
        Of each prediction among those of training rows, in [0, 1], shape (n_rows,).
    actual, positions
        Finite labels and timestamps, in time order, shape (n_rows,).
    step
        Timestamps of a stretch.
    horizon
        Timestamps until a label is known.

    Returns
    -------
    ndarray
        Ordered targets: three times the product of the centred percentiles of prediction and
        label, whose mean is their rank correlation where both are spread evenly. Binary ones: the
        product whose mean is then 2·AUC − 1. Shape (n_rows,).
    """
    bets = 2.0 * standing - 1.0
    found = np.full(len(actual), np.nan)
    stretch = positions // step
    firsts = np.flatnonzero(np.diff(stretch, prepend=-1))
    for first, end in zip(firsts, np.append(firsts, len(actual))[1:], strict=True):
        begins = stretch[first] * step
        n_known = int(np.searchsorted(positions, begins - horizon, side="right"))
        if n_known < MIN_KNOWN:
            continue
        rows, known = slice(first, end), actual[:n_known]
        if task == "binary":
            share = min(1.0 - LEAST_SHARE, max(LEAST_SHARE, float(known.mean())))
            found[rows] = bets[rows] * (actual[rows] - share) / (share * (1.0 - share))
        else:
            found[rows] = 3.0 * bets[rows] * centred_percentile(actual[rows], known)
    return found
