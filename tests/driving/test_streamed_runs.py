"""Whole runs whose pooled models train on more rows than the pool holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from panels import TARGET, labeled_table, planted_panel, quick_config, read_json, write_panel

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.driving.progress import Silent
from ray_pipeline.execution import Outcome
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.predicting import predict_panel

N_ROWS = 3 * 320 + 200
"""Three symbols with 320 days each, one that begins 120 days later."""

TRAINING = {
    "families": ["ridge", "lightgbm", "elastic_net"],
    "max_cs_rows": 100_000,
    "sample_weights": "average_uniqueness",
    "hyperparameters": {"lightgbm": {"n_estimators": 30, "early_stopping_rounds": 3}},
    "search": {"n_trials": 2, "n_splits": 2, "spaces": {"ridge": {"penalty": [1, 9]}}},
}


class Interrupting(Silent):
    """Presses Ctrl-C at the second outcome of a stage."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Count outcomes."""
        if (outcome.unit.stage, n_done) == (self._stage, 2):
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def streamed_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write three symbols, and one with fewer rows."""
    tables = planted_panel(["S00", "S01", "S02"]) | {"YOUNG": labeled_table("YOUNG").slice(120)}
    return write_panel(tmp_path_factory.mktemp("data"), tables)


def config(data: Path, run_dir: Path, **sections: Any) -> ExperimentConfig:
    """Return a config of a pool of 600 rows, and of training on all."""
    ranking = {"families": ["ridge"], "max_cs_rows": 600, "views": ["cross_sectional"]}
    return quick_config(data, run_dir, target_ranking=ranking, training=TRAINING, **sections)


@pytest.fixture(scope="module")
def streamed_run(streamed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run once, serially."""
    run_dir = tmp_path_factory.mktemp("streamed") / "run"
    run_pipeline(config(streamed_data, run_dir), Silent())
    return run_dir


def _facts(run_dir: Path, family: str) -> dict[str, Any]:
    found: dict[str, Any] = read_json(run_dir / f"models/cs_{TARGET}__{family}/metadata.json")
    return found


def _content(run_dir: Path) -> str:
    content: str = read_json(run_dir / "run.json")["content_sha256"]
    return content


@pytest.mark.parametrize("family", ["ridge", "lightgbm"])
def test_pooled_models_train_on_every_labelled_row(streamed_run: Path, family: str) -> None:
    """The last day has no label; early stopping and a search go on beside it."""
    found = _facts(streamed_run, family)
    assert found["trained_on"]["n_rows"] == N_ROWS - 4
    assert found["trained_on"]["symbols"] == ["S00", "S01", "S02", "YOUNG"]
    assert found["fitting"]["streamed"] is True
    assert (found["fitting"]["early_stopping"] is None) == (family == "ridge")
    assert found["search"]["n_trials"] > 0
    assert found["out_of_sample"]["skill"] > 0.2


def test_a_family_that_cannot_stream_is_a_warning(streamed_run: Path) -> None:
    """It trains on the pool's rows, which are at most 600."""
    found = _facts(streamed_run, "elastic_net")
    assert found["trained_on"]["n_rows"] <= 600
    assert found["fitting"]["streamed"] is False
    warnings = read_json(streamed_run / "run.json")["warnings"]
    assert any(
        text.startswith("training.max_cs_rows: elastic_net cannot take rows from a stream")
        for text in warnings
    )


def test_streamed_models_predict_their_training_rows_as_in_training(
    streamed_run: Path, streamed_data: Path, tmp_path: Path
) -> None:
    """Bit for bit, those of the pool that are kept."""
    found = predict_panel(str(streamed_run), str(streamed_data), str(tmp_path / "out"), Silent())
    assert found["replay"]["n_compared"] == 3 * 32
    assert found["replay"]["n_different"] == 0


@pytest.mark.parametrize("stage", ["training_slice", "train_pooled_fold", "train_pooled"])
def test_an_interrupted_run_continues(
    streamed_run: Path, streamed_data: Path, tmp_path: Path, executed: list[str], stage: str
) -> None:
    """No slice and no model is made twice, and the content is the same."""
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(config(streamed_data, tmp_path / "run"), Interrupting(stage))
    before = [name for name in executed if name.startswith(("training_slice", "train_"))]
    executed.clear()
    run_pipeline(config(streamed_data, tmp_path / "run"), Silent())
    after = [name for name in executed if name.startswith(("training_slice", "train_"))]
    assert len(before) >= 2
    n_slices, n_models, n_folds = 4, 3, 2
    n_units = n_slices + n_models * (n_folds + 1)
    assert len({*before, *after}) == len(before) + len(after) == n_units
    assert _content(tmp_path / "run") == _content(streamed_run)
