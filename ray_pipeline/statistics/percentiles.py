"""Percentiles in [0, 1] of predictions: among others of their time, or among earlier ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.skill import centred_percentile, grouped_ranks

__all__ = [
    "earlier_percentiles",
    "known_share",
    "percentiles_in_groups",
    "quantile_numbers",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_GROWTH = 10
"""The reference is renewed when it has grown by a tenth: a sort of all earlier values at each row
would take n² log n, and edges that move by less than that say nothing new."""


def percentiles_in_groups(values: Floats, groups: Ints) -> Floats:
    """Mid-rank percentiles ``(rank − ½) / n`` of values within their groups; ties share theirs.

    Parameters
    ----------
    values
        Finite, shape (n_rows,).
    groups
        Any integer label per row, such as the position of its timestamp, shape (n_rows,).

    Examples
    --------
    >>> percentiles_in_groups(np.array([3.0, 1.0, 9.0]), np.array([0, 0, 1])).tolist()
    [0.75, 0.25, 0.5]
    """
    _, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return (grouped_ranks(values, inverse) - 0.5) / counts[inverse]


def earlier_percentiles(values: Floats, delay: int = 1, min_earlier: int = 1) -> Floats:
    """Percentiles of values among those known before them: nothing later moves any of them.

    A row is compared with the rows at least `delay` before it. The set that it is compared with
    is renewed whenever it has grown by a tenth, at places that depend on the row number alone.

    Parameters
    ----------
    values
        In time order, shape (n_rows,). NaN has no percentile and is not a reference.
    delay
        Rows until a value is known: 1 for a prediction, the horizon for a label.
    min_earlier
        Earlier rows that a percentile needs.

    Returns
    -------
    ndarray
        In [0, 1], ties count half; NaN in the first rows, shape (n_rows,).
    """
    percentiles = np.full(len(values), np.nan)
    start = min_earlier + delay - 1
    while start < len(values):
        n_known = start - delay + 1
        end = start + max(1, n_known // _GROWTH)
        known = values[:n_known]
        known = known[np.isfinite(known)]
        if len(known):
            rows = start + np.flatnonzero(np.isfinite(values[start:end]))
            percentiles[rows] = (centred_percentile(values[rows], known) + 1.0) / 2.0
        start = end
    return percentiles


def quantile_numbers(percentiles: Floats, n_quantiles: int) -> Ints:
    """Return the quantile that a percentile lies in: 0 is the lowest, −1 for NaN.

    Examples
    --------
    >>> quantile_numbers(np.array([0.0, 0.5, 1.0, np.nan]), 4).tolist()
    [0, 2, 3, -1]
    """
    # 0.29 · 100 is 28.999999999999996
    scaled = np.floor(np.nan_to_num(percentiles) * n_quantiles + 1e-9).astype(np.int64)
    return np.where(np.isnan(percentiles), -1, np.minimum(scaled, n_quantiles - 1))


def known_share(labels: Floats, positions: Ints, span: int) -> Floats:
    """Share of positives among the labels that are known at each row.

    One positive and one negative are added to what is known (Laplace's rule of succession), so
    that the share is never 0 or 1, and one half where nothing is known.

    Parameters
    ----------
    labels
        0 and 1, NaN where unknown, shape (n_rows,).
    positions
        Of the rows, shape (n_rows,).
    span
        Positions until a label is known.
    """
    order = np.argsort(positions, kind="stable")
    labelled = np.isfinite(labels[order])
    known = np.r_[0, np.cumsum(labelled)]
    positive = np.r_[0.0, np.cumsum(np.where(labelled, labels[order], 0.0))]
    place = np.searchsorted(positions[order], positions - span, side="right")
    share: Floats = (positive[place] + 1.0) / (known[place] + 2.0)
    return share
