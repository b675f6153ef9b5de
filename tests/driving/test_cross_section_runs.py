"""Whole runs on bars with ranks, z-scores and excess returns of the batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from panels import bars_table, quick_config, read_json, read_rows, symbol_names, write_panel
from reverting import reverting_bars

from ray_pipeline.commands.checking import check_config
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError
from ray_pipeline.pipeline import run_pipeline

LABELING = {
    "features": ["volume_relative_20", "cs_rank_log_return_1", "cs_zscore_log_return_5"],
    "targets": ["excess_ret_1d"],
}
SYMBOLS = symbol_names(6)


@pytest.fixture(scope="module")
def bars_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write bars whose returns turn around the next day: the highest rank has the lowest."""
    tables = {symbol: reverting_bars(symbol) for symbol in SYMBOLS}
    tables["SHORT"] = bars_table("SHORT", 120)
    return write_panel(tmp_path_factory.mktemp("bars"), tables)


def _run(bars_dir: Path, run_dir: Path, **sections: Any) -> Any:
    data = {"symbols": SYMBOLS}
    config = quick_config(bars_dir, run_dir, labeling=LABELING, data=data, **sections)
    run_pipeline(config, Silent())
    return read_json(run_dir / "run.json")


@pytest.fixture(scope="module")
def done_run(bars_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run once, serially."""
    run_dir = tmp_path_factory.mktemp("done") / "run"
    _run(bars_dir, run_dir)
    return run_dir


def test_ranks_of_the_batch_predict_excess_returns(done_run: Path) -> None:
    """What was planted is found, by the rank of the last return, and models are trained on it."""
    record = read_json(done_run / "run.json")
    assert record["status"] == "done"
    assert record["timings_s"]["cross_section"] > 0
    assert record["cross_section"] == {"members": SYMBOLS}
    pooled = [
        row
        for row in read_rows(done_run, "target_ranking/targets")
        if row["view"] == "cross_sectional"
    ]
    assert [row["target"] for row in pooled] == ["excess_ret_1d"]
    assert (pooled[0]["horizon_bars"], pooled[0]["predictable"]) == (1, True)
    assert 0.2 < pooled[0]["skill"] < 0.6
    features = read_rows(done_run, "feature_selection/features")
    first = min((row for row in features if row["symbol"] is None), key=lambda row: row["rank"])
    assert (first["feature"], first["selected"]) == ("cs_rank_log_return_1", True)
    assert record["counts"]["models"] > 0


@pytest.mark.ray
def test_ray_gives_the_same_content(bars_dir: Path, done_run: Path, tmp_path: Path) -> None:
    """Two Ray workers compute what one process does, in both passes."""
    execution = {"executor": "ray", "address": "local", "n_workers": 2}
    record = _run(bars_dir, tmp_path / "run", execution=execution)
    assert record["content_sha256"] == read_json(done_run / "run.json")["content_sha256"]


def test_second_run_redoes_nothing(bars_dir: Path, done_run: Path, executed: list[str]) -> None:
    """On a finished run directory neither pass is done again, and the content is the same."""
    before = read_json(done_run / "run.json")["content_sha256"]
    assert _run(bars_dir, done_run)["content_sha256"] == before
    assert executed == []


def test_members_are_told_in_the_record(bars_dir: Path, tmp_path: Path) -> None:
    """A symbol that was left out before is not compared with, and the rest of the run goes on."""
    short = {"symbols": [*SYMBOLS[:4], "SHORT"], "min_rows_per_symbol": 200}
    config = quick_config(bars_dir, tmp_path / "run", labeling=LABELING, data=short)
    run_pipeline(config, Silent())
    assert read_json(tmp_path / "run" / "run.json")["cross_section"] == {"members": SYMBOLS[:4]}


def test_two_symbols_are_no_batch(bars_dir: Path, tmp_path: Path) -> None:
    """A run on columns that would all be missing ends at once, with what to do."""
    data = {"symbols": SYMBOLS[:2]}
    config = quick_config(bars_dir, tmp_path / "run", labeling=LABELING, data=data)
    with pytest.raises(ConfigError, match="2 symbols are too few for cs_rank_log_return_1"):
        run_pipeline(config, Silent())


def test_check_lists_them(bars_dir: Path, tmp_path: Path) -> None:
    """Features and targets of the batch are listed as others are, with horizon and task."""
    labeling = {"features": ["cross_sectional"], "targets": ["excess_ret_5d"]}
    data = {"symbols": SYMBOLS}
    config = quick_config(bars_dir, tmp_path / "run", labeling=labeling, data=data)
    found = check_config(config)
    assert "cs_rank_volatility_20" in found["roles"]["features"]
    (target,) = found["targets"]
    expected = {"name": "excess_ret_5d", "horizon_bars": 5, "task": "regression", "problem": None}
    assert expected.items() <= target.items()
