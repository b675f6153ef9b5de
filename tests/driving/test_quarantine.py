"""Symbols that cannot be used: left out with their reason, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import (
    labeled_table,
    planted_panel,
    quick_config,
    symbol_folder,
    symbol_names,
    times,
    write_config,
    write_panel,
)

import ray_pipeline.ranking.own
import ray_pipeline.samples.pool
from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.pipeline import run_pipeline

GOOD = symbol_names(4)
REASONS = {
    "CONFLICT": (
        "2 timestamps have rows that contradict each other, the first at "
        "2014-05-16T00:00:00+00:00. Keep one row per timestamp, or choose one with "
        "data.duplicates: last (in the order of files and rows), first, or drop."
    ),
    "SHORT": "10 rows after cleaning; data.min_rows_per_symbol needs 100.",
    "TEXT": (
        "neither labeled nor bars (no target column: tried columns.targets fwd_ret_*, y_*, "
        "excess_ret_*, ret_zscore_*, ret_ord_*, mfe_*, mae_*, mdd_*, fwd_value_*, fwd_mean_*, "
        "fwd_sum_*, fwd_change_*, excess_mean_*, y, target, label; not bars: open, high, low, "
        "close, volume missing or not numeric); found note (string), ts (timestamp[ns, tz=UTC])."
    ),
    "TRUNCATED": (
        "FILE is not a whole Parquet file: Parquet magic bytes not found in footer. Either the "
        "file is corrupted or this is not a parquet file. Write the file again, or remove it "
        "from the symbol's folder."
    ),
}


def _conflicting() -> pa.Table:
    """Return unsorted rows, two timestamps of which occur twice with different values."""
    table = labeled_table("CONFLICT")
    row = np.r_[np.arange(320)[::-1], 3, 7]
    shuffled = table.take(pa.array(row))
    signal = shuffled["signal"].to_numpy().copy()
    signal[-2:] += 1.0
    return shuffled.set_column(1, "signal", pa.array(signal))


@pytest.fixture(scope="module")
def mixed_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four good symbols and four bad ones."""
    bad = {
        "CONFLICT": _conflicting(),
        "SHORT": labeled_table("SHORT", n_bars=10),
        "TEXT": pa.table({"ts": times(320), "note": ["nothing"] * 320}),
        "TRUNCATED": labeled_table("TRUNCATED"),
    }
    root = write_panel(tmp_path_factory.mktemp("mixed"), planted_panel(GOOD) | bad)
    path = symbol_folder(root, "TRUNCATED") / "part-0.parquet"
    path.write_bytes(path.read_bytes()[:-1000])
    return root


