"""What tests of training share: a family that fits nothing."""

from __future__ import annotations

import pytest
from training_designs import RecordingFamily

import ray_pipeline.training.job_fit


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> RecordingFamily:
    """Let jobs be fitted by a recording family, whatever family they name."""
    recording = RecordingFamily()
    monkeypatch.setattr(ray_pipeline.training.job_fit, "load_family", recording.load)
    return recording
