"""Files that name another symbol inside than their path does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.config import ColumnsConfig
from ray_pipeline.panel import SymbolInspection, inspect_symbol, inspection_request
from ray_pipeline.panel.misfits import find_misfits
from ray_pipeline.panel.own_symbols import is_same_symbol
from ray_pipeline.panel.reading_rules import ReadingRules
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem

WritePartition = Callable[..., SymbolPartition]
Inspect = Callable[..., SymbolInspection]


@pytest.fixture
def inspect(write_partition: WritePartition, fs: FileSystem) -> Inspect:
    def written(name: str, *inside: object, **rules: str | None) -> SymbolInspection:
        """Inspect a symbol with a file for each of `inside`, which its symbol column says."""
        times = pa.array(np.arange(4) * 86_400, pa.timestamp("s", "UTC"))
        tables = []
        for place, value in enumerate(inside):
            values = value if isinstance(value, list) else [value] * 4
            later = pa.compute.add(times, pa.scalar(place * 864_000, pa.duration("s")))
            columns = {"ts": later, "f": [1.0, 2, 3, 4], "fwd_ret_1d": [0.1, 0.2, 0.3, 0.4]}
            tables.append(pa.table({**columns, "Symbol": values}))
        request = inspection_request(
            ColumnsConfig(),
            time_column=None,
            kind="auto",
            max_rows=None,
            min_rows=1,
            rules=ReadingRules(tuple(rules.items())),
        )
        return inspect_symbol(write_partition(name, *tables), fs, request)

    return written


def misfits(*inspections: SymbolInspection, batch: tuple[str, ...] = ()) -> dict[str, str]:
    return find_misfits(inspections, ColumnsConfig(), batch)


def test_a_file_of_another_symbol_of_the_batch(inspect: Inspect) -> None:
    """It is left out with the file and both ways to mend it; so is one that is partly so."""
    good = [inspect(name, name) for name in ("S1", "S2", "S3", "S4")]
    wrong = inspect("S0", "S0", "S1")
    assert [value for value, _ in wrong.own_symbols] == ["S0", "S1"]
    found = misfits(*good, wrong)
    assert list(found) == ["S0"]
    assert "part-1.parquet says inside that it is of 'S1'. Move the file" in found["S0"]
    assert "data.columns: {symbol: null}" in found["S0"]
    assert misfits(inspect("S0", ["S0", "S0", "S1", None]), batch=("S0", "S1")).keys() == {"S0"}


def test_a_file_of_a_symbol_that_is_not_in_the_batch(inspect: Inspect) -> None:
    """Where others say what their path says, one that does not is wrong."""
    good = [inspect(name, name) for name in ("S1", "S2")]
    assert list(misfits(*good, inspect("S0", "XYZ"))) == ["S0"]


def test_other_names_throughout_are_another_way_of_naming(inspect: Inspect) -> None:
    """Nobody has misfiled all files."""
    assert misfits(*(inspect(name, f"{name}.US Equity") for name in ("S1", "S2", "S3"))) == {}


def test_spellings_of_one_symbol() -> None:
    """Case, signs and zeros in front do not tell symbols apart."""
    assert is_same_symbol("BTC/USDT", "btcusdt")
    assert is_same_symbol("0700", "700")
    assert not is_same_symbol("BRK.A", "BRK.B")


def test_numbers_are_symbols_too(inspect: Inspect) -> None:
    """A column of numbers says 700 where the folder says 0700."""
    assert inspect("0700", 700).own_symbols[0][0] == "700"
    assert misfits(inspect("0700", 700), inspect("0701", 700)).keys() == {"0701"}


def test_the_column_may_be_left_aside(inspect: Inspect) -> None:
    """It may be not a symbol at all."""
    good = [inspect(name, name) for name in ("S1", "S2")]
    assert misfits(*good, inspect("S0", "S1", symbol=None)) == {}
