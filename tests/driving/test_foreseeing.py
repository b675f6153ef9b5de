"""A run says what it will take, and at its end what it took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from panels import quick_config, read_json

from ray_pipeline.cli import main
from ray_pipeline.commands.checking import check_config
from ray_pipeline.driving.progress import Silent
from ray_pipeline.execution import Outcome
from ray_pipeline.pipeline import run_pipeline


class Listening(Silent):
    """Keeps what is said; presses Ctrl-C when a stage begins."""

    def __init__(self, until: str = "") -> None:
        self._until = until
        self.said: list[str] = []

    def say(self, text: str, event: str = "message", **facts: Any) -> None:
        self.said.append(text)

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        if outcome.unit.stage == self._until:
            raise KeyboardInterrupt


def test_a_run_beside_its_estimate(data_dir: Path, tmp_path: Path, reference: str) -> None:
    """The estimate is that of check; the comparison is in the record and the report."""
    config = quick_config(data_dir, tmp_path / "run")
    listening = Listening()
    run_pipeline(config, listening)
    record = read_json(tmp_path / "run/run.json")
    estimate, took = record["estimate"], record["estimate"]["took"]
    figures = {"wall_s", "memory_bytes", "disk_bytes", "n_requests", "other_load"}
    assert set(took) == figures
    assert 0 < took["wall_s"] <= record["wall_s"] + 0.01
    assert took["memory_bytes"] is None or took["memory_bytes"] > 10 * 2**20
    left = sum(path.stat().st_size for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert 0 < took["disk_bytes"] < left
    assert took["n_requests"] == 0
    checked = check_config(config)["estimate"]
    assert set(estimate) == {*checked, "took", "comparison"}
    assert set(estimate["stages_s"]) == set(checked["stages_s"])
    assert [estimate[name] for name in ("disk_bytes", "memory_bytes")] == [
        checked[name] for name in ("disk_bytes", "memory_bytes")
    ]
    told = [text for text in listening.said if text.startswith("This run will take about")]
    assert told == estimate["told"]
    said = listening.said[listening.said.index(estimate["comparison"][0]) :]
    assert said[: len(estimate["comparison"])] == estimate["comparison"]
    page = (tmp_path / "run/report.html").read_text()
    assert estimate["comparison"][0].removeprefix("took ") in page
    assert record["content_sha256"] == reference


def test_a_run_that_continues_is_not_compared(
    data_dir: Path, tmp_path: Path, reference: str
) -> None:
    """What it took is not what this command did; the estimate is of the whole, and says so."""
    config = quick_config(data_dir, tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(config, Listening(until="rank_symbol"))
    interrupted = read_json(tmp_path / "run/run.json")
    assert "took" not in interrupted["estimate"]
    assert interrupted["estimate"]["told"][0] in (tmp_path / "run/report.html").read_text()
    listening = Listening()
    run_pipeline(config, listening)
    record = read_json(tmp_path / "run/run.json")
    assert "took" not in record["estimate"]
    assert not [text for text in listening.said if text.startswith("took")]
    assert any("the whole run" in text for text in listening.said)
    assert record["content_sha256"] == reference


def test_estimates_do_not_tell_runs_apart(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is the record of one read as a result: two runs that differ in time alone are equal."""
    for name in ("a", "b"):
        run_pipeline(quick_config(data_dir, tmp_path / name), Silent())
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 0
    assert "estimate" not in capsys.readouterr().out
