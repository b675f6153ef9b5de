"""Ctrl-C once and twice, and a driver that is killed, on a run in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from panels import write_config
from run_processes import PLAIN_INSTALLATION, processes_of, until

COMMAND = [sys.executable, "-m", "ray_pipeline"]

WITHOUT_RAY = ("--set", "execution.executor=serial")

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def config(data_dir: Path, tmp_path: Path) -> Path:
    """Write a config whose run takes seconds, on a Ray of its own."""
    execution = {"executor": "ray", "address": "local", "n_workers": 1}
    return write_config(tmp_path / "run.yaml", data_dir, tmp_path / "run", execution=execution)


@pytest.fixture
def start(config: Path, ray_folder: Path) -> Iterator[Start]:
    """Start the command as a terminal does, in a process group of its own."""
    started: list[subprocess.Popen[str]] = []

    def start_it(*more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            # A shell's background jobs ignore Ctrl-C, and the tests may be one.
            ["env", "--default-signal=INT", *COMMAND, "run", str(config), *more],
            cwd=config.parent,
            env=os.environ
            | {
                "PYTHONPATH": PLAIN_INSTALLATION,
                "RAY_TMPDIR": str(ray_folder),
                "PYTHONUNBUFFERED": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start_it
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for_units(run_dir: Path, n_units: int) -> None:
    until(lambda: len(list(run_dir.glob("units/*/*.json"))) >= n_units)


def record(run_dir: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((run_dir / "run.json").read_text())
    return found


def assert_whole(run_dir: Path) -> None:
    """Nothing is half written: records can be read, no temporary file is left in their place."""
    for path in run_dir.rglob("*.json"):
        json.loads(path.read_text())


@pytest.mark.ray
def test_interrupted_once_and_twice(start: Start, tmp_path: Path, reference: str) -> None:
    """Once ends in order and says how to go on; twice at once; then the same command finishes.

    Neither leaves a process of Ray behind (see `ray_folder`), and the content is that of a run
    that nobody interrupted.
    """
    run_dir = tmp_path / "run"
    first = start()
    wait_for_units(run_dir, 1)
    os.killpg(first.pid, signal.SIGINT)
    output, errors = first.communicate(timeout=60)
    assert (first.returncode, output) == (130, "")
    assert "ray-pipeline: stopping; press again to stop at once\n" in errors
    assert errors.endswith("ray-pipeline: interrupted; the same command continues from here\n")
    assert "Traceback" not in errors
    assert record(run_dir)["status"] == "interrupted"
    assert (run_dir / "report.html").exists()
    assert not (run_dir / "driver.json").exists()

    second = start()
    wait_for_units(run_dir, 6)
    os.killpg(second.pid, signal.SIGINT)
    assert second.stderr is not None
    until(lambda: "stopping" in (second.stderr.readline() if second.stderr else ""))
    os.killpg(second.pid, signal.SIGINT)
    output, errors = second.communicate(timeout=60)
    assert second.returncode == 130
    assert errors.endswith("stopped at once; the same command continues from here\n")
    assert_whole(run_dir)

    third = start()
    output, errors = third.communicate(timeout=120)
    assert third.returncode == 0, errors
    assert output.startswith("done: ")
    assert record(run_dir)["content_sha256"] == reference


@pytest.mark.ray
@pytest.mark.parametrize("n_signals", [1, 2])
def test_terminated_while_ray_starts(
    start: Start, tmp_path: Path, ray_folder: Path, n_signals: int
) -> None:
    """It ends as later, with 130 and in a sentence; a second signal ends it at once.

    Ray's own handlers would end the program with 15 or 1. No process of Ray is left behind (see
    `ray_folder`).
    """
    process = start()
    until(lambda: processes_of(ray_folder))  # the first of Ray's servers
    process.send_signal(signal.SIGTERM)
    if n_signals == 2:
        assert process.stderr is not None
        until(lambda: "stopping" in (process.stderr.readline() if process.stderr else ""))
        process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert errors.endswith("; the same command continues from here\n")
    assert not {"Traceback", "Fatal", "Segmentation"} & set(errors.replace(":", " ").split())
    if n_signals == 1:
        assert "ray-pipeline: stopping; press again to stop at once\n" in errors
        assert record(tmp_path / "run")["status"] == "interrupted"


AS_PROGRAM = """
import atexit, os, signal, time
from ray_pipeline import cli

def interrupted():
    {more}
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return 130

cli.main = {main}
cli.program()
"""


@pytest.mark.parametrize(
    ("main", "more", "code", "errors"),
    [
        ("lambda: 3", "pass", 3, ""),
        # Python ends with SIGINT once an interrupt has passed through an exec of a text.
        ("interrupted", "pass", 130, ""),
        ("interrupted", "atexit.register(print, 'put away')", 130, ""),
        (
            "interrupted",
            "atexit.register(lambda: [os.kill(os.getpid(), signal.SIGINT), time.sleep(60)])",
            130,
            "ray-pipeline: stopped at once\n",
        ),
        (
            "lambda: [os.kill(os.getpid(), signal.SIGTERM), time.sleep(60)]",
            "pass",
            130,
            "ray-pipeline: stopped at once\n",
        ),
    ],
)
def test_end_of_the_program(main: str, more: str, code: int, errors: str) -> None:
    """The command's code; an interrupt also where it meets the interpreter's own end."""
    script = AS_PROGRAM.format(main=main, more=more)
    ended = subprocess.run(
        ["env", "--default-signal=INT", sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": PLAIN_INSTALLATION, "PYTHONUNBUFFERED": ""},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (code, errors)
    assert ended.stdout == ("put away\n" if "put away" in more else "")


def test_killed_driver_and_second_driver(start: Start, tmp_path: Path, reference: str) -> None:
    """A second command is refused while the first lives, and goes on once it was killed.

    Without Ray; `test_runs_on_s3` kills a driver with a Ray of its own.
    """
    run_dir = tmp_path / "run"
    first = start(*WITHOUT_RAY)
    wait_for_units(run_dir, 2)
    first.send_signal(signal.SIGSTOP)  # or it may be done before the second has started
    second = start(*WITHOUT_RAY)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 2
    assert f"/run is in use by process {first.pid} on " in errors
    assert "Traceback" not in errors
    first.kill()
    first.communicate()
    assert record(run_dir)["status"] == "running"
    third = start(*WITHOUT_RAY)
    output, errors = third.communicate(timeout=120)
    assert third.returncode == 0, errors
    assert f"taking over from process {first.pid} on " in errors
    assert output.startswith("done: ")
    assert record(run_dir)["content_sha256"] == reference
