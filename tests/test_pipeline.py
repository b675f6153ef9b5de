"""Whole runs: what they leave behind, that they are reproducible, and what the config changes."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from panels import (
    FIRST_NS,
    TARGET,
    bars_table,
    labeled_table,
    noise_panel,
    planted_panel,
    quick_config,
    symbol_names,
    write_panel,
)

from ray_pipeline.config import load_experiment_config
from ray_pipeline.errors import ConfigError, ExecutionError
from ray_pipeline.pipeline import RunResult, run_pipeline
from ray_pipeline.progress import Silent
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


class Heard(Silent):
    """Keeps what the user was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """Keep the sentence."""
        self.said.append(text)


def _run(data_dir: object, run_dir: Path, **sections: Any) -> RunResult:
    return run_pipeline(quick_config(data_dir, run_dir, **sections), Silent())


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _record(run_dir: Path) -> Any:
    return _json(run_dir / "run.json")


def _rows(run_dir: Path, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(run_dir / f"{name}.parquet").to_pylist()
    return rows


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
        "leakage.parquet",
        "routing/routes.parquet",
        "training_plan.json",
        "predictions/out_of_sample.parquet",
        "failures.parquet",
        "report.html",
    }
    assert expected <= files
    rest = {file for file in files - expected if not file.startswith("units/")}
    jobs = [job["job_id"] for job in _json(done_run / "training_plan.json")["jobs"]]
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
    assert record["message"] == "1 of 1 targets predictable, 10 of 10 models trained"
    assert record["versions"]["ray_pipeline"] == "0.1.0"
    assert record["counts"]["models"] == record["counts"]["jobs"] == 10
    assert record["counts"]["quarantined"] == record["counts"]["failed_units"] == 0
    assert set(record["timings_s"]) == {
        "inspect",
        "leakage",
        "pool",
        "target_ranking",
        "feature_selection",
        "routing",
        "training",
    }
    assert record["data"]["n_rows"] == 4 * 320
    assert all(len(record[key]) == 64 for key in ("config_sha256", "input_fingerprint"))
    loaded = load_experiment_config(done_run / "config.yaml")
    assert loaded == quick_config(data_dir, done_run)
    described = _json(done_run / "symbols.json")["symbols"]["S00"]
    assert (described["n_files"], described["n_rows"]) == (1, 320)
    assert described["size_bytes"] == (
        (data_dir / "interval=1d" / "symbol=S00" / "part-0.parquet").stat().st_size
    )
    assert described["first_ts"] == "2014-05-13T00:00:00+00:00"


def test_predictions_are_out_of_sample_and_true(done_run: Path) -> None:
    """Predictions lie inside the test folds, and beside each stands its own label."""
    rows = _rows(done_run, "predictions/out_of_sample")
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


def test_metadata_tells_what_a_model_is(done_run: Path) -> None:
    """Whoever finds a model can tell its features, target, training range, skill and versions."""
    metadata = _json(done_run / "models" / f"sym_{TARGET}__S01__ridge" / "metadata.json")
    assert metadata["features"][0] == "signal"
    assert (metadata["target"], metadata["horizon_bars"]) == (TARGET, 1)
    assert metadata["trained_on"] == {
        "symbols": ["S01"],
        "n_rows": 319,
        "first_ts": "2014-05-13T00:00:00+00:00",
        "last_ts": "2015-03-27T00:00:00+00:00",
    }
    assert 0.2 < metadata["out_of_sample"]["skill"] < 0.6
    assert isinstance(metadata["seed"], int)
    assert {"python", "lightgbm", "numpy"} <= set(metadata["libraries"])
    assert metadata["input_fingerprint"] == _record(done_run)["input_fingerprint"]


# the same data, config and seed give the same content


@pytest.mark.ray
def test_ray_gives_the_same_content(data_dir: Path, done_run: Path, tmp_path: Path) -> None:
    """Two Ray workers compute what one process does."""
    settings = {"executor": "ray", "address": "local", "n_workers": 2}
    _run(data_dir, tmp_path / "run", execution=settings)
    assert _hash(tmp_path / "run") == _hash(done_run)


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
        "none of 1 targets is predictable at a false-discovery rate of 0.05; nothing was trained"
    )
    record = _record(tmp_path / "run")
    assert (record["status"], record["message"]) == ("done", result.message)
    assert _hash(tmp_path / "run")
    assert _json(tmp_path / "run" / "training_plan.json") == {"jobs": [], "left_out": []}
    assert not (tmp_path / "run" / "models").exists()
    assert _rows(tmp_path / "run", "predictions/out_of_sample") == []
    assert {row["route"] for row in _rows(tmp_path / "run", "routing/routes")} <= {
        "BLOCKED",
        "EXPERIMENTAL_ONLY",
    }
    assert (tmp_path / "run" / "report.html").stat().st_size > 0


