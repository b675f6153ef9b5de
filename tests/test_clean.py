"""Cleaning says first what it would free, and never what the result or resuming needs."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from panels import planted_panel, quick_config, symbol_names, write_panel

from ray_pipeline import load_run
from ray_pipeline.cleaning import survey_run
from ray_pipeline.cli import main
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.driving.progress import Silent
from ray_pipeline.execution import Done, Outcome
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.lease import DriverLease
from ray_pipeline.storage.replacing import NEXT
from ray_pipeline.versions.changing import list_versions

if TYPE_CHECKING:
    from conftest import S3Server, Store

TABLES = planted_panel(symbol_names(3))


class Counting(Silent):
    """Counts the units that were computed, not recalled; may end the run at one."""

    def __init__(self, end_at: str | None = None) -> None:
        self.n_computed, self._end_at = 0, end_at

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """Count."""
        if outcome.unit.stage == self._end_at:
            raise KeyboardInterrupt
        self.n_computed += isinstance(outcome, Done) and outcome.attempts > 0


def config_of(root: Path, n_bars: int, run_dir: object, **training: object) -> ExperimentConfig:
    """Return a config of the first bars."""
    data_dir = write_panel(
        root / "data", {name: table.slice(0, n_bars) for name, table in TABLES.items()}
    )
    return quick_config(
        data_dir,
        run_dir,
        training={"families": ["ridge"]} | training,
        feature_selection={"accept": "always", "top_m_features": 1},
    )


def files_of(run_dir: Path) -> dict[str, bytes]:
    """Read every file."""
    return {
        path.relative_to(run_dir).as_posix(): path.read_bytes()
        for path in run_dir.rglob("*")
        if path.is_file()
    }


def test_what_an_older_training_left_is_freed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its units go; the result is as it was, scores too, and the same run does nothing again."""
    run_dir = tmp_path / "run"
    for n_bars in (260, 320):
        config = config_of(tmp_path, n_bars, run_dir)
        run_pipeline(config, Silent())
    before = files_of(run_dir)
    scores = load_run(str(run_dir)).predict(TABLES["S00"], "S00")
    assert main(["clean", str(run_dir)]) == 0
    told = capsys.readouterr().out
    assert "units of train_pooled that the result no longer refers to" in told
    assert "would be deleted" in told
    assert told.endswith("nothing was deleted: add --yes to delete\n")
    assert main(["clean", str(run_dir), "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["removed"] is False
    assert files_of(run_dir) == before
    assert main(["clean", str(run_dir), "--yes"]) == 0
    assert " freed in " in capsys.readouterr().out
    after = files_of(run_dir)
    gone = {name: len(content) for name, content in before.items() if name not in after}
    assert gone
    assert all(name.startswith("units/") for name in gone)
    assert sum(gone.values()) == found["size_bytes"]
    assert len(gone) == sum(each["n_files"] for each in found["leftovers"])
    assert {name: after[name] for name in after} == {name: before[name] for name in after}
    assert load_run(str(run_dir)).predict(TABLES["S00"], "S00").equals(scores)
    counting = Counting()
    run_pipeline(config, counting)
    assert counting.n_computed == 0
    assert survey_run(str(run_dir)).leftovers == ()


def test_an_unfinished_run_keeps_its_units(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it would take up again stays, unless it is given up; its folder goes either way."""
    run_dir = tmp_path / "run"
    run_pipeline(config_of(tmp_path, 260, run_dir), Silent())
    later = config_of(tmp_path, 320, run_dir)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(later, Counting("evaluate_pooled"))
    assert (run_dir / NEXT).is_dir()
    assert main(["clean", str(run_dir), "--yes"]) == 0
    assert "Add --unfinished to delete them anyway" in capsys.readouterr().out
    assert not (run_dir / NEXT).exists()
    counting = Counting("evaluate_pooled")
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(later, counting)
    assert counting.n_computed == 0
    assert main(["clean", str(run_dir), "--yes", "--unfinished"]) == 0
    counting = Counting()
    run_pipeline(later, counting)
    assert counting.n_computed > 0


def test_versions_beyond_a_number_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """But the one that serves and the one before it; so do folders that were never whole."""
    run_dir = tmp_path / "run"
    for n_bars in (240, 280, 320):
        run_pipeline(config_of(tmp_path, n_bars, run_dir, promote="always"), Silent())
    names = [each["version"] for each in list_versions(str(run_dir))["versions"]]
    assert len(names) == 3
    half = run_dir / "versions" / "2020-01-01T0000Z-0000abcd"
    half.mkdir()
    (half / "config.yaml").write_text("x")
    assert main(["clean", str(run_dir), "--keep", "1", "--yes"]) == 0
    told = capsys.readouterr().out
    assert f"version {names[2]}, beyond those that are kept" in told
    assert f"version {half.name}, which was never whole" in told
    left = [each["version"] for each in list_versions(str(run_dir))["versions"]]
    assert left == names[:2]
    assert not half.exists()
    assert not (run_dir / "versions" / names[2]).exists()
    assert load_run(str(run_dir), version=names[1]).targets


def test_it_asks_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any answer but yes removes nothing."""
    run_dir = tmp_path / "run"
    for n_bars in (260, 320):
        run_pipeline(config_of(tmp_path, n_bars, run_dir), Silent())
    before = files_of(run_dir)

    class Answers(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Answers("no\n"))
    assert main(["clean", str(run_dir)]) == 0
    assert files_of(run_dir) == before
    monkeypatch.setattr(sys, "stdin", Answers("y\n"))
    assert main(["clean", str(run_dir)]) == 0
    assert len(files_of(run_dir)) < len(before)
    capsys.readouterr()


def test_what_it_cannot_tell_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the list of what the result was made of, and while a run is at work."""
    run_dir = tmp_path / "run"
    for n_bars in (260, 320):
        run_pipeline(config_of(tmp_path, n_bars, run_dir), Silent())
    units = (run_dir / "units.json").read_bytes()
    (run_dir / "units.json").unlink()
    assert main(["clean", str(run_dir), "--yes"]) == 0
    assert "the result has no units.json" in capsys.readouterr().out
    (run_dir / "units.json").write_bytes(units)
    with DriverLease(RunDirectory(run_dir), print).held():
        assert main(["clean", str(run_dir), "--yes"]) == 2
    assert "is in use by process" in capsys.readouterr().err
    assert main(["clean", str(tmp_path / "none"), "--yes"]) == 2
    assert "is not a run directory" in capsys.readouterr().err


def test_on_an_object_store(
    tmp_path: Path,
    s3_store: Store,
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Versions are kept, serve, change and are cleaned there as on a disk."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    uri, run_dir = s3_store.uri_of("run"), tmp_path / "run"
    for n_bars in (240, 280, 320):
        for place in (run_dir, uri):
            config = config_of(tmp_path, n_bars, place, promote="always")
            run_pipeline(config, Silent())
    names = [each["version"] for each in list_versions(uri)["versions"]]
    assert names == [each["version"] for each in list_versions(str(run_dir))["versions"]]
    scores = load_run(str(run_dir), version=names[1]).predict(TABLES["S00"], "S00")
    assert main(["versions", uri, "--rollback"]) == 0
    assert load_run(uri).predict(TABLES["S00"], "S00").equals(scores)
    assert main(["clean", uri, "--keep", "1", "--dry-run", "--json"]) == 0
    capsys.readouterr()
    dry = survey_run(uri, 1)
    run = RunDirectory(uri)
    n_before = run.size_bytes()
    assert main(["clean", uri, "--keep", "1", "--yes"]) == 0
    assert f"version {names[2]}, beyond those that are kept" in capsys.readouterr().out
    assert [each["version"] for each in list_versions(uri)["versions"]] == names[:2]
    # But for the journal's entry of what was removed.
    journal = [name for name in run.list("versions/journal") if name.endswith("-removed.json")]
    assert len(journal) == 1
    assert n_before - run.size_bytes() == dry.size_bytes - len(run.read_bytes(journal[0]))
    assert load_run(uri).predict(TABLES["S00"], "S00").equals(scores)
    counting = Counting()
    run_pipeline(config, counting)
    assert counting.n_computed == 0
