"""What a run's tables and records say of the question that their figures answer."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from panels import (
    planted_panel,
    quick_config,
    read_json,
    read_rows,
    symbol_names,
    write_panel,
)

from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline

ACROSS, OVER_TIME = "across symbols", "over time"
BY_VIEW = {"cross_sectional": ACROSS, "symbol_specific": OVER_TIME}


@pytest.fixture(scope="module", name="data_dir")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four symbols that are predictable in both views."""
    return write_panel(tmp_path_factory.mktemp("data"), planted_panel(symbol_names(4)))


@pytest.fixture(scope="module", name="run_dir")
def finished(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run both views with the default comparison."""
    run_dir = tmp_path_factory.mktemp("both") / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    return run_dir


def test_every_table_of_figures_says_what_they_answer(run_dir: Path) -> None:
    """By view, but for the symbols' skills: in both views these are over their own time."""
    for row in read_rows(run_dir, "target_ranking/targets"):
        assert row["question"] == BY_VIEW[row["view"]]
    symbols = read_rows(run_dir, "target_ranking/symbols")
    assert {row["view"] for row in symbols} == set(BY_VIEW)
    assert {row["question"] for row in symbols} == {OVER_TIME}
    features = read_rows(run_dir, "feature_selection/features")
    assert {row["view"] for row in features} == set(BY_VIEW)
    assert all(row["question"] == BY_VIEW[row["view"]] for row in features)
    jobs = read_rows(run_dir, "evaluation/jobs")
    assert {row["view"] for row in jobs} == set(BY_VIEW)
    assert all(row["question"] == BY_VIEW[row["view"]] for row in jobs)


def test_the_plan_and_the_models_say_it_and_what_they_learned(run_dir: Path) -> None:
    """Pooled models learned ranks, own ones labels as they are."""
    plan = read_json(run_dir / "training_plan.json")
    assert plan["jobs"]
    for job in plan["jobs"]:
        assert job["question"] == BY_VIEW[job["view"]]
        metadata = read_json(run_dir / "models" / job["job_id"] / "metadata.json")
        assert metadata["question"] == BY_VIEW[job["view"]]
        pooled = job["view"] == "cross_sectional"
        assert metadata["fitting"]["compare"] == ("rank" if pooled else "raw")


def test_routes_name_both_questions(run_dir: Path) -> None:
    """A pooled model has a figure across symbols and one over this symbol's time."""
    for row in read_rows(run_dir, "routing/routes"):
        assert "pooled across symbols +" in row["reason"]
        assert "pooled over this symbol's time +" in row["reason"]


def test_raw_labels_are_learned_where_they_are_asked_for(data_dir: Path, tmp_path: Path) -> None:
    """The same figures over time; across symbols those of one model of labels as they are."""
    ranking = {"families": ["ridge"], "compare": "raw"}
    run_pipeline(quick_config(data_dir, tmp_path / "run", target_ranking=ranking), Silent())
    for path in (tmp_path / "run" / "models").glob("*/metadata.json"):
        assert read_json(path)["fitting"]["compare"] == "raw"


def test_the_cross_section_alone_has_no_model_over_time(data_dir: Path, tmp_path: Path) -> None:
    """Nobody asks what a symbol does over its own time: the table of symbols has no rows.

    The models are trained all the same, and routes rest on the figure across symbols.
    """
    ranking = {"families": ["ridge"], "views": ["cross_sectional"]}
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir, target_ranking=ranking), Silent())
    assert pq.read_table(run_dir / "target_ranking/symbols.parquet").num_rows == 0
    assert {row["question"] for row in read_rows(run_dir, "target_ranking/targets")} == {ACROSS}
    routes = read_rows(run_dir, "routing/routes")
    assert {row["route"] for row in routes} == {"CROSS_SECTIONAL"}
    assert all(row["pooled_time_skill"] is None for row in routes)
    record = read_json(run_dir / "run.json")
    assert (record["status"], record["counts"]["models"]) == ("done", 2)
