"""Rolling windows of training: how long before a test fold its training rows begin (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.intervals import Duration
from ray_pipeline.statistics.folds import MIN_TRAIN_TIMESTAMPS, Fold

__all__ = ["rolling_folds", "window_start"]

_DAY_NS = 86_400 * 10**9
_MONTHS = {"mo": 1, "q": 3, "y": 12}


def window_start(axis: NDArray[np.int64], test_start: int, window: Duration) -> int:
    """Return the position at which a window of training begins, 0 where it reaches past the first.

    Parameters
    ----------
    axis
        The panel's unique timestamps in nanoseconds since 1970, increasing, shape (n_timestamps,).
    test_start
        The position that the window lies before; `n_timestamps`: the end of the data.
    window
        ``d`` dates that have a timestamp, the begun one of `test_start` not among them, ``w``
        weeks, ``mo``, ``q`` and ``y`` of the calendar, ``b`` timestamps.

    Examples
    --------
    >>> axis = np.arange(200) * 86_400 * 10**9
    >>> window_start(axis, 100, Duration(30, "d")), window_start(axis, 100, Duration(1, "mo"))
    (70, 69)
    >>> window_start(axis, 200, Duration(30, "b")), window_start(axis, 100, Duration(1, "y"))
    (170, 0)
    """
    n_timestamps = len(axis)
    if window.unit == "b":
        return max(0, test_start - window.count)
    if window.unit == "d":
        dates, at = np.unique(axis // _DAY_NS, return_index=True)
        n_before = len(dates)
        if test_start < n_timestamps:
            n_before = int(np.searchsorted(dates, axis[test_start] // _DAY_NS))
        return int(at[max(0, n_before - window.count)])
    # Nobody knows when the next fold begins: a usual step after the last timestamp.
    time_ns = int(axis[test_start] if test_start < n_timestamps else axis[-1] + _usual_step(axis))
    if window.unit == "w":
        since = time_ns - window.count * 7 * _DAY_NS
    else:
        since = _months_before(time_ns, window.count * _MONTHS[window.unit])
    return int(np.searchsorted(axis, since))


def _usual_step(axis: NDArray[np.int64]) -> np.int64:
    """Return the median time between two timestamps, in nanoseconds; 1 where there is one."""
    steps = np.diff(axis)
    return np.sort(steps)[len(steps) // 2] if len(steps) else np.int64(1)


def rolling_folds(
    axis: NDArray[np.int64],
    folds: Sequence[Fold],
    window: Duration,
    horizon: int = 0,
    embargo: int = 0,
) -> tuple[tuple[Fold, ...], int]:
    """Let each fold train on a window before it; also say where that of the final model begins.

    Parameters
    ----------
    axis
        As of `window_start`.
    folds
        Whose windows expand.
    horizon, embargo
        As of `walk_forward_folds`.

    Raises
    ------
    DataError
        When a window would be too short to train on.
    """
    n_timestamps = len(axis)
    starts = [window_start(axis, fold.test_start, window) for fold in folds]
    final = window_start(axis, n_timestamps, window)
    ends = [*(fold.test_start for fold in folds), n_timestamps]
    n_fewest = min(end - start for start, end in zip([*starts, final], ends, strict=True))
    n_trained = n_fewest - horizon - embargo
    if n_trained < MIN_TRAIN_TIMESTAMPS:
        raise DataError(
            f"validation.window={window.count}{window.unit} is too short to train on: it holds "
            f"{n_fewest} timestamps, less horizon={horizon} and embargo={embargo} leaves "
            f"{max(n_trained, 0)}; at least {MIN_TRAIN_TIMESTAMPS} are needed. Set a longer one, "
            "or expanding."
        )
    rolled = zip(folds, starts, strict=True)
    return tuple(replace(fold, train_start=start) for fold, start in rolled), final


def _months_before(time_ns: int, months: int) -> int:
    """Return a time so many months earlier; what is not a day of that month is its last."""
    time = np.datetime64(time_ns, "ns")
    month = time.astype("datetime64[M]")
    in_month = time - month.astype("datetime64[ns]")
    earlier = month - months
    last_day = (earlier + 1).astype("datetime64[ns]") - np.timedelta64(1, "D")
    within_day = in_month % np.timedelta64(_DAY_NS, "ns")
    return int(min(earlier.astype("datetime64[ns]") + in_month, last_day + within_day).astype(int))
