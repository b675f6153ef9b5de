"""One small finished run for all tests of this folder; each puts back what it damaged."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from finished_run import FinishedRun
from panels import planted_panel, symbol_names, write_config, write_panel

from ray_pipeline.cli import main


@pytest.fixture(scope="package")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run once over three symbols, and copy the result."""
    folder = tmp_path_factory.mktemp("damaged")
    data_dir = write_panel(folder / "data", planted_panel(symbol_names(3), n_bars=200))
    config = write_config(
        folder / "run.yaml", data_dir, folder / "run", training={"families": ["ridge"]}
    )
    assert main(["run", str(config)]) == 0
    shutil.copytree(folder / "run", folder / "copy")
    return folder


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> FinishedRun:
    return FinishedRun(root, capsys)


@pytest.fixture
def damage(run: FinishedRun) -> Iterator[Callable[[str, bytes], None]]:
    """Give the function that overwrites a file of the run until the test is over."""
    before: dict[Path, bytes | None] = {}

    def overwrite(name: str, content: bytes) -> None:
        path = run.folder / name
        before.setdefault(path, path.read_bytes() if path.exists() else None)
        path.write_bytes(content)

    yield overwrite
    for path, content in before.items():
        path.unlink() if content is None else path.write_bytes(content)
