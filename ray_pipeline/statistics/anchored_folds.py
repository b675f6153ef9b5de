"""Folds between dates: a panel that grows gains folds, and those that it had stay as they were."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.intervals import Duration
from ray_pipeline.statistics.folds import MIN_TEST_TIMESTAMPS, MIN_TRAIN_TIMESTAMPS, Fold

__all__ = ["anchored_folds", "fold_starts"]

_DAY_NS = 86_400 * 10**9
_MONTHS = {"mo": 1, "q": 3, "y": 12}


def anchored_folds(
    axis: NDArray[np.int64],
    first_test_ns: int,
    every: Duration,
    horizon: int = 0,
    embargo: int = 0,
) -> tuple[Fold, ...]:
    """Split a time axis at dates, each test fold trained on all that came before.

    Where a fold begins depends on the dates before it alone. The newest fold ends with the data,
    and is left to a later run while it has fewer than `MIN_TEST_TIMESTAMPS`.

    Parameters
    ----------
    axis
        The panel's unique timestamps in nanoseconds since 1970, increasing, shape (n_timestamps,).
    first_test_ns
        When the first fold begins.
    every
        What a fold spans: ``d`` dates that have a timestamp, ``w`` weeks, ``mo``, ``q`` and ``y``
        of the calendar, ``b`` timestamps.
    horizon, embargo
        As of `walk_forward_folds`.

    Raises
    ------
    DataError
        When there is too little before the first fold, or a fold is too short to test on.

    Examples
    --------
    >>> axis = np.arange(200) * 86_400 * 10**9
    >>> folds = anchored_folds(axis, int(axis[100]), Duration(30, "d"))
    >>> [(f.test_start, f.test_end) for f in folds]
    [(100, 130), (130, 160), (160, 190)]
    >>> folds == anchored_folds(axis[:195], int(axis[100]), Duration(30, "d"))
    True
    """
    n_timestamps = len(axis)
    first = int(np.searchsorted(axis, first_test_ns))
    n_trained = first - horizon - embargo
    if n_trained < MIN_TRAIN_TIMESTAMPS:
        raise DataError(
            f"{first} timestamps before validation.first_test are too few to train the first fold: "
            f"less horizon={horizon} and embargo={embargo} they are {max(n_trained, 0)}, and at "
            f"least {MIN_TRAIN_TIMESTAMPS} are needed; the panel begins on {_date(axis[0])}. Set a "
            "later validation.first_test."
        )
    starts = [each for each in fold_starts(axis, first_test_ns, every) if each < n_timestamps]
    edges = [*dict.fromkeys(starts), n_timestamps]
    folds = [Fold(i, *edge) for i, edge in enumerate(pairwise(edges))]
    if folds and folds[-1].test_end - folds[-1].test_start < MIN_TEST_TIMESTAMPS:
        folds.pop()
    short = [fold for fold in folds if fold.test_end - fold.test_start < MIN_TEST_TIMESTAMPS]
    if short:
        raise DataError(
            f"validation.test_every={every.count}{every.unit} makes folds of "
            f"{short[0].test_end - short[0].test_start} timestamps; at least {MIN_TEST_TIMESTAMPS} "
            "are needed to test on. Set a longer one."
        )
    if len(folds) < 2:
        raise DataError(
            f"{n_timestamps - first} timestamps from validation.first_test on hold "
            f"{len(folds)} of the folds of validation.test_every={every.count}{every.unit}, and at "
            f"least 2 are needed; the panel's are from {_date(axis[0])} to {_date(axis[-1])}. Set "
            "an earlier first_test, or a shorter test_every."
        )
    return tuple(folds)


def _date(time_ns: np.int64) -> str:
    return str(time_ns.astype("datetime64[ns]"))[:10]


def fold_starts(axis: NDArray[np.int64], first_ns: int, every: Duration) -> list[int]:
    """Return the positions at which folds begin, in order, the last ones perhaps beyond the end.

    Parameters
    ----------
    axis, first_ns, every
        As of `anchored_folds`.
    """
    first = int(np.searchsorted(axis, first_ns))
    if every.unit == "b":
        return list(range(first, len(axis), every.count))
    if every.unit == "d":
        dates, at = np.unique(axis[first:] // _DAY_NS, return_index=True)
        return (first + at[:: every.count]).tolist() if len(dates) else []
    if every.unit == "w":
        times = np.arange(first_ns, int(axis[-1]) + 1, every.count * 7 * _DAY_NS)
    else:
        times = _calendar(first_ns, int(axis[-1]), every.count * _MONTHS[every.unit])
    return [int(each) for each in np.searchsorted(axis, times)]


def _calendar(first_ns: int, last_ns: int, months: int) -> NDArray[np.int64]:
    """Return a time and those so many months later, up to the last; ends of months stay ends."""
    first = np.datetime64(first_ns, "ns")
    month = first.astype("datetime64[M]")
    in_month = first - month.astype("datetime64[ns]")
    n_months = int((np.datetime64(last_ns, "ns").astype("datetime64[M]") - month).astype(int))
    starts = month + np.arange(0, n_months + 1, months)
    ends = (starts + 1).astype("datetime64[ns]") - np.timedelta64(1, "D")
    within_day = in_month % np.timedelta64(_DAY_NS, "ns")
    times = np.minimum(starts.astype("datetime64[ns]") + in_month, ends + within_day)
    found: NDArray[np.int64] = times.astype(np.int64)
    return found[found <= last_ns]
