"""A small panel, the hash that every run on it has, and one cluster per module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from panels import planted_panel, quick_config, read_json, symbol_names, write_panel

from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline

from .nodes import Cluster
from .working_folder import WorkingFolder

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write four symbols that are predictable in both views."""
    return write_panel(tmp_path_factory.mktemp("panel"), planted_panel(symbol_names(4)))


@pytest.fixture(scope="session")
def serial_sha256(panel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run the panel in this process, without Ray."""
    run_dir = tmp_path_factory.mktemp("serial") / "run"
    run_pipeline(quick_config(panel, run_dir), Silent())
    found: str = read_json(run_dir / "run.json")["content_sha256"]
    return found


@pytest.fixture(scope="module")
def work(panel: Path, tmp_path_factory: pytest.TempPathFactory) -> WorkingFolder:
    """Make a user's folder."""
    return WorkingFolder(tmp_path_factory.mktemp("user"), panel)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Start a head that does the work itself; the cluster of the module before is gone."""
    check_that_no_ray_is_ours()
    # The nodes import units of tests; the package itself comes with a job or a driver.
    with Cluster(head_cpus=2, PYTHONPATH=str(TESTS)) as cluster:
        yield cluster


def check_that_no_ray_is_ours() -> None:
    ray = sys.modules.get("ray")
    assert ray is None or not ray.is_initialized(), "another test's Ray still runs in this process"
