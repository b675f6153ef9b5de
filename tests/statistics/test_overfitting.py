"""Probability of backtest overfitting: an oracle, hand-computed splits, null and planted models."""

from __future__ import annotations

import math
import warnings

import numpy as np
import purgedcv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.statistics.overfitting import (
    MIN_ROWS_PER_BLOCK,
    Overfitting,
    probability_of_overfitting,
)


def measured(returns: np.ndarray, n_blocks: int = 16) -> Overfitting:
    found = probability_of_overfitting(returns, n_blocks)
    assert found is not None
    return found


@pytest.mark.parametrize("seed", range(3))
def test_logits_and_degradation_are_those_of_purgedcv(seed: int) -> None:
    """On models of which some are better, some worse; their n − 1 and our n scale all ratios."""
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal((120, 6)) + np.linspace(-0.1, 0.2, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = purgedcv.probability_of_backtest_overfitting(returns.T, n_splits=8)
    found = measured(returns, 8)
    assert sorted(found.logits) == pytest.approx(sorted(expected.logits))
    assert found.probability == pytest.approx(expected.pbo)
    assert found.degradation == pytest.approx(expected.slope)


def test_splits_by_hand() -> None:
    """Four blocks, six splits; the first model is better in blocks 1 and 2 and worse in 3 and 4.

    Chosen on {1, 2} it is the worse one in {3, 4}, and the other one the other way round. With one
    good block on each side both halves are equal, the first counts as chosen and the ranks tie.
    """
    noise = np.array([1.0, -1.0, 0.5, -0.5, 0.0])
    good, bad = noise + 0.2, noise - 0.2
    first = np.r_[good, good, bad, bad]
    found = measured(np.stack([first, -first], axis=1), 4)
    worst = math.log((1 / 3) / (2 / 3))
    assert found.logits == pytest.approx(np.array([worst, 0.0, 0.0, 0.0, 0.0, worst]), abs=1e-9)
    assert found.probability == pytest.approx((2 + 4 / 2) / 6)
    assert found.loss_probability == pytest.approx(2 / 6)
    deviation = math.sqrt(float(np.mean(noise**2)))
    assert found.in_sample[0] == pytest.approx(0.2 / deviation)
    assert found.out_of_sample[0] == pytest.approx(-0.2 / deviation)


@pytest.mark.parametrize("n_models", [2, 3, 10])
def test_models_that_are_alike_overfit_half_of_the_time(n_models: int) -> None:
    """On average over histories; the standard error of the mean is about two points."""
    rng = np.random.default_rng(1)
    shares = [measured(rng.standard_normal((160, n_models)), 10).probability for _ in range(150)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)


def test_models_that_share_nearly_all_of_it_do_too() -> None:
    """Families on one target earn nearly the same: the difference is what is ranked."""
    rng = np.random.default_rng(2)
    shares = []
    for _ in range(150):
        common = 0.1 + rng.standard_normal((160, 1))
        shares.append(measured(common + 0.3 * rng.standard_normal((160, 4)), 10).probability)
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)


def test_one_better_model_does_not_overfit() -> None:
    """A ratio of 0.4 a row among nine worthless ones is chosen, and is the best again."""
    rng = np.random.default_rng(3)
    returns = rng.standard_normal((320, 10))
    returns[:, 4] += 0.4
    found = measured(returns)
    assert found.probability < 0.01
    assert found.loss_probability < 0.01
    assert len(found.logits) == math.comb(16, 8)


def test_luck_that_turns_overfits_always() -> None:
    """Each model earns in one block alone: the best of a half has nothing left for the other."""
    n_blocks, per_block = 8, 10
    returns = 0.01 * np.random.default_rng(4).standard_normal((n_blocks * per_block, n_blocks))
    for model in range(n_blocks):
        returns[model * per_block : (model + 1) * per_block, model] += 1.0
    found = measured(returns, n_blocks)
    assert found.probability == 1.0


@given(
    seed=st.integers(0, 2**32),
    n_rows=st.integers(20, 90),
    n_models=st.integers(2, 6),
)
def test_it_is_a_share_that_scale_and_order_of_models_do_not_change(
    seed: int, n_rows: int, n_models: int
) -> None:
    """Capital is not skill, nor is a place in the table; fewer rows make fewer blocks."""
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal((n_rows, n_models)) + rng.standard_normal(n_models)
    found = measured(returns)
    assert 0.0 <= found.probability <= 1.0
    assert found.n_blocks == min(16, n_rows // MIN_ROWS_PER_BLOCK) // 2 * 2
    assert len(found.logits) == math.comb(found.n_blocks, found.n_blocks // 2)
    other = measured(returns[:, ::-1] * rng.uniform(0.1, 10.0, n_models))
    assert other.probability == pytest.approx(found.probability)


def test_too_little_is_not_measured() -> None:
    """One model has no rival, and 19 rows make no four blocks of five."""
    rng = np.random.default_rng(5)
    assert probability_of_overfitting(rng.standard_normal((100, 1))) is None
    assert probability_of_overfitting(rng.standard_normal((19, 3))) is None


def test_models_that_never_trade_have_a_ratio_of_nothing() -> None:
    """Two of them tie in every split, which is the middle."""
    found = measured(np.zeros((40, 2)))
    assert (found.probability, found.loss_probability) == (0.5, 0.0)
    assert math.isnan(found.degradation)
