"""What a user's function may return, and the table that the records become."""

from __future__ import annotations

import datetime
import math
import re

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.user_code.records import plain_record, records_table


def test_scalars_of_the_libraries_become_plain() -> None:
    """What NumPy and Arrow return of a column needs no conversion by hand."""
    record = plain_record(
        "s",
        {
            "a": np.float32(0.5),
            "b": np.int64(3),
            "c": np.bool_(True),
            "d": pa.scalar("x"),
            "e": pa.scalar(None, pa.float64()),
            "f": "text",
            "g": None,
        },
    )
    assert record == {"a": 0.5, "b": 3, "c": True, "d": "x", "e": None, "f": "text", "g": None}
    assert [type(value) for value in record.values()][:3] == [float, int, bool]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            None,
            "stage 's': the function returned None; a dict is needed, {} where there is nothing",
        ),
        ([1], "the function returned a list; a dict is needed"),
        ({"a": [1, 2]}, "record['a'] is a list; text, a number, true, false or None is needed."),
        ({"a": {"b": 1}}, "record['a'] is a dict; text"),
        ({"a": datetime.date(2024, 1, 1)}, "record['a'] is a date; text"),
        ({"a": np.datetime64("2024-01-01", "ns")}, "record['a'] is a datetime64; text"),
        ({"a": 2**63}, "record['a'] is 9223372036854775808, beyond 64 bits; return a float."),
        ({1: 1}, "the record has the key 1; keys are names of columns"),
        ({"": 1}, "the record has the key ''"),
        ({"symbol": "A"}, "the record has the key 'symbol'"),
    ],
)
def test_what_is_no_flat_record_is_refused(value: object, message: str) -> None:
    """The message names the stage, the key, what was found and what is needed."""
    with pytest.raises(ExecutionError, match=re.escape(message)):
        plain_record("s", value)


def test_table_has_a_row_per_symbol_and_the_union_of_keys() -> None:
    """Symbols and keys are sorted, whatever their order; what is missing is null, NaN too."""
    table = records_table(
        "s", {"B": {"z": 1.5, "a": math.nan}, "A": {"m": "x", "z": math.inf, "n": None}}
    )
    assert table.to_pylist() == [
        {"symbol": "A", "a": None, "m": "x", "n": None, "z": math.inf},
        {"symbol": "B", "a": None, "m": None, "n": None, "z": 1.5},
    ]
    assert table.column_names == ["symbol", "a", "m", "n", "z"]
    types = [str(kind) for kind in table.schema.types]
    assert types == ["string", "double", "string", "null", "double"]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ((1, 2), "int64", [1, 2]),
        ((1, None), "int64", [1, None]),
        ((1, 2.5), "double", [1.0, 2.5]),
        ((2**62, 0.5), "double", [2.0**62, 0.5]),
        ((True, False), "bool", [True, False]),
        (("x", None), "string", ["x", None]),
    ],
)
def test_one_type_for_all_symbols(
    values: tuple[object, object], kind: str, expected: list[object]
) -> None:
    """Whole numbers stay whole unless one symbol has a fraction."""
    table = records_table("s", {"A": {"x": values[0]}, "B": {"x": values[1]}})
    assert (str(table["x"].type), table["x"].to_pylist()) == (kind, expected)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((1, "x"), "'x' is a number for A (1) and text for C ('x'); a column holds one kind."),
        ((1.5, True), "'x' is a number for A (1.5) and true or false for C (True)"),
    ],
)
def test_kinds_that_do_not_go_together(values: tuple[object, object], message: str) -> None:
    """Two symbols are named, with what they have."""
    records = {"A": {"x": values[0]}, "B": {"x": None}, "C": {"x": values[1]}}
    with pytest.raises(ExecutionError, match=re.escape(f"stage 's': {message}")):
        records_table("s", records)


def test_no_symbol_gives_an_empty_table() -> None:
    """A stage that every symbol failed has a table without rows."""
    assert records_table("s", {}).to_pydict() == {"symbol": []}
