"""What tests of training share: a family that fits nothing, and one thread."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits
from training_designs import RecordingFamily

import ray_pipeline.families.lightgbm  # loads the OpenMP that is limited
import ray_pipeline.training.fit


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> RecordingFamily:
    """Let jobs be fitted by a recording family, whatever family they name."""
    recording = RecordingFamily()
    monkeypatch.setattr(ray_pipeline.training.fit, "load_family", recording.load)
    return recording


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Give LightGBM one thread: on rows as few as these, more only wait for each other."""
    with threadpool_limits(1, user_api="openmp"):
        yield
