"""Weights of training rows by their age."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.intervals import Duration, Interval

__all__ = ["recency_weights"]

_DAY_NS = 86_400 * 10**9
_MONTHS = {"mo": 1, "q": 3, "y": 12}


def recency_weights(
    axis: NDArray[np.int64],
    positions: NDArray[np.int64],
    end: int,
    half_life: Duration,
) -> NDArray[np.float64]:
    """Weigh rows by ``2^(−age / half_life)``: exponential forgetting, of mean 1.

    Source: the exponentially weighted moving average of RiskMetrics (1996), with a decay factor of
    ``2^(−1 / half_life)``.

    Parameters
    ----------
    axis
        The panel's unique timestamps in nanoseconds since 1970, increasing, shape (n_timestamps,).
    positions
        Of the rows on it, shape (n_rows,), all before `end`.
    end
        Where the test fold begins; the number of timestamps: after the last.
    half_life
        Age at which a row counts half: ``d`` dates that have a timestamp, ``b`` timestamps, ``w``
        weeks, ``mo``, ``q`` and ``y`` of the calendar's mean length.

    Examples
    --------
    >>> axis = np.arange(4) * 86_400 * 10**9
    >>> weights = recency_weights(axis, np.arange(3), 3, Duration(1, "d"))
    >>> (weights / weights[0]).tolist()
    [1.0, 2.0, 4.0]
    """
    if half_life.unit == "b":
        age = (end - positions).astype(np.float64)
    elif half_life.unit == "d":
        dates = np.cumsum(np.diff(axis // _DAY_NS, prepend=-1) != 0)
        newest = dates[end] if end < len(axis) else dates[-1] + 1
        age = (newest - dates[positions]).astype(np.float64)
    else:
        seconds = 7 * 86_400
        if half_life.unit in _MONTHS:
            seconds = Interval(_MONTHS[half_life.unit], "mo").seconds
        newest_ns = axis[end] if end < len(axis) else axis[-1]
        age = (newest_ns - axis[positions]) / (seconds * 1e9)
    age = age - age.min()
    weights: NDArray[np.float64] = np.exp2(-age / half_life.count)
    weights /= weights.mean()
    return weights
