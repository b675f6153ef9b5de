"""A small version of ``benchmarks/calibration.py``: noise must not count as evidence."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ray_pipeline.training.families import load_family

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "calibration.py"
N_PANELS = 200


@pytest.fixture(scope="module")
def calibration() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("calibration", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibration"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["calibration"]


@pytest.fixture(scope="module", params=["ar:0.95", "level"])
def found(request: pytest.FixtureRequest, calibration: ModuleType) -> Any:
    """Rank null panels: features that know nothing, and features made of past returns."""
    settings = calibration.Settings(
        features=request.param, n_symbols=3, n_bars=500, families=("ridge",)
    )
    seeds = np.random.SeedSequence(1).spawn(N_PANELS)
    with pytest.MonkeyPatch.context() as patch:
        # Looking through all installed packages takes longer than a fit of this size.
        patch.setattr("ray_pipeline.ranking.walk.load_family", cache(load_family))
        return calibration.shares(settings, seeds)


def test_noise_is_found_one_time_in_twenty(found: Any) -> None:
    """Of all tests of a view and horizon on noise, about 5 % have p < 0.05."""
    tests = {key: share for key, share in found.items() if key[2] == "ridge"}
    assert len(tests) == 9
    assert all(0.01 <= share <= 0.11 for share in tests.values()), tests
    assert 0.03 <= np.mean(list(tests.values())) <= 0.075


def test_taking_overlapping_labels_for_independent_finds_it_far_too_often(found: Any) -> None:
    """The textbook t-test on the same rows rejects more than 15 % at a horizon of 20."""
    for view in ("cross_sectional", "symbol_specific", "one symbol"):
        assert found[view, 20, "iid"] > 0.15


def test_hardly_a_panel_of_noise_has_a_predictable_target(found: Any) -> None:
    """After the correction for all targets and views, at most a twentieth, give or take."""
    assert found["any", 0, "predictable"] <= 0.09
