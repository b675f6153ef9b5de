"""Symbols whose tables differ from those of most others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from ray_pipeline.config import ColumnsConfig
from ray_pipeline.panel.inspection import SymbolInspection, TableKind
from ray_pipeline.panel.misfits import find_misfits
from ray_pipeline.records import BAR_FIELDS

USUAL = {"ts": "timestamp[ns]", "f": "double", "g": "int64", "fwd_ret_1d": "double"}


def symbol(name: str, columns: Mapping[str, str] = USUAL, kind: str = "labeled") -> Any:
    return SymbolInspection(
        symbol=name,
        kind=cast("TableKind", kind),
        time_column="ts",
        columns=tuple(sorted(columns.items())),
        n_rows=10,
        first_ts_ns=0,
        last_ts_ns=9,
        runs=(),
        findings=(),
        target_values=(),
        constant=(),
        n_missing=(),
    )


BARS = symbol("BARS", dict.fromkeys(BAR_FIELDS, "double"), "bars")


def misfits(*symbols: SymbolInspection, **columns: Any) -> dict[str, str]:
    found = find_misfits(symbols, ColumnsConfig(**columns))
    assert found == find_misfits(symbols[::-1], ColumnsConfig(**columns))
    return found


def test_symbols_of_one_kind_fit() -> None:
    """Numbers of any type go together, and so does a column that a symbol lacks or has empty."""
    others = [{"f": "bool"}, {"g": "decimal128(10, 2)"}, {"g": "null"}]
    lacking = {name: kind for name, kind in USUAL.items() if name != "g"}
    fitting = [symbol(str(i), USUAL | each) for i, each in enumerate(others)]
    assert misfits(*fitting, symbol("lacking", lacking)) == {}
    assert misfits(BARS) == {}


@pytest.mark.parametrize("column", ["f", "fwd_ret_1d"])
def test_text_where_most_have_numbers(column: str) -> None:
    """The symbol, the column and what most have are named."""
    odd = symbol("ODD", USUAL | {column: "string"})
    assert misfits(symbol("A"), odd, symbol("B")) == {
        "ODD": f"symbol ODD: column {column!r} is string here and a number in 2 of 3 symbols. "
        "Write it as numbers, or leave it out by columns.exclude_features."
    }


def test_without_a_majority_nobody_is_named() -> None:
    """One of two: the column is ignored, as are columns that no stage uses."""
    text = symbol("T", USUAL | {"f": "string"})
    assert misfits(symbol("A"), text) == {}
    assert misfits(symbol("A"), symbol("B"), text, exclude_features=["f"]) == {}
    assert misfits(symbol("A"), symbol("T1", {**USUAL, "f": "string"}), text) == {}


def test_bars_among_labeled_tables() -> None:
    """The few are named, on whichever side they are."""
    assert misfits(symbol("A"), symbol("B"), BARS) == {
        "BARS": "symbol BARS: it is bars, and 2 of 3 symbols are a labeled table. Give it the same "
        "columns, or set data.kind."
    }
    more = [symbol(f"BARS{i}", dict(BARS.columns), "bars") for i in range(2)]
    assert list(misfits(symbol("A"), *more)) == ["A"]
    assert misfits(symbol("A"), BARS) == {}
