"""Policies of retraining in a whole run: tables, page, explanation, check, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from panels import (
    TARGET,
    planted_panel,
    quick_config,
    read_json,
    read_rows,
    symbol_names,
    write_panel,
)

from ray_pipeline.commands.checking import check_config, check_lines
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError
from ray_pipeline.explaining.document import explain_target
from ray_pipeline.explaining.lines import explanation_lines
from ray_pipeline.pipeline import run_pipeline

ANCHORED = {"n_splits": 5, "first_test": "2014-09-10", "test_every": "30d"}
POLICIES: dict[str, Any] = {
    "retrain_every": [1, 2, "never"],
    "windows": ["expanding", "90d", "66d"],
    "half_lives": ["none", "40d"],
    "jobs": "all",
}
TARGETS = (TARGET, "fwd_ret_20d")
SYMBOLS = symbol_names(5)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a planted panel of two horizons."""
    root = tmp_path_factory.mktemp("policies")
    return write_panel(root / "data", planted_panel(SYMBOLS, targets=TARGETS))


def _sections() -> dict[str, Any]:
    training = {
        "families": ["ridge", "lightgbm", "rank_average"],
        "hyperparameters": {"lightgbm": {"n_estimators": 3}},
    }
    return {"validation": dict(ANCHORED), "training": training}


@pytest.fixture(scope="module")
def run_dir(data_dir: Path) -> Path:
    """Return a run that compares policies."""
    run = data_dir.parent / "run"
    config = quick_config(data_dir, run, evaluation={"policies": POLICIES}, **_sections())
    run_pipeline(config, Silent())
    return run


def test_every_fitted_job_has_every_policy(run_dir: Path) -> None:
    """In the order of the plan, the one followed first; the policy of the run has its skill."""
    plan = read_json(run_dir / "training_plan.json")["jobs"]
    fitted = [job for job in plan if job["family"] != "rank_average"]
    rows = read_rows(run_dir, "evaluation/policies")
    assert list(dict.fromkeys(row["job_id"] for row in rows)) == [job["job_id"] for job in fitted]
    folds = read_rows(run_dir, "evaluation/policy_folds")
    n_folds = len(read_json(run_dir / "run.json")["folds"])
    for job in fitted:
        own = [row for row in rows if row["job_id"] == job["job_id"]]
        # A label of 20 days leaves 46 of 66, too few to train on.
        n_windows = 3 if job["target"] == TARGET else 2
        assert [row["kind"] for row in own] == ["chosen"] + ["policy"] * (6 * n_windows)
        assert sum(row["is_best"] for row in own) >= 1
        assert sum(row["n_followed"] for row in own[1:]) == n_folds
        of_folds = [row for row in folds if row["job_id"] == job["job_id"]]
        assert len(of_folds) == len(own) * n_folds
        (same,) = (
            row
            for row in own
            if (row["retrain_every"], row["window"], row["half_life"]) == ("1", "expanding", "none")
        )
        metadata = read_json(run_dir / "models" / job["job_id"] / "metadata.json")
        assert same["skill"] == metadata["out_of_sample"]["skill"]
    warnings = read_json(run_dir / "run.json")["warnings"]
    assert any("fwd_ret_20d: evaluation.policies.windows: 66d is too short" in w for w in warnings)


def test_people_are_told(run_dir: Path) -> None:
    """On the page and in an explanation: what one may claim, and what only hindsight knows."""
    page = (run_dir / "report.html").read_text()
    assert "What retraining would have earned" in page
    assert "every 2 folds, 90d, half-life 40d" in page
    assert "that is what one may claim" in page
    found = explain_target(str(run_dir), TARGET)
    assert {row["target"] for row in found["models"]["policies"]} == {TARGET}
    text = "\n".join(explanation_lines(found))
    assert "policies of retraining" in text
    assert "never, expanding" in text
    own = explain_target(str(run_dir), TARGET, SYMBOLS[0])
    assert {row["symbol"] for row in own["models"]["policies"]} <= {None, SYMBOLS[0]}


def test_a_check_tells_what_it_costs(data_dir: Path, tmp_path: Path) -> None:
    """Policies, models of each job, and the time of a stage of its own."""
    config = quick_config(
        data_dir, tmp_path / "run", evaluation={"policies": POLICIES}, **_sections()
    )
    found = check_config(config)
    n_folds = len(found["folds"])
    assert found["policies"] == {"n_policies": 18, "n_trained": 6 * n_folds}
    (line,) = (each for each in check_lines(found) if each.startswith("policies"))
    assert "18 policies of retraining" in line
    assert f"{6 * n_folds} models of each job" in line
    without = check_config(quick_config(data_dir, tmp_path / "run", **_sections()))
    assert without["policies"] is None


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ({"retrain_every": [0]}, "must be a number of folds, at least 1, or never"),
        ({"retrain_every": ["21d"]}, "must be a number of folds, at least 1, or never"),
        ({"windows": ["60m"]}, "must be expanding, or a duration of days"),
        ({"half_lives": ["expanding"]}, "must be none, or a duration of days"),
        ({"half_lives": ["20d", "20d"]}, "named more than once"),
        ({"windows": []}, "must name at least one"),
    ],
)
def test_what_is_no_policy_is_refused(policies: dict[str, Any], message: str) -> None:
    """With what is wanted."""
    with pytest.raises(ConfigError, match=message):
        quick_config("data", "run", evaluation={"policies": policies}, **_sections())


def test_policies_need_folds_between_dates() -> None:
    """So many folds of what is there are longer ones tomorrow."""
    with pytest.raises(ConfigError, match=r"evaluation\.policies needs validation\.test_every"):
        quick_config("data", "run", evaluation={"policies": {}})
