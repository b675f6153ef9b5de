from __future__ import annotations

import io
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_file import RecordedFile

from ray_pipeline.storage.parquet_ranges import column_ranges, joined_ranges
from ray_pipeline.storage.ranged_file import RangedFile

RANGES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 20)).map(lambda at: (at[0], at[0] + at[1]))
)


@given(ranges=RANGES, max_gap_bytes=st.integers(0, 30))
def test_joined_ranges_hold_all_and_lie_apart(
    ranges: list[tuple[int, int]], max_gap_bytes: int
) -> None:
    """Every byte asked for is in one of them, and between two of them is more than a small gap."""
    joined = joined_ranges(ranges, max_gap_bytes)
    for start, end in ranges:
        assert sum(first <= start and end <= last for first, last in joined) == 1
    for (_, end), (start, _) in itertools.pairwise(joined):
        assert start - end > max_gap_bytes
    assert {start for start, _ in joined} <= {start for start, _ in ranges}
    assert {end for _, end in joined} <= {end for _, end in ranges}


@pytest.mark.parametrize("use_dictionary", [True, False])
@pytest.mark.parametrize("columns", [["f7"], ["f0", "nested", "f9"], ["a.b"], []])
def test_the_ranges_are_all_that_reading_the_columns_needs(
    use_dictionary: bool, columns: list[str]
) -> None:
    """Once they are fetched, reading the columns asks for nothing more, dictionaries or not."""
    rng = np.random.default_rng(0)
    table = pa.table(
        {f"f{i}": rng.integers(0, 50, 20_000).astype(float) for i in range(10)}
        | {"nested": [{"a": i, "b": [i]} for i in range(20_000)], "a.b": np.arange(20_000)}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=6_000, use_dictionary=use_dictionary)
    file = RecordedFile(sink.getvalue())
    with RangedFile(file) as content:
        parquet = pq.ParquetFile(content, pre_buffer=True)
        content.fetch_ahead(column_ranges(parquet.metadata, range(4), columns))
        file.asked.clear()
        assert parquet.read(columns=columns).equals(table.select(columns))
    assert file.asked == []


def test_a_range_holds_the_row_groups_and_columns_asked_for_alone() -> None:
    """Bytes of other columns are read only where that saves a request."""
    table = pa.table({name: np.random.default_rng(0).normal(size=400_000) for name in "abc"})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=200_000, use_dictionary=False, compression="none")
    metadata = pq.read_metadata(sink)
    ranges = column_ranges(metadata, [1], ["b"])
    assert sum(end - start for start, end in ranges) == pytest.approx(1_600_000, rel=0.01)
    # Between two row groups of "b" lie 3.2 MB of "c" and "a".
    assert len(column_ranges(metadata, [0, 1], ["b"])) == 2
    assert len(column_ranges(metadata, [0, 1], ["a", "c"])) == 1
