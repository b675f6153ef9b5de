"""What tests of the search share: a family that mixes columns, known wherever one is loaded."""

from __future__ import annotations

import pytest
from search_panels import MixFamily

import ray_pipeline.training.search.inner
import ray_pipeline.training.search.space
import ray_pipeline.training.search.units
import ray_pipeline.training.walking


@pytest.fixture
def mix(monkeypatch: pytest.MonkeyPatch) -> MixFamily:
    """Let the mixing family stand for whatever family is named."""
    family = MixFamily()
    for module in (
        ray_pipeline.training.walking,
        ray_pipeline.training.search.inner,
        ray_pipeline.training.search.space,
        ray_pipeline.training.search.units,
    ):
        monkeypatch.setattr(module, "load_family", lambda name: family)
    return family
