"""Whole runs whose units are written down as they are executed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from every_kind import OWN_STAGE, EveryKind, run_every_kind
from panels import planted_panel, quick_config, read_json, symbol_names, write_panel
from run_processes import processes_of, until

import ray_pipeline.driving.workers
from ray_pipeline.driving.progress import Silent
from ray_pipeline.execution import Outcome, SerialExecutor, Shared, Unit
from ray_pipeline.pipeline import run_pipeline


@pytest.fixture(scope="package")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four symbols that are predictable in both views."""
    return write_panel(tmp_path_factory.mktemp("data"), planted_panel(symbol_names(4)))


@pytest.fixture(scope="package")
def reference(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Hash of a quick run on a disk, without Ray and without interruption."""
    run_dir = tmp_path_factory.mktemp("reference") / "run"
    run_pipeline(quick_config(data_dir, run_dir), Silent())
    content: str = read_json(run_dir / "run.json")["content_sha256"]
    return content


@pytest.fixture(scope="package")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EveryKind]:
    """Run once with every kind of unit: read it, and copy it before it is changed."""
    modules = tmp_path_factory.mktemp("modules")
    (modules / "stage_of_every_kind.py").write_text(OWN_STAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(modules)
        yield run_every_kind(tmp_path_factory.mktemp("every_kind"))


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

    monkeypatch.setattr(ray_pipeline.driving.workers, "SerialExecutor", Recording)
    return units
