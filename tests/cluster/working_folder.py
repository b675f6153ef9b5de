"""A user's folder, as `ray job submit --working-dir .` takes it, and commands in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from panels import read_json, write_config

from .nodes import Head, clean_environment

__all__ = ["Ended", "WorkingFolder", "ended", "run_command", "submit_command"]

PACKAGE = Path(__file__).resolve().parents[2] / "ray_pipeline"
TIMEOUT_S = 120.0

_LOG = re.compile(r"^\[\d\d:\d\d\] .*$", re.MULTILINE)


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        """All that a user saw, for messages of tests."""
        return f"exit {self.code}\n{self.stdout}\n{self.stderr}"

    @property
    def progress(self) -> list[str]:
        """The lines of progress, without their time."""
        return [line.partition("] ")[2] for line in _LOG.findall(self.stdout + self.stderr)]


class WorkingFolder:
    """A folder that holds the package and configs, and the runs beside it.

    Parameters
    ----------
    folder
        An empty one.
    data_dir
        The panel of all runs.
    """

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self.path = folder / "work"
        self.runs = folder / "runs"
        self._data_dir = data_dir
        shutil.copytree(
            PACKAGE, self.path / "ray_pipeline", ignore=shutil.ignore_patterns("__pycache__")
        )

    def config(self, name: str, **sections: Any) -> str:
        """Write a config of a run on Ray, and return its file's name."""
        execution = {"executor": "ray"} | sections.pop("execution", {})
        sections = {"data": {"data_dir": str(self._data_dir)}} | sections
        path = self.path / f"{name}.yaml"
        write_config(path, self._data_dir, self.runs / name, execution=execution, **sections)
        return path.name

    def record(self, name: str) -> dict[str, Any]:
        """Return ``run.json`` of a run."""
        found: dict[str, Any] = read_json(self.runs / name / "run.json")
        return found

    def start(
        self, command: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[str]:
        """Start a command in the folder; nothing of this process's imports is passed on."""
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def call(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Ended:
        """Run a command to its end."""
        return ended(self.start(command, environment or clean_environment()))


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for a command, and kill it when it does not end."""
    try:
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        raise AssertionError(f"{process.args} did not end\n{stdout}\n{stderr}") from None
    return Ended(process.returncode, stdout, stderr)


def run_command(config: str, *options: str) -> list[str]:
    """Name the command that runs a config."""
    return ["python", "-m", "ray_pipeline", "run", config, *options]


def submit_command(head: Head, config: str, *options: str) -> list[str]:
    """Name the command that submits a run as a job."""
    submit = ["ray", "job", "submit", "--address", head.dashboard_url, "--working-dir", "."]
    return [*submit, *options, "--", *run_command(config)]
