from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest

from ray_pipeline.config import ColumnsConfig
from ray_pipeline.errors import DataError
from ray_pipeline.panel import (
    InspectionRequest,
    SymbolInspection,
    inspect_symbol,
    inspection_request,
)
from ray_pipeline.records import SymbolPartition, TimeRun
from ray_pipeline.storage.filesystems import FileSystem

WritePartition = Callable[..., SymbolPartition]
T0 = 1_706_711_400 * 10**9
MINUTE = 60 * 10**9


def request(
    kind: Literal["auto", "labeled", "bars"] = "auto",
    max_rows: int | None = None,
    min_rows: int = 1,
    **patterns: Any,
) -> InspectionRequest:
    return inspection_request(
        ColumnsConfig(**patterns),
        time_column=None,
        kind=kind,
        max_rows=max_rows,
        min_rows=min_rows,
    )


def labeled(n_rows: int = 6, **columns: Any) -> pa.Table:
    times = pa.array(T0 + MINUTE * np.arange(n_rows), pa.timestamp("ns", "UTC"))
    return pa.table({"ts": times, **columns})


def bars(n_rows: int = 6, **changed: Any) -> pa.Table:
    close = 10.0 + np.arange(n_rows)
    fields = {"open": close, "high": close + 1, "low": close - 1, "close": close, "volume": close}
    return labeled(n_rows, **{**fields, **changed})


