"""How often a call is right, and how often by chance."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.statistics.hits import agreement, agreement_by_chance, sides


def test_a_call_is_right_on_the_same_side() -> None:
    """1 and 0; a half where either is on neither side."""
    calls = np.array([1.0, 1.0, 0.0, 0.5, 0.0])
    outcomes = np.array([1.0, 0.0, 0.0, 1.0, 0.5])
    assert agreement(calls, outcomes).tolist() == [1.0, 0.0, 1.0, 0.5, 0.5]


def test_sides_of_centres_of_their_own() -> None:
    """Each value by its own centre; what is unknown stays so."""
    found = sides(np.array([1.0, 1.0, np.nan]), np.array([0.0, 2.0, 0.0]))
    np.testing.assert_array_equal(found, [1.0, 0.0, np.nan])


def test_chance_is_the_agreement_of_shuffled_calls() -> None:
    """Calls as frequent, in random order, agree as often on average."""
    rng = np.random.default_rng(0)
    calls = (rng.random(400) < 0.2).astype(float)
    outcomes = (rng.random(400) < 0.3).astype(float)
    shuffled = [agreement(rng.permutation(calls), outcomes).mean() for _ in range(400)]
    assert agreement_by_chance(calls, outcomes) == pytest.approx(np.mean(shuffled), abs=0.003)
