"""Columns by the names that the package knows them by."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.config import ColumnsConfig
from ray_pipeline.errors import DataError
from ray_pipeline.panel import (
    SymbolInspection,
    inspect_symbol,
    inspection_request,
    read_columns,
    resolve_roles,
)
from ray_pipeline.panel.memory_table import TableReader
from ray_pipeline.panel.naming import name_columns, tuple_parts
from ray_pipeline.panel.reading_rules import ReadingRules
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem

WritePartition = Callable[..., SymbolPartition]


def own(names: list[str], **given: str | None) -> dict[str, str]:
    return dict(name_columns(names, given, "a.parquet").own)


def prices(**names: str) -> pa.Table:
    """Return eight daily bars whose columns are called as `names` says."""
    close = np.array([10.0, 11, 12, 13, 14, 15, 16, 17])
    columns = {
        "ts": pa.array(np.arange(8) * 86_400_000, pa.timestamp("ms", "UTC")),
        **{"open": close - 1, "high": close + 2, "low": close - 2, "close": close},
        "volume": close * 100,
    }
    return pa.table({names.get(role, role): values for role, values in columns.items()})


def inspect(
    partition: SymbolPartition, fs: FileSystem, time: str | None = None, **given: str | None
) -> SymbolInspection:
    request = inspection_request(
        ColumnsConfig(),
        time_column=time,
        kind="auto",
        max_rows=None,
        min_rows=1,
        rules=ReadingRules(tuple(sorted((given | ({"time": time} if time else {})).items()))),
    )
    return inspect_symbol(partition, fs, request)


def test_names_of_the_package_stay() -> None:
    """Nothing is renamed where nothing has to be."""
    names = ["ts", "open", "close", "Feature", "fwd_ret_1d"]
    assert own(names) == {name: name for name in names}


def test_capital_letters_need_no_mapping() -> None:
    """Fields, the symbol and the usual names of times are found whatever their case."""
    assert own(["Date", "OPEN", "Close", "Symbol", "Signal"]) == {
        "date": "Date",
        "open": "OPEN",
        "close": "Close",
        "symbol": "Symbol",
        "Signal": "Signal",
    }


def test_an_exact_name_wins() -> None:
    """A column beside it that differs in case alone keeps its own name."""
    assert own(["ts", "Date", "close", "Close"]) == {
        name: name for name in ("ts", "Date", "close", "Close")
    }


def test_two_that_fit_are_an_error() -> None:
    """It names both, and the key that decides."""
    message = (
        "a.parquet: columns 'Close', 'CLOSE' differ only in case, and each could be "
        "'close'. Set data.columns.close to one of them."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        own(["ts", "Close", "CLOSE"])
    assert own(["ts", "Close", "CLOSE"], close="CLOSE")["close"] == "CLOSE"


def test_a_mapped_column_takes_the_name_of_its_role() -> None:
    """The one that would have had it is left aside, and keeps telling what it is."""
    assert own(["Date", "Close", "Adj Close"], close="Adj Close", time="Date") == {
        "Date": "Date",
        "close (unmapped)": "Close",
        "close": "Adj Close",
    }
    assert own(["ts", "close", "px"], close="PX")["close"] == "px"
    assert own(["ts", "symbol"], symbol=None) == {"ts": "ts", "symbol (unmapped)": "symbol"}


def test_column_tuples() -> None:
    """What pandas writes for two levels is read by its field, on whichever level that is."""
    assert tuple_parts("('Close', 'S0')") == ("Close", "S0")
    assert tuple_parts("(close)") is None
    for pattern in ("('{}', 'S0')", "('S0', '{}')"):
        names = [pattern.format(field) for field in ("Open", "Close", "Adj Close")]
        naming = name_columns(["ts", *names, "('Date', '')"], {}, "a.parquet")
        assert list(naming.own) == ["ts", "open", "close", "Adj Close", "Date"]
        assert naming.symbol == "S0"
    message = r"a.parquet holds columns of several symbols \(S0, S1\), as column tuples"
    with pytest.raises(DataError, match=message):
        own(["ts", "('Close', 'S0')", "('Close', 'S1')"])


def test_a_mapping_reads_files_as_they_are(write_partition: WritePartition, fs: FileSystem) -> None:
    """Files of one symbol may differ; a mapped column that none has is an error."""
    letters = {"ts": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    partition = write_partition("A", prices(**letters))
    roles = {role if role != "ts" else "time": name for role, name in letters.items()}
    found = inspect(partition, fs, **roles)
    assert (found.kind, found.time_column, found.n_rows) == ("bars", "t", 8)
    assert found.findings[0].message == (
        "columns by their names in the files: open is 'o', high is 'h', low is 'l', close is 'c', "
        "volume is 'v'"
    )
    with pytest.raises(DataError, match=r"data.columns.close='x' is not a column; found t, o, h"):
        inspect(partition, fs, **{**roles, "close": "x"})


def test_files_that_differ_in_case(write_partition: WritePartition, fs: FileSystem) -> None:
    """The union over the files is one of names inside."""
    partition = write_partition("A", prices(), prices(close="Close"))
    table = read_columns(partition, fs, ["close"])
    assert table.column("close").to_pylist() == [*range(10, 18), *range(10, 18)]


def test_bars_that_are_not_found_are_proposed(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """The message holds the line of the config that reads them."""
    letters = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    message = re.escape("Set data.columns: {open: o, high: h, low: l, close: c, volume: v}.")
    with pytest.raises(DataError, match=message):
        inspect(write_partition("A", prices(**letters)), fs)
    message = re.escape(
        "It looks like alpaca: set data.columns: {time: t, open: o, high: h, low: l, close: c, "
        "volume: v}"
    )
    with pytest.raises(DataError, match=message):
        inspect(write_partition("B", prices(ts="t", **letters)), fs)


def test_the_adjusted_close_is_the_users_choice(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """Mapped, it adjusts the other prices too: by hand, half of what was traded."""
    table = prices()
    half = np.asarray(table.column("close")) / 2
    partition = write_partition("A", table.append_column("Adj Close", pa.array(half)))
    plain = read_columns(partition, fs, ["open", "close", "volume"])
    assert plain.column("open").to_pylist() == [9.0, 10, 11, 12, 13, 14, 15, 16]
    rules = ReadingRules((("close", "Adj Close"),))
    adjusted = read_columns(partition, fs, ["open", "high", "close", "volume"], rules)
    assert adjusted.column("open").to_pylist() == [4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8]
    assert adjusted.column("high").to_pylist() == [6.0, 6.5, 7, 7.5, 8, 8.5, 9, 9.5]
    assert adjusted.column("close").to_pylist() == half.tolist()
    assert adjusted.column("volume").to_pylist() == plain.column("volume").to_pylist()
    found = inspect(partition, fs, close="Adj Close")
    assert [each.rule for each in found.findings] == ["columns_named", "prices_adjusted"]


def test_open_that_is_mapped_itself_is_not_adjusted(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """A user who names all prices has chosen each of them."""
    table = prices().append_column("Adj Close", pa.array([1.0] * 8))
    table = table.append_column("Adj Open", pa.array([2.0] * 8))
    rules = ReadingRules((("close", "Adj Close"), ("open", "Adj Open")))
    got = read_columns(write_partition("A", table), fs, ["open", "high"], rules)
    assert got.column("open").to_pylist() == [2.0] * 8
    assert got.column("high").to_pylist() == [12.0, 13, 14, 15, 16, 17, 18, 19]


def test_fixed_point_prices(write_partition: WritePartition, fs: FileSystem) -> None:
    """Prices are scaled, the volume is not, and the largest whole number is not a price."""
    whole: dict[str, Any] = {
        "ts": pa.array([0, 1], pa.timestamp("s", "UTC")),
        "close": pa.array([187_150_000_000, 2**63 - 1]),
        "volume": pa.array([5, 6]),
    }
    rules = ReadingRules(price_scale=1e-9)
    for reader in (
        read_columns(write_partition("A", pa.table(whole)), fs, ["close", "volume"], rules),
        TableReader(pa.table(whole), rules).read(["close", "volume"]),
    ):
        assert reader.column("close").to_pylist() == [pytest.approx(187.15), None]
        assert reader.column("volume").to_pylist() == [5, 6]


def test_the_clock_of_dates(write_partition: WritePartition, fs: FileSystem) -> None:
    """It is read beside the dates, and is not a feature."""
    table = prices().drop(["ts"])
    table = table.add_column(0, "Time", pa.array(["10:00", "11:00"] * 4))
    table = table.add_column(0, "Date", pa.array([20240100 + k for k in (1, 1, 2, 2, 3, 3, 4, 4)]))
    partition = write_partition("A", table)
    found = inspect(partition, fs, time_of_day="Time")
    assert (found.n_rows, found.runs[0].step_ns) == (8, 3_600 * 10**9)
    roles = resolve_roles(found.columns, ColumnsConfig(), None)
    assert dict(roles.ignored)["time of day (of the time column)"] == "the clock of date"
    with pytest.raises(DataError, match=r"data\.columns\.time_of_day='Clock' is not a column"):
        inspect(partition, fs, time_of_day="Clock")
