"""What a series says at each row that its own past, and the time of day, did not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.lagged import normal_scores

__all__ = ["Surprises", "steady_path", "surprises", "usual"]

Floats = NDArray[np.float64]

WINDOWS = (1, 2, 3, 6, 24, 96, 288)
"""Rows over which the past is averaged. Heterogeneous autoregression: F. Corsi (2009), "A Simple
Approximate Long-Memory Model of Realized Volatility", J. Financial Econometrics 7."""

MIN_ROWS_OF_TIME = 20
"""Rows that a time of day needs for a mean of its own."""

MIN_ROWS = 100

RECENT = 24
"""Rows whose sizes tell what size to expect of the next one."""

FARTHEST = 6.0
"""Expected sizes that a step of the steady path is long at most."""


@dataclass(frozen=True, slots=True)
class Surprises:
    """Standardised innovations, 0 where missing, and the mask of those that are there."""

    values: Floats
    known: NDArray[np.bool_]


def surprises(series: Floats, time_of_day: NDArray[np.int64]) -> Surprises | None:
    """Take from a series what its past and the time of day predict of it.

    Nobody is accused of knowing that volatility persists, or of how loud the open is.

    Parameters
    ----------
    series
        Shape (n_rows,), NaN = missing. Ranks of it are used, so that no bar outweighs the rest.
    time_of_day
        A number for each row, equal at equal times of the day, shape (n_rows,).

    Returns
    -------
    Surprises or None
        None where there are too few rows.
    """
    scores, known = normal_scores(series)
    if known.sum() < MIN_ROWS or not scores.any():
        return None
    scores = np.where(known, scores - usual(scores, known, time_of_day, 0.0), 0.0)
    windows = [window for window in WINDOWS if 10 * window <= len(scores)]
    design = np.column_stack([_past_mean(scores, window) for window in windows])
    weights, *_ = np.linalg.lstsq(design[known], scores[known], rcond=None)
    left = np.where(known, scores - design @ weights, 0.0)
    spread = float(left[known].std())
    return Surprises(left / spread, known) if spread > 0 else None


def steady_path(returns: Floats, time_of_day: NDArray[np.int64]) -> Floats:
    """Add up returns in sizes of what was to be expected of each by its past and the time of day.

    How far it gets is news, as `surprises` are: in calm times as far as in wild ones.

    Parameters
    ----------
    returns
        Shape (n_rows,), NaN = missing: the path stands still.
    time_of_day
        A number for each row, equal at equal times of the day, shape (n_rows,).
    """
    known = np.isfinite(returns)
    sizes = np.where(known, np.abs(returns), 0.0)
    overall = float(sizes.sum()) / max(int(known.sum()), 1)
    at_its_time = usual(sizes, known, time_of_day, overall)
    relative = sizes / np.maximum(at_its_time, 1e-30)
    expected = at_its_time * _past_mean(relative, RECENT)
    steps = np.where(known, returns, 0.0) / np.maximum(expected, 1e-30)
    path: Floats = np.cumsum(steps.clip(-FARTHEST, FARTHEST))
    return path


def usual(
    values: Floats, known: NDArray[np.bool_], time_of_day: NDArray[np.int64], otherwise: float
) -> Floats:
    """Give the mean at the time of day of each row, where it has enough rows.

    Parameters
    ----------
    values, known
        Numbers, and the mask of those that count, each of shape (n_rows,).
    time_of_day
        A number for each row, equal at equal times of the day, shape (n_rows,).
    otherwise
        Where there are too few rows.

    Returns
    -------
    ndarray
        Shape (n_rows,).
    """
    _, place = np.unique(time_of_day, return_inverse=True)
    counts = np.bincount(place, weights=known.astype(np.float64))
    sums = np.bincount(place, weights=np.where(known, values, 0.0))
    means: Floats = np.where(counts >= MIN_ROWS_OF_TIME, sums / np.maximum(counts, 1.0), otherwise)
    return means[place]


def _past_mean(values: Floats, window: int) -> Floats:
    """Mean of the last values before each row, shape (n_rows,)."""
    total = np.r_[0.0, np.cumsum(values)]
    rows = np.arange(len(values))
    first = np.maximum(rows - window, 0)
    mean: Floats = (total[rows] - total[first]) / window
    return mean
