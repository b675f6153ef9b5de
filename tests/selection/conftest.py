"""One thread for LightGBM."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

import ray_pipeline.families.lightgbm  # noqa: F401 (loads the OpenMP that is limited)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Give LightGBM one thread: on rows as few as these, more only wait for each other."""
    with threadpool_limits(1, user_api="openmp"):
        yield
