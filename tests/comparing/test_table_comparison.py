"""Where two tables differ: the first place, the counts, and agreement with their hashes."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ray_pipeline.storage.batches
from ray_pipeline.comparing.tables import compare_tables, shown
from ray_pipeline.storage.content import table_sha256

TABLE = pa.table(
    {
        "symbol": ["S00", "S01", "S02", "S03"],
        "skill": [0.1, 0.2, math.nan, 0.4],
        "error": [0.01, None, 0.03, 0.04],
        "n_rows": [1, 2, 3, 4],
    }
)


@pytest.fixture(scope="module", autouse=True)
def short_batches() -> Iterator[None]:
    """Read tables two rows at a time, so that even small ones have several batches."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ray_pipeline.storage.batches, "_BATCH_ROWS", 2)
        yield


def stored(table: pa.Table, **how: Any) -> pq.ParquetFile:
    """Write a table to memory and open it."""
    sink = io.BytesIO()
    pq.write_table(table, sink, **how)
    return pq.ParquetFile(sink)


def compared(a: pa.Table, b: pa.Table) -> dict[str, Any]:
    """Compare two tables that are cut in different places."""
    return compare_tables(stored(a), stored(b, row_group_size=3))


def with_value(table: pa.Table, row: int, column: str, value: Any) -> pa.Table:
    """Replace one value."""
    values = table[column].to_pylist()
    values[row] = value
    i = table.column_names.index(column)
    return table.set_column(i, column, pa.array(values, table[column].type))


def is_empty(found: dict[str, Any]) -> bool:
    """Whether a comparison names no difference at all."""
    n_rows = found["n_rows"]
    return (
        n_rows["a"] == n_rows["b"]
        and not any(found["columns"].values())
        and found["first"] is None
        and not found["n_rows_differing"]
        and not found["columns_differing"]
    )


@pytest.mark.parametrize("row", range(4))
def test_last_bit_of_a_float_is_found(row: int) -> None:
    """In whichever batch it lies: row, identifying columns, column, and both values in full."""
    before = 0.5 if row == 2 else TABLE["skill"][row].as_py()
    a = with_value(TABLE, row, "skill", before)
    after = math.nextafter(before, 1.0)
    found = compared(a, with_value(a, row, "skill", after))
    assert found["first"] == {
        "row": row,
        "identity": {"symbol": f"'S0{row}'"},
        "only_in": None,
        "column": "skill",
        "a": repr(before),
        "b": repr(after),
    }
    assert found["first"]["a"] != found["first"]["b"]
    assert found["n_rows_differing"] == 1
    assert found["columns_differing"] == [{"column": "skill", "n_rows": 1}]
    assert found["n_columns_compared"] == 4


def test_first_is_by_row_then_by_column() -> None:
    """An earlier row wins over an earlier column; rows count once, columns each."""
    b = with_value(TABLE, 3, "skill", 9.0)
    b = with_value(with_value(b, 1, "n_rows", 9), 1, "error", 0.5)
    found = compared(TABLE, b)
    first = found["first"]
    assert (first["row"], first["column"], first["a"], first["b"]) == (1, "error", "null", "0.5")
    assert found["n_rows_differing"] == 2
    assert found["columns_differing"] == [
        {"column": "skill", "n_rows": 1},
        {"column": "error", "n_rows": 1},
        {"column": "n_rows", "n_rows": 1},
    ]


def test_identifying_columns_that_differ_do_not_identify() -> None:
    """A row is named by what both tables say of it."""
    keyed = TABLE.append_column("view", pa.array(["pooled"] * 4))
    first = compared(keyed, with_value(keyed, 1, "symbol", "X"))["first"]
    assert (first["column"], first["a"], first["b"]) == ("symbol", "'S01'", "'X'")
    assert first["identity"] == {"view": "'pooled'"}


def test_more_rows_in_one_table() -> None:
    """The first row that only one has is named, unless an earlier one differs."""
    found = compared(TABLE.slice(0, 3), TABLE)
    assert found["n_rows"] == {"a": 3, "b": 4}
    assert found["first"] == {
        "row": 3,
        "identity": {"symbol": "'S03'"},
        "only_in": "b",
        "column": None,
        "a": None,
        "b": None,
    }
    assert found["n_rows_differing"] == 0
    assert compared(TABLE, TABLE.slice(0, 0))["first"]["only_in"] == "a"
    ten = pa.table({"symbol": [f"S{i}" for i in range(10)]})
    assert compared(ten, ten.slice(0, 7))["first"]["identity"] == {"symbol": "'S7'"}
    changed = with_value(TABLE, 1, "skill", 9.0)
    assert compared(TABLE.slice(0, 3), changed)["first"]["row"] == 1


def test_columns_and_types_that_differ() -> None:
    """They are named; the columns that both have in one type are compared all the same."""
    b = with_value(TABLE, 2, "error", 0.5).drop_columns("symbol")
    b = b.set_column(2, "n_rows", b["n_rows"].cast(pa.int32())).append_column("new", b["skill"])
    found = compared(TABLE, b)
    assert found["columns"] == {
        "only_in_a": ["symbol"],
        "only_in_b": ["new"],
        "types": [{"column": "n_rows", "a": "int64", "b": "int32"}],
        "order": False,
    }
    assert found["n_columns_compared"] == 2
    assert (found["first"]["row"], found["first"]["column"]) == (2, "error")


