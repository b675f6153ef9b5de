"""From the config's keys of times to a run: what was assumed is told, and prediction follows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import DAY_NS, labeled_table, quick_config, read_json, symbol_names, write_panel

from ray_pipeline.commands.checking import check_config, check_lines
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError, DiscoveryError
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.inspecting.panel import request_of
from ray_pipeline.panel.inspection import InspectionSpec, inspect_one
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting import load_run
from ray_pipeline.records import SymbolPartition

SYMBOLS = symbol_names(3)


def as_local_text(table: pa.Table) -> pa.Table:
    """Return a table whose times are the days' 09:30, as text without a zone."""
    walls = table["ts"].cast(pa.timestamp("ns")).to_numpy() + np.timedelta64(34_200, "s")
    return table.set_column(0, "Date", pa.array([str(wall)[:19] for wall in walls]))


def test_assumptions_are_told_and_results_are_the_same(tmp_path: Path) -> None:
    """In check, run.json and the report; the same rows give the same result whatever their form."""
    tables = {symbol: labeled_table(symbol) for symbol in SYMBOLS}
    local = {symbol: as_local_text(table) for symbol, table in tables.items()}
    data: dict[str, Any] = {"time_zone": "Asia/Tokyo", "min_rows_per_symbol": 100}
    config = quick_config(write_panel(tmp_path / "data", local), tmp_path / "run", data=data)
    found = check_config(config)
    assumed = [
        "columns by their names in the files: date is 'Date'",
        "time column 'date': times without a zone read as Asia/Tokyo",
    ]
    assert found["assumed"] == assumed
    assert f"assumed   {assumed[1]}" in check_lines(found)
    run_pipeline(config, Silent())
    record = read_json(tmp_path / "run/run.json")
    assert record["data"]["first_ts"].endswith("T00:30:00+00:00")
    assert record["data"]["assumptions"] == [
        {"text": text, "n_symbols": 3, "symbols": SYMBOLS} for text in assumed
    ]
    page = (tmp_path / "run/report.html").read_text()
    assert "Assumed of the data" in page
    assert "times without a zone read as Asia/Tokyo (3 symbols: S00, S01, S02)" in page.replace(
        "&#39;", "'"
    )
    scores = load_run(str(tmp_path / "run")).predict(local["S00"], symbol="S00")
    first_ns = np.asarray(scores["ts"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()))[0]
    assert first_ns % DAY_NS == 1_800 * 10**9


def test_the_newest_bar_downloaded_twice(tmp_path: Path) -> None:
    """It is refused with the key; by the key the last counts, with the result of the whole file."""
    tables = {symbol: labeled_table(symbol) for symbol in SYMBOLS}
    whole = write_panel(tmp_path / "whole", tables)
    twice = write_panel(tmp_path / "twice", tables)
    for path in twice.rglob("*.parquet"):
        table = pq.read_table(path, partitioning=None)
        stale = table.slice(0, 200).to_pydict()
        stale["noise_a"][-1] += 1.0
        pq.write_table(pa.table(stale, schema=table.schema), path)
        pq.write_table(table.slice(199), path.with_name("z.parquet"))
    with pytest.raises(DiscoveryError, match=r"choose one with data\.duplicates: "):
        check_config(quick_config(twice, tmp_path / "refused"))
    for name, data_dir in (("whole", whole), ("twice", twice)):
        data = {"duplicates": "last", "min_rows_per_symbol": 100}
        run_pipeline(quick_config(data_dir, tmp_path / "run" / name, data=data), Silent())
    one, other = (read_json(tmp_path / "run" / name / "run.json") for name in ("whole", "twice"))
    assert one["content_sha256"] == other["content_sha256"]
    (assumed,) = other["data"]["assumptions"]
    assert assumed["text"].startswith("1 timestamp has rows that contradict each other, the first")


@pytest.mark.parametrize(
    "data",
    [
        {"columns": {"close": "Adj Close"}},
        {"columns": {"symbol": None}},
        {"time_column": "when"},
        {"price_scale": 1e-9},
        {"time_unit": "ms"},
        {"time_format": "%d.%m.%Y"},
        {"time_zone": "Asia/Tokyo"},
        {"time_zone": "Asia/Tokyo", "repeated_hour": "first"},
        {"time_zone": "Asia/Tokyo", "missing_hour": "shift"},
        {"stamp": "close"},
        {"trading_date": True},
        {"duplicates": "last"},
        {"ticks": "mask"},
        {"splits": "adjust"},
    ],
    ids=str,
)
def test_work_depends_on_how_files_are_read(data: dict[str, Any]) -> None:
    """Every key makes other units of work: nothing finished under another reading is recalled."""

    def digest(**keys: Any) -> str:
        request = request_of(quick_config("data", "run", data=keys), "1d")
        spec = InspectionSpec(SymbolPartition("A", ()), request)
        return Unit("inspect", "A", inspect_one, spec).digest

    without = {key: value for key, value in data.items() if key == "time_zone" and len(data) > 1}
    assert digest(**data) != digest(**without)


@pytest.mark.parametrize(
    ("interval", "data", "message"),
    [
        (None, {"stamp": "close"}, "the length of a bar is unknown. Set data.interval"),
        ("5m", {"trading_date": True}, "data.trading_date is for daily and longer bars; those of"),
        ("1d", {"time_format": "%d.%m"}, "data.time_format='%d.%m': one year"),
    ],
)
def test_keys_that_do_not_go_together(
    tmp_path: Path, interval: str | None, data: dict[str, Any], message: str
) -> None:
    """The message names the key and what is missing."""
    levels = [] if interval is None else [f"interval={interval}"]
    path = tmp_path.joinpath("data", *levels, "symbol=A", "A.parquet")
    path.parent.mkdir(parents=True)
    pq.write_table(labeled_table("A"), path)
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        check_config(quick_config(tmp_path / "data", tmp_path / "run", data=data))


def test_closes_of_months_are_refused_unless_their_dates_count() -> None:
    """A month before the close is not a fixed time; the date of the close is."""
    config = quick_config("data", "run", data={"stamp": "close"})
    with pytest.raises(ConfigError, match="those of 1mo are not all as long"):
        request_of(config, "1mo")
    config = quick_config("data", "run", data={"stamp": "close", "trading_date": True})
    assert request_of(config, "1mo").rules.time.trading_date
