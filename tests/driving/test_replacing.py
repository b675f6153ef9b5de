"""A run directory holds one whole result: the old one until the new one is complete."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from panels import quick_config, read_json, write_config

import ray_pipeline.driving.journal
from ray_pipeline.cli import main
from ray_pipeline.driving.progress import Silent
from ray_pipeline.errors import ConfigError, ExecutionError
from ray_pipeline.execution import Outcome
from ray_pipeline.pipeline import run_pipeline
from ray_pipeline.results.opening import open_run
from ray_pipeline.status import run_status, status_lines
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.replacing import MARKER, NEXT, result_place

if TYPE_CHECKING:
    from conftest import Store

RIDGE = {"training": {"families": ["ridge"]}}


def _files(run_dir: Path) -> dict[str, str]:
    """Hash every file of the result that stands, by name."""
    left_out = ("units/", f"{NEXT}/", "driver.json")
    found = {}
    for path in sorted(run_dir.rglob("*")):
        name = path.relative_to(run_dir).as_posix()
        if path.is_file() and not name.startswith(left_out):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


class Ending(Silent):
    """Ends the run when a stage has its first outcome."""

    def __init__(self, stage: str, error: BaseException) -> None:
        self._stage, self._error = stage, error

    def outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        """End the run when it is time."""
        if outcome.unit.stage == self._stage:
            raise self._error


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), ExecutionError("no luck"), RuntimeError("a defect")]
)
@pytest.mark.parametrize("stage", ["inspect", "train_symbol", "join_curves"])
def test_old_result_stays_until_the_new_one_is_whole(
    data_dir: Path, tmp_path: Path, stage: str, error: BaseException
) -> None:
    """However and wherever a run ends, what was there before is untouched, file by file."""
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    before = _files(run_dir)
    with pytest.raises(type(error)):
        run_pipeline(quick_config(data_dir, run_dir, **RIDGE), Ending(stage, error), replace=True)
    assert _files(run_dir) == before
    lines = status_lines(run_status(str(run_dir)))
    told = lines.index("a later run has not replaced this result:")
    assert lines[0] == "planted: done"
    assert lines[told + 1] in ("  planted: interrupted", "  planted: failed")
    attempt = read_json(run_dir / NEXT / "run.json")
    assert attempt["status"] == (
        "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    )
    run_pipeline(quick_config(data_dir, run_dir, **RIDGE), Silent(), replace=True)
    assert {path.name.split("__")[-1] for path in (run_dir / "models").iterdir()} == {"ridge"}
    assert not (run_dir / NEXT).exists()
    assert not (run_dir / MARKER).exists()


def test_another_config_is_refused_with_the_keys(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 before anything is touched: which keys differ, both values, and the ways on."""
    run_dir = tmp_path / "run"
    config = write_config(tmp_path / "run.yaml", data_dir, run_dir)
    assert main(["run", str(config)]) == 0
    before = _files(run_dir)
    capsys.readouterr()
    for override, told in (
        ("experiment.seed=1", "experiment.seed is 7 there and 1 here"),
        ("data.interval=1d", "data.interval is null there and "),
    ):
        assert main(["run", str(config), "--set", override]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        message = output.err.splitlines()[-1]
        assert str(run_dir) in message
        assert told in message
        assert "--replace" in message
        assert "--run-dir" in message
    assert main(["check", str(config), "--set", "experiment.seed=1"]) == 0
    assert "experiment.seed is 7 there and 1 here" in " ".join(capsys.readouterr().out.split())
    assert main(["check", str(config)]) == 0
    assert "holds the result of another config" not in capsys.readouterr().out
    assert _files(run_dir) == before
    assert not (run_dir / NEXT).exists()
    # Where and under which name the work is done changes no result.
    assert main(["run", str(config), "--set", "experiment.name=other"]) == 0


def test_mistyped_interval_is_refused_before_anything_is_touched(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Config and data are checked against each other first, also with --replace."""
    run_dir = tmp_path / "run"
    config = write_config(tmp_path / "run.yaml", data_dir, run_dir)
    assert main(["run", str(config)]) == 0
    before = _files(run_dir)
    assert main(["run", str(config), "--set", "data.interval=5m", "--replace"]) == 2
    assert "5m" in capsys.readouterr().err
    assert _files(run_dir) == before


def test_unreadable_record_may_be_a_result(data_dir: Path, tmp_path: Path) -> None:
    """A damaged run.json does not allow overwriting: the run works beside it, and repairs it."""
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    reference = read_json(run_dir / "run.json")["content_sha256"]
    for damage in (b"", b"null", b"{", b"[" * 100_000):
        (run_dir / "run.json").write_bytes(damage)
        run_pipeline(quick_config(data_dir, run_dir), Silent())
        assert read_json(run_dir / "run.json")["content_sha256"] == reference
    (run_dir / "config.yaml").write_text("data: [")
    with pytest.raises(ConfigError, match=r"whether this config produced it: .*--replace"):
        run_pipeline(quick_config(data_dir, run_dir), Silent())
    run_pipeline(quick_config(data_dir, run_dir), Silent(), replace=True)
    assert read_json(run_dir / "run.json")["content_sha256"] == reference


@pytest.mark.parametrize("n_copies", [0, 1, 7])
def test_killed_while_files_are_put_in_place(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_copies: int
) -> None:
    """From the marker on readers see the new result, whole; the next driver finishes the rest."""
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    copied: list[str] = []
    copy = RunDirectory.copy

    def killed(run: RunDirectory, name: str, to: str) -> None:
        if name.startswith(f"{NEXT}/"):
            if len(copied) >= n_copies:
                raise SystemExit  # no handler of ours sees it
            copied.append(name)
        copy(run, name, to)

    monkeypatch.setattr(RunDirectory, "copy", killed)
    with pytest.raises(SystemExit):
        run_pipeline(quick_config(data_dir, run_dir, **RIDGE), Silent(), replace=True)
    monkeypatch.undo()
    assert (run_dir / MARKER).exists()
    place = open_run(str(run_dir)).files
    assert place.uri == f"{run_dir}/{NEXT}"
    seen = json.loads(place.read_text("run.json"))
    assert seen["status"] == "done"
    models = {name for name in place.list("models") if name.endswith("metadata.json")}
    assert models
    assert all("ridge" in name for name in models)
    assert main(["explain", str(run_dir), "--target", "fwd_ret_1d"]) == 0
    run_pipeline(quick_config(data_dir, run_dir, **RIDGE), Silent())
    assert read_json(run_dir / "run.json")["content_sha256"] == seen["content_sha256"]
    assert result_place(RunDirectory(run_dir)).uri == str(run_dir)


def test_killed_while_the_folder_is_cleared(data_dir: Path, tmp_path: Path) -> None:
    """Files of a replacement that was done are not a result, and the next run clears them."""
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    (run_dir / NEXT / "models" / "old").mkdir(parents=True)
    (run_dir / NEXT / "models" / "old" / "metadata.json").write_text("{}")
    before = _files(run_dir)
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    assert not (run_dir / NEXT).exists()
    assert set(_files(run_dir)) == set(before)


def test_timings_of_a_continued_run_are_those_of_the_work(data_dir: Path, tmp_path: Path) -> None:
    """The same command again computes nothing, and reports the time that the work took."""
    run_dir = tmp_path / "run"
    config = quick_config(data_dir, run_dir)
    run_pipeline(config, Silent())
    before = read_json(run_dir / "run.json")
    run_pipeline(config, Silent())
    after = read_json(run_dir / "run.json")
    for key in ("timings_s", "wall_s"):
        assert after[key] == before[key]


def test_configs_without_a_name_do_not_share_a_folder(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run without a name is called what its file is called."""
    from ray_pipeline.config import load_experiment_config

    monkeypatch.chdir(tmp_path)
    for stem in ("daily", "hourly"):
        (tmp_path / f"{stem}.yaml").write_text(f"data: {{data_dir: {data_dir}}}\n")
        config = load_experiment_config(tmp_path / f"{stem}.yaml")
        assert (config.experiment.name, config.output.run_dir) == (stem, f"runs/{stem}")
    named = load_experiment_config(tmp_path / "daily.yaml", ["experiment.name=mine"])
    assert named.output.run_dir == "runs/mine"
    placed = load_experiment_config(tmp_path / "daily.yaml", ["output.run_dir=elsewhere"])
    assert placed.output.run_dir == "elsewhere"


def test_first_run_is_written_where_people_look(data_dir: Path, tmp_path: Path) -> None:
    """Without an older result there is nothing to keep apart: a first run can be watched."""
    run_dir = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(quick_config(data_dir, run_dir), Ending("train_symbol", KeyboardInterrupt()))
    assert read_json(run_dir / "run.json")["status"] == "interrupted"
    assert (run_dir / "routing" / "routes.parquet").exists()
    assert not (run_dir / NEXT).exists()


def test_record_that_does_not_say_how_it_ended_may_be_a_result(
    data_dir: Path, tmp_path: Path
) -> None:
    """An empty record does not permit another config: only a run that says so has not ended."""
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    for damage in ("{}", '{"status": "doen"}'):
        (run_dir / "run.json").write_text(damage)
        with pytest.raises(ConfigError, match=r"holds the result of another config"):
            run_pipeline(quick_config(data_dir, run_dir, **RIDGE), Silent())


@pytest.mark.parametrize("stage", ["pool_slice", "train_symbol"])
def test_run_directory_that_cannot_be_written_costs_no_symbol(
    data_dir: Path, tmp_path: Path, stage: str
) -> None:
    """The run fails with the address, and the result that stood before is untouched."""
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    before = _files(run_dir)
    record = sorted((run_dir / "units" / stage).glob("*.json"))[0]
    record.unlink()
    for path in [path for path in record.with_suffix("").rglob("*") if path.is_file()]:
        path.unlink()
        path.mkdir()  # no file can be written there
    with pytest.raises(
        ExecutionError, match=rf"^{stage}/\S+: Cannot write .*No symbol is at fault"
    ):
        run_pipeline(quick_config(data_dir, run_dir), Silent())
    assert _files(run_dir) == before


def test_edited_code_is_said(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another source of this package is told as another version is, and told once."""
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    told: list[str] = []

    class Listening(Silent):
        def say(self, text: str, event: str = "message", **facts: Any) -> None:
            told.append(text)

    monkeypatch.setattr(ray_pipeline.driving.journal, "package_sha256", lambda: "0" * 64)
    run_pipeline(quick_config(data_dir, run_dir), Listening())
    [line] = [text for text in told if "since the last run here" in text]
    assert line.startswith("ray_pipeline, source ")
    assert " → 000000000000 since" in line
    told.clear()
    run_pipeline(quick_config(data_dir, run_dir), Listening())
    assert not [text for text in told if "since the last run here" in text]


def test_what_killed_writes_left_is_cleared(data_dir: Path, tmp_path: Path) -> None:
    """Half-written files beside results go with the next run."""
    run_dir = tmp_path / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    left = run_dir / "routing" / ".routes.parquet.0123456789ab.tmp"
    left.write_bytes(b"half")
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    assert not left.exists()


def test_every_kind_of_store_holds_one_whole_result(store: Store, data_dir: Path) -> None:
    """In an object store, too, the old result stands until the new one is put in its place."""
    run_dir = store.uri_of("run")
    output = {"output": {"storage_options": store.options}}
    config = quick_config(data_dir, run_dir, **output)
    run_pipeline(config, Silent())
    before = open_run(run_dir, store.options)
    whole = before.record.content_sha256
    ridge = quick_config(data_dir, run_dir, **output, **RIDGE)
    with pytest.raises(
        ConfigError, match=r"holds the result of another config: training\.families"
    ):
        run_pipeline(ridge, Silent())
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(ridge, Ending("join_curves", KeyboardInterrupt()), replace=True)
    assert open_run(run_dir, store.options).record.content_sha256 == whole
    run_pipeline(ridge, Silent(), replace=True)
    after = open_run(run_dir, store.options)
    assert after.record.content_sha256 not in (None, whole)
    models = {name.split("/")[1].split("__")[-1] for name in after.files.list("models")}
    assert models == {"ridge"}
    assert after.files.list(NEXT) == []
