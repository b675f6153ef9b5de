"""Mean label per quantile of the prediction, and what lies between the outer two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.hac import MeanEstimate, overlapping_mean
from ray_pipeline.statistics.skill import grouped_skill

__all__ = ["QuantileReturns", "mean_of_cells", "quantile_matrix", "quantile_returns"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class QuantileReturns:
    """Figures per quantile, lowest predictions first.

    Attributes
    ----------
    means
        Mean label, NaN for an empty quantile, shape (n_quantiles,).
    excess, std_errors
        Mean of the label less its benchmark, and its HAC standard error, shape (n_quantiles,).
    spread
        Top less bottom quantile; its mean is NaN when one of them is empty.
    monotonicity
        Rank correlation of the quantile's number with its mean label, in [-1, 1]; NaN for fewer
        than two quantiles.
    """

    means: Floats
    excess: Floats
    std_errors: Floats
    spread: MeanEstimate
    monotonicity: float


def quantile_matrix(
    quantiles: Ints, labels: Floats, times: Ints, n_times: int, n_quantiles: int
) -> Floats:
    """Mean label of each quantile at each time, NaN where it has none.

    Parameters
    ----------
    quantiles
        0 … n_quantiles − 1, −1 for rows that count for none, shape (n_rows,).
    labels
        NaN where unknown, shape (n_rows,).
    times
        Number of each row's timestamp, 0 … n_times − 1, shape (n_rows,).

    Returns
    -------
    ndarray
        Shape (n_times, n_quantiles).
    """
    used = (quantiles >= 0) & np.isfinite(labels)
    cell = times[used] * n_quantiles + quantiles[used]
    n_cells = n_times * n_quantiles
    counts = np.bincount(cell, minlength=n_cells)
    sums = np.bincount(cell, weights=labels[used], minlength=n_cells)
    matrix = np.full(n_cells, np.nan)
    np.divide(sums, counts, out=matrix, where=counts > 0)
    return matrix.reshape(n_times, n_quantiles)


def mean_of_cells(
    matrix: Floats, benchmark: Floats, counts: Ints, times: Ints, n_times: int
) -> tuple[Floats, Floats]:
    """Average quantiles within groups over the groups of each time, each by its members.

    What a quantile has over its benchmark is averaged over the groups that have the quantile, and
    put onto the benchmark of them all: a group that lacks a quantile does not make the others'
    look better or worse.

    Parameters
    ----------
    matrix
        Of `quantile_matrix` by cells in place of times, shape (n_cells, n_quantiles).
    benchmark, counts, times
        Mean label, members and time of each cell, shape (n_cells,).

    Returns
    -------
    tuple
        By time, shapes (n_times, n_quantiles) and (n_times,); NaN where no cell has the quantile.

    Examples
    --------
    Two groups of a time, of two members and of one, which has no lower quantile:

    >>> matrix = np.array([[1.0, 3.0], [np.nan, 8.0]])
    >>> found = mean_of_cells(matrix, np.array([2.0, 8.0]), np.array([2, 1]), np.zeros(2, int), 1)
    >>> [each.round(3).tolist() for each in found]
    [[[3.0, 4.667]], [4.0]]
    """
    weights = counts.astype(np.float64)
    totals = np.bincount(times, weights=weights, minlength=n_times)
    mean = np.bincount(times, weights=weights * benchmark, minlength=n_times) / totals
    over = np.full((n_times, matrix.shape[1]), np.nan)
    for q in range(matrix.shape[1]):
        has = np.isfinite(matrix[:, q])
        sums = np.bincount(
            times[has],
            weights=weights[has] * (matrix[has, q] - benchmark[has]),
            minlength=n_times,
        )
        of = np.bincount(times[has], weights=weights[has], minlength=n_times)
        np.divide(sums, of, out=over[:, q], where=of > 0)
    return mean[:, np.newaxis] + over, mean


def quantile_returns(
    matrix: Floats, benchmark: Floats, horizon: float, spacing: float = 1.0
) -> QuantileReturns:
    """Average each quantile over time; every timestamp at which it has a label counts once.

    A quantile that is missing at some timestamps has a mean of a random number of terms; its
    error is that of the linearised ratio, ``(x − mean) / share`` where it is there and 0 where it
    is not (Cochran 1977, "Sampling Techniques", §6.3), so that the gaps keep their place in time.

    Parameters
    ----------
    matrix
        Of `quantile_matrix`, in time order, shape (n_times, n_quantiles).
    benchmark
        What the excess is over: the mean label of the timestamp, or of all, shape (n_times,).
    horizon, spacing
        Of the labels, and between timestamps, in the same unit; see `overlapping_mean`.
    """
    n_quantiles = matrix.shape[1]
    means, excess, errors = (np.full(n_quantiles, np.nan) for _ in range(3))
    for q in range(n_quantiles):
        if np.isfinite(matrix[:, q]).any():
            means[q] = np.nanmean(matrix[:, q])
            over = matrix[:, q] - benchmark
            excess[q] = np.nanmean(over)
            errors[q] = overlapping_mean(_linearised(over), horizon, spacing).std_error
    spread = means[-1] - means[0]
    if np.isfinite(spread):
        series = _linearised(matrix[:, -1]) - _linearised(matrix[:, 0])
        estimate = overlapping_mean(series + spread, horizon, spacing)
    else:
        estimate = MeanEstimate(np.nan, np.nan, 0.0, 1.0, 0.0, len(matrix))
    return QuantileReturns(means, excess, errors, estimate, _monotonicity(means))


def _linearised(values: Floats) -> Floats:
    """Deviations whose mean has the variance of the mean of the values that are there."""
    there = np.isfinite(values)
    deviations: Floats = np.where(there, values - np.nanmean(values), 0.0)
    return deviations / float(there.mean())


def _monotonicity(means: Floats) -> float:
    there = np.flatnonzero(np.isfinite(means))
    found = grouped_skill(
        there.astype(np.float64), means[there], np.zeros(len(there), np.int64), "regression", 2
    )
    return float(found.skills[0]) if len(found.skills) else np.nan
