"""Whole runs with user-defined stages: tables, gates, resuming, and the same on Ray."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from panels import (
    TARGET,
    bars_table,
    labeled_table,
    planted_panel,
    quick_config,
    read_rows,
    symbol_names,
    write_config,
    write_panel,
)

from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError, ExecutionError
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.status import run_status, status_lines

OwnModules = Callable[..., Path]

SOURCE = """
from ray_pipeline.errors import DataError

def shape(table, symbol, note="", columns=()):
    columns.append(symbol)  # of this call alone
    return {"rows": table.num_rows, "names": " ".join(table.column_names), "note": note,
            "calls": len(columns)}

def gate(table, symbol, refuse):
    if symbol in refuse:
        raise DataError("stale quotes.")
    return {}

def broken(table, symbol):
    return {"x": 1 / (symbol != "S02")}

def mixed(table, symbol):
    return {"x": "text" if symbol == "S02" else 1}
"""
SHAPE: dict[str, Any] = {"function": "own_stages:shape", "options": {"columns": []}}


def _record(run_dir: Path) -> Any:
    return json.loads((run_dir / "run.json").read_text())


def _run(data_dir: Path, run_dir: Path, **stages: Any) -> Any:
    run_pipeline(quick_config(data_dir, run_dir, stages=stages), Silent(), replace=True)
    return _record(run_dir)


def test_stage_leaves_a_table_with_a_row_per_symbol(
    data_dir: Path, tmp_path: Path, own_modules: OwnModules
) -> None:
    """The function sees time, features and targets; its record is the symbol's row."""
    own_modules("own_stages", SOURCE)
    record = _run(data_dir, tmp_path / "run", shape=SHAPE)
    names = f"ts noise_a noise_b signal {TARGET}"
    assert read_rows(tmp_path / "run", "stages/shape") == [
        {"symbol": symbol, "calls": 1, "names": names, "note": "", "rows": 320}
        for symbol in symbol_names(4)
    ]
    assert record["status"] == "done"
    assert "stage_shape" in record["timings_s"]
    lines = status_lines(run_status(str(tmp_path / "run")))
    timed = [line.split(":")[0].strip() for line in lines if line.endswith(" s")]
    assert timed[:4] == ["inspect", "leakage", "stage_shape", "pool"]
    assert any("find_leaks 4, stage_shape 4, pool_slice 4" in line for line in lines)
    assert 'id="stages"' in (tmp_path / "run" / "report.html").read_text()


def test_bars_come_with_their_fields(tmp_path: Path, own_modules: OwnModules) -> None:
    """For bars the five fields stand before what is computed of them; the newest rows are kept."""
    own_modules("own_stages", SOURCE)
    bars = {symbol: bars_table(symbol) for symbol in symbol_names(3)}
    data_dir = write_panel(tmp_path / "data", bars)
    config = quick_config(
        data_dir,
        tmp_path / "run",
        labeling={"features": ["gap"], "targets": ["fwd_ret_5d"]},
        data={"max_rows_per_symbol": 200},
        stages={"shape": SHAPE},
    )
    run_pipeline(config, Silent())
    row = read_rows(tmp_path / "run", "stages/shape")[0]
    assert row["names"] == "ts open high low close volume gap fwd_ret_5d"
    assert row["rows"] == 200


def test_dropped_leaks_are_not_in_the_table(tmp_path: Path, own_modules: OwnModules) -> None:
    """A stage sees the features that the run goes on with."""
    own_modules("own_stages", SOURCE)
    tables = planted_panel(symbol_names(3))
    leaking = {name: table.append_column("leak", table[TARGET]) for name, table in tables.items()}
    data_dir = write_panel(tmp_path / "data", leaking)
    _run(data_dir, tmp_path / "run", shape=SHAPE)
    row = read_rows(tmp_path / "run", "stages/shape")[0]
    assert row["names"] == f"ts noise_a noise_b signal {TARGET}"


@pytest.mark.parametrize(
    ("stage", "kind", "error"),
    [
        (
            {"function": "own_stages:gate", "options": {"refuse": ["S02"]}},
            "data",
            "stale quotes.",
        ),
        (
            {"function": "own_stages:broken"},
            "application",
            "ZeroDivisionError: division by zero",
        ),
    ],
)
def test_a_stage_is_a_gate(
    data_dir: Path,
    tmp_path: Path,
    own_modules: OwnModules,
    stage: dict[str, Any],
    kind: str,
    error: str,
) -> None:
    """A symbol for which it raises is in no later stage, and its reason is on record."""
    own_modules("own_stages", SOURCE)
    run_dir = tmp_path / "run"
    record = _run(data_dir, run_dir, gate=stage, shape=SHAPE)
    left = ["S00", "S01", "S03"]
    (failure,) = read_rows(run_dir, "failures")
    assert (failure["unit"], failure["symbol"]) == ("stage_gate/S02", "S02")
    assert (failure["kind"], failure["attempts"], failure["error"]) == (kind, 1, error)
    for table in ("stages/gate", "stages/shape", "target_ranking/symbols", "routing/routes"):
        assert sorted({row["symbol"] for row in read_rows(run_dir, table)}) == left
    assert record["counts"]["quarantined"] == 1
    quarantined = json.loads((run_dir / "symbols.json").read_text())["quarantined"]
    assert quarantined == [{"symbol": "S02", "stage": "stage_gate", "reason": error}]


def test_gate_that_refuses_too_many_fails_the_run(
    data_dir: Path, tmp_path: Path, own_modules: OwnModules
) -> None:
    """The limit on failed symbols holds for a user's stage as for any other."""
    own_modules("own_stages", SOURCE)
    gate = {"function": "own_stages:gate", "options": {"refuse": ["S00", "S01", "S02"]}}
    with pytest.raises(ExecutionError, match=r"3 of 4 symbols failed.*The first, S00, in stage_ga"):
        _run(data_dir, tmp_path / "run", gate=gate)


