"""Row groups that hold a symbol's later rows: none is missed, no time is cut in two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.panel import TableRequest, load_symbol_table
from ray_pipeline.panel.later_groups import TimedFile, later_groups
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem

DAY = 86_400 * 10**9
REQUEST = TableRequest(
    kind="labeled",
    time_column=None,
    features=("f",),
    targets=("y_1",),
    max_rows=None,
    min_rows=1,
    bar_seconds=86_400,
    session_bars=1,
)


def timed(
    path: str, days: Sequence[int], n_rows: int, kind: pa.DataType | None = None
) -> TimedFile:
    """Write days to a file in row groups of so many rows."""
    times = pa.array(np.array(days, dtype=np.int64) * DAY, pa.timestamp("ns", "UTC"))
    buffer = BytesIO()
    pq.write_table(pa.table({"ts": times.cast(kind or times.type)}), buffer, row_group_size=n_rows)
    buffer.seek(0)
    return TimedFile(path, pq.ParquetFile(buffer).metadata, "ts")


@given(
    files=st.lists(st.lists(st.integers(0, 60), min_size=1, max_size=30), min_size=1, max_size=4),
    n_rows=st.integers(1, 8),
    since=st.integers(-5, 70),
)
def test_no_later_row_is_missing_and_no_time_is_in_both_parts(
    files: list[list[int]], n_rows: int, since: int
) -> None:
    """Whatever the order of files and rows, and with rows of one time."""
    found = later_groups([timed(str(i), days, n_rows) for i, days in enumerate(files)], since * DAY)
    assert found is not None
    read, left = [], []
    for i, days in enumerate(files):
        for start in range(0, len(days), n_rows):
            is_read = start // n_rows in found.get(str(i), [])
            (read if is_read else left).extend(days[start : start + n_rows])
    assert max(left, default=-1) < min(read)
    assert max(left, default=-10) < since


def test_what_lies_far_back_is_left_out() -> None:
    """Of a hundred groups, those from two days before on; of none that is new, the newest."""
    file = timed("a", range(1000), 10)
    assert later_groups([file], 955 * DAY) == {"a": [95, 96, 97, 98, 99]}
    assert later_groups([file], 961 * DAY) == {"a": [95, 96, 97, 98, 99]}
    assert later_groups([file], 5000 * DAY) == {"a": [99]}
    older = timed("b", range(-50, 0), 10)
    assert later_groups([older, file], 995 * DAY) == {"a": [99]}


@pytest.mark.parametrize(
    "kind", [pa.timestamp("s"), pa.timestamp("us", "Europe/Zurich"), pa.date32()]
)
def test_times_are_told_in_any_unit(kind: pa.DataType) -> None:
    """A date is one too."""
    assert later_groups([timed("a", range(100), 10, kind)], 85 * DAY) == {"a": [8, 9]}


def test_where_footers_do_not_tell_nothing_is_left_out() -> None:
    """Numbers have no unit, and a file may have no times, or no statistics of them."""
    file = timed("a", range(100), 10)
    assert later_groups([timed("a", range(100), 10, pa.int64())], 90 * DAY) is None
    assert later_groups([file, replace(file, path="b", time_column=None)], 90 * DAY) is None
    buffer = BytesIO()
    bare = pa.table({"ts": pa.array([1, 2], pa.timestamp("ns"))})
    pq.write_table(bare, buffer, write_statistics=False)
    buffer.seek(0)
    silent = TimedFile("c", pq.ParquetFile(buffer).metadata, "ts")
    assert later_groups([file, silent], 90 * DAY) is None


def test_the_later_rows_of_a_table_are_the_same(
    write_partition: Callable[..., SymbolPartition], fs: FileSystem
) -> None:
    """Cell by cell, of fewer bytes."""
    n = 1_000
    times = pa.array(DAY * np.arange(n), pa.timestamp("ns", "UTC"))
    cells = np.random.default_rng(0).standard_normal((2, n))
    source = pa.table({"ts": times, "f": cells[0], "y_1": cells[1]})
    partition = write_partition("A", *(source.slice(i, 10) for i in range(0, n, 10)))
    whole = load_symbol_table(partition, fs, REQUEST)
    later = load_symbol_table(partition, fs, replace(REQUEST, since_ns=955 * DAY))
    assert (whole.n_rows, later.n_rows) == (n, 50)
    for name in ("time_ns", "features", "targets"):
        np.testing.assert_array_equal(getattr(later, name), getattr(whole, name)[-50:])
    assert 0 < later.n_bytes_read < 0.1 * whole.n_bytes_read
