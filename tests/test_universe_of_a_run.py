"""Whole runs with a universe: what lies outside a membership reaches nothing but features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import (
    FIRST_NS,
    bars_table,
    planted_panel,
    quick_config,
    read_json,
    read_rows,
    symbol_names,
    write_config,
    write_panel,
)

from ray_pipeline import cli
from ray_pipeline.commands.checking import check_config, check_lines
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import DiscoveryError
from ray_pipeline.pipeline import run_pipeline

DAY_NS = 86_400 * 10**9
SYMBOLS = symbol_names(5)
LEAVER, LAST_DAY = "S04", 240
"""A symbol that leaves, and the number of its last day."""


def _day(number: int) -> str:
    return str(np.datetime64(FIRST_NS + number * DAY_NS, "ns").astype("datetime64[D]"))


def _universe(path: Path, *rows: tuple[str, str | None, str | None]) -> str:
    symbols, starts, ends = zip(*rows, strict=True)
    columns = [pa.array(symbols, pa.string()), pa.array(starts, pa.string())]
    pq.write_table(
        pa.table([*columns, pa.array(ends, pa.string())], names=["symbol", "from", "to"]), path
    )
    return str(path)


@pytest.fixture
def universe(tmp_path: Path) -> str:
    """Everybody belongs to it for ever, but the one that leaves."""
    rows = [(symbol, None, _day(LAST_DAY) if symbol == LEAVER else None) for symbol in SYMBOLS]
    return _universe(tmp_path / "universe.parquet", *rows)


def _spoiled(table: pa.Table, first_row: int, seed: int) -> pa.Table:
    """Replace the numbers of the last rows by other ones of the same size."""
    random = np.random.default_rng(seed)
    columns = {"ts": table.column("ts")}
    for name in table.column_names[1:]:
        values = table.column(name).to_numpy().copy()
        values[first_row:] *= np.exp(random.normal(0, 0.02, len(values) - first_row))
        columns[name] = pa.array(values, from_pandas=True)
    return pa.table(columns)


def _tables(run_dir: Path) -> dict[str, Any]:
    names = ("target_ranking/targets", "target_ranking/symbols", "routing/routes", "leakage")
    return {name: read_rows(run_dir, name) for name in names}


def test_rows_outside_change_no_result(tmp_path: Path, universe: str) -> None:
    """Labels and features of a row after a symbol has left are in no model and in no figure."""
    panel = planted_panel(SYMBOLS)
    found = []
    for seed in (1, 2):
        spoiled = panel | {LEAVER: _spoiled(panel[LEAVER], LAST_DAY + 1, seed)}
        data_dir = write_panel(tmp_path / f"data{seed}", spoiled)
        run_dir = tmp_path / f"run{seed}"
        config = quick_config(data_dir, run_dir, data={"universe": universe} | _FEW)
        run_pipeline(config, Silent())
        found.append((read_json(run_dir / "run.json")["content_sha256"], _tables(run_dir)))
    assert found[0] == found[1]
    out_of_sample = pq.read_table(tmp_path / "run1/predictions/out_of_sample.parquet")
    days = out_of_sample.filter(pa.compute.equal(out_of_sample["symbol"], LEAVER))["ts"]
    assert len(days)
    assert max(days.cast("int64").to_pylist()) <= FIRST_NS + LAST_DAY * DAY_NS
    facts = read_json(run_dir / "symbols.json")["symbols"][LEAVER]
    assert any("79 of 320 rows lie outside data.universe" in text for text in facts["findings"])
    page = (run_dir / "report.html").read_text()
    assert universe in page


_FEW = {"min_rows_per_symbol": 100}


def test_without_a_universe_the_page_says_who_is_missing(tmp_path: Path) -> None:
    """The survivors of a panel are its universe unless it is told."""
    data_dir = write_panel(tmp_path / "data", planted_panel(SYMBOLS[:3]))
    run_pipeline(quick_config(data_dir, tmp_path / "run"), Silent())
    assert "data.universe takes members by date" in (tmp_path / "run/report.html").read_text()


def test_nobody_is_compared_with_a_symbol_that_has_left(tmp_path: Path, universe: str) -> None:
    """Ranks within a timestamp count members alone; the leaver has none, and keeps its history."""
    config_of = {
        "labeling": {
            "features": ["log_return_5", "cs_rank_log_return_5"],
            "targets": ["excess_ret_5d"],
        },
        "data": {"universe": universe} | _FEW,
    }
    bars = {symbol: bars_table(symbol) for symbol in SYMBOLS}
    labeled = []
    for seed in (1, 2):
        spoiled = bars | {LEAVER: _spoiled(bars[LEAVER], LAST_DAY + 6, seed)}
        data_dir = write_panel(tmp_path / f"data{seed}", spoiled)
        config = write_config(
            tmp_path / f"{seed}.yaml", data_dir, tmp_path / f"run{seed}", **config_of
        )
        out = tmp_path / f"labeled{seed}"
        assert cli.main(["label", str(config), "--out", str(out)]) == 0
        labeled.append(
            {
                symbol: pq.read_table(
                    out / f"interval=1d/symbol={symbol}/{symbol}.parquet", partitioning=None
                )
                for symbol in SYMBOLS
            }
        )
    for symbol in SYMBOLS[:-1]:
        assert labeled[0][symbol].equals(labeled[1][symbol])
    leaver = labeled[0][LEAVER].to_pydict()
    later = slice(LAST_DAY + 1, None)
    assert (
        set(leaver["cs_rank_log_return_5"][later]) == {None} == set(leaver["excess_ret_5d"][later])
    )
    assert None not in leaver["log_return_5"][later]
    assert leaver["cs_rank_log_return_5"][LAST_DAY] is not None
    # Four are left to be ranked among: eighths, where five give tenths.
    ranks = {symbol: labeled[0][symbol].column("cs_rank_log_return_5") for symbol in SYMBOLS}
    on_the_last_day = sorted(ranks[symbol][LAST_DAY].as_py() for symbol in SYMBOLS)
    assert on_the_last_day == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    after_it = sorted(ranks[symbol][LAST_DAY + 1].as_py() for symbol in SYMBOLS[:-1])
    assert after_it == pytest.approx([0.125, 0.375, 0.625, 0.875])


def test_who_has_left_is_not_scored(tmp_path: Path, universe: str) -> None:
    """Predictions end with the membership."""
    data_dir = write_panel(tmp_path / "data", planted_panel(SYMBOLS))
    config = write_config(
        tmp_path / "c.yaml", data_dir, tmp_path / "run", data={"universe": universe} | _FEW
    )
    assert cli.main(["run", str(config)]) == 0
    out = tmp_path / "scores"
    command = ["predict", str(tmp_path / "run"), "--data-dir", str(data_dir), "--out", str(out)]
    assert cli.main([*command, "--in-sample", "--n-workers", "0"]) == 0
    rows = {
        symbol: pq.read_table(
            out / f"interval=1d/symbol={symbol}/{symbol}.parquet", partitioning=None
        ).num_rows
        for symbol in SYMBOLS
    }
    assert rows[LEAVER] == LAST_DAY + 1
    assert set(rows.values()) == {LAST_DAY + 1, 320}


def test_check_says_who_is_no_member_and_who_has_no_data(tmp_path: Path) -> None:
    """Strangers are left out; members without data are what a survivor's panel lacks."""
    data_dir = write_panel(tmp_path / "data", planted_panel(SYMBOLS))
    rows = [(symbol, None, None) for symbol in (*SYMBOLS[:3], "GONE")]
    uri = _universe(tmp_path / "u.parquet", *rows)
    found = check_config(quick_config(data_dir, tmp_path / "run", data={"universe": uri} | _FEW))
    assert found["selected"] == SYMBOLS[:3]
    said = " ".join(check_lines(found))
    assert f"members by {uri}" in said
    assert "2 symbols with data never belonged to it and are left out: S03, S04" in said
    assert "1 of its 4 symbols has no data" in said
    assert "GONE" in said


def test_a_universe_of_other_names_is_refused(tmp_path: Path) -> None:
    """Another spelling of the symbols leaves nobody; the message shows both."""
    data_dir = write_panel(tmp_path / "data", planted_panel(SYMBOLS))
    uri = _universe(tmp_path / "u.parquet", ("S00.N", None, None))
    with pytest.raises(DiscoveryError, match=r"none of the 5 symbols .*S00, .*S00\.N"):
        check_config(quick_config(data_dir, tmp_path / "run", data={"universe": uri}))


def test_a_member_of_another_time_is_left_out(tmp_path: Path) -> None:
    """A symbol whose rows all lie outside is quarantined with its reason."""
    data_dir = write_panel(tmp_path / "data", planted_panel(SYMBOLS))
    rows = [(symbol, None, None) for symbol in SYMBOLS[:4]]
    uri = _universe(tmp_path / "u.parquet", *rows, (LEAVER, "1990-01-01", "1991-01-01"))
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir, data={"universe": uri} | _FEW), Silent())
    (left_out,) = read_json(run_dir / "symbols.json")["quarantined"]
    assert left_out["symbol"] == LEAVER
    assert "no row lies inside its membership in data.universe" in left_out["reason"]
