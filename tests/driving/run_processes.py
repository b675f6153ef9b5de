"""Commands that run with a Ray of their own, which is known by the folder it uses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

PLAIN_INSTALLATION = os.pathsep.join(
    [str(REPOSITORY / "tests" / "plain_installation"), str(REPOSITORY)]
)
"""PYTHONPATH of the source tree, without the libraries that are here for the tests alone: LightGBM
imports them where they are, which takes a second of each process."""


def processes_of(ray_folder: Path) -> list[int]:
    """Find the processes of a Ray by the folder that their command lines name."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if os.fsencode(ray_folder) in command:
                found.append(int(entry.name))
    return found


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