def test_records_that_make_no_table_fail_the_run(
    data_dir: Path, tmp_path: Path, own_modules: OwnModules
) -> None:
    """Text for one symbol and a number for another are not a column."""
    own_modules("own_stages", SOURCE)
    expected = r"stage 'mixed': 'x' is a number for S00 \(1\) and text for S02 \('text'\)"
    with pytest.raises(ExecutionError, match=expected):
        _run(data_dir, tmp_path / "run", mixed={"function": "own_stages:mixed"})
    assert _record(tmp_path / "run")["status"] == "failed"


def test_only_what_changed_is_redone(
    data_dir: Path, tmp_path: Path, own_modules: OwnModules, executed: list[str]
) -> None:
    """Nothing, an added stage, one with another option, or those of an edited module."""
    own_modules("own_stages", SOURCE)
    run_dir = tmp_path / "run"
    gate = {"function": "own_stages:gate", "options": {"refuse": []}}
    plain = _run(data_dir, run_dir)["content_sha256"]

    def redone(**stages: Any) -> list[str]:
        executed.clear()
        _run(data_dir, run_dir, **stages)
        return sorted({unit.split("/")[0] for unit in executed})

    assert redone(gate=gate) == ["stage_gate"]
    assert redone(gate=gate) == []
    assert redone(gate=gate, shape=SHAPE) == ["stage_shape"]
    noted = SHAPE | {"options": {"columns": [], "note": "new"}}
    assert redone(gate=gate, shape=noted) == ["stage_shape"]
    assert {row["note"] for row in read_rows(run_dir, "stages/shape")} == {"new"}
    own_modules("own_stages", SOURCE + "# edited\n")
    assert redone(gate=gate, shape=noted) == ["stage_gate", "stage_shape"]
    assert redone() == []
    assert not (run_dir / "stages").exists()
    assert _record(run_dir)["content_sha256"] == plain


def test_content_covers_the_tables(data_dir: Path, tmp_path: Path, own_modules: OwnModules) -> None:
    """Another record is another content; the same is the same, wherever it was computed."""
    own_modules("own_stages", SOURCE)
    noted = SHAPE | {"options": {"columns": [], "note": "new"}}
    hashes = [
        _run(data_dir, tmp_path / str(i), shape=stage)["content_sha256"]
        for i, stage in enumerate([SHAPE, noted, SHAPE])
    ]
    assert hashes[0] == hashes[2] != hashes[1]


@pytest.mark.parametrize("name", ["training", "target_ranking", "inspect", "rank_symbol"])
def test_names_of_the_pipeline_are_taken(data_dir: Path, tmp_path: Path, name: str) -> None:
    """A stage cannot be called like one of ours; nothing is written."""
    expected = f"stages.{name}: the pipeline has a stage of that name; choose another."
    with pytest.raises(ConfigError, match=re.escape(expected)):
        _run(data_dir, tmp_path / "run", **{name: {"function": "json:dumps"}})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["working directory", "beside the config"])
def test_module_is_found_near_the_run(
    data_dir: Path,
    tmp_path: Path,
    own_modules: OwnModules,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    """The installed program, whose path has no working directory, finds it in both places."""
    folder = own_modules("own_stages", SOURCE, on_path=False)
    at_config, at_work = (tmp_path, folder) if place == "working directory" else (folder, tmp_path)
    monkeypatch.chdir(at_work)
    config = write_config(
        at_config / "run.yaml", data_dir, tmp_path / "run", stages={"shape": SHAPE}
    )
    assert main(["check", str(config)]) == 0
    assert "stage     shape: own_stages:shape(table, columns=[])" in capsys.readouterr().out
    assert main(["run", str(config)]) == 0
    assert len(read_rows(tmp_path / "run", "stages/shape")) == 4


def test_unknown_function_is_a_wrong_config(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both commands say so with exit code 2, before anything is written."""
    stages = {"shape": {"function": "own_nowhere:shape"}}
    config = write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run", stages=stages)
    for command in ("check", "run"):
        assert main([command, str(config)]) == 2
        assert "stages.shape.function: no module 'own_nowhere'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.ray
def test_ray_gives_the_same_tables(
    tmp_path: Path, own_modules: OwnModules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers find a module that lies beside the config, and compute what one process does.

    All of it: the user's tables, and the models and predictions of a run that has some.
    """
    folder = own_modules("own_stages", SOURCE, on_path=False)
    monkeypatch.chdir(tmp_path)
    tables = planted_panel(symbol_names(4)) | {"OLD": labeled_table("OLD", 200)}
    data_dir = write_panel(tmp_path / "data", tables)
    stages = {
        "gate": {"function": "own_stages:gate", "options": {"refuse": ["OLD"]}},
        "shape": SHAPE,
    }
    hashes = []
    for execution in ({}, {"executor": "ray", "address": "local", "n_workers": 2}):
        run_dir = tmp_path / f"run_{len(hashes)}"
        config = write_config(
            folder / "run.yaml", data_dir, run_dir, stages=stages, execution=execution
        )
        assert main(["run", str(config)]) == 0
        assert pq.read_table(run_dir / "stages" / "shape.parquet").num_rows == 4
        assert [row["unit"] for row in read_rows(run_dir, "failures")] == ["stage_gate/OLD"]
        assert len(list((run_dir / "models").iterdir())) == 10
        hashes.append(_record(run_dir)["content_sha256"])
    assert hashes[0] == hashes[1]
