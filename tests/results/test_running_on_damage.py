"""The same `run` command on a run directory with damaged files: they are written again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from finished_run import FinishedRun
from mutations import RUBBISH, broken_documents, changed_keys

from ray_pipeline.results.documents import FORMAT_VERSION
from ray_pipeline.results.tables import content_names
from ray_pipeline.storage import RunDirectory, content_sha256, lease


@pytest.fixture
def folder(run: FinishedRun, tmp_path: Path) -> Path:
    """Copy the finished run with its units."""
    return Path(shutil.copytree(run.folder, tmp_path / "run"))


def again(run: FinishedRun, folder: Path, *options: str) -> tuple[int, str]:
    answer = run.main("run", str(run.root / "run.yaml"), "--run-dir", str(folder), *options)
    return answer.code, answer.err


def is_whole(run: FinishedRun, folder: Path) -> bool:
    """Whether the result is that of the reference, by its record and by its files."""
    reference = json.loads((run.folder / "run.json").read_text())["content_sha256"]
    record = json.loads((folder / "run.json").read_text())
    files = RunDirectory(folder)
    found = content_sha256(files, content_names(files))
    return record["status"] == "done" and {record["content_sha256"], found} == {reference}


@pytest.mark.parametrize("content", [b"", b"{}", RUBBISH], ids=["empty", "mapping", "rubbish"])
def test_all_results_damaged_at_once_are_written_anew(
    run: FinishedRun, folder: Path, content: bytes
) -> None:
    """Every file but the config, which says whose the result is, and the finished units.

    Nor the journal of versions, which keeps what people decided.
    """
    damaged = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not {"units", "journal"} & set(path.parts)
    ]
    damaged.remove(folder / "config.yaml")
    pointer = (folder / "versions" / "current.json").read_bytes()
    assert len(damaged) > 20
    for path in damaged:
        path.write_bytes(content)
    code, err = again(run, folder)
    assert (code, err) == (0, "")
    assert is_whole(run, folder)
    assert (folder / "versions" / "current.json").read_bytes() == pointer
    scored = ("--data-dir", str(run.root / "data"), "--out", str(folder.parent / "scored"))
    assert run.main("predict", str(folder), *scored, "--n-workers", "0").code == 0


def test_any_damage_to_the_record_is_repaired(run: FinishedRun, folder: Path) -> None:
    """A record that cannot be read is that of a result that may be whole: it is replaced."""
    given = (folder / "run.json").read_bytes()
    hardest = ("truncated", "null", "nested lists", "half a surrogate pair")
    damaged = {how: bad for how, bad in broken_documents(given) if how in hardest}
    damaged |= changed_keys(given, "timings_s.training")
    for how, content in damaged.items():
        (folder / "run.json").write_bytes(content)
        code, err = again(run, folder)
        assert (code, err) == (0, ""), how
        assert is_whole(run, folder), how


def test_the_result_of_a_later_version_is_not_replaced(run: FinishedRun, folder: Path) -> None:
    """A sentence says that it is one, and what to do."""
    record = json.loads((folder / "run.json").read_text())
    record["format_version"] = FORMAT_VERSION + 1
    (folder / "run.json").write_text(json.dumps(record))
    code, err = again(run, folder)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "written by a later version" in err
    assert json.loads((folder / "run.json").read_text()) == record


def test_a_lease_that_nobody_can_read_is_waited_for_and_taken_over(
    run: FinishedRun, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody touches it: its driver is gone."""
    monkeypatch.setattr(lease, "_SILENT_S", 0.0)
    for content in (b"", b"[" * 100_000, b'{"pid": []}'):
        (folder / "driver.json").write_bytes(content)
        assert again(run, folder)[0] == 0
        assert is_whole(run, folder)
        assert not (folder / "driver.json").exists()


def test_a_replacement_without_a_result_to_put_there_is_none(
    run: FinishedRun, folder: Path
) -> None:
    """The marker alone, as a copy of half a directory has it: the result that stands is kept."""
    for content in (b'{"result": "next"}', RUBBISH):
        (folder / "replacing.json").write_bytes(content)
        assert run.main("status", str(folder))[0] == 0
        assert again(run, folder)[0] == 0
        assert is_whole(run, folder)


@pytest.mark.parametrize("content", [b"", b"null", b"{}", RUBBISH, b"data: [1"])
def test_a_result_whose_config_cannot_be_read_is_not_replaced_unasked(
    run: FinishedRun, folder: Path, content: bytes
) -> None:
    """Nobody knows whether it is of the same config: a sentence says so, and what to do."""
    (folder / "config.yaml").write_bytes(content)
    before = (folder / "run.json").read_bytes()
    code, err = again(run, folder)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "--replace" in err
    assert str(folder) in err
    assert (folder / "run.json").read_bytes() == before
    assert again(run, folder, "--replace")[0] == 0
    assert is_whole(run, folder)
