"""What tests of the documentation share: its own modules, and the quickstart's folder."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from pathlib import Path

import pytest
from snippets import DOCS

from ray_pipeline.cli import main
from ray_pipeline.quickstart import make_sample
from ray_pipeline.quickstart.command import write_quickstart

sys.path.insert(0, str(DOCS))  # the modules that make pages, as MkDocs finds them


@pytest.fixture(scope="session")
def finished_quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a small quickstart, run, in a folder of its own; `.ci/run` runs the whole one."""
    folder = tmp_path_factory.mktemp("documented")
    with contextlib.chdir(folder), contextlib.redirect_stderr(io.StringIO()) as said:
        config = write_quickstart("quickstart", make_sample(n_symbols=6, n_bars=600))
        code = main(["run", config, "--set", "execution.executor=serial"])
        assert code == 0, said.getvalue()
    return folder


@pytest.fixture
def terminal(finished_quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a fresh folder with the quickstart in it; modules written there can be imported."""
    folder = tmp_path / "reader"
    shutil.copytree(finished_quickstart, folder)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    return folder