def test_a_labeled_symbol(write_partition: WritePartition, fs: FileSystem) -> None:
    """Kind, span, time axis, values of targets, constants and missing cells are all found."""
    table = labeled(
        symbol=["x"] * 6,
        f=[1.0, None, 3.0, float("inf"), 5.0, 6.0],
        sector=[4, 4, None, 4, 4, 4],
        fwd_ret_1m=[0.1, 0.2, 0.3, 0.4, 0.5, None],
        y_up_1m=[True, False, True, True, None, None],
        p_up_1m=[0.5] * 6,
    )
    found = inspect_symbol(write_partition("A", table), fs, request())
    assert (found.symbol, found.kind, found.time_column) == ("A", "labeled", "ts")
    assert dict(found.columns)["y_up_1m"] == "bool"
    assert (found.n_rows, found.first_ts_ns, found.last_ts_ns) == (6, T0, T0 + 5 * MINUTE)
    assert found.runs == (TimeRun(T0, MINUTE, 6),)
    assert found.target_values == (
        ("fwd_ret_1m", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("y_up_1m", (0.0, 1.0)),
    )
    assert found.constant == (("sector", 4.0),)
    assert found.n_missing == (("f", 2), ("sector", 1), ("fwd_ret_1m", 1), ("y_up_1m", 2))
    assert [finding.rule for finding in found.findings] == ["infinite_values", "constant_column"]


def test_a_symbol_of_bars(write_partition: WritePartition, fs: FileSystem) -> None:
    """Without a target column, five bar fields make bars; flaws of the bars are found."""
    partition = write_partition("A", bars(low=[9.0, 10.0, 13.0, 12.0, 13.0, 14.0]))
    found = inspect_symbol(partition, fs, request())
    assert found.kind == "bars"
    assert found.target_values == ()
    assert [finding.rule for finding in found.findings] == ["inconsistent_bars"]


def test_records_survive_json(write_partition: WritePartition, fs: FileSystem) -> None:
    """A record read back from strict JSON is the same inspection."""
    table = labeled(
        f=[1.0, None, float("inf"), 1.0, 1.0, 1.0],
        y_1m=[0, 1, 0, 1, 0, 1],
        fwd_ret_1m=[0.1, 0.2, 0.3, 0.4, 0.5, None],
    )
    found = inspect_symbol(write_partition("A", table), fs, request())
    text = json.dumps(found.to_record(), allow_nan=False)
    assert SymbolInspection.from_record(json.loads(text)) == found


def test_requests_are_plain_values() -> None:
    """A request can be hashed into a unit's digest."""
    text = json.dumps(asdict(request(targets=["y_*"], max_rows=5)))
    assert json.loads(text)["targets"] == ["y_*"]
    assert json.loads(text)["max_rows"] == 5


def test_targets_win_over_bars(write_partition: WritePartition, fs: FileSystem) -> None:
    """A table with both is labeled, unless the config says bars."""
    partition = write_partition("A", bars(y_1m=[0, 1, 0, 1, 0, 1], f=np.arange(6.0)))
    assert inspect_symbol(partition, fs, request()).kind == "labeled"
    assert inspect_symbol(partition, fs, request(kind="bars")).kind == "bars"


def test_neither_labeled_nor_bars(write_partition: WritePartition, fs: FileSystem) -> None:
    """The error says what each kind lacks, and why columns that look like targets are none."""
    table = labeled(2, open=[1.0, 2.0], close=["a", "b"], y_side=["u", "d"], hit_5m=[0, 1])
    with pytest.raises(DataError) as error:
        inspect_symbol(write_partition("A", table), fs, request(targets=["y_*", "hit_*"]))
    assert str(error.value) == (
        "symbol A: neither labeled nor bars (no target column: tried columns.targets y_*, hit_*; "
        "not bars: high, low, close, volume missing or not numeric); found "
        "close (string), hit_5m (int64), open (double), ts (timestamp[ns, tz=UTC]), "
        "y_side (string); not usable as targets: y_side (target that is text), "
        "hit_5m (label by-product)."
    )


def test_labeled_without_a_target(write_partition: WritePartition, fs: FileSystem) -> None:
    """The patterns tried and the columns found are named, with both ways out."""
    partition = write_partition("A", bars(2))
    with pytest.raises(DataError) as error:
        inspect_symbol(partition, fs, request(kind="labeled", targets=["y_*"]))
    assert str(error.value) == (
        "symbol A: no target column: tried columns.targets y_*; found "
        "close (double), high (double), low (double), open (double), ts (timestamp[ns, tz=UTC]), "
        "volume (double). Set columns.targets, or data.kind=bars."
    )


def test_bars_without_a_field(write_partition: WritePartition, fs: FileSystem) -> None:
    """The missing fields are named."""
    partition = write_partition("A", bars(2).drop_columns(["low", "volume"]))
    with pytest.raises(DataError, match="symbol A: not bars: low, volume missing or not numeric"):
        inspect_symbol(partition, fs, request(kind="bars"))


def test_no_time_column(write_partition: WritePartition, fs: FileSystem) -> None:
    """The symbol is named before the reason."""
    partition = write_partition("BRK/B".replace("/", "-"), pa.table({"y_1": [1.0]}))
    with pytest.raises(DataError, match="symbol BRK-B: no time column: looked for ts, timestamp"):
        inspect_symbol(partition, fs, request())


@pytest.mark.parametrize(("n_rows", "max_rows"), [(10, None), (400, 10)])
def test_too_few_rows(
    write_partition: WritePartition, fs: FileSystem, n_rows: int, max_rows: int | None
) -> None:
    """What counts is what is left after cleaning and cutting."""
    partition = write_partition("X", labeled(n_rows, y_1=np.arange(float(n_rows))))
    with pytest.raises(DataError) as error:
        inspect_symbol(partition, fs, request(min_rows=300, max_rows=max_rows))
    assert str(error.value) == (
        "symbol X: 10 rows after cleaning; data.min_rows_per_symbol needs 300."
    )


def test_an_empty_symbol(write_partition: WritePartition, fs: FileSystem) -> None:
    """A table without rows is too short, even when nothing is asked for."""
    partition = write_partition("X", labeled(0, y_1=pa.array([], pa.float64())))
    with pytest.raises(DataError, match="symbol X: 0 rows after cleaning"):
        inspect_symbol(partition, fs, request(min_rows=0))


def test_only_the_newest_rows_are_inspected(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """Rows that a run would not use say nothing about it."""
    partition = write_partition("A", labeled(y_1=[5.0, 0.0, 1.0, 0.0, 1.0, 0.0]))
    found = inspect_symbol(partition, fs, request(max_rows=5))
    assert (found.n_rows, found.first_ts_ns) == (5, T0 + MINUTE)
    assert found.target_values == (("y_1", (0.0, 1.0)),)


def test_many_values_are_not_listed(write_partition: WritePartition, fs: FileSystem) -> None:
    """Twelve distinct values are listed, thirteen are not, wherever the last one stands."""
    n_rows = 3_000
    twelve = np.arange(n_rows) % 12.0
    thirteen = twelve.copy()
    thirteen[-1] = 12.0
    table = labeled(n_rows, y_1=twelve, y_2=thirteen, fwd_ret_1=np.arange(float(n_rows)))
    values = dict(inspect_symbol(write_partition("A", table), fs, request()).target_values)
    assert values["y_1"] == tuple(range(12))
    assert values["y_2"] is None
    assert values["fwd_ret_1"] is None


def test_cells_out_of_range_are_found(write_partition: WritePartition, fs: FileSystem) -> None:
    """They will be missing, features and targets alike, so it is said and counted."""
    big = [1.0, 2.0, 3.0, 4.0, -1e300, 1e31]
    found = inspect_symbol(write_partition("A", labeled(f=big, y_1=big)), fs, request())
    assert [(each.rule, each.column, each.count) for each in found.findings] == [
        ("out_of_range", "f", 2),
        ("out_of_range", "y_1", 2),
    ]
    assert found.n_missing == (("f", 2), ("y_1", 2))


NOTHING: dict[str, Any] = {
    "infinite": [np.inf, -np.inf] * 3,
    "huge": [np.finfo(float).max, -np.finfo(float).max] * 3,
    "missing": [np.nan] * 6,
    "decimals": pa.array([Decimal("-1e75"), Decimal("1e75")] * 3, pa.decimal256(76, 0)),
}


@pytest.mark.parametrize("column", ["y_1", "f"])
@pytest.mark.parametrize("kind", NOTHING)
def test_a_symbol_without_a_value_is_refused(
    write_partition: WritePartition, fs: FileSystem, column: str, kind: str
) -> None:
    """Where every label or every feature is missing, with what was found in their place."""
    good = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    table = labeled(**({"f": good, "y_1": good} | {column: NOTHING[kind]}))
    what = "target" if column == "y_1" else "feature"
    found = {
        "infinite": f"6 infinite cells of '{column}' are treated as missing",
        "missing": f"'{column}' has no value in any row",
    }.get(kind, f"6 cells of '{column}' are beyond ±1e+30, the first is ")
    with pytest.raises(DataError, match=rf"^symbol A: no {what} has a value in any row: ") as error:
        inspect_symbol(write_partition("A", table), fs, request())
    assert found in str(error.value)


def test_one_usable_target_and_feature_are_enough(
    write_partition: WritePartition, fs: FileSystem
) -> None:
    """A column that is lost costs that column."""
    good = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    lost = NOTHING["huge"]
    found = inspect_symbol(
        write_partition("A", labeled(f=good, g=lost, y_1=lost, y_2=good)), fs, request()
    )
    assert found.n_missing == (("g", 6), ("y_1", 6))


def test_bars_without_a_close_are_refused(write_partition: WritePartition, fs: FileSystem) -> None:
    """Nothing can be computed of them; without volumes much can."""
    huge = [1e300] * 6
    with pytest.raises(
        DataError, match=r"^symbol A: no bar has a close in any row: 6 cells of 'cl"
    ):
        inspect_symbol(write_partition("A", bars(close=huge)), fs, request())
    found = inspect_symbol(write_partition("A", bars(volume=huge)), fs, request())
    assert dict(found.n_missing)["volume"] == 6


def test_findings_of_the_files_come_first(write_partition: WritePartition, fs: FileSystem) -> None:
    """A column that one of two files lacks is said."""
    first = labeled(3, y_1=[0.1, 0.2, 0.3], f=[1.0, 2.0, 3.0])
    second = labeled(5, y_1=[0.1, 0.2, 0.3, 0.4, 0.5]).slice(3)
    found = inspect_symbol(write_partition("A", first, second), fs, request())
    assert found.n_rows == 5
    assert [finding.rule for finding in found.findings] == ["column_missing_in_files"]
    assert found.n_missing == (("f", 2),)


@pytest.mark.parametrize("block_bytes", [1, 100])
def test_a_long_symbol_is_inspected_as_a_short_one(
    write_partition: WritePartition,
    fs: FileSystem,
    monkeypatch: pytest.MonkeyPatch,
    block_bytes: int,
) -> None:
    """Read in blocks it has the same findings, in the same order."""
    dirty = labeled(
        y_1=[0.0, 1.0, None, 0.0, 1.0, 0.0],
        f=[1e300, 1.0, float("inf"), 3.0, None, -1e300],
        g=pa.array([2, 2, 2, None, 2, 2]),
        h=[None] * 5 + [float("nan")],
    )
    partitions = [
        write_partition("A", dirty.slice(3), dirty.slice(0, 4).drop_columns(["h"])),
        write_partition("B", bars(low=[0.0, float("inf"), 13.0, 12.0, None, 14.0])),
    ]
    whole = [inspect_symbol(partition, fs, request()) for partition in partitions]
    monkeypatch.setattr("ray_pipeline.panel.blocks.WHOLE_BYTES", 0)
    monkeypatch.setattr("ray_pipeline.panel.blocks.BLOCK_BYTES", block_bytes)
    assert [inspect_symbol(partition, fs, request()) for partition in partitions] == whole
    assert [finding.rule for finding in whole[0].findings] == [
        "column_missing_in_files",
        *("out_of_order", "duplicate_rows"),
        *("infinite_values", "out_of_range", "constant_column", "all_missing"),
    ]
    assert [finding.rule for finding in whole[1].findings] == [
        *("infinite_values", "missing_bar_cells", "inconsistent_bars", "nonpositive_prices")
    ]
