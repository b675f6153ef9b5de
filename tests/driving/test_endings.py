"""How a run ends, and that its record never says otherwise."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.parquet as pq
import pytest
from panels import quick_config, write_config

import ray_pipeline.ranking.ranking
import ray_pipeline.routing.assigning
import ray_pipeline.training.units
from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import Outcome
from ray_pipeline.pipeline import run_pipeline


def _record(run_dir: Path) -> Any:
    return json.loads((run_dir / "run.json").read_text())


class Watching(Silent):
    """Reads the run's status whenever a unit ends."""

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = run_dir
        self.seen: set[str] = set()

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Look."""
        self.seen.add(_record(self._run_dir)["status"])


def test_running_run_says_so(data_dir: Path, tmp_path: Path) -> None:
    """Until the last unit has ended the status is running, then it is done."""
    watching = Watching(tmp_path / "run")
    run_pipeline(quick_config(data_dir, tmp_path / "run"), watching)
    assert watching.seen == {"running"}
    assert _record(tmp_path / "run")["status"] == "done"


def test_unexpected_error_fails_the_run(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours leaves a run that says failed, a report, and no result of later stages."""

    def broken(*_: object) -> NoReturn:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(ray_pipeline.routing.assigning, "route_symbols", broken)
    with pytest.raises(ZeroDivisionError):
        run_pipeline(quick_config(data_dir, tmp_path / "run"), Silent())
    record = _record(tmp_path / "run")
    assert (record["status"], record["message"]) == ("failed", "the run failed")
    assert record["error"] == "an unexpected error; standard error has its traceback"
    assert record["content_sha256"] is None
    assert set(record["timings_s"]) >= {"target_ranking", "routing"}
    assert (tmp_path / "run" / "target_ranking" / "targets.parquet").exists()
    assert not (tmp_path / "run" / "routing" / "routes.parquet").exists()
    assert "failed" in (tmp_path / "run" / "report.html").read_text()


def _no_fit(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("the library is broken")


@pytest.mark.parametrize(
    ("tolerated", "error"),
    [
        (
            0.5,
            r"4 of 4 symbols failed, more than execution\.max_failed_fraction=0\.5 allows\. The "
            r"first, S00, in train_symbol: RuntimeError: the library is broken "
            r"\(failures\.parquet has them all\)\.",
        ),
        (
            1.0,
            r"1 of 1 target predictable \(fwd_ret_1d\), but not one of 10 models could be trained; "
            r"failures\.parquet and training_plan\.json say why\.",
        ),
    ],
)
def test_run_without_a_model_because_units_failed_has_failed(
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tolerated: float,
    error: str,
) -> None:
    """Something is predictable and nothing could be trained: exit 1, and nowhere "done"."""
    monkeypatch.setattr(ray_pipeline.training.units, "fit_job", _no_fit)
    run_dir = tmp_path / "run"
    execution = {"max_failed_fraction": tolerated}
    config = write_config(tmp_path / "run.yaml", data_dir, run_dir, execution=execution)
    assert main(["run", str(config)]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert re.search(rf"^ray-pipeline: {error}$", output.err, re.MULTILINE)
    assert "done" not in output.err
    record = _record(run_dir)
    assert record["status"] == "failed"
    assert re.fullmatch(error, record["error"])
    failures = pq.read_table(run_dir / "failures.parquet").to_pylist()
    units = {row["unit"] for row in failures}
    assert {f"train_symbol/S{i:02d}" for i in range(4)} <= units
    assert {row["symbol"] for row in failures} == {None, "S00", "S01", "S02", "S03"}
    assert all("the library is broken" in row["traceback"] for row in failures)


def test_one_model_is_enough_to_go_on(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that could not be trained is counted, and the others are there."""
    fit_job = ray_pipeline.training.units.fit_job

    def fit_some(design: Any, target: Any, job: Any, *more: Any, **named: Any) -> Any:
        if job.view == "cross_sectional":
            raise RuntimeError("the pool is too wide")
        return fit_job(design, target, job, *more, **named)

    monkeypatch.setattr(ray_pipeline.training.units, "fit_job", fit_some)
    result = run_pipeline(quick_config(data_dir, tmp_path / "run"), Silent())
    assert result.message == (
        "1 of 1 target predictable (fwd_ret_1d), 8 of 10 models trained; 2 units failed, "
        "see failures.parquet"
    )
    assert len(list((tmp_path / "run" / "models").iterdir())) == 8


def test_run_whose_symbols_all_failed_has_failed(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing measured is not "nothing predictable", however many failures the config tolerates."""
    monkeypatch.setattr("ray_pipeline.ranking.own.walk_symbol", _no_fit)
    config = quick_config(data_dir, tmp_path / "run", execution={"max_failed_fraction": 1.0})
    with pytest.raises(ExecutionError, match=r"none of 4 symbols is left"):
        run_pipeline(config, Silent())
    assert _record(tmp_path / "run")["status"] == "failed"


@pytest.mark.parametrize(
    ("stage", "function"),
    [
        ("find_leaks", "ray_pipeline.leakage.tests.score_leaks"),
        ("pool_slice", "ray_pipeline.samples.pool.table_name"),
    ],
)
def test_every_stage_needs_a_symbol(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, function: str
) -> None:
    """A run that lost all its symbols ends there, and names the stage."""
    monkeypatch.setattr(function, _no_fit)
    config = quick_config(data_dir, tmp_path / "run", execution={"max_failed_fraction": 1.0})
    with pytest.raises(ExecutionError, match=rf"none of 4 symbols is left.*in {stage}"):
        run_pipeline(config, Silent())