# leaks


@pytest.fixture(scope="module")
def leaky_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a panel with a feature that is a monotone copy of the label."""
    tables = {}
    for symbol, table in planted_panel(SYMBOLS).items():
        copy = np.exp(50 * np.nan_to_num(table[TARGET].to_numpy()))
        tables[symbol] = table.append_column("oracle", pa.array(copy))
    return write_panel(tmp_path_factory.mktemp("leaky"), tables)


def test_leaks_are_dropped(leaky_dir: Path, done_run: Path, tmp_path: Path) -> None:
    """By default a leaking feature is found, named with its figures, and not used."""
    _run(leaky_dir, tmp_path / "run")
    (leak,) = _rows(tmp_path / "run", "leakage")
    assert (leak["target"], leak["feature"], leak["test"]) == (TARGET, "oracle", "value")
    assert leak["action"] == "dropped"
    assert leak["value"] > 0.99
    assert "equals the target of its own row up to a monotone map" in leak["reason"]
    assert _rows(tmp_path / "run", "target_ranking/targets") == _rows(
        done_run, "target_ranking/targets"
    )
    features = {row["feature"] for row in _rows(tmp_path / "run", "feature_selection/features")}
    assert "oracle" not in features
    (warning,) = _record(tmp_path / "run")["warnings"]
    assert warning.startswith("leak, dropped: oracle equals the target")


def test_leaks_can_fail_the_run(leaky_dir: Path, tmp_path: Path) -> None:
    """With leakage.policy=fail the run ends at the first leak, and the error names it."""
    with pytest.raises(
        ExecutionError,
        match=r"1 leaks found, and leakage\.policy is 'fail'\. The first: feature 'oracle', target "
        r"'fwd_ret_1d': equals .* Exclude it by columns\.exclude_features",
    ):
        _run(leaky_dir, tmp_path / "run", leakage={"policy": "fail"})
    assert _record(tmp_path / "run")["status"] == "failed"


def test_leaks_can_be_kept(leaky_dir: Path, tmp_path: Path) -> None:
    """With leakage.policy=warn the feature stays, and the skill shows it."""
    _run(leaky_dir, tmp_path / "run", leakage={"policy": "warn"})
    (leak,) = _rows(tmp_path / "run", "leakage")
    assert leak["action"] == "warned"
    skills = [row["skill"] for row in _rows(tmp_path / "run", "target_ranking/targets")]
    assert min(skills) > 0.9


def test_named_targets_never_become_features(data_dir: Path, tmp_path: Path) -> None:
    """A config that names a target as a feature is answered, whatever the policy."""
    columns = {"features": ["signal", "noise_a", TARGET]}
    _run(data_dir, tmp_path / "run", columns=columns, leakage={"policy": "warn"})
    (leak,) = _rows(tmp_path / "run", "leakage")
    assert (leak["feature"], leak["test"], leak["action"]) == (TARGET, "structure", "dropped")
    features = {row["feature"] for row in _rows(tmp_path / "run", "feature_selection/features")}
    assert features == {"signal", "noise_a"}


# views, families, horizons, batches too small


@pytest.mark.parametrize("view", ["cross_sectional", "symbol_specific"])
def test_one_view(data_dir: Path, done_run: Path, tmp_path: Path, view: str) -> None:
    """With one view the other leaves no trace, and the figures are those of both."""
    _run(data_dir, tmp_path / "run", target_ranking={"views": [view]})
    (row,) = _rows(tmp_path / "run", "target_ranking/targets")
    (same,) = [r for r in _rows(done_run, "target_ranking/targets") if r["view"] == view]
    assert (row["view"], row["skill"], row["std_error"]) == (view, same["skill"], same["std_error"])
    routes = {row["route"] for row in _rows(tmp_path / "run", "routing/routes")}
    assert routes == {view.upper()}
    jobs = _json(tmp_path / "run" / "training_plan.json")["jobs"]
    assert {job["view"] for job in jobs} == {view}
    assert {row["view"] for row in _rows(tmp_path / "run", "predictions/out_of_sample")} == {view}


@pytest.mark.parametrize("family", ["ridge", "lightgbm"])
def test_one_family(data_dir: Path, tmp_path: Path, family: str) -> None:
    """One family is enough for ranking and training."""
    few_trees = {"lightgbm": {"n_estimators": 5}}
    only = {"families": [family], "hyperparameters": few_trees}
    _run(data_dir, tmp_path / "run", target_ranking=only, training=only)
    ranked = _rows(tmp_path / "run", "target_ranking/targets")
    assert {(row["family"], row["predictable"]) for row in ranked} == {(family, True)}
    jobs = _json(tmp_path / "run" / "training_plan.json")["jobs"]
    assert {job["family"] for job in jobs} == {family}


def test_two_symbols_make_no_cross_section(data_dir: Path, tmp_path: Path) -> None:
    """With fewer symbols than min_cs each is ranked by itself, and a warning says why."""
    heard = Heard()
    two = {"symbols": ["S00", "S01"]}
    run_pipeline(quick_config(data_dir, tmp_path / "run", data=two), heard)
    warning = (
        "2 symbols are too few for the cross-sectional view: target_ranking.min_cs needs 3. "
        "Only the symbol-specific view is ranked."
    )
    assert f"warning: {warning}" in heard.said
    assert _record(tmp_path / "run")["warnings"] == [warning]
    views = {row["view"] for row in _rows(tmp_path / "run", "target_ranking/targets")}
    assert views == {"symbol_specific"}
    only = {"views": ["cross_sectional"]}
    with pytest.raises(ConfigError, match=r"min_cs needs 3\. Add symbols, or the view symbol_spec"):
        _run(data_dir, tmp_path / "other", data=two, target_ranking=only)
    assert _record(tmp_path / "other")["status"] == "failed"


def test_horizons_beyond_the_folds(tmp_path: Path) -> None:
    """A target whose purge leaves no training rows is left out aloud, unless it is the only one."""
    targets = (TARGET, "fwd_ret_200d")
    data_dir = write_panel(tmp_path / "data", planted_panel(SYMBOLS, targets=targets))
    _run(data_dir, tmp_path / "run")
    ranked = {row["target"] for row in _rows(tmp_path / "run", "target_ranking/targets")}
    assert ranked == {TARGET}
    (warning,) = _record(tmp_path / "run")["warnings"]
    assert warning.startswith("target 'fwd_ret_200d' is not ranked: ")
    with pytest.raises(
        ConfigError, match=r"No target can be ranked\. target 'fwd_ret_200d' is not"
    ):
        _run(data_dir, tmp_path / "other", columns={"targets": ["fwd_ret_200d"]})


def test_bars_are_labeled_as_they_are_read(tmp_path: Path) -> None:
    """Bars need no columns beyond the five: features and targets are computed."""
    data_dir = write_panel(tmp_path / "data", {name: bars_table(name) for name in SYMBOLS})
    labeling = {"features": ["log_return_1", "log_return_5", "gap"], "targets": ["fwd_ret_5d"]}
    _run(data_dir, tmp_path / "run", labeling=labeling)
    assert _record(tmp_path / "run")["data"]["kind"] == "bars"
    ranked = _rows(tmp_path / "run", "target_ranking/targets")
    assert {(row["target"], row["horizon_bars"]) for row in ranked} == {("fwd_ret_5d", 5)}


@pytest.mark.parametrize(
    ("section", "keys", "message"),
    [
        (
            "target_ranking",
            {"families": ["forest"]},
            r"target_ranking: unknown model family 'forest'; known are lightgbm, ridge",
        ),
        (
            "training",
            {"hyperparameters": {"lightgbm": {"n_trees": 3}}},
            r"training: .*n_trees",
        ),
    ],
)
def test_families_are_checked_first(
    data_dir: Path, tmp_path: Path, section: str, keys: dict[str, Any], message: str
) -> None:
    """A family or a hyperparameter that does not exist is said before anything is written."""
    with pytest.raises(ConfigError, match=message):
        _run(data_dir, tmp_path / "run", **{section: keys})
    assert not (tmp_path / "run").exists()
