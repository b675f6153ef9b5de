"""A small finished run, and commands on it in this process."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from panels import TARGET

from ray_pipeline.cli import main

__all__ = ["Answer", "FinishedRun"]


class Answer(NamedTuple):
    """What a command ended with; standard error without progress."""

    code: int
    out: str
    err: str


class FinishedRun:
    """One small run for all tests of this folder; each puts back the file that it damaged."""

    def __init__(self, root: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.root, self.folder, self._capture = root, root / "run", capture

    def call(self, command: str) -> Answer:
        """Read the run by a command."""
        folder, scores = str(self.folder), self.root / "scores"
        shutil.rmtree(scores, ignore_errors=True)
        answer = self.main(
            *{
                "status": ["status", folder, "--json"],
                "report": ["report", folder],
                "explain": ["explain", folder, "--target", TARGET, "--json"],
                "compare": ["compare", folder, str(self.root / "copy"), "--json"],
                "predict": [
                    *("predict", folder, "--data-dir", str(self.root / "data")),
                    *("--out", str(scores), "--n-workers", "0"),
                ],
            }[command]
        )
        if command == "report" and answer.code == 0:
            page = (self.folder / "report.html").read_text(encoding="utf-8")
            return answer._replace(out=answer.out + page)
        return answer

    def main(self, *arguments: str) -> Answer:
        """Run any command."""
        code = main(arguments)
        out, err = self._capture.readouterr()
        said = [line for line in err.splitlines() if not line.startswith("[")]
        return Answer(code, out, "\n".join(said))
