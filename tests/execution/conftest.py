from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .sample_units import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path / "units"))


@pytest.fixture(scope="package")
def ray_of_the_tests() -> Iterator[None]:
    """One small Ray for all tests of the package; one that runs already is used as it is."""
    import ray

    from ray_pipeline.execution.environment import environment_variables
    from ray_pipeline.execution.ray_session import import_paths

    if ray.is_initialized():
        yield
        return
    with environment_variables({"PYTHONPATH": os.pathsep.join(import_paths())}):
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 * 2**20,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        yield
        ray.shutdown()
