from __future__ import annotations

import io
import math
import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_pipeline.errors import StorageError
from ray_pipeline.storage import RunDirectory, content_sha256
from ray_pipeline.storage.content import memory_table_sha256, table_sha256

MIXED = pa.table(
    {
        "ts": pa.array([1, None, 3, 4], pa.timestamp("ns", "UTC")),
        "day": pa.array([1, 2, None, 4], pa.date32()),
        "symbol": pa.array(["0700", None, "", "BRK/B"]),
        "raw": pa.array([b"\x00", b"", None, b"xy"]),
        "x": pa.array([0.5, math.nan, None, -0.0]),
        "x32": pa.array([0.5, math.nan, None, -0.0], pa.float32()),
        "n": pa.array([1, None, 3, 4], pa.int32()),
        "up": pa.array([True, None, False, False]),
        "tags": pa.array([["a", None], [], None, ["b"]]),
        "price": pa.array([Decimal("1.50"), None, Decimal("2.00"), Decimal("0.00")]),
        "none": pa.nulls(4),
    }
)


def _digest(table: pa.Table, **how: Any) -> str:
    sink = io.BytesIO()
    pq.write_table(table, sink, **how)
    with pq.ParquetFile(sink) as file:
        return table_sha256(file)


@pytest.mark.parametrize(
    "how",
    [
        {"row_group_size": 1},
        {"row_group_size": 3, "compression": "none"},
        {"use_dictionary": False, "version": "1.0", "coerce_timestamps": None},
        {"data_page_version": "2.0", "use_byte_stream_split": ["x"], "use_dictionary": False},
        {"store_schema": False},
    ],
)
def test_encoding_does_not_matter(how: dict[str, Any]) -> None:
    """Row groups, compression, dictionaries, page format and Arrow's own schema change nothing."""
    table = MIXED
    if how.get("version") == "1.0":  # its timestamps have no nanoseconds
        table = MIXED.drop_columns("ts")
    assert _digest(table, **how) == _digest(table)


def test_memory_layout_does_not_matter() -> None:
    """Dictionaries, large types, chunks and slices hold the same values."""
    plain = pa.table({"s": pa.array(["a", None, "", "a"])})
    expected = _digest(plain)
    for kind in (pa.dictionary(pa.int8(), pa.string()), pa.large_string(), pa.string_view()):
        assert _digest(pa.table({"s": plain["s"].cast(kind)})) == expected
    longer = pa.chunked_array([["z", "a"], [None, "", "a", "z"]]).slice(1, 4)
    assert _digest(pa.table({"s": longer})) == expected
    lists = pa.table({"l": pa.array([["a"], None])})
    large = pa.table({"l": pa.array([["a"], None], pa.large_list(pa.large_string()))})
    assert _digest(large) == _digest(lists)


@pytest.mark.parametrize("table", [MIXED, MIXED.slice(1, 2), pa.concat_tables([MIXED, MIXED])])
def test_a_table_in_memory_counts_as_its_file(table: pa.Table) -> None:
    """Whatever it was cut from or put together of."""
    assert memory_table_sha256(table) == _digest(table)


def test_metadata_does_not_matter() -> None:
    """What pandas or a tool notes beside the data is not content."""
    assert _digest(MIXED.replace_schema_metadata({"tool": "x"})) == _digest(MIXED)


@pytest.mark.parametrize("column", MIXED.column_names[:-1])
def test_every_column_matters(column: str) -> None:
    """Exchanging two rows of any single column changes the hash."""
    i = MIXED.column_names.index(column)
    turned = MIXED.set_column(i, column, MIXED[column].take([3, 1, 2, 0]))
    assert _digest(turned) != _digest(MIXED)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([0.0]), pa.array([-0.0])),
        (pa.array([math.nan]), pa.array([None], pa.float64())),
        (pa.array([0.0]), pa.array([None], pa.float64())),
        (pa.array([None, 1.0]), pa.array([1.0, None])),
        (pa.array([1.0], pa.float32()), pa.array([1.0], pa.float64())),
        (pa.array([1], pa.int32()), pa.array([1], pa.int64())),
        (pa.array([1], pa.timestamp("ns")), pa.array([1], pa.timestamp("us"))),
        (pa.array([1], pa.timestamp("us")), pa.array([1], pa.timestamp("us", "UTC"))),
        (pa.array(["ab", "c"]), pa.array(["a", "bc"])),
        (pa.array([""]), pa.array([None], pa.string())),
        (pa.array(["a"]), pa.array([b"a"])),
        (pa.array([[1], [2]]), pa.array([[1, 2], []])),
        (pa.array([1.0]), pa.array([1.0, 1.0])),
        (pa.array([None], pa.int8()), pa.array([None, None], pa.int8())),
    ],
)
def test_different_content_differs(one: pa.Array, other: pa.Array) -> None:
    """Signs of zero, nulls, types, units, cuts between texts, and lengths all count."""
    assert _digest(pa.table({"x": one})) != _digest(pa.table({"x": other}))