def test_order_of_columns() -> None:
    """Moved columns differ for the hash, though no value does; they are paired by name."""
    found = compared(TABLE, TABLE.select(["skill", "symbol", "error", "n_rows"]))
    assert found["columns"]["order"]
    assert found["first"] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (pa.scalar(None, pa.float64()), "null"),
        (pa.scalar(math.nan), "nan"),
        (pa.scalar(-0.0), "-0.0"),
        (pa.scalar(0.1 + 0.2), "0.30000000000000004"),
        (pa.scalar("a "), "'a '"),
        (pa.scalar(True), "True"),
        (pa.scalar(1, pa.timestamp("ns", "UTC")), "1970-01-01T00:00:00.000000001 UTC"),
        (pa.scalar(1, pa.timestamp("us")), "1970-01-01T00:00:00.000001"),
        (pa.scalar(1, pa.duration("ns")), "1 duration[ns]"),
        (pa.scalar(["a", None]), "['a', None]"),
    ],
)
def test_values_are_written_in_full(value: pa.Scalar, text: str) -> None:
    """To the last bit and nanosecond, with quotes where spaces would not be seen."""
    assert shown(value) == text


KINDS: dict[str, tuple[pa.DataType, Sequence[Any]]] = {
    "x": (pa.float64(), [None, math.nan, 0.0, -0.0, 1.0]),
    "x32": (pa.float32(), [None, math.nan, 0.0, -0.0]),
    "s": (pa.string(), [None, "", "a", "ab"]),
    "c": (pa.dictionary(pa.int8(), pa.string()), [None, "", "a"]),
    "n": (pa.int32(), [None, 0, 1]),
    "up": (pa.bool_(), [None, True, False]),
    "ts": (pa.timestamp("ns", "UTC"), [None, 0, 1]),
    "l": (pa.list_(pa.float64()), [None, [], [0.0], [-0.0], [math.nan], [None]]),
    "d": (pa.decimal128(5, 2), [None, Decimal("0.00"), Decimal("1.50")]),
}
"""Few values of each type, so that drawn tables are equal about as often as not."""


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Draw a table of one or two rows and columns, in any order and of few types."""
    names = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=2, unique=True))
    n_rows = draw(st.integers(0, 2))
    columns = {}
    for name in names:
        kind, pool = KINDS[name]
        values = draw(st.lists(st.sampled_from(pool), min_size=n_rows, max_size=n_rows))
        columns[draw(st.sampled_from([name, "same"]))] = pa.array(values, kind)
    return pa.table(columns)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[pa.Table, pa.Table]:
    """Draw two tables, of which the second is often the first with one value replaced."""
    a = draw(tables())
    if not a.num_rows or draw(st.booleans()):
        return a, draw(tables())
    column = draw(st.sampled_from(a.column_names))
    kind = a[column].type
    pool = next(values for other, values in KINDS.values() if other == kind)
    row = draw(st.integers(0, a.num_rows - 1))
    return a, with_value(a, row, column, draw(st.sampled_from(pool)))


@given(pairs(), st.integers(1, 2))
def test_no_difference_exactly_where_the_hash_is_the_same(
    pair: tuple[pa.Table, pa.Table], group: int
) -> None:
    """NaN, signs of zero, nulls, types, order and lengths count here as they do in the hash."""
    a, b = stored(pair[0], row_group_size=group), stored(pair[1])
    assert is_empty(compare_tables(a, b)) == (table_sha256(a) == table_sha256(b))


@pytest.mark.parametrize("kind", ["f", "d"])
def test_every_nan_is_equal(kind: str) -> None:
    """Sign and payload of a NaN are not a difference, as they are none for the hash."""
    bits = 0xFFC00001 if kind == "f" else 0xFFF8000000000001
    odd = np.frombuffer(struct.pack("<I" if kind == "f" else "<Q", bits), f"<{kind}")
    found = compared(pa.table({"x": odd}), pa.table({"x": np.array([np.nan], odd.dtype)}))
    assert is_empty(found)


def test_equal_names_in_one_table() -> None:
    """Columns are then compared by their places: none is left out."""
    schema = pa.schema([("x", pa.int64()), ("x", pa.int64())])
    a, b = (pa.table([[first], [0]], schema=schema) for first in (1, 2))
    found = compared(a, b)
    assert (found["first"]["a"], found["first"]["b"]) == ("1", "2")
    assert found["columns_differing"] == [{"column": "x", "n_rows": 1}]


def test_batches_are_small_however_long_the_tables_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more rows than a batch are compared at once, and each pair of rows once."""
    monkeypatch.setattr(ray_pipeline.storage.batches, "_BATCH_ROWS", 100)
    seen: list[int] = []
    real = ray_pipeline.comparing.tables.unequal_values

    def recording(a: pa.Array, b: pa.Array) -> Any:
        assert len(a) == len(b)
        seen.append(len(a))
        return real(a, b)

    monkeypatch.setattr("ray_pipeline.comparing.tables.unequal_values", recording)
    numbers = np.arange(10_000)
    a = pa.table({"n": numbers})
    b = pa.table({"n": np.where(numbers == 9_999, -1, numbers)})
    found = compare_tables(stored(a, row_group_size=10_000), stored(b, row_group_size=130))
    assert found["first"]["row"] == 9_999
    assert max(seen) <= 100
    assert sum(seen) == 10_000
