"""Whole runs on a panel with a look-ahead that no test of leaks has to find."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import (
    DAY_NS,
    FIRST_NS,
    USUAL_DOUBT,
    quick_config,
    read_json,
    read_rows,
    write_config,
    write_panel,
)

from ray_pipeline import load_run
from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ExecutionError
from ray_pipeline.pipeline import run_pipeline

SYMBOLS = tuple(f"S{i:02d}" for i in range(10))
N_ROWS = 700
HORIZON = 5
DOUBTFUL, HONEST, OWN = "fwd_ret_5d", "fwd_ret_1d", "y_sensor_1d"


def table_of(symbol: str) -> pa.Table:
    """Return a symbol whose `oracle` is the coming week's return with as much noise in it.

    Tomorrow's return follows `signal` with a correlation of 0.08, and a user-defined target,
    which no market is known to limit, with 0.8.
    """
    random = np.random.default_rng([11, *symbol.encode()])
    signal, noise, other = random.standard_normal((3, N_ROWS))
    returns = np.r_[0.0, 0.08 * signal[:-1]] + random.standard_normal(N_ROWS)
    ahead = np.r_[returns, np.full(HORIZON, np.nan)]
    week = np.lib.stride_tricks.sliding_window_view(ahead[1:], HORIZON).sum(axis=1)[:N_ROWS]
    times = FIRST_NS + DAY_NS * np.arange(N_ROWS)
    return pa.table(
        {
            "ts": pa.array(times, pa.timestamp("ns", tz="UTC")),
            "signal": signal,
            "noise": noise,
            "oracle": np.nan_to_num(week) / np.sqrt(HORIZON) + 1.7 * other,
            DOUBTFUL: pa.array(0.01 * week, from_pandas=True),
            HONEST: pa.array(np.r_[0.01 * returns[1:], np.nan], from_pandas=True),
            OWN: 0.8 * signal + 0.6 * noise * other,
        }
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    return write_panel(folder, {symbol: table_of(symbol) for symbol in SYMBOLS})


def settings(**sections: Any) -> dict[str, Any]:
    """Return sections with the limits of the package, and without the screening for leaks."""
    quiet = {"policy": "warn"}
    return {"leakage": quiet, "doubt": USUAL_DOUBT, "training": {"families": ["ridge"]}} | sections


@pytest.fixture(scope="module")
def run_dir(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doubted")
    config = write_config(folder / "run.yaml", data_dir, folder / "run", **settings())
    assert main(["run", str(config)]) == 0
    return folder / "run"


def test_a_look_ahead_is_doubted_and_not_trained(run_dir: Path) -> None:
    """The honest target and the custom one are predictable; the third is never called that."""
    rows = read_rows(run_dir, "target_ranking/targets")
    pooled = {row["target"]: row for row in rows if row["view"] == "cross_sectional"}
    assert pooled[DOUBTFUL]["skill"] > 0.3
    assert (pooled[DOUBTFUL]["doubtful"], pooled[DOUBTFUL]["predictable"]) == (True, False)
    assert pooled[DOUBTFUL]["verdict"] == "doubtful"
    for name in (HONEST, OWN):
        assert (pooled[name]["doubtful"], pooled[name]["predictable"]) == (False, True), name
    assert pooled[OWN]["skill"] > 0.5
    assert pooled[OWN]["max_skill"] is None
    routes = [row for row in read_rows(run_dir, "routing/routes") if row["target"] == DOUBTFUL]
    assert {(row["route"], row["verdict"]) for row in routes} == {
        ("BLOCKED", "the target is doubtful")
    }
    jobs = read_json(run_dir / "training_plan.json")["jobs"]
    assert jobs
    assert DOUBTFUL not in {job["target"] for job in jobs}


def test_the_carrier_is_named_first_and_the_skill_collapses(run_dir: Path) -> None:
    """All carriers together, then the features by importance; late by a week, nothing is left."""
    rows = [row for row in read_rows(run_dir, "doubt") if row["symbol"] is None]
    together, first = rows[:2]
    assert (together["target"], together["feature"]) == (DOUBTFUL, None)
    assert (first["feature"], first["carries"]) == ("oracle", True)
    assert together["skill"] > 0.3
    assert abs(together["horizon_late"]) < 0.06
    assert abs(together["without"]) < 0.06
    own = {row["symbol"] for row in read_rows(run_dir, "doubt") if row["symbol"] is not None}
    assert 0 < len(own) <= 5


def test_the_run_says_so_everywhere(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Last line, counts, warning, status, explain and the page."""
    record = read_json(run_dir / "run.json")
    sentence = "skill +0."
    assert record["message"].startswith("2 of 3 targets predictable (")
    assert "; 1 is doubtful: skill +0." in record["message"]
    assert f"on {DOUBTFUL} is beyond what is believed of such a target (0.2)" in record["message"]
    counts = record["counts"]
    assert (counts["predictable_targets"], counts["doubtful_targets"]) == (2, 1)
    (warning,) = [text for text in record["warnings"] if text.startswith("doubtful: skill")]
    assert "Pooled: oracle is " in warning
    # Less of a look-ahead reaches other horizons: what rests on the same feature is told.
    (elsewhere,) = [text for text in record["warnings"] if "have as well" in text]
    assert elsewhere.startswith("doubtful: what is in doubt is carried by ")
    assert "oracle" in elsewhere
    assert f"which the models of {HONEST}, {OWN} have as well" in elsewhere
    assert main(["status", str(run_dir)]) == 0
    assert "1 is doubtful" in capsys.readouterr().out
    assert main(["explain", str(run_dir), "--target", DOUBTFUL]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{DOUBTFUL} is doubtful, and nothing is trained for it: {sentence}")
    assert "doubt: skill with features as they are, late, and left out" in lines
    assert any(line.split()[:1] == ["oracle"] for line in lines)
    assert main(["explain", str(run_dir), "--target", DOUBTFUL, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["doubt"]["rows"][1]["feature"] == "oracle"
    assert main(["explain", str(run_dir), "--target", HONEST]) == 0
    assert "doubt" not in capsys.readouterr().out
    page = (run_dir / "report.html").read_text()
    assert "1 is doubtful" in page
    assert 'id="doubt"' in page


def test_the_same_command_again_computes_nothing(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What carries the skill is finished work like any other."""
    before = read_json(run_dir / "run.json")["content_sha256"]
    kept = {path: path.stat().st_mtime_ns for path in (run_dir / "units").rglob("*.json")}
    assert main(["run", str(run_dir.parent / "run.yaml")]) == 0
    capsys.readouterr()
    assert read_json(run_dir / "run.json")["content_sha256"] == before
    assert {p: p.stat().st_mtime_ns for p in (run_dir / "units").rglob("*.json")} == kept


def test_the_policy_fail_ends_the_run_once_the_carriers_are_known(
    data_dir: Path, tmp_path: Path
) -> None:
    """The error names target, figure, limit and carrier, and the table is there."""
    config = quick_config(
        data_dir,
        tmp_path / "run",
        **settings(leakage={"policy": "fail", **LENIENT}),
    )
    with pytest.raises(
        ExecutionError,
        match=rf"^1 of 3 targets is doubtful, and leakage\.policy is 'fail'\. The first: skill "
        rf"\+0\.\d\d on {DOUBTFUL} is beyond what is believed of such a target \(0\.2\)\. oracle "
        r"is \d+% of the importance; .* raise doubt\.max_skill for fwd_ret_5d",
    ):
        run_pipeline(config, Silent())
    assert read_json(tmp_path / "run" / "run.json")["status"] == "failed"
    assert read_rows(tmp_path / "run", "doubt")[1]["feature"] == "oracle"


LENIENT = {
    "max_abs_correlation": 1.0,
    "behaviour_min_correlation": 1.0,
    "implausible_correlation": 1.0,
}
"""Limits by which no test of leaks accuses anything."""


def test_a_raised_limit_lets_it_pass(data_dir: Path, tmp_path: Path) -> None:
    """Who knows why a skill is so high says so in the config, and nothing is in doubt."""
    free = {"max_skill": {"fwd_ret_*": 0.9}, "max_hit_rate": {"*": None}, "max_sharpe": {"*": None}}
    run_pipeline(quick_config(data_dir, tmp_path / "run", **settings(doubt=free)), Silent())
    record = read_json(tmp_path / "run" / "run.json")
    assert record["message"].startswith("3 of 3 targets predictable (")
    assert record["counts"]["doubtful_targets"] == 0
    assert pq.read_table(tmp_path / "run" / "doubt.parquet").num_rows == 0


WORTH = {"max_skill": {"*": None}, "max_hit_rate": {"*": None}, "max_sharpe": {}}
"""Limits by which ranking believes every skill."""


@pytest.fixture(scope="module")
def worth_dir(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run with models whose Sharpe ratio nobody believes."""
    folder = tmp_path_factory.mktemp("worth")
    sections = settings(doubt=WORTH)
    config = write_config(folder / "run.yaml", data_dir, folder / "run", **sections)
    assert main(["run", str(config)]) == 0
    return folder / "run"


def test_a_sharpe_ratio_is_doubted_after_training(worth_dir: Path) -> None:
    """Ranking believed the skill; the worth of the trained models makes the target doubtful."""
    jobs = read_rows(worth_dir, "evaluation/jobs")
    pooled = next(r for r in jobs if r["target"] == DOUBTFUL and r["symbol"] is None)
    assert (pooled["doubtful"], pooled["doubted"], pooled["doubted_limit"]) == (
        True,
        "Sharpe ratio",
        7.0,
    )
    ranked = read_rows(worth_dir, "target_ranking/targets")
    found = [r for r in ranked if r["target"] == DOUBTFUL and r["verdict"] == "doubtful"]
    assert found, "a reader of the table alone has to see it"
    assert not any(r["predictable"] for r in ranked if r["target"] == DOUBTFUL)
    assert all("Sharpe ratio" in r["reason"] for r in found)
    record = read_json(worth_dir / "run.json")
    assert record["message"].startswith("2 of 3 targets predictable (")
    assert "; 1 is doubtful: Sharpe ratio +" in record["message"]
    assert (record["counts"]["predictable_targets"], record["counts"]["doubtful_targets"]) == (2, 1)
    page = (worth_dir / "report.html").read_text()
    assert "doubtful: Sharpe ratio" in page


def test_what_carries_doubtful_models_is_named(
    worth_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for what ranking doubts: in the table, the warnings, explain and the page."""
    rows = [row for row in read_rows(worth_dir, "doubt") if row["symbol"] is None]
    together, first = rows[:2]
    assert {row["target"] for row in rows} == {DOUBTFUL}
    assert (first["feature"], first["carries"]) == ("oracle", True)
    assert together["skill"] > 0.3
    assert abs(together["without"]) < 0.06
    warnings = read_json(worth_dir / "run.json")["warnings"]
    assert any(text.startswith(f"doubtful: {DOUBTFUL}. Pooled: oracle is ") for text in warnings)
    assert any("carried by oracle, which the models of " in text for text in warnings)
    assert main(["explain", str(worth_dir), "--target", DOUBTFUL]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{DOUBTFUL} is doubtful, and its trained models showed it: Sharpe ")
    place = lines.index("doubt: skill with features as they are, late, and left out")
    assert lines[place + 1].startswith("  pooled, ridge: oracle is ")
    page = (worth_dir / "report.html").read_text()
    assert "oracle is " in page
    assert "No target was chosen" not in page


def test_an_older_run_says_that_nobody_looked_for_carriers(
    worth_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Version 0.3.0 wrote nothing of what trained models made doubtful."""
    run = tmp_path / "run"
    shutil.copytree(worth_dir, run, ignore=shutil.ignore_patterns("units", "versions"))
    table = pq.read_table(run / "doubt.parquet")
    pq.write_table(table.slice(0, 0), run / "doubt.parquet")
    assert main(["explain", str(run), "--target", DOUBTFUL]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert " doubt No feature is named: doubt.parquet has nothing of this target. " in text
    assert main(["report", str(run)]) == 0
    assert f"{DOUBTFUL}: No feature is named: " in (run / "report.html").read_text()


def test_predictions_of_doubtful_models_say_so(
    worth_dir: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the terminal and in predictions.json: which models, and why; in Python as well."""
    command = ["predict", str(worth_dir), "--data-dir", str(data_dir), "--n-workers", "0"]
    assert main([*command, "--out", str(tmp_path / "all")]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "warning: doubtful: " in line]
    document = read_json(tmp_path / "all" / "predictions.json")
    pooled = f"cs_{DOUBTFUL}__ridge"
    assert set(document["doubtful"]) == {
        job["job_id"]
        for job in read_json(worth_dir / "training_plan.json")["jobs"]
        if job["target"] == DOUBTFUL
    }
    assert document["doubtful"][pooled].startswith("Sharpe ratio ")
    (sentence,) = told
    (warning,) = document["warnings"]
    assert sentence.endswith(warning)
    assert f" {DOUBTFUL} " in warning
    assert f"({pooled}" in warning
    assert f"`ray-pipeline explain {worth_dir} --target {DOUBTFUL}` tells what carries" in warning
    assert load_run(str(worth_dir)).doubtful == document["doubtful"]
    # Of other targets nothing is in doubt.
    assert main([*command, "--out", str(tmp_path / "one"), "--targets", HONEST]) == 0
    assert "doubtful" not in capsys.readouterr().err
    assert read_json(tmp_path / "one" / "predictions.json")["doubtful"] == {}


def test_a_doubtful_target_without_a_model_is_told_as_such(
    run_dir: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What ranking doubts has no model; who asks for its scores hears why."""
    command = ["predict", str(run_dir), "--data-dir", str(data_dir), "--out", str(tmp_path / "o")]
    assert main([*command, "--targets", DOUBTFUL]) == 2
    error = capsys.readouterr().err
    assert f"has no model of the target {DOUBTFUL}" in error
    assert f" {DOUBTFUL} is doubtful: skill +0." in error


@pytest.mark.parametrize("doubt", [WORTH, USUAL_DOUBT], ids=["by worth", "by ranking"])
def test_the_policy_fail_exits_with_1(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], doubt: dict[str, Any]
) -> None:
    """Whatever makes a target doubtful; the error names the carrier, and its table is there."""
    run = tmp_path / "run"
    failing = settings(doubt=doubt, leakage={"policy": "fail", **LENIENT})
    config = write_config(tmp_path / "run.yaml", data_dir, run, **failing)
    assert main(["run", str(config)]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("ray-pipeline: 1 of 3 targets is doubtful")
    assert "leakage.policy is 'fail'" in error
    assert " oracle is " in error
    assert read_json(run / "run.json")["status"] == "failed"
    assert read_rows(run, "doubt")[1]["feature"] == "oracle"
    if doubt is WORTH:
        assert "is doubtful by its trained models" in error
        assert read_rows(run, "evaluation/jobs")
