"""What tests of training share: a family that fits nothing, and identities of planted ones."""

from __future__ import annotations

import pytest
from training_designs import RecordingFamily

import ray_pipeline.training.job_spec
import ray_pipeline.training.search.units
import ray_pipeline.training.walking
from ray_pipeline.families import family_identity
from ray_pipeline.identity import Identity

PLANTED = ("another", "fake", "mix", "other")
"""Names of families that are in no package, so that no code says what they depend on."""


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> RecordingFamily:
    """Let jobs be fitted by a recording family, whatever family they name."""
    recording = RecordingFamily()
    monkeypatch.setattr(ray_pipeline.training.walking, "load_family", recording.load)
    return recording


@pytest.fixture(autouse=True)
def _planted_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    def identity(name: str, *libraries: str) -> Identity:
        return Identity(name, ()) if name in PLANTED else family_identity(name, *libraries)

    for module in (ray_pipeline.training.job_spec, ray_pipeline.training.search.units):
        monkeypatch.setattr(module, "family_identity", identity)
