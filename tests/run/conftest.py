"""Whole runs whose units are written down as they are executed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from panels import planted_panel, symbol_names, write_panel
from run_processes import processes_of, until

import ray_pipeline.run.workers
from ray_pipeline.execution import Outcome, SerialExecutor, Shared, Unit


@pytest.fixture(scope="package")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four symbols that are predictable in both views."""
    return write_panel(tmp_path_factory.mktemp("data"), planted_panel(symbol_names(4)))


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Give Ray a folder by whose name its processes are known; short, for its sockets."""
    folder = Path(tempfile.mkdtemp(prefix="rp-", dir="/tmp"))
    yield folder
    until(lambda: not processes_of(folder))
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect ``stage/key`` of every unit that an executor is given, shared ones too."""
    units: list[str] = []

    class Recording(SerialExecutor[Any]):
        def run(self, given: Sequence[Unit]) -> Iterator[Outcome]:
            for unit in given:
                units.append(f"{unit.stage}/{unit.key}")
                yield from super().run([unit])

        def share(self, unit: Unit) -> Shared:
            units.append(f"{unit.stage}/{unit.key}")
            return super().share(unit)

    monkeypatch.setattr(ray_pipeline.run.workers, "SerialExecutor", Recording)
    return units
