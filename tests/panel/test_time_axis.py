from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.panel.time_axis import (
    decode_runs,
    encode_runs,
    merge_axes,
    modal_step_ns,
    n_rows_of,
    step_counts,
)
from ray_pipeline.records import TimeRun

DAY = 86_400 * 10**9
MINUTE = 60 * 10**9

# Small steps make equal steps, and so runs, likely.
axes = st.builds(
    lambda start, steps: np.cumsum([start, *steps]).astype(np.int64),
    st.integers(-(10**18), 10**18),
    st.lists(st.integers(1, 4), max_size=60),
)


def sessions(days: list[int], bars: int, step: int = 5 * MINUTE) -> np.ndarray:
    """Days (since 1970) with `bars` bars each from 14:30 UTC."""
    opens = np.array(days, dtype=np.int64)[:, None] * DAY + 870 * MINUTE
    return (opens + np.arange(bars, dtype=np.int64) * step).ravel()


@given(axes)
def test_runs_hold_the_axis_exactly(axis: np.ndarray) -> None:
    """Decoding restores every timestamp."""
    runs = encode_runs(axis)
    assert decode_runs(runs).tolist() == axis.tolist()
    assert n_rows_of(runs) == len(axis)


@given(st.lists(axes, max_size=6))
def test_merged_axes_are_the_set_of_all_timestamps(many: list[np.ndarray]) -> None:
    """Uniting runs gives what uniting timestamps would."""
    expected = np.unique(np.concatenate(many)) if many else np.empty(0)
    merged = merge_axes(encode_runs(axis) for axis in many)
    assert merged.dtype == np.int64
    assert merged.tolist() == expected.tolist()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 3), st.integers(1, 9)), max_size=12))
def test_overlapping_runs_on_one_grid_unite(specs: list[tuple[int, int, int]]) -> None:
    """Runs that touch, overlap or contain each other give each timestamp once."""
    runs = [TimeRun(start, step, count) for start, step, count in specs]
    merged = merge_axes([[run] for run in runs])
    assert merged.tolist() == sorted({t for run in runs for t in decode_runs([run]).tolist()})


@given(axes)
def test_step_counts_are_those_of_the_axis(axis: np.ndarray) -> None:
    """Steps inside runs and between them are all counted."""
    steps, counts = np.unique(np.diff(axis), return_counts=True)
    expected = dict(zip(steps.tolist(), counts.tolist(), strict=True))
    assert dict(step_counts(encode_runs(axis))) == expected


def test_one_run_per_session() -> None:
    """Ten sessions of 78 bars are ten runs, however many bars they have."""
    runs = encode_runs(sessions([*range(5), *range(7, 12)], bars=78))
    assert len(runs) == 10
    assert {(run.step_ns, run.count) for run in runs} == {(5 * MINUTE, 78)}


def test_weeks_of_daily_bars() -> None:
    """Monday to Friday is a run; a timestamp on its own has no step."""
    monday = 4 * DAY
    axis = np.array([monday + d * DAY for d in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14)])
    assert encode_runs(axis) == (
        TimeRun(monday, DAY, 5),
        TimeRun(monday + 7 * DAY, DAY, 5),
        TimeRun(monday + 14 * DAY, 0, 1),
    )


def test_empty_axes() -> None:
    """No rows are not runs, and nothing can be said of their step."""
    assert encode_runs(np.empty(0, dtype=np.int64)) == ()
    assert decode_runs(()).tolist() == []
    assert merge_axes([]).tolist() == []
    assert modal_step_ns(()) is None
    assert modal_step_ns((TimeRun(5, 0, 1),)) is None


def test_an_unsorted_axis_is_refused() -> None:
    """Runs cannot say that time goes back."""
    with pytest.raises(DataError, match="has to be strictly increasing to be encoded as runs"):
        encode_runs(np.array([1, 1]))


def test_the_modal_step_is_the_most_frequent() -> None:
    """Nights between sessions do not change the bar length; of equals the smallest counts."""
    assert modal_step_ns(encode_runs(sessions([0, 1, 2], bars=3))) == 5 * MINUTE
    assert modal_step_ns(encode_runs(np.array([0, 7, 9, 16, 18]))) == 2
