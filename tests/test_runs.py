"""``ray-pipeline runs``: what was run below a folder, when, and with what result."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample_runs import SampleRun

from ray_pipeline.cli import main
from ray_pipeline.errors import DiscoveryError
from ray_pipeline.runs import find_runs, runs_lines
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.lease import LEASE, Holder

if TYPE_CHECKING:
    from conftest import S3Server, Store

WHEN = {"started_at": "2026-03-04T05:06:07+00:00", "wall_s": 250.0}


def write_run(folder: Path, status: str = "done", strength: float = 6.0, **record: Any) -> Path:
    """Write a synthetic run directory."""
    SampleRun(status=status, strength=strength, record=WHEN | record).write(folder)
    return folder


@pytest.fixture
def below(tmp_path: Path) -> Path:
    """Write runs at several depths, and what is none."""
    write_run(tmp_path / "daily", started_at="2026-03-05T00:00:00+00:00")
    write_run(tmp_path / "project/month/noise", strength=0.0)
    write_run(tmp_path / "daily/versions/v1")  # of the run above it
    write_run(tmp_path / ".hidden/run")
    write_run(tmp_path / "panel/symbol=A/run")
    write_run(tmp_path / "a/b/c/d/e/deep")
    (tmp_path / "notes.txt").touch()
    return tmp_path


def test_runs_are_found_below_a_folder_the_newest_first(below: Path) -> None:
    """At any depth that was asked for; not inside of other runs, hidden folders and panels."""
    assert [run.path for run in find_runs(str(below)).runs] == ["daily", "project/month/noise"]
    assert [run.path for run in find_runs(str(below), 1).runs] == ["daily"]
    assert len(find_runs(str(below), 12).runs) == 3
    (itself,) = find_runs(str(below / "daily"), 0).runs
    assert (itself.path, itself.uri) == ("", str(below / "daily"))


def test_a_run_in_a_line(below: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """When it began, what it took, what it found and how large it is."""
    found, noise = find_runs(str(below)).runs
    assert (found.state, found.wall_s, found.n_targets) == ("done", 250.0, 8)
    assert found.predictable[0] == "fwd_ret_5d"
    assert found.best is not None
    assert found.best["target"] == "fwd_ret_5d"
    assert found.best["skill"] > 0
    files = [path for path in (below / "daily").rglob("*") if path.is_file()]
    assert found.size_bytes == sum(path.stat().st_size for path in files)
    assert noise.predictable == ()
    assert noise.best is not None
    assert main(["runs", str(below)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("daily")
    for told in ("done", "2026-03-05 00:00", "4 min 10 s", f"{len(found.predictable)} of 8"):
        assert told in lines[1]
    assert "none" in lines[2]
    assert "2 runs" in lines[-1]
    assert main(["runs", str(below), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["below"] == str(below)
    assert [run["path"] for run in document["runs"]] == ["daily", "project/month/noise"]
    assert document["runs"][0]["best"]["q_value"] == found.best["q_value"]


def test_a_run_without_a_driver_is_stopped(tmp_path: Path) -> None:
    """Whatever its record says; one with a driver runs."""
    directory = write_run(tmp_path / "run", status="running")
    assert find_runs(str(tmp_path)).runs[0].state == "stopped"
    RunDirectory(str(directory)).write_bytes(LEASE, Holder.of_this_process().written())
    assert find_runs(str(tmp_path)).runs[0].state == "running"


def test_an_attempt_to_replace_a_result_is_told(tmp_path: Path) -> None:
    """Beside the result that stands until it is done."""
    write_run(tmp_path / "run")
    (tmp_path / "run/next").mkdir()
    shutil.copy(tmp_path / "run/run.json", tmp_path / "run/next/run.json")
    record = json.loads((tmp_path / "run/run.json").read_text()) | {"status": "failed"}
    (tmp_path / "run/next/run.json").write_text(json.dumps(record))
    found = find_runs(str(tmp_path))
    assert (found.runs[0].state, found.runs[0].attempt) == ("done", "failed")
    assert any("next failed" in line for line in runs_lines(found))


def test_one_unreadable_run_does_not_hide_the_others(below: Path) -> None:
    """It is listed with the reason, such as that a later version wrote it."""
    (below / "project/month/noise/run.json").write_text('{"format_version": 99}')
    found = find_runs(str(below))
    states = {run.path: run.state for run in found.runs}
    assert states == {"daily": "done", "project/month/noise": "unreadable"}
    assert any(
        line.startswith("unreadable project/month/noise") and "99" in " ".join(runs_lines(found))
        for line in runs_lines(found)
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list everything")
def test_a_folder_that_cannot_be_listed_is_named(below: Path) -> None:
    """The others are told all the same."""
    closed = below / "closed"
    closed.mkdir(mode=0)
    try:
        found = find_runs(str(below))
    finally:
        closed.chmod(0o700)
    assert found.unlisted == ("closed",)
    assert len(found.runs) == 2
    assert any("closed" in line for line in runs_lines(found))


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is an error; one without a run is an answer."""
    with pytest.raises(DiscoveryError, match="nope is not a folder"):
        find_runs(str(tmp_path / "nope"))
    (tmp_path / "empty").mkdir()
    assert main(["runs", str(tmp_path / "empty")]) == 0
    assert "no run directory below" in capsys.readouterr().out


def test_runs_on_an_object_store(
    s3_store: Store, s3_server: S3Server, below: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk; nothing below a run is listed to find others."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for path in below.rglob("*"):
        if path.is_file():
            s3_store.put(f"lab/{path.relative_to(below).as_posix()}", path.read_bytes())
    uri = s3_store.uri_of("lab")
    found = find_runs(uri).runs
    assert [(run.path, run.state) for run in found] == [
        ("daily", "done"),
        ("project/month/noise", "done"),
    ]
    assert found[0].uri == f"{uri}/daily"
    sizes = [path.stat().st_size for path in (below / "daily").rglob("*") if path.is_file()]
    assert found[0].size_bytes == sum(sizes)
