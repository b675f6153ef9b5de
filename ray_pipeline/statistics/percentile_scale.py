"""Percentiles of predictions among those that a model made before, in [0, 1].

A model's scale is a summary of the predictions of its training rows. It is fixed when the model is,
so that a prediction has its percentile by what was known then: neither the rows beside it nor
later ones change it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_SCALE_POINTS", "mean_percentile", "percentile_of", "percentile_scale"]

Floats = NDArray[np.float64]

MAX_SCALE_POINTS = 1001
"""Points of a scale: a percentile is off by at most 0.1 % of the training rows."""


def percentile_scale(predictions: Floats) -> Floats:
    """Return evenly spaced order statistics of predictions, the smallest and largest among them.

    They are predictions as they are, never a mean of two, so that they survive as text and their
    ties are those of the predictions: trees predict few different values.

    Parameters
    ----------
    predictions
        Finite, shape (n_rows,), at least one.

    Returns
    -------
    ndarray
        Ascending, with repetitions, shape (min(n_rows, 1001),).

    Examples
    --------
    >>> percentile_scale(np.array([0.3, 0.1, 0.1])).tolist()
    [0.1, 0.1, 0.3]
    """
    ordered = np.sort(predictions)
    n_rows = len(ordered)
    if n_rows <= MAX_SCALE_POINTS:
        return ordered
    last = MAX_SCALE_POINTS - 1
    return ordered[np.arange(MAX_SCALE_POINTS) * (n_rows - 1) // last]


def percentile_of(values: Floats, scale: Floats) -> Floats:
    """Return percentiles on a scale: 0 below all of it, 0.5 at its median, 1 above all of it.

    A value of the scale has its mid-rank percentile, ``(below + not above) / 2n``, which gives
    ties half: half of `ray_pipeline.statistics.skill.centred_percentile`, plus one half. Between
    two neighbours it is linear, so that different predictions keep their order. Every operation is
    elementwise: the rows around a value do not change a bit of it.

    Parameters
    ----------
    values
        Shape (n_rows,); NaN stays NaN.
    scale
        As `percentile_scale` gives it.

    Examples
    --------
    >>> percentile_of(np.array([0.0, 1.0, 1.5, 2.0, 9.0]), np.array([1.0, 2.0])).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    points, counts = np.unique(scale, return_counts=True)
    above = np.cumsum(counts)
    of_points = (2 * above - counts) / (2 * len(scale))
    left = np.clip(np.searchsorted(points, values, side="right") - 1, 0, len(points) - 1)
    right = np.minimum(left + 1, len(points) - 1)
    width = np.where(left == right, 1.0, points[right] - points[left])
    share = (values - points[left]) / width
    found: Floats = of_points[left] + share * (of_points[right] - of_points[left])
    found = np.where(values < points[0], 0.0, found)
    found = np.where(values > points[-1], 1.0, found)
    return np.where(np.isnan(values), np.nan, found)


def mean_percentile(percentiles: Sequence[Floats]) -> Floats:
    """Return the mean of percentiles row by row, added up in the order given.

    Parameters
    ----------
    percentiles
        At least one, each of shape (n_rows,).

    Examples
    --------
    >>> mean_percentile([np.array([0.25, 1.0]), np.array([0.75, 0.5])]).tolist()
    [0.5, 0.75]
    """
    total = percentiles[0].copy()
    for each in percentiles[1:]:
        total += each
    mean: Floats = total / len(percentiles)
    return mean
