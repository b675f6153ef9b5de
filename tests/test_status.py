"""``ray-pipeline status``: how a run stands, read from its directory."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from panels import labeled_table, planted_panel, symbol_names, write_config, write_panel

from ray_pipeline.cli import main
from ray_pipeline.errors import DiscoveryError
from ray_pipeline.results.opening import open_run
from ray_pipeline.status import Watch, run_status, status_lines, status_sentence
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.lease import LEASE, Holder


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run over four good symbols and a short one."""
    root = tmp_path_factory.mktemp("run")
    tables = planted_panel(symbol_names(4)) | {"SHORT": labeled_table("SHORT", n_bars=10)}
    data_dir = write_panel(root / "data", tables)
    config = write_config(root / "run.yaml", data_dir, root / "run")
    assert main(["run", str(config)]) == 0
    return root / "run"


def test_status_as_json(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The record, finished units per stage, and the failures without their tracebacks."""
    assert main(["status", str(run_dir), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [*("run", "attempt", "version", "update", "driver", "units", "failures")]
    assert found["driver"] is None
    assert found["run"] == json.loads((run_dir / "run.json").read_text())
    assert found["units"] == {
        "evaluate_pooled": 2,
        "evaluate_symbol": 4,
        "compare_models": 1,
        "find_leaks": 4,
        "inspect": 4,
        "join_curves": 1,
        "join_predictions": 1,
        "reliability": 1,
        "pool_slice": 4,
        "rank_pooled": 1,
        "rank_pooled_fold": 2,
        "rank_symbol": 4,
        "prove_pooled": 1,
        "prove_pooled_fold": 1,
        "prove_symbol": 4,
        "select_pooled": 1,
        "select_pooled_fold": 2,
        "select_symbol": 4,
        "train_pooled": 2,
        "train_pooled_fold": 4,
        "train_symbol": 4,
    }
    (failure,) = found["failures"]
    assert (failure["unit"], failure["symbol"]) == ("inspect/SHORT", "SHORT")
    assert "traceback" not in failure


def test_status_for_people(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status and sentence first, then the stages in their order, then what failed."""
    assert main(["status", str(run_dir)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "planted: done"
    assert lines[1].startswith(
        "1 of 1 target predictable (fwd_ret_1d), 10 of 10 models trained; 1 symbol left out"
    )
    stages = [line.split(":")[0].strip() for line in lines if line.endswith(" s")]
    assert stages == [
        "inspect",
        "leakage",
        "pool",
        "target_ranking",
        "doubt",
        "feature_selection",
        "routing",
        "training",
        "calibration",
        "evaluation",
    ]
    assert (
        "finished units: inspect 4, find_leaks 4, pool_slice 4, rank_pooled_fold 2, rank_pooled 1, "
        "rank_symbol 4, select_pooled_fold 2, select_pooled 1, prove_pooled_fold 1, "
        "prove_pooled 1, select_symbol 4, prove_symbol 4, train_pooled_fold 4, train_pooled 2, "
        "train_symbol 4, join_predictions 1, reliability 1, evaluate_pooled 2, evaluate_symbol 4, "
        "compare_models 1, join_curves 1"
    ) in lines
    assert lines[-1] == (
        "left out SHORT (in inspect): 10 rows after cleaning; data.min_rows_per_symbol needs 100."
    )


def test_status_of_a_run_that_has_just_begun(tmp_path: Path) -> None:
    """Before the first stage has ended there is little to tell, and no error."""
    record = {
        "name": "new",
        "status": "running",
        "message": None,
        "error": None,
        "started_at": "2024-01-01T00:00:00+00:00",
        "finished_at": None,
        "timings_s": {},
    }
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert status_lines(run_status(str(tmp_path))) == [
        "new: running",
        "no driver is at work; the same command continues the run",
        "started 2024-01-01T00:00:00+00:00, finished -",
    ]


def test_failed_run_tells_its_error(tmp_path: Path) -> None:
    """The error stands by itself, below the status."""
    record = {
        "name": "old",
        "status": "failed",
        "message": "the run failed",
        "error": "no disk",
        "started_at": "then",
        "finished_at": "later",
        "timings_s": {"new_stage": 1.0, "inspect": 2.0},
    }
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert status_lines(run_status(str(tmp_path))) == [
        "old: failed",
        "the run failed",
        "error: no disk",
        "started then, finished later",
        "  inspect: 2.0 s",
        "  new_stage: 1.0 s",
    ]


def test_folder_without_a_record_is_no_run(tmp_path: Path) -> None:
    """The message says which folder is meant."""
    with pytest.raises(
        DiscoveryError,
        match=r"is not a run directory: it has no run\.json\. Give the folder that output\.run_dir",
    ):
        open_run(str(tmp_path))


def test_run_whose_driver_died(run_dir: Path, tmp_path: Path) -> None:
    """A record that still says running is told apart from a run that runs."""
    run = RunDirectory(tmp_path / "run")
    run.write_json(
        "run.json", json.loads((run_dir / "run.json").read_text()) | {"status": "running"}
    )
    assert status_lines(run_status(run.uri))[:2] == [
        "planted: running",
        "no driver is at work; the same command continues the run",
    ]
    here = Holder.of_this_process()
    run.write_bytes(LEASE, here.written())
    assert status_lines(run_status(run.uri))[1] == (
        f"driver: process {here.pid} on {here.host}, last heartbeat {here.beat_at}"
    )
    assert here.ticks is not None
    run.write_bytes(LEASE, replace(here, ticks=here.ticks - 1).written())
    found = run_status(run.uri)
    assert found["driver"]["life"] == "gone"
    assert status_lines(found)[1] == (
        f"its driver, process {here.pid} on {here.host}, has ended; the same command continues "
        "the run"
    )


def test_status_of_a_running_run_tells_what_is_in_doubt() -> None:
    """Before there is a last line to say so."""
    record = {"status": "running", "name": "new", "counts": {"doubtful_targets": 2}}
    found = {
        "run": record,
        "driver": None,
        "units": {},
        "failures": [],
        "attempt": None,
        "version": None,
        "update": None,
    }
    assert "2 targets are doubtful so far, see doubt.parquet" in status_lines(found)
    done = found | {"run": record | {"status": "done", "message": "2 are doubtful: skill"}}
    assert not any("so far" in line for line in status_lines(done))


def test_units_of_other_configs_do_not_count(run_dir: Path, tmp_path: Path) -> None:
    """Whatever lies in the directory: what the result is made of is told, by old records too."""
    copy = tmp_path / "run"
    shutil.copytree(run_dir, copy)
    (copy / "units/rank_symbol/of_another_config.json").write_text("{}")
    assert run_status(str(copy))["units"]["rank_symbol"] == 4
    record = json.loads((copy / "run.json").read_text())
    del record["units"]  # as version 0.5.0 wrote it
    (copy / "run.json").write_text(json.dumps(record))
    assert run_status(str(copy))["units"]["rank_symbol"] == 4
    (copy / "units.json").unlink()  # nobody can tell: all that is there
    assert run_status(str(copy))["units"]["rank_symbol"] == 5


def test_a_run_at_work_says_how_far_it_is(tmp_path: Path) -> None:
    """What is at work, how much of it is done, and when the whole run will be."""
    run = RunDirectory(tmp_path / "run")
    progress = {"step": "rank_symbol", "n_done": 30, "n_total": 80, "left_s": 245.0}
    record = {"name": "new", "status": "running", "units": {"inspect": 80, "rank_symbol": 30}}
    run.write_json("run.json", record | {"progress": progress})
    run.write_bytes(LEASE, Holder.of_this_process().written())
    lines = status_lines(run_status(run.uri))
    (line,) = (line for line in lines if "ranking, per symbol" in line)
    assert "30" in line
    assert "80" in line
    assert "4 min 05 s" in line
    assert "finished units: inspect 80, rank_symbol 30" in lines


def _write(run: RunDirectory, status: str, **more: object) -> None:
    run.write_json("run.json", {"name": "new", "status": status} | more)


@pytest.mark.parametrize(
    ("status", "code"), [("done", 0), ("failed", 1), ("interrupted", 130), ("running", 1)]
)
def test_watching_ends_with_the_exit_code_of_the_run(
    status: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once where no driver is at work; one that ended without a word has failed."""
    run = RunDirectory(tmp_path / "run")
    _write(run, status)
    assert main(["status", run.uri, "--watch"]) == code
    assert f"new: {status}" in capsys.readouterr().out
    assert main(["status", run.uri, "--watch", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["run"]["status"] == status


def test_watching_goes_on_while_a_driver_is_at_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log has a line for each change; then the whole status."""
    run = RunDirectory(tmp_path / "run")
    run.write_bytes(LEASE, Holder.of_this_process().written())
    first = {"step": "rank_symbol", "n_done": 3, "n_total": 8, "left_s": 20.0}
    _write(run, "running", progress=first)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:  # the second look had nothing new
            _write(run, "running", progress=first | {"n_done": 7, "left_s": 4.0})
        if len(slept) == 3:
            _write(run, "done", message="1 of 1 target predictable")
        if len(slept) == 4:  # the page and the version are written after that
            run.remove(LEASE)

    monkeypatch.setattr("ray_pipeline.commands.status.time.sleep", sleep)
    assert main(["status", run.uri, "--watch", "--every", "7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert slept == [7] * 4
    assert "3 of 8" in lines[0]
    assert "20 s" in lines[0]
    assert "7 of 8" in lines[1]
    assert lines[2:5] == ["new: done", "new: done", "1 of 1 target predictable"]


def test_watching_rewrites_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look is drawn over the last, cut to the terminal; the last one stays, whole."""
    run = RunDirectory(tmp_path / "run")
    run.write_bytes(LEASE, Holder.of_this_process().written())
    _write(run, "running", error="long " * 40)

    def sleep(_: float) -> None:
        _write(run, "done", error="long " * 40)
        run.remove(LEASE)

    monkeypatch.setattr("ray_pipeline.commands.status.time.sleep", sleep)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "50")
    monkeypatch.setenv("LINES", "20")
    assert main(["status", run.uri, "--watch"]) == 0
    drawn, last = capsys.readouterr().out.split("\x1b[J")
    first, up = drawn.rsplit("\x1b[", 1)
    lines = first.splitlines()
    assert up == f"{len(lines)}F"
    assert lines[0] == "new: running"
    assert max(map(len, lines)) < 50
    assert last.startswith("new: done\n")
    assert "long " * 40 in last


def test_a_silent_driver_of_another_machine_is_given_up() -> None:
    """As long as its heartbeat changes it is at work, however long that takes."""
    watch = Watch()

    def found(beat: int) -> dict[str, object]:
        driver = {"life": "unknown", "beat_at": f"2024-01-01T00:00:{beat:02d}"}
        return {"driver": driver, "attempt": None, "run": {"name": "new", "status": "running"}}

    assert watch.ended(found(1), 0.0) is None
    assert watch.ended(found(2), 50.0) is None
    assert watch.ended(found(2), 100.0) is None
    assert watch.ended(found(2), 111.0) == 1


def test_a_later_run_is_the_one_that_is_watched() -> None:
    """Not the result that it was to replace, which is done."""
    done, failed = {"name": "a", "status": "done"}, {"name": "a", "status": "failed"}
    assert Watch().ended({"driver": None, "run": done, "attempt": failed}, 0.0) == 1
    assert status_sentence({"run": done, "attempt": failed}) == "a: failed"
