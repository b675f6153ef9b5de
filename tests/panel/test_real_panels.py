"""The market panels beside the repository: what is known of them has to be found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ray_pipeline.config import ColumnsConfig
from ray_pipeline.panel import (
    SymbolInspection,
    decode_runs,
    inspect_symbol,
    inspection_request,
    load_symbol_table,
    merge_axes,
    summarise_panel,
    table_request,
)
from ray_pipeline.records import PartitionFile, SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem, open_filesystem

pytestmark = pytest.mark.real_data

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
DAILY = DATA / "sp500_daily_2013_2018" / "interval=1d"
CRYPTO = DATA / "binance_usdt_5m_2024" / "interval=5m"
DAY = 86_400 * 10**9
REQUEST = inspection_request(
    ColumnsConfig(), time_column=None, kind="auto", max_rows=None, min_rows=300
)


@pytest.fixture
def disk() -> FileSystem:
    return open_filesystem(str(DATA))[0]


def partition(folder: Path, symbol: str) -> SymbolPartition:
    files = sorted((folder / f"symbol={symbol}").rglob("*.parquet"))
    if not files:
        pytest.skip(f"the market panel {folder.parent.name} is not beside the repository")
    return SymbolPartition(
        symbol, tuple(PartitionFile(str(file), file.stat().st_size, "") for file in files)
    )


def daily(disk: FileSystem, symbol: str) -> SymbolInspection:
    return inspect_symbol(partition(DAILY, symbol), disk, REQUEST)


def rules(found: SymbolInspection) -> dict[str, int]:
    return {finding.rule: finding.count for finding in found.findings}


def test_dhr_has_a_hole_of_seventeen_days(disk: FileSystem) -> None:
    """DHR: 1,243 of 1,259 sessions, once 17 days between rows, and four empty cells."""
    found = daily(disk, "DHR")
    steps = np.diff(decode_runs(found.runs)) // DAY
    assert found.kind == "bars"
    assert found.n_rows == 1_243
    assert sorted(steps.tolist())[-2:] == [6, 17]
    assert found.n_missing == (("open", 2), ("high", 1), ("low", 1))


def test_lnts_bad_close_is_found(disk: FileSystem) -> None:
    """LNT 2016-05-19: a close of 17.87 below a low of about 35 cannot be true."""
    found = daily(disk, "LNT")
    assert rules(found) == {"inconsistent_bars": 1, "ticks": 1}
    assert "2016-05-19T00:00:00+00:00 (close 17.87 beside 35.63)" in found.findings[-1].message
    assert found.n_rows == 1_259


@pytest.mark.parametrize("symbol", ["EBAY", "BAX", "NI", "VRTX", "AAPL", "NFLX"])
def test_large_moves_of_real_stocks_are_no_findings(disk: FileSystem, symbol: str) -> None:
    """Spin-offs of a half, a success of +40 %, and prices that are adjusted for 7:1."""
    assert not {"ticks", "unadjusted_splits", "stuck_prices"} & set(rules(daily(disk, symbol)))


def test_a_share_dividend_that_prices_are_not_adjusted_for(disk: FileSystem) -> None:
    """DISCK 2014-08-07, 2:1 in shares of a new class."""
    found = daily(disk, "DISCK")
    assert rules(found)["unadjusted_splits"] == 1
    assert "2:1 at 2014-08-07T00:00:00+00:00" in found.findings[-1].message


def test_a_summary_of_daily_bars(disk: FileSystem) -> None:
    """Daily bars are sessions of one, the axis is that of the sessions, DHR's hole is small."""
    inspections = [daily(disk, symbol) for symbol in ("AAPL", "DHR", "LNT")]
    axis = merge_axes(inspection.runs for inspection in inspections)
    assert len(axis) == 1_259
    summary = summarise_panel(
        inspections,
        ColumnsConfig(),
        label_targets=["fwd_ret_5d"],
        label_features=["log_return_5"],
        interval="1d",
        time_column=None,
    )
    assert (summary.bar_seconds, summary.session_bars) == (86_400, 1)
    (warning,) = summary.warnings
    assert warning.startswith(
        "bars are far outside the range of their neighbours: 1 in 1 symbol. LNT: 1 bar is"
    )
    request = table_request(summary, max_rows=None, min_rows=300)
    table = load_symbol_table(partition(DAILY, "DHR"), disk, request)
    # Every row has a close; the last five have no future, and five would look over 17 days.
    assert np.isnan(table.targets[-5:]).all()
    assert np.flatnonzero(np.isnan(table.targets[:-5])).tolist() == [512, 513, 514, 515, 516]
    assert table.features.shape == (1_243, 1)


def test_all_of_crypto(disk: FileSystem) -> None:
    """Thirty symbols without a gap: one run each, 288 bars a day, and no finding."""
    symbols = [path.name.removeprefix("symbol=") for path in sorted(CRYPTO.glob("symbol=*"))]
    if not symbols:
        pytest.skip("the market panel binance_usdt_5m_2024 is not beside the repository")
    assert len(symbols) == 30
    assert "1000SATSUSDT" in symbols
    inspections = [inspect_symbol(partition(CRYPTO, symbol), disk, REQUEST) for symbol in symbols]
    assert all(len(found.runs) == 1 and found.findings == () for found in inspections)
    assert sum(found.n_rows for found in inspections) == 1_921_944
    summary = summarise_panel(
        inspections,
        ColumnsConfig(),
        label_targets=["fwd_ret_60m", "fwd_ret_1d"],
        label_features="standard",
        interval=None,
        time_column=None,
    )
    assert (summary.bar_seconds, summary.session_bars) == (300, 288)
    assert [target.horizon_bars for target in summary.targets] == [12, 288]
    assert summary.warnings == ()
    assert len(merge_axes(found.runs for found in inspections)) == 72_031
