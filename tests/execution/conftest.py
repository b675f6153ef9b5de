from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_ray import small_ray

from .sample_units import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(str(tmp_path / "units"))


@pytest.fixture(scope="package")
def ray_of_the_tests() -> Iterator[None]:
    """One small Ray for all tests of the package; one that runs already is used as it is."""
    with small_ray():
        yield
