"""The run's own account, and what it may and may not clear away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ray_pipeline.driving.journal import Journal, refuse_foreign
from ray_pipeline.errors import ConfigError
from ray_pipeline.storage import RunDirectory


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(RunDirectory(tmp_path), {"name": "a run", "seed": 7})


def test_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    """A folder of somebody's own models is not taken for results of an earlier run."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "precious.txt").write_text("years of work")
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(
        ConfigError,
        match=r"output\.run_dir: \S+ is not a run directory \(it has no run\.json\), yet it holds "
        r"report\.html, models, which would be replaced\. Give a new or an empty folder\.",
    ):
        refuse_foreign(RunDirectory(tmp_path))
    assert (tmp_path / "models" / "precious.txt").read_text() == "years of work"


def test_stage_is_timed_even_if_it_fails(tmp_path: Path, journal: Journal) -> None:
    """A stage that raises has its time on record, written at once."""
    with pytest.raises(ZeroDivisionError), journal.stage("ranking"):
        raise ZeroDivisionError
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["status"] == "running"
    assert list(record["timings_s"]) == ["ranking"]


def test_warnings_are_kept_once(journal: Journal) -> None:
    """What two stages say alike is said once, in the order in which it came up."""
    journal.warn(["b", "a"])
    journal.warn(["a", "c"])
    assert journal.record["warnings"] == ["b", "a", "c"]


def test_end_is_recorded(tmp_path: Path, journal: Journal) -> None:
    """The end has a status, a sentence, an error and a time."""
    journal.count(models=3)
    journal.note(content_sha256="ab")
    journal.finish("failed", "the run failed", "no disk")
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["status"], record["message"], record["error"]) == (
        "failed",
        "the run failed",
        "no disk",
    )
    assert (record["counts"], record["content_sha256"]) == ({"models": 3}, "ab")
    assert record["finished_at"] >= record["started_at"]
    assert (record["name"], record["seed"]) == ("a run", 7)


def test_timings_are_those_of_the_work(tmp_path: Path) -> None:
    """What an earlier command computed keeps its time; what is added by this one is added."""
    before = {"timings_s": {"inspect": 5.0, "ranking": 7.0}, "wall_s": 20.0}
    journal = Journal(RunDirectory(tmp_path), {}, before=before)
    with journal.stage("inspect"):
        pass
    with journal.stage("ranking"):
        journal.computed()
    with journal.stage("training"):
        journal.computed()
    journal.finish("done", "all of it")
    timings = journal.record["timings_s"]
    assert timings["inspect"] == 5.0
    assert timings["ranking"] >= 7.0
    assert timings["training"] < 5.0
    assert journal.record["wall_s"] >= 20.0


def test_a_command_that_computes_nothing_changes_no_time(tmp_path: Path) -> None:
    """The same command on a finished run reports the time that the work took."""
    before = {"timings_s": {"inspect": 5.0}, "wall_s": 20.0}
    journal = Journal(RunDirectory(tmp_path), {}, before=before)
    with journal.stage("inspect"):
        pass
    journal.finish("done", "all of it")
    assert journal.record["timings_s"] == {"inspect": 5.0}
    assert journal.record["wall_s"] == 20.0
