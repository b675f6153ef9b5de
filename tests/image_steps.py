"""Runs what a Dockerfile does to files and to Python, without Docker: in folders, in a fresh venv.

``python tests/image_steps.py FOLDER WHEELS`` is a step of CI. It shows that what is copied is there
and that the pinned versions can be installed together; it shows nothing of the base image.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Instruction", "instructions", "run_steps"]

ROOT = Path(__file__).resolve().parents[1]
HOME = "/home/ray"


@dataclass(frozen=True)
class Instruction:
    """One instruction, on one line: its name in capitals, and the rest."""

    name: str
    text: str

    @property
    def places(self) -> tuple[list[str], str]:
        """What a COPY copies, and where to."""
        *sources, target = self.text.split()
        return sources, target


def instructions(text: str) -> list[Instruction]:
    """Read a Dockerfile."""
    plain = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", plain).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]


def run_steps(folder: Path, wheels: Path) -> None:
    """Run the steps below a folder.

    Parameters
    ----------
    wheels
        Stands for the folder ``wheel/`` beside the Dockerfile.
    """
    home = folder / "home"
    home.mkdir(parents=True)
    venv.create(folder / "venv", with_pip=True)
    variables = os.environ | {"PATH": f"{folder / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    for step in instructions((ROOT / "Dockerfile").read_text("utf-8")):
        if step.name == "ARG":
            name, _, value = step.text.partition("=")
            variables[name] = value
        elif step.name == "COPY":
            _copy(step, home, wheels)
        elif step.name == "RUN" and "apt-get" not in step.text:
            command = step.text.replace(HOME, str(home))
            subprocess.run(["bash", "-euc", command], cwd=folder, env=variables, check=True)


def _copy(step: Instruction, home: Path, wheels: Path) -> None:
    sources, target = step.places
    place = Path(target.replace(HOME, str(home)))
    for name in sources:
        source = wheels if name == "wheel/" else ROOT / name
        if source.is_dir():
            shutil.copytree(source, place, dirs_exist_ok=True)
        else:
            shutil.copy(source, place)


if __name__ == "__main__":
    run_steps(Path(sys.argv[1]), Path(sys.argv[2]))
