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
        match=r"output\.run_dir: \S+ is no run directory \(it has no run\.json\), yet it holds "
        r"models, report\.html, which would be replaced\. Give a new or an empty folder\.",
    ):
        refuse_foreign(RunDirectory(tmp_path))
    assert (tmp_path / "models" / "precious.txt").read_text() == "years of work"


def test_clearing_spares_other_files(tmp_path: Path, journal: Journal) -> None:
    """Of a run directory the results go; finished units and files of the user's own stay."""
    journal.write()
    kept = ["notes.txt", "units/inspect/0.json"]
    for name in ("models/a/model.txt", "routing/routes.parquet", *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    journal.clear_results()
    left = sorted(
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    )
    assert left == [*kept[:1], "run.json", *kept[1:]]


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
