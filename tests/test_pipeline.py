"""Whole runs: what they leave behind, that they are reproducible, and what the config changes."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from panels import (
    FIRST_NS,
    TARGET,
    labeled_table,
    noise_panel,
    planted_panel,
    quick_config,
    read_json,
    read_rows,
    symbol_names,
    write_panel,
)

import ray_pipeline
from ray_pipeline.config import load_experiment_config
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError
from ray_pipeline.pipeline import RunResult, run_pipeline
from ray_pipeline.storage import RunDirectory, open_filesystem

if TYPE_CHECKING:
    from conftest import Store

SYMBOLS = symbol_names(4)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four symbols that are predictable in both views."""
    return write_panel(tmp_path_factory.mktemp("data"), planted_panel(SYMBOLS))


@pytest.fixture(scope="module")
def done_run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run once, serially, from a local folder into another."""
    run_dir = tmp_path_factory.mktemp("done") / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    return run_dir


def _run(data_dir: object, run_dir: Path, **sections: Any) -> RunResult:
    return run_pipeline(quick_config(data_dir, run_dir, **sections), Silent())


def _record(run_dir: Path) -> Any:
    return read_json(run_dir / "run.json")


def _hash(run_dir: Path) -> str:
    content: str = _record(run_dir)["content_sha256"]
    assert len(content) == 64
    return content


# what a run leaves behind


def test_done_run_leaves_every_file(done_run: Path) -> None:
    """All files of the run directory are there, and no half-written one."""
    files = {
        path.relative_to(done_run).as_posix() for path in done_run.rglob("*") if path.is_file()
    }
    expected = {
        "run.json",
        "config.yaml",
        "symbols.json",
        "target_ranking/targets.parquet",
        "target_ranking/symbols.parquet",
        "feature_selection/features.parquet",
        "feature_selection/kept.parquet",
        "leakage.parquet",
        "doubt.parquet",
        "routing/routes.parquet",
        "training_plan.json",
        "training/effects.parquet",
        "predictions/out_of_sample.parquet",
        "evaluation/calibration.parquet",
        "evaluation/jobs.parquet",
        "evaluation/quantiles.parquet",
        "evaluation/decay.parquet",
        "evaluation/overfitting.parquet",
        "evaluation/equity.parquet",
        "failures.parquet",
        "report.html",
        "units.json",
        "versions/current.json",
        "versions/journal/000001-promoted.json",
    }
    assert expected <= files
    version = read_json(done_run / "versions/current.json")["version"]
    elsewhere = ("units/", f"versions/{version}/", f"versions/{version}.json")
    rest = {file for file in files - expected if not file.startswith(elsewhere)}
    jobs = [job["job_id"] for job in read_json(done_run / "training_plan.json")["jobs"]]
    model = {"ridge": "model.json", "lightgbm": "model.txt"}
    assert rest == {
        f"models/{job_id}/{name}"
        for job_id in jobs
        for name in (model[job_id.rsplit("__")[-1]], "metadata.json")
    }
    assert len(jobs) == 2 * (1 + len(SYMBOLS))


def test_done_run_accounts_for_itself(done_run: Path, data_dir: Path) -> None:
    """run.json holds status, versions, seed, hashes, timings and counts; the config is resolved."""
    record = _record(done_run)
    assert (record["status"], record["error"], record["seed"]) == ("done", None, 7)
    assert record["message"] == "1 of 1 target predictable (fwd_ret_1d), 10 of 10 models trained"
    assert record["versions"]["ray_pipeline"] == ray_pipeline.__version__
    assert record["counts"]["models"] == record["counts"]["jobs"] == 10
    assert record["counts"]["quarantined"] == record["counts"]["failed_units"] == 0
    assert set(record["timings_s"]) == {
        "inspect",
        "leakage",
        "pool",
        "target_ranking",
        "doubt",
        "feature_selection",
        "routing",
        "training",
        "calibration",
        "evaluation",
    }
    assert record["data"]["n_rows"] == 4 * 320
    assert all(len(record[key]) == 64 for key in ("config_sha256", "input_fingerprint"))
    loaded = load_experiment_config(done_run / "config.yaml")
    assert loaded == quick_config(data_dir, done_run)
    described = read_json(done_run / "symbols.json")["symbols"]["S00"]
    assert (described["n_files"], described["n_rows"]) == (1, 320)
    assert described["size_bytes"] == (
        (data_dir / "interval=1d" / "symbol=S00" / "part-0.parquet").stat().st_size
    )
    assert described["first_ts"] == "2014-05-13T00:00:00+00:00"


def test_predictions_are_out_of_sample_and_true(done_run: Path) -> None:
    """Predictions lie inside the test folds, and beside each stands its own label."""
    rows = read_rows(done_run, "predictions/out_of_sample")
    folds = _record(done_run)["folds"]
    labels = {symbol: labeled_table(symbol)[TARGET].to_pylist() for symbol in SYMBOLS}
    assert {(row["view"], row["family"]) for row in rows} == {
        (view, family)
        for view in ("cross_sectional", "symbol_specific")
        for family in ("ridge", "lightgbm")
    }
    for row in rows:
        fold = folds[row["fold"]]
        assert fold["test_start"] <= row["ts"].isoformat() <= fold["test_end"]
        day = (row["ts"].value - FIRST_NS) // (86_400 * 10**9)
        assert row["actual"] == labels[row["symbol"]][day]


def test_worth_of_planted_predictions(done_run: Path) -> None:
    """Own models earn what was planted; four symbols are not a cross-section of five quantiles."""
    rows = read_rows(done_run, "evaluation/jobs")
    jobs = read_json(done_run / "training_plan.json")["jobs"]
    assert [row["job_id"] for row in rows] == [job["job_id"] for job in jobs]
    own = [row for row in rows if row["view"] == "symbol_specific"]
    assert {row["symbol"] for row in own} == set(SYMBOLS)
    for row in own:
        assert row["family"] != "ridge" or row["spread"] > 3 * row["spread_std_error"]
        assert min(row["spread"], row["net"]) > 0
        assert row["hit_rate"] > row["hit_rate_by_chance"]
        # One family in both views of the target, and ten trained models.
        assert row["n_trials"] == 2 * 1 + 10
        assert row["deflated_sharpe"] < row["probabilistic_sharpe"] <= 1.0
    assert sum(row["deflated_sharpe"] > 0.5 for row in own) >= 6
    for row in rows:
        if row["view"] == "cross_sectional":
            assert row["reason"].startswith(
                "no timestamp has more than 4 symbols, and 5 are needed"
            )
    curves = read_rows(done_run, "evaluation/equity")
    assert {row["job_id"] for row in curves} == {row["job_id"] for row in own}
    decay = read_rows(done_run, "evaluation/decay")
    assert len(decay) == 10 * 4
    assert all(row["rank_ic"] > 0.05 for row in decay if row["lag_bars"] == 0)


def test_metadata_tells_what_a_model_is(done_run: Path) -> None:
    """From a model one can tell its features, target, training range, skill and versions."""
    metadata = read_json(done_run / "models" / f"sym_{TARGET}__S01__ridge" / "metadata.json")
    assert metadata["features"][0] == "signal"
    assert (metadata["target"], metadata["horizon_bars"]) == (TARGET, 1)
    assert metadata["trained_on"] == {
        "symbols": ["S01"],
        "n_rows": 319,
        "first_ts": "2014-05-13T00:00:00+00:00",
        "last_ts": "2015-03-27T00:00:00+00:00",
        "known_ts": "2015-03-28T00:00:00+00:00",
    }
    assert 0.2 < metadata["out_of_sample"]["skill"] < 0.6
    assert isinstance(metadata["seed"], int)
    assert set(metadata["libraries"]) == {"ray_pipeline", "python", "numpy", "pyarrow"}
    assert metadata["input_fingerprint"] == _record(done_run)["input_fingerprint"]


# the same data, config and seed give the same content


def test_copied_panel_gives_the_same_content(
    data_dir: Path, done_run: Path, tmp_path: Path
) -> None:
    """Where the data lie, and when they were written, does not matter."""
    shutil.copytree(data_dir, tmp_path / "copy", copy_function=shutil.copyfile)
    _run(tmp_path / "copy", tmp_path / "run")
    assert _hash(tmp_path / "run") == _hash(done_run)
    assert _record(tmp_path / "run")["input_fingerprint"] != _record(done_run)["input_fingerprint"]


def test_legacy_layout_gives_the_same_content(done_run: Path, tmp_path: Path) -> None:
    """Symbols right below the data directory are read as well; the bars tell the interval."""
    data_dir = write_panel(tmp_path / "legacy", planted_panel(SYMBOLS), interval=None)
    _run(data_dir, tmp_path / "run")
    data = _record(tmp_path / "run")["data"]
    assert (data["layout"], data["interval"], data["bar_seconds"]) == ("legacy", None, 86_400)
    assert _hash(tmp_path / "run") == _hash(done_run)


def test_s3_gives_the_same_content(data_dir: Path, done_run: Path, s3_store: Store) -> None:
    """Data and run directory in an object store: what was computed is the same."""
    for path in sorted(data_dir.rglob("*.parquet")):
        s3_store.put(f"panel/{path.relative_to(data_dir).as_posix()}", path.read_bytes())
    run_uri = s3_store.uri_of("run")
    options = {"storage_options": s3_store.options}
    result = run_pipeline(quick_config(s3_store.uri_of("panel"), run_uri, data=options), Silent())
    assert result.report == f"{run_uri}/report.html"
    run = RunDirectory(run_uri, s3_store.options)
    assert run.read_json("run.json")["content_sha256"] == _hash(done_run)
    here = {path.relative_to(done_run).as_posix() for path in done_run.rglob("*.*")}
    assert {name for name in run.list() if not name.startswith("units/")} == {
        name for name in here if not name.startswith("units/")
    }


@pytest.fixture
def memory_uri() -> Iterator[str]:
    uri = f"memory://{uuid.uuid4().hex}"
    yield uri
    fs, path = open_filesystem(uri)
    if fs.exists(path):
        fs.rm(path, recursive=True)


def test_memory_is_for_one_process(data_dir: Path, memory_uri: str) -> None:
    """Ray's workers cannot read this process's memory; that is said before anything starts."""
    with pytest.raises(
        ConfigError,
        match=r"memory://\S+ is in the memory of this process, which Ray's workers cannot read\. "
        r"Set execution\.executor to 'serial', or use a folder\.",
    ):
        run_pipeline(quick_config(data_dir, memory_uri, execution={"executor": "ray"}), Silent())


def test_memory_gives_the_same_content(data_dir: Path, done_run: Path, memory_uri: str) -> None:
    """A run directory in memory serves a run in this process."""
    run_pipeline(quick_config(data_dir, memory_uri), Silent())
    assert RunDirectory(memory_uri).read_json("run.json")["content_sha256"] == _hash(done_run)


# nothing predictable


def test_noise_is_a_result(tmp_path: Path) -> None:
    """Where nothing can be predicted the run is done, trains nothing, and says so."""
    data_dir = write_panel(tmp_path / "data", noise_panel(SYMBOLS))
    result = _run(data_dir, tmp_path / "run")
    assert result.message == (
        "the only target is not predictable at a false-discovery rate of 0.05; nothing was trained"
    )
    record = _record(tmp_path / "run")
    assert (record["status"], record["message"]) == ("done", result.message)
    assert _hash(tmp_path / "run")
    assert read_json(tmp_path / "run" / "training_plan.json") == {"jobs": [], "left_out": []}
    assert not (tmp_path / "run" / "models").exists()
    assert read_rows(tmp_path / "run", "predictions/out_of_sample") == []
    assert {row["route"] for row in read_rows(tmp_path / "run", "routing/routes")} <= {
        "BLOCKED",
        "EXPERIMENTAL_ONLY",
    }
    assert (tmp_path / "run" / "report.html").stat().st_size > 0
