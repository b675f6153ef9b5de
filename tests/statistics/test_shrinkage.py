"""Shrinkage: planted effects are recovered, noise is not, and what must not matter does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.statistics.shrinkage import shrink_to_zero

Floats = NDArray[np.float64]
SURE = 1e9
"""Degrees of freedom at which Student's t is the normal."""


def shrunk(effects: Floats, errors: Floats, freedom: float = SURE) -> Floats:
    return shrink_to_zero(effects, errors, np.full(len(effects), freedom))


def test_effects_of_one_normal_shrink_as_bayes_says() -> None:
    """Effects N(0, τ²) seen with error s: the posterior mean is τ²/(τ² + s²) of what is seen."""
    random = np.random.default_rng(0)
    errors = np.where(np.arange(4000) % 2, 0.05, 0.2)
    seen = random.normal(0, 0.1, 4000) + random.normal(0, errors)
    found = shrunk(seen, errors)
    for error in (0.05, 0.2):
        kept = np.polyfit(seen[errors == error], found[errors == error], 1)[0]
        assert kept == pytest.approx(0.1**2 / (0.1**2 + error**2), abs=0.05)


@pytest.mark.parametrize("share", [0.02, 0.2, 1.0])
def test_planted_effects_are_told_better_than_by_the_estimates(share: float) -> None:
    """Whether few or all units have one: the mean squared error falls, on fresh draws."""
    for seed in range(5):
        random = np.random.default_rng(seed)
        truth = np.where(random.random(500) < share, random.normal(0, 0.15, 500), 0.0)
        errors = random.uniform(0.02, 0.2, 500)
        seen = truth + random.normal(0, errors)
        raw, kept = (np.mean((estimate - truth) ** 2) for estimate in (seen, shrunk(seen, errors)))
        assert kept < 0.8 * raw


def test_noise_is_drawn_to_nothing() -> None:
    """Of units without effects next to nothing is left, also of the luckiest of 300."""
    for seed in range(10):
        seen = np.random.default_rng(seed).normal(0, 0.05, 300)
        found = np.abs(shrunk(seen, np.full(300, 0.05)))
        assert np.mean(found) < 0.1 * np.mean(np.abs(seen))
        assert found.max() < 0.6 * np.abs(seen).max()


def test_one_true_effect_among_hundreds_without_is_kept() -> None:
    """A single normal prior would leave a tenth of it."""
    seen = np.random.default_rng(1).normal(0, 0.02, 400)
    seen[7] = 0.14
    found = shrunk(seen, np.full(400, 0.02))
    assert found[7] > 0.12
    assert np.delete(np.abs(found), 7).max() < 0.02


def test_the_less_data_the_more_is_taken_away() -> None:
    """The same difference in symbols of ever shorter histories."""
    errors = np.array([0.01, 0.03, 0.1, 0.3])
    found = shrunk(np.full(4, 0.2), errors)
    assert (np.diff(found) < 0).all()
    assert found[0] == pytest.approx(0.2, rel=0.02)
    assert found[3] < 0.15


def test_few_degrees_of_freedom_count_as_a_larger_error() -> None:
    """A t of 3 on 4 degrees of freedom says less than on 400."""
    effects, errors = np.array([0.3, 0.3]), np.array([0.1, 0.1])
    few, many = shrink_to_zero(effects, errors, np.array([4.0, 400.0]))
    assert 0 < few < 0.8 * many


def test_what_has_no_error_has_no_say() -> None:
    """Unmeasured units come back NaN and change nothing for the others."""
    effects = np.array([0.2, np.nan, 0.1, 0.3, -0.1])
    errors = np.array([0.05, 0.05, np.nan, 0.0, 0.05])
    found = shrunk(effects, errors)
    assert np.isnan(found).tolist() == [False, True, True, True, False]
    assert found[[0, 4]].tolist() == shrunk(effects[[0, 4]], errors[[0, 4]]).tolist()
    assert shrunk(np.array([]), np.array([])).shape == (0,)


UNITS = st.lists(st.tuples(st.floats(-1, 1), st.floats(1e-3, 1)), min_size=1, max_size=12)


@given(units=UNITS, freedom=st.floats(4, 1000), scale=st.sampled_from([0.25, 8.0]))
def test_invariances(units: list[tuple[float, float]], freedom: float, scale: float) -> None:
    """Between 0 and the estimate; order, sign and unit of measurement do not matter."""
    effects, errors = (np.array(column) for column in zip(*units, strict=True))
    found = shrunk(effects, errors, freedom)
    assert (np.abs(found) <= np.abs(effects)).all()
    assert (found * effects >= 0).all()
    close = {"rel": 1e-6, "abs": 1e-9}
    assert shrunk(effects[::-1], errors[::-1], freedom)[::-1] == pytest.approx(found, **close)
    assert shrunk(-effects, errors, freedom) == pytest.approx(-found, **close)
    assert shrunk(scale * effects, scale * errors, freedom) / scale == pytest.approx(found, **close)