def test_names_and_order_of_columns_matter() -> None:
    """A renamed or moved column is another table."""
    table = pa.table({"a": [1], "b": [1]})
    assert _digest(table) != _digest(pa.table({"a": [1], "c": [1]}))
    assert _digest(table) != _digest(table.select(["b", "a"]))
    assert _digest(table) != _digest(table.select(["a"]))


@pytest.mark.parametrize(("kind", "bits"), [("f", 0xFFC00001), ("d", 0xFFF8000000000001)])
def test_every_nan_is_the_same_nan(kind: str, bits: int) -> None:
    """Sign and payload of a NaN differ between processors and mean nothing."""
    odd = np.frombuffer(struct.pack("<I" if kind == "f" else "<Q", bits), f"<{kind}")
    usual = np.array([np.nan], odd.dtype)
    assert odd.tobytes() != usual.tobytes()
    assert _digest(pa.table({"x": odd})) == _digest(pa.table({"x": usual}))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.text(max_size=3),
            st.none() | st.floats(),
            st.none() | st.lists(st.integers(0, 3), max_size=2),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 7),
)
def test_hash_is_a_function_of_the_rows(rows: list[tuple[Any, ...]], group: int) -> None:
    """However the rows are grouped, the hash is the same."""
    kinds = (pa.string(), pa.float64(), pa.list_(pa.int64()))
    columns = {
        name: pa.array([row[i] for row in rows], kind)
        for i, (name, kind) in enumerate(zip("sxl", kinds, strict=True))
    }
    table = pa.table(columns)
    assert _digest(table, row_group_size=group) == _digest(table, use_dictionary=False)


def test_hash_does_not_change_between_versions() -> None:
    """The hash of a fixed table is on record: it must not move with a library's version."""
    small = pa.table({"s": ["a", None], "x": [0.5, math.nan], "n": [1, 2]})
    assert _digest(small) == "700482033df41ec6f45c57d80cc1c5b1cf53f78f7987118bda415d42410ab9eb"


def _fill(run: RunDirectory) -> list[str]:
    run.write_table("t.parquet", pa.table({"a": [1, 2]}))
    run.write_json("plan.json", {"a": 1, "b": [2]})
    run.write_text("model.txt", "tree\n")
    return ["t.parquet", "plan.json", "model.txt"]


def test_place_order_and_repetition_of_names_do_not_matter(tmp_path: Path) -> None:
    """Two runs with the same results in different places have the same hash."""
    one, other = RunDirectory(tmp_path / "1"), RunDirectory(tmp_path / "2")
    names = _fill(one)
    _fill(other)
    assert content_sha256(one, names) == content_sha256(other, [*reversed(names), names[0]])


def test_layout_of_json_does_not_matter(tmp_path: Path) -> None:
    """Spaces and the order of keys are not content; values are."""
    run = RunDirectory(tmp_path)
    names = _fill(run)
    before = content_sha256(run, names)
    run.write_text("plan.json", '{"b":[2],  "a":1}')
    assert content_sha256(run, names) == before
    run.write_text("plan.json", '{"b":[2],  "a":2}')
    assert content_sha256(run, names) != before


def test_names_and_bytes_of_files_matter(tmp_path: Path) -> None:
    """A renamed file, a missing one, or another byte is another result."""
    run = RunDirectory(tmp_path)
    names = _fill(run)
    before = content_sha256(run, names)
    assert content_sha256(run, names[:2]) != before
    run.write_text("other.txt", "tree\n")
    assert content_sha256(run, [*names[:2], "other.txt"]) != before
    run.write_text("model.txt", "tree")
    assert content_sha256(run, names) != before


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    """A result that is not there cannot be vouched for."""
    with pytest.raises(StorageError, match=r"Cannot read .*/gone.parquet: it does not exist"):
        content_sha256(RunDirectory(tmp_path), ["gone.parquet"])
