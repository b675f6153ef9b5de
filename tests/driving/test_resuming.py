"""The same command again: what is finished stays, what is missing is done, the result is one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from panels import TARGET, quick_config

from ray_pipeline.driving.progress import Silent
from ray_pipeline.execution import Outcome
from ray_pipeline.pipeline import run_pipeline

STAGES = [
    "inspect",
    "find_leaks",
    "pool_slice",
    "pool",
    "rank_pooled_fold",
    "rank_pooled",
    "pooled_predictions",
    "rank_symbol",
    "select_pooled_fold",
    "select_pooled",
    "prove_pooled_fold",
    "prove_pooled",
    "select_symbol",
    "prove_symbol",
    "train_pooled_fold",
    "train_pooled",
    "train_symbol",
    "join_predictions",
    "reliability",
    "evaluate_pooled",
    "evaluate_symbol",
    "compare_models",
    "join_curves",
]
EVALUATES = STAGES[-4:]


class Interrupting(Silent):
    """Presses Ctrl-C when a stage has so many outcomes, and sees what was read back."""

    def __init__(self, stage: str = "", n_outcomes: int = 0) -> None:
        self._stage = stage
        self._n_outcomes = n_outcomes
        self.attempts: list[int] = []

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Count, and interrupt when it is time."""
        self.attempts.append(outcome.attempts)
        if (outcome.unit.stage, n_done) == (self._stage, self._n_outcomes):
            raise KeyboardInterrupt


def _record(run_dir: Path) -> Any:
    return json.loads((run_dir / "run.json").read_text())


def _stages(executed: list[str]) -> list[str]:
    return list(dict.fromkeys(unit.split("/")[0] for unit in executed))


def test_second_run_redoes_nothing(data_dir: Path, tmp_path: Path, executed: list[str]) -> None:
    """On a finished run directory no unit is executed, and the content is the same."""
    config = quick_config(data_dir, tmp_path / "run")
    first = run_pipeline(config, Silent())
    before = _record(tmp_path / "run")
    assert _stages(executed) == STAGES
    executed.clear()
    reporter = Interrupting()
    second = run_pipeline(config, reporter)
    after = _record(tmp_path / "run")
    assert executed == []
    assert set(reporter.attempts) == {0}
    assert first == second
    assert before["content_sha256"] == after["content_sha256"]
    assert before["counts"] == after["counts"]


def test_fresh_redoes_all(data_dir: Path, tmp_path: Path, executed: list[str]) -> None:
    """`fresh` forgets what was finished and computes the same again."""
    config = quick_config(data_dir, tmp_path / "run")
    run_pipeline(config, Silent())
    first, before = list(executed), _record(tmp_path / "run")
    executed.clear()
    run_pipeline(config, Silent(), fresh=True)
    assert executed == first
    assert _record(tmp_path / "run")["content_sha256"] == before["content_sha256"]


