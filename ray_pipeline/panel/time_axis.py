"""Time axes as short lists of evenly spaced runs, and facts derived from them.

A market's axis is one run per session, so the driver learns every timestamp of thousands of
symbols without receiving one number per row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.records import TimeRun

__all__ = [
    "decode_runs",
    "encode_runs",
    "merge_axes",
    "modal_step_ns",
    "n_rows_of",
    "step_counts",
]


def encode_runs(time_ns: NDArray[np.int64]) -> tuple[TimeRun, ...]:
    """Split a time axis into evenly spaced runs, greedily from the left.

    Parameters
    ----------
    time_ns
        int64 (n_rows,), strictly increasing.

    Returns
    -------
    tuple of TimeRun
        In time order; a timestamp on its own has ``step_ns=0``. ``decode_runs`` restores `time_ns`
        exactly.

    Raises
    ------
    DataError
        When the axis is not strictly increasing.

    Examples
    --------
    >>> encode_runs(np.array([0, 5, 10, 100]))
    (TimeRun(start_ns=0, step_ns=5, count=3), TimeRun(start_ns=100, step_ns=0, count=1))
    """
    axis = np.asarray(time_ns, dtype=np.int64)
    n_rows = len(axis)
    steps = np.diff(axis)
    if np.any(steps <= 0):
        raise DataError("a time axis has to be strictly increasing to be encoded as runs.")
    # Row i starts a stretch of equal steps whose last row is stretch_end[i].
    changes = np.flatnonzero(np.diff(steps)) + 1
    ends = np.append(changes, len(steps))
    runs = []
    start = 0
    while start < n_rows - 1:
        end = int(ends[np.searchsorted(changes, start, side="right")])
        runs.append(TimeRun(int(axis[start]), int(steps[start]), end - start + 1))
        start = end + 1
    if start == n_rows - 1:
        runs.append(TimeRun(int(axis[start]), 0, 1))
    return tuple(runs)


def decode_runs(runs: Sequence[TimeRun]) -> NDArray[np.int64]:
    """Return the timestamps of `runs`, int64 (sum of counts,), in the order of the runs."""
    if not runs:
        return np.empty(0, dtype=np.int64)
    parts = [run.start_ns + run.step_ns * np.arange(run.count, dtype=np.int64) for run in runs]
    return np.concatenate(parts)


def merge_axes(axes: Iterable[Sequence[TimeRun]]) -> NDArray[np.int64]:
    """Return the unique sorted timestamps of several symbols, int64 (n_timestamps,).

    Symbols of one market share most of their timestamps. Runs on the same grid (equal step and
    phase) are united as intervals before anything is decoded, so that memory follows the number
    of distinct timestamps and not the number of rows of the panel.
    """
    grids: dict[tuple[int, int], list[TimeRun]] = {}
    for run in {run for axis in axes for run in axis if run.count > 0}:
        phase = run.start_ns % run.step_ns if run.step_ns else 0
        grids.setdefault((run.step_ns, phase), []).append(run)
    united = [
        joined for (step_ns, _), runs in grids.items() for joined in _unite_on_grid(step_ns, runs)
    ]
    return np.unique(decode_runs(united))


def step_counts(runs: Sequence[TimeRun]) -> Counter[int]:
    """Count the steps in nanoseconds between neighbouring timestamps of one symbol."""
    counts: Counter[int] = Counter()
    previous_end: int | None = None
    for run in runs:
        if previous_end is not None:
            counts[run.start_ns - previous_end] += 1
        if run.count > 1:
            counts[run.step_ns] += run.count - 1
        previous_end = run.start_ns + run.step_ns * (run.count - 1)
    return counts


def modal_step_ns(runs: Sequence[TimeRun]) -> int | None:
    """Return the most frequent step of one symbol in nanoseconds; of equals the smallest.

    None when there are fewer than two timestamps.
    """
    counts = step_counts(runs)
    return min(counts, key=lambda step: (-counts[step], step)) if counts else None


def n_rows_of(runs: Sequence[TimeRun]) -> int:
    """Return the number of timestamps in `runs`."""
    return sum(run.count for run in runs)


def _unite_on_grid(step_ns: int, runs: list[TimeRun]) -> list[TimeRun]:
    """Join runs of one grid that overlap or touch, as a union of intervals."""
    if step_ns == 0:
        return runs
    united: list[TimeRun] = []
    for run in sorted(runs, key=lambda run: run.start_ns):
        if united:
            last = united[-1]
            next_free = last.start_ns + last.step_ns * last.count
            if run.start_ns <= next_free:
                end = max(next_free, run.start_ns + step_ns * run.count)
                count = (end - last.start_ns) // step_ns
                united[-1] = TimeRun(last.start_ns, step_ns, count)
                continue
        united.append(run)
    return united