@pytest.fixture(scope="module")
def mixed_run(mixed_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run over all eight symbols."""
    run_dir = tmp_path_factory.mktemp("runs") / "mixed"
    run_pipeline(quick_config(mixed_dir, run_dir), Silent())
    return run_dir


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _failures(run_dir: Path) -> Iterator[dict[str, Any]]:
    yield from pq.read_table(run_dir / "failures.parquet").to_pylist()


@pytest.mark.parametrize("symbol", sorted(REASONS))
def test_bad_symbol_is_quarantined_with_its_reason(
    mixed_dir: Path, mixed_run: Path, symbol: str
) -> None:
    """The reason names the symbol, what was found and, where there is one, the limit."""
    (failure,) = (row for row in _failures(mixed_run) if row["symbol"] == symbol)
    assert (failure["unit"], failure["stage"]) == (f"inspect/{symbol}", "inspect")
    assert (failure["kind"], failure["attempts"]) == ("data", 1)
    file = symbol_folder(mixed_dir, symbol) / "part-0.parquet"
    reason = REASONS[symbol].replace("FILE", str(file))
    assert (failure["error"], failure["traceback"]) == (reason, "")
    listed = {item["symbol"]: item for item in _json(mixed_run / "symbols.json")["quarantined"]}
    assert listed[symbol] == {"symbol": symbol, "stage": "inspect", "reason": failure["error"]}
    assert _json(mixed_run / "symbols.json")["symbols"][symbol]["n_rows"] is None


def test_bad_symbols_change_nothing_else(mixed_dir: Path, mixed_run: Path, tmp_path: Path) -> None:
    """All that is computed is as if the bad symbols did not exist."""
    run_pipeline(quick_config(mixed_dir, tmp_path / "good", data={"symbols": GOOD}), Silent())
    mixed, good = (_json(run / "run.json") for run in (mixed_run, tmp_path / "good"))
    assert mixed["content_sha256"] == good["content_sha256"]
    assert (mixed["status"], mixed["counts"]["quarantined"]) == ("done", 4)
    assert mixed["message"] == f"{good['message']}; 4 symbols left out, see symbols.json"


def test_too_many_bad_symbols_fail_the_run(
    mixed_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Above max_failed_fraction the run fails, and still says what it knows of every symbol."""
    run_dir = tmp_path / "run"
    execution = {"max_failed_fraction": 0.4}
    config = write_config(tmp_path / "run.yaml", mixed_dir, run_dir, execution=execution)
    assert main(["run", str(config)]) == 1
    error = _json(run_dir / "run.json")["error"]
    assert error.startswith(
        "4 of 8 symbols failed, more than execution.max_failed_fraction=0.4 allows. The first, "
        "CONFLICT, in inspect: 2 timestamps have rows that contradict"
    )
    assert error.endswith("(failures.parquet has them all).")
    assert error in capsys.readouterr().err
    assert [row["symbol"] for row in _failures(run_dir)] == sorted(REASONS)
    assert len(_json(run_dir / "symbols.json")["quarantined"]) == 4
    assert _json(run_dir / "run.json")["counts"]["quarantined"] == 4


def test_no_usable_symbol_fails_the_run(mixed_dir: Path, tmp_path: Path) -> None:
    """However many failures the config tolerates, a run needs a symbol."""
    config = quick_config(
        mixed_dir,
        tmp_path / "run",
        data={"symbols": ["SHORT"]},
        execution={"max_failed_fraction": 1.0},
    )
    with pytest.raises(
        ExecutionError,
        match=r"none of 1 symbol is left\. The first, SHORT, in inspect: 10 rows after",
    ):
        run_pipeline(config, Silent())


def test_symbol_lost_before_the_pool(
    mixed_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A symbol that fails as the pool is built is in no later stage, and no plan names it."""
    symbols = iter(GOOD)

    def fail_for_one(name: str) -> str:
        if next(symbols) == "S01":
            raise RuntimeError("out of luck")
        return table_name(name)

    monkeypatch.setattr(ray_pipeline.samples.pool, "table_name", fail_for_one)
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(mixed_dir, run_dir, data={"symbols": GOOD}), Silent())
    assert [(row["unit"], row["kind"]) for row in _failures(run_dir)] == [
        ("pool_slice/S01", "application")
    ]
    left = ["S00", "S02", "S03"]
    routes = pq.read_table(run_dir / "routing" / "routes.parquet")["symbol"].to_pylist()
    assert routes == left
    jobs = _json(run_dir / "training_plan.json")["jobs"]
    assert {tuple(job["symbols"]) for job in jobs} == {tuple(left), *((name,) for name in left)}
    (quarantined,) = _json(run_dir / "symbols.json")["quarantined"]
    assert (quarantined["symbol"], quarantined["stage"]) == ("S01", "pool_slice")
    assert _json(run_dir / "run.json")["counts"]["quarantined"] == 1


def test_symbol_lost_in_ranking(
    mixed_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A symbol that fails in ranking is not routed; the pool, which holds its rows, names it."""
    walk_symbol = ray_pipeline.ranking.own.walk_symbol

    def fail_for_one(rows: Any, *more: Any) -> Any:
        if rows.table.symbol == "S01":
            raise RuntimeError("out of luck")
        return walk_symbol(rows, *more)

    monkeypatch.setattr(ray_pipeline.ranking.own, "walk_symbol", fail_for_one)
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(mixed_dir, run_dir, data={"symbols": GOOD}), Silent())
    routes = pq.read_table(run_dir / "routing" / "routes.parquet")["symbol"].to_pylist()
    assert routes == ["S00", "S02", "S03"]
    jobs = _json(run_dir / "training_plan.json")["jobs"]
    (pooled, *_) = (job for job in jobs if job["view"] == "cross_sectional")
    assert (pooled["symbols"], pooled["serves"]) == (GOOD, ["S00", "S02", "S03"])
    metadata = _json(run_dir / "models" / pooled["job_id"] / "metadata.json")
    assert metadata["trained_on"]["symbols"] == GOOD
