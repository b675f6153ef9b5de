"""Agreement of choices: by hand, at its ends, and of choices made at random."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.statistics.stability import selection_stability


def test_figure_by_hand() -> None:
    """Frequencies 1, 1/2 and 0 of two choices: variances 0, 1/2 and 0, share 1/2 of features."""
    chosen = np.array([[1, 1, 0], [1, 0, 0]], dtype=bool)
    assert selection_stability(chosen) == pytest.approx(1 - (0.5 / 3) / (0.5 * 0.5))


@given(seed=st.integers(0, 2**32), n_choices=st.integers(2, 9), n_features=st.integers(2, 30))
def test_equal_choices_agree_fully_and_none_exceeds_that(
    seed: int, n_choices: int, n_features: int
) -> None:
    """1 for equal choices, at most 1 for any, whatever the order of choices and features."""
    random = np.random.default_rng(seed)
    one = random.random(n_features) < 0.5
    one[:2] = [True, False]
    assert selection_stability(np.tile(one, (n_choices, 1))) == pytest.approx(1.0)
    any_ = random.random((n_choices, n_features)) < 0.5
    any_[0, :2] = [True, False]
    value = selection_stability(any_)
    assert -1.0 / (n_choices - 1) - 1e-9 <= value <= 1.0
    mixed = any_[random.permutation(n_choices)][:, random.permutation(n_features)]
    assert selection_stability(mixed) == pytest.approx(value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_choices_at_random_score_nothing_however_many_they_choose(share: float) -> None:
    """Nine of ten features chosen at random look alike, and agree no more than chance."""
    random = np.random.default_rng(0)
    found = [selection_stability(random.random((5, 40)) < share) for _ in range(500)]
    assert np.mean(found) == pytest.approx(0.0, abs=0.02)


def test_nothing_to_agree_on_has_no_figure() -> None:
    """One choice, none at all, and choices that are empty or of everything."""
    assert np.isnan(selection_stability(np.ones((1, 3), dtype=bool)))
    assert np.isnan(selection_stability(np.zeros((4, 3), dtype=bool)))
    assert np.isnan(selection_stability(np.ones((4, 3), dtype=bool)))
    assert np.isnan(selection_stability(np.zeros((4, 0), dtype=bool)))