@pytest.mark.parametrize(
    ("stage", "n_outcomes"), [("inspect", 2), ("rank_symbol", 1), ("train_symbol", 3)]
)
def test_interrupted_run_continues(
    data_dir: Path, tmp_path: Path, executed: list[str], stage: str, n_outcomes: int
) -> None:
    """After Ctrl-C the status says so; the same command does the rest and ends with one content."""
    reference = quick_config(data_dir, tmp_path / "whole")
    run_pipeline(reference, Silent())
    whole = list(executed)
    executed.clear()
    config = quick_config(data_dir, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(config, Interrupting(stage, n_outcomes))
    record = _record(tmp_path / "run")
    assert (record["status"], record["content_sha256"]) == ("interrupted", None)
    assert record["message"] == "interrupted; the same command continues from here"
    assert (tmp_path / "run" / "report.html").exists()
    done = list(executed)
    executed.clear()
    run_pipeline(config, Silent())
    shared = {"pool/pool", "pooled_predictions/pooled"}
    assert set(done) & set(executed) <= shared
    assert sorted({*done, *executed}) == sorted(whole)
    assert _record(tmp_path / "run")["status"] == "done"
    assert (
        _record(tmp_path / "run")["content_sha256"] == _record(tmp_path / "whole")["content_sha256"]
    )


def test_changed_routing_redoes_routing_and_later(
    data_dir: Path, tmp_path: Path, executed: list[str]
) -> None:
    """A threshold of routing changes no ranking and no selection; only new models are trained."""
    run_dir = tmp_path / "run"
    one = {"target_ranking": {"views": ["symbol_specific"]}}
    run_pipeline(quick_config(data_dir, run_dir, **one), Silent())
    before = _record(run_dir)["config_sha256"]
    executed.clear()
    strict = {"min_difference": 0.5, "alpha": 1e-4}
    run_pipeline(quick_config(data_dir, run_dir, **one, routing=strict), Silent(), replace=True)
    assert set(_stages(executed)) <= {
        *("train_symbol", "join_predictions", "reliability", *EVALUATES[1:])
    }
    assert _record(run_dir)["config_sha256"] != before
    executed.clear()
    loose = quick_config(data_dir, run_dir, routing={"min_difference": 0.0})
    run_pipeline(loose, Silent(), replace=True)
    executed.clear()
    strict_again = quick_config(data_dir, run_dir, routing={"min_difference": 0.5})
    run_pipeline(strict_again, Silent(), replace=True)
    assert set(_stages(executed)) <= {
        *("pool", "train_pooled_fold", "train_pooled", "train_symbol", "join_predictions"),
        *("reliability", *EVALUATES),
    }


def test_changed_training_redoes_training(
    data_dir: Path, tmp_path: Path, executed: list[str]
) -> None:
    """Other hyperparameters of one family train its models, in fits that share a unit with it."""
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    executed.clear()
    trees = {"hyperparameters": {"lightgbm": {"n_estimators": 3}}}
    run_pipeline(quick_config(data_dir, run_dir, training=trees), Silent(), replace=True)
    assert executed == [
        "pool/pool",
        *(f"train_pooled_fold/cs_{TARGET}__lightgbm fold {fold}" for fold in range(2)),
        f"train_pooled/cs_{TARGET}__lightgbm",
        *(f"train_symbol/S{i:02d}" for i in range(4)),
        "join_predictions/all",
        f"reliability/{TARGET}",
        f"evaluate_pooled/cs_{TARGET}__lightgbm",
        *(f"evaluate_symbol/S{i:02d}" for i in range(4)),
        "compare_models/all",
        "join_curves/all",
    ]


def test_rewritten_symbol_is_read_again(
    data_dir: Path, tmp_path: Path, executed: list[str]
) -> None:
    """A symbol whose file was rewritten is inspected again; the others are not."""
    import shutil

    shutil.copytree(data_dir, tmp_path / "data")
    config = quick_config(tmp_path / "data", tmp_path / "run")
    run_pipeline(config, Silent())
    before = _record(tmp_path / "run")
    path = tmp_path / "data" / "interval=1d" / "symbol=S02" / "part-0.parquet"
    shutil.copyfile(path, path.with_name("part-1.parquet"))
    path.unlink()
    executed.clear()
    run_pipeline(config, Silent())
    inspected = [unit for unit in executed if unit.startswith("inspect/")]
    assert inspected == ["inspect/S02"]
    assert _record(tmp_path / "run")["content_sha256"] == before["content_sha256"]


def test_results_of_another_config_do_not_stay(data_dir: Path, tmp_path: Path) -> None:
    """Models that this run did not train are not left beside those that it did."""
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    ridge = quick_config(data_dir, run_dir, training={"families": ["ridge"]})
    run_pipeline(ridge, Silent(), replace=True)
    models = {path.name.rsplit("__")[-1] for path in (run_dir / "models").iterdir()}
    assert models == {"ridge"}
