"""What the config changes: leakage policy, views, families, horizons, kinds of data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from panels import (
    TARGET,
    bars_table,
    planted_panel,
    quick_config,
    read_json,
    read_rows,
    symbol_names,
    write_panel,
)

from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError, ExecutionError
from ray_pipeline.pipeline import run_pipeline

SYMBOLS = symbol_names(4)


@pytest.fixture(scope="module")
def done_run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run once as the short config says."""
    run_dir = tmp_path_factory.mktemp("done") / "run"
    _run(data_dir, run_dir)
    return run_dir


class Heard(Silent):
    """Keeps what the user was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        """Keep the sentence."""
        self.said.append(text)


def _run(data_dir: object, run_dir: Path, **sections: Any) -> None:
    run_pipeline(quick_config(data_dir, run_dir, **sections), Silent())


def _record(run_dir: Path) -> Any:
    return read_json(run_dir / "run.json")


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
    (leak,) = read_rows(tmp_path / "run", "leakage")
    assert (leak["target"], leak["feature"], leak["test"]) == (TARGET, "oracle", "value")
    assert leak["action"] == "dropped"
    assert leak["value"] > 0.99
    assert "equals the target of its own row up to a monotone map" in leak["reason"]
    assert read_rows(tmp_path / "run", "target_ranking/targets") == read_rows(
        done_run, "target_ranking/targets"
    )
    features = {row["feature"] for row in read_rows(tmp_path / "run", "feature_selection/features")}
    assert "oracle" not in features
    (warning,) = _record(tmp_path / "run")["warnings"]
    assert warning.startswith("leak of ")
    assert ", dropped: oracle equals the target" in warning


def test_leaks_can_fail_the_run(leaky_dir: Path, tmp_path: Path) -> None:
    """With leakage.policy=fail the run ends at the first leak, and the error names it."""
    with pytest.raises(
        ExecutionError,
        match=r"1 leak found, and leakage\.policy is 'fail'\. It is feature 'oracle', target "
        r"'fwd_ret_1d': equals .* Exclude it by columns\.exclude_features",
    ):
        _run(leaky_dir, tmp_path / "run", leakage={"policy": "fail"})
    assert _record(tmp_path / "run")["status"] == "failed"


def test_leaks_can_be_kept(leaky_dir: Path, tmp_path: Path) -> None:
    """With leakage.policy=warn the feature stays, and the skill shows it."""
    _run(leaky_dir, tmp_path / "run", leakage={"policy": "warn"})
    (leak,) = read_rows(tmp_path / "run", "leakage")
    assert leak["action"] == "warned"
    skills = [row["skill"] for row in read_rows(tmp_path / "run", "target_ranking/targets")]
    assert min(skills) > 0.9


def test_named_targets_never_become_features(data_dir: Path, tmp_path: Path) -> None:
    """A config that names a target as a feature is answered, whatever the policy."""
    columns = {"features": ["signal", "noise_a", TARGET]}
    _run(data_dir, tmp_path / "run", columns=columns, leakage={"policy": "warn"})
    (leak,) = read_rows(tmp_path / "run", "leakage")
    assert (leak["feature"], leak["test"], leak["action"]) == (TARGET, "structure", "dropped")
    features = {row["feature"] for row in read_rows(tmp_path / "run", "feature_selection/features")}
    assert features == {"signal", "noise_a"}


# views, families, horizons, batches too small


@pytest.mark.parametrize("view", ["cross_sectional", "symbol_specific"])
def test_one_view(data_dir: Path, done_run: Path, tmp_path: Path, view: str) -> None:
    """With one view the other leaves no trace, and the figures are those of both."""
    _run(data_dir, tmp_path / "run", target_ranking={"views": [view]})
    (row,) = read_rows(tmp_path / "run", "target_ranking/targets")
    (same,) = [r for r in read_rows(done_run, "target_ranking/targets") if r["view"] == view]
    assert (row["view"], row["skill"], row["std_error"]) == (view, same["skill"], same["std_error"])
    routes = {row["route"] for row in read_rows(tmp_path / "run", "routing/routes")}
    assert routes == {view.upper()}
    jobs = read_json(tmp_path / "run" / "training_plan.json")["jobs"]
    assert {job["view"] for job in jobs} == {view}
    assert {row["view"] for row in read_rows(tmp_path / "run", "predictions/out_of_sample")} == {
        view
    }


@pytest.mark.parametrize("family", ["ridge", "lightgbm"])
def test_one_family(data_dir: Path, tmp_path: Path, family: str) -> None:
    """One family is enough for ranking and training."""
    few_trees = {"lightgbm": {"n_estimators": 5}}
    only = {"families": [family], "hyperparameters": few_trees}
    _run(data_dir, tmp_path / "run", target_ranking=only, training=only)
    ranked = read_rows(tmp_path / "run", "target_ranking/targets")
    assert {(row["family"], row["predictable"]) for row in ranked} == {(family, True)}
    jobs = read_json(tmp_path / "run" / "training_plan.json")["jobs"]
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
    views = {row["view"] for row in read_rows(tmp_path / "run", "target_ranking/targets")}
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
    ranked = {row["target"] for row in read_rows(tmp_path / "run", "target_ranking/targets")}
    assert ranked == {TARGET}
    (warning,) = _record(tmp_path / "run")["warnings"]
    assert warning.startswith("target 'fwd_ret_200d' is not ranked: ")
    with pytest.raises(
        ConfigError, match=r"No target can be ranked\. target 'fwd_ret_200d' is not"
    ):
        _run(data_dir, tmp_path / "other", columns={"targets": ["fwd_ret_200d"]})


def test_columns_that_not_all_symbols_have(tmp_path: Path) -> None:
    """Such a column is used and missing where it is not there; an empty one is not used: aloud."""
    tables = planted_panel(SYMBOLS)
    for symbol in ("S01", "S02"):
        tables[symbol] = tables[symbol].drop_columns(["noise_b"])
    tables = {name: t.append_column("one", pa.array([1.0] * 320)) for name, t in tables.items()}
    data_dir = write_panel(tmp_path / "data", tables)
    _run(data_dir, tmp_path / "run")
    assert _record(tmp_path / "run")["warnings"] == [
        "not used as a feature: one: always 1, in every symbol; columns.features can name it",
        "treated as missing in symbols that lack them: noise_b (not in S01, S02)",
    ]
    features = {row["feature"] for row in read_rows(tmp_path / "run", "feature_selection/features")}
    assert features == {"signal", "noise_a", "noise_b"}


def test_interval_has_to_be_that_of_the_data(tmp_path: Path) -> None:
    """Where the layout names no interval the config may, and the bars are held to it."""
    data_dir = write_panel(tmp_path / "data", planted_panel(SYMBOLS), interval=None)
    with pytest.raises(
        ConfigError, match=r"interval 5m means 300 s between bars, but the most frequent step in"
    ):
        _run(data_dir, tmp_path / "run", data={"interval": "5m"})
    _run(data_dir, tmp_path / "run", data={"interval": "1d"})
    assert _record(tmp_path / "run")["status"] == "done"


def test_bars_are_labeled_as_they_are_read(tmp_path: Path) -> None:
    """Bars need no columns beyond the five: features and targets are computed."""
    data_dir = write_panel(tmp_path / "data", {name: bars_table(name) for name in SYMBOLS})
    labeling = {"features": ["log_return_1", "log_return_5", "gap"], "targets": ["fwd_ret_5d"]}
    _run(data_dir, tmp_path / "run", labeling=labeling)
    assert _record(tmp_path / "run")["data"]["kind"] == "bars"
    ranked = read_rows(tmp_path / "run", "target_ranking/targets")
    assert {(row["target"], row["horizon_bars"]) for row in ranked} == {("fwd_ret_5d", 5)}


@pytest.mark.parametrize(
    ("section", "keys", "message"),
    [
        (
            "target_ranking",
            {"families": ["forest"]},
            r"target_ranking: unknown model family 'forest'; known are catboost, elastic_net, .*",
        ),
        (
            "target_ranking",
            {"hyperparameters": {"lightgbm": {"early_stopping_rounds": 5}}},
            r"target_ranking: lightgbm: early_stopping_rounds only applies to training: ranking "
            r"fits "
            r"many small models, each for all of its rounds\. Remove it there\.$",
        ),
        (
            "training",
            {"hyperparameters": {"lightgbm": {"n_trees": 3}}},
            r"training: .*n_trees",
        ),
        (
            "target_ranking",
            {"families": ["ridge", "rank_average"]},
            r"target_ranking: rank_average averages trained models, and cannot rank targets",
        ),
        (
            "training",
            {"families": ["ridge", "rank_average"]},
            r"training: rank_average needs 2 other families to average; training\.families has "
            r"ridge\. Add one, or remove rank_average\.",
        ),
        (
            "training",
            {"hyperparameters": {"rank_average": {"weight": 2}}},
            r"training: rank_average has no hyperparameters: it weights its models equally\.",
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
