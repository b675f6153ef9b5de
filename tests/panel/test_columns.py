from __future__ import annotations

import itertools

import pyarrow as pa
import pytest

from ray_pipeline.panel.columns import column_kind, merge_columns, unified_type
from ray_pipeline.wording import some_of


@pytest.mark.parametrize(
    ("arrow_type", "kind"),
    [
        (pa.int8(), "numeric"),
        (pa.uint64(), "numeric"),
        (pa.float16(), "numeric"),
        (pa.float32(), "numeric"),
        (pa.float64(), "numeric"),
        (pa.decimal128(10, 2), "numeric"),
        (pa.decimal256(50, 2), "numeric"),
        (pa.bool_(), "bool"),
        (pa.string(), "text"),
        (pa.large_string(), "text"),
        (pa.string_view(), "text"),
        (pa.dictionary(pa.int8(), pa.string()), "text"),
        (pa.dictionary(pa.int32(), pa.float64()), "numeric"),
        (pa.timestamp("us", "UTC"), "time"),
        (pa.date32(), "time"),
        (pa.time64("us"), "time"),
        (pa.duration("s"), "time"),
        (pa.list_(pa.float64()), "nested"),
        (pa.struct([("a", pa.int8())]), "nested"),
        (pa.map_(pa.string(), pa.int8()), "nested"),
        (pa.null(), "null"),
        (pa.binary(), "other"),
        (pa.uuid(), "other"),
    ],
)
def test_kinds_follow_arrows_own_names(arrow_type: pa.DataType, kind: str) -> None:
    """Every type that a Parquet file can hold has its kind, a dictionary that of its values."""
    assert column_kind(str(arrow_type)) == kind


@pytest.mark.parametrize(
    ("types", "union"),
    [
        (["double", "double"], "double"),
        (["int8", "int64"], "int64"),
        (["uint64", "int64"], "double"),
        (["int64", "float"], "double"),
        (["bool", "int64"], "double"),
        (["decimal128(10, 2)", "float"], "double"),
        (["string", "large_string"], "large_string"),
        (["dictionary<values=string, indices=int8, ordered=0>", "string"], "string"),
        (["timestamp[us]", "timestamp[ns, tz=UTC]", "date32[day]"], "timestamp[ns, tz=UTC]"),
        (["null", "double"], "double"),
        (["null"], "null"),
        (["double", "string"], "mixed<double | string>"),
    ],
)
def test_unions_hold_all_values(types: list[str], union: str) -> None:
    """The union does not depend on the order in which the types are met."""
    for order in itertools.permutations(types):
        assert unified_type(order) == union


def test_columns_that_some_symbols_lack_are_named() -> None:
    """The union has every column, and says which symbols lack which."""
    merged = merge_columns(
        {
            "B": [("ts", "timestamp[us]"), ("f", "int64"), ("only_b", "double")],
            "A": [("ts", "timestamp[us]"), ("f", "double")],
            "C": [("ts", "timestamp[us]")],
        }
    )
    assert merged.columns == (("f", "double"), ("only_b", "double"), ("ts", "timestamp[us]"))
    assert merged.lacking == {"f": ("C",), "only_b": ("A", "C")}
    assert merged.conflicts == {}


def test_a_conflict_of_types_names_symbols() -> None:
    """Numbers in some symbols and text in others cannot be united; the reason says where."""
    merged = merge_columns({"A": [("f", "double")], "B": [("f", "double")], "C": [("f", "string")]})
    assert merged.columns == (("f", "mixed<double | string>"),)
    assert merged.conflicts == {"f": "conflicting types: double in A, B; string in C"}


def test_neither_the_order_of_symbols_nor_of_columns_matters() -> None:
    """The first file read does not decide anything."""
    tables = {
        "A": [("x", "double"), ("y", "string")],
        "B": [("y", "double"), ("z", "bool"), ("x", "int8")],
        "C": [("z", "int64")],
    }
    turned = {symbol: columns[::-1] for symbol, columns in tables.items()}
    unions = {
        repr(merge_columns(dict(order)))
        for given in (tables, turned, tables | {"B": turned["B"]})
        for order in itertools.permutations(given.items())
    }
    assert len(unions) == 1


def test_long_lists_are_cut_short() -> None:
    """Messages stay readable with hundreds of columns."""
    assert some_of(["a", "b"]) == "a, b"
    assert some_of([f"c{i}" for i in range(25)], at_most=2) == "c0, c1 and 23 more"
    assert some_of([]) == "none"
