"""Sharpe ratios: against an oracle, against simulations, and what luck shows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import purgedcv
import pytest
from scipy import signal, stats

from ray_pipeline.statistics.sharpe import (
    SharpeRatio,
    best_ratio_p_value,
    deflated_sharpe_ratio,
    effective_trials,
    expected_maximum,
    min_track_record_length,
    probabilistic_sharpe_ratio,
    sharpe_ratio,
)


def estimate(returns: np.ndarray, n_periods: float | None = None) -> SharpeRatio:
    found = sharpe_ratio(returns, len(returns) if n_periods is None else n_periods)
    assert found is not None
    return found


def as_purgedcv(returns: np.ndarray) -> SharpeRatio:
    """Return an estimate with the moments that purgedcv takes, which differ in their 1 / n."""
    return SharpeRatio(
        returns.mean() / returns.std(),
        float(stats.skew(returns, bias=False)),
        float(stats.kurtosis(returns, bias=False, fisher=False)),
        len(returns),
    )


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_are_those_of_purgedcv(seed: int) -> None:
    """Probabilistic and deflated ratio, and the minimum track record, on skewed returns."""
    rng = np.random.default_rng(seed)
    returns = 0.15 + 1.0 - rng.exponential(size=400)
    found = as_purgedcv(returns)
    for benchmark in (0.0, 0.05):
        expected = purgedcv.probabilistic_sharpe_ratio(returns, benchmark)
        assert probabilistic_sharpe_ratio(found, benchmark) == pytest.approx(expected)
    deflated, _ = deflated_sharpe_ratio(found, 20, 0.002)
    assert deflated == pytest.approx(purgedcv.deflated_sharpe_ratio(returns, 20, 0.002))
    length = purgedcv.min_track_record_length(
        found.ratio, 0.01, 0.05, found.skewness, found.kurtosis
    )
    assert math.ceil(min_track_record_length(found, 0.01)) == length


def test_moments_by_hand() -> None:
    """Of -1, 0, 1, 4: mean 1, unbiased variance 14/3."""
    found = estimate(np.array([-1.0, 0.0, 1.0, 4.0]))
    centred = np.array([-2.0, -1.0, 0.0, 3.0])
    assert found.ratio == pytest.approx(1.0 / math.sqrt(14 / 3))
    assert found.skewness == pytest.approx(np.mean(centred**3) / 3.5**1.5)
    assert found.kurtosis == pytest.approx(np.mean(centred**4) / 3.5**2)


@pytest.mark.parametrize("kind", ["normal", "skewed", "heavy"])
def test_standard_error_is_the_deviation_of_the_ratio(kind: str) -> None:
    """Over two thousand histories, for normal returns and for others (Mertens)."""
    rng = np.random.default_rng(3)
    size = (2_000, 400)
    draws = {
        "normal": lambda: rng.standard_normal(size),
        "skewed": lambda: 1.0 - rng.exponential(size=size),
        "heavy": lambda: rng.standard_t(8, size) / math.sqrt(8 / 6),
    }[kind]()
    estimates = [estimate(returns) for returns in draws + 0.3]
    deviation = np.std([found.ratio for found in estimates])
    assert np.mean([found.std_error for found in estimates]) == pytest.approx(deviation, rel=0.06)


def test_overlapping_periods_count_as_evidence_once() -> None:
    """Returns over 10 bars, one a bar: the error is that of a tenth as many periods."""
    rng = np.random.default_rng(4)
    ratios, errors = [], []
    for _ in range(400):
        bars = rng.standard_normal(1_009) + 0.05
        overlapping = np.convolve(bars, np.ones(10), "valid")
        found = estimate(overlapping, n_periods=100)
        ratios.append(found.ratio)
        errors.append(found.std_error)
    assert np.mean(errors) == pytest.approx(np.std(ratios), rel=0.1)


@pytest.mark.parametrize("n_trials", [5, 50, 500])
def test_expected_maximum_is_that_of_normal_draws(n_trials: int) -> None:
    """The mean of the best of many, within the error of the approximation."""
    best = np.random.default_rng(5).standard_normal((4_000, n_trials)).max(axis=1)
    assert expected_maximum(n_trials) == pytest.approx(best.mean(), abs=0.05)
    assert expected_maximum(1) == 0.0


def test_the_best_of_many_worthless_trials_is_not_believed() -> None:
    """Undeflated, the best of 50 looks certain nearly always; deflated, seldom."""
    rng = np.random.default_rng(6)
    plain, deflated, luck = [], [], []
    for _ in range(80):
        trials = [estimate(returns) for returns in rng.standard_normal((50, 250))]
        best = max(trials, key=lambda found: found.ratio)
        variance = float(np.var([found.ratio for found in trials], ddof=1))
        plain.append(probabilistic_sharpe_ratio(best) > 0.95)
        deflated.append(deflated_sharpe_ratio(best, 50, variance)[0] > 0.95)
        luck.append(best_ratio_p_value(best, 50) < 0.05)
    assert np.mean(plain) > 0.75
    assert np.mean(deflated) < 0.05
    assert np.mean(luck) < 0.05 + 3 * 0.024


def test_the_best_of_independent_trials_passes_as_often_as_it_says() -> None:
    """Its p-value is uniform: the share below a level is that level, whatever their number."""
    best = np.random.default_rng(8).standard_normal((20_000, 7)).max(axis=1)
    ratios = [SharpeRatio(z / 10.0, 0.0, 1.0, 101.0) for z in best]
    p_values = np.array([best_ratio_p_value(found, 7) for found in ratios])
    for level in (0.01, 0.05, 0.5):
        error = math.sqrt(level * (1 - level) / len(best))
        assert np.mean(p_values < level) == pytest.approx(level, abs=4 * error)


def test_p_value_of_the_best_keeps_its_digits() -> None:
    """Nine deviations are not a rounding error of 1; none at all is certain to be luck."""
    assert best_ratio_p_value(SharpeRatio(0.9, 0.0, 1.0, 101.0), 10) == pytest.approx(
        10 * stats.norm.sf(9), rel=1e-6
    )
    assert best_ratio_p_value(SharpeRatio(-9.0, 0.0, 1.0, 101.0), 10) == 1.0


def test_positions_that_change_within_a_period_are_worth_more_than_its_length() -> None:
    """Worthless bets on 20 bars that last for about ten: 5 % pass, give or take, not 1 %.

    The standard error of a share of 5 % in 1,500 histories is 0.6 points.
    """
    rng = np.random.default_rng(9)
    passed: dict[str, list[bool]] = {"hac": [], "periods": []}
    for _ in range(1_500):
        bars, noise = rng.standard_normal((2, 700))
        side = np.sign(signal.lfilter([1.0], [1.0, -0.9], noise)[200:680])
        returns = side * np.convolve(bars, np.ones(20), "valid")[200:680]
        found = sharpe_ratio(returns, 24.0, horizon=20.0)
        assert found is not None
        by_periods = replace(found, hac_error=None, degrees_of_freedom=math.inf)
        for kind, each in (("hac", found), ("periods", by_periods)):
            passed[kind].append(probabilistic_sharpe_ratio(each) > 0.95)
    assert np.mean(passed["periods"]) < 0.025
    assert np.mean(passed["hac"]) == pytest.approx(0.06, abs=0.02)


def test_too_few_returns_are_taken_for_independent() -> None:
    """Fifteen have no HAC error that could be believed; fifty have."""
    rng = np.random.default_rng(10)
    few, more = estimate(rng.standard_normal(15)), estimate(rng.standard_normal(50))
    assert (few.hac_error, few.degrees_of_freedom) == (None, math.inf)
    assert more.hac_error is not None
    assert more.degrees_of_freedom < 10


@pytest.mark.parametrize(("n", "correlation", "expected"), [(21, 0.5, 11), (8, 1, 1), (8, 0, 8)])
def test_alike_trials_count_as_fewer(n: int, correlation: float, expected: float) -> None:
    """Copies are one trial, strangers are all of them."""
    assert effective_trials(n, correlation) == expected


def test_a_true_ratio_survives_deflation() -> None:
    """A ratio of 0.4 a period over 250 periods is believed after 50 trials, nearly always."""
    histories = np.random.default_rng(7).standard_normal((100, 250)) + 0.4
    found = [deflated_sharpe_ratio(estimate(returns), 50, 1 / 249)[0] for returns in histories]
    assert np.mean(np.array(found) > 0.95) > 0.9


def test_minimum_track_record_is_where_the_probability_is_reached() -> None:
    """With so many periods the same moments give just the confidence asked for."""
    found = SharpeRatio(0.1, -0.5, 5.0, 100.0)
    length = min_track_record_length(found, confidence=0.95)
    there = SharpeRatio(0.1, -0.5, 5.0, length)
    assert probabilistic_sharpe_ratio(there) == pytest.approx(0.95)
    assert math.isnan(min_track_record_length(SharpeRatio(-0.1, 0.0, 3.0, 100.0)))


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_returns_that_do_not_vary_have_no_ratio(value: float) -> None:
    """0.1 is not a binary fraction: its mean leaves a rounding error that is not a deviation."""
    assert sharpe_ratio(np.full(37, value), 37) is None
    assert sharpe_ratio(np.array([0.1]), 1) is None


def test_two_valued_returns_with_an_error_of_zero() -> None:
    """At the bound of skewness and kurtosis the probability is certain, not a division by 0."""
    certain = SharpeRatio(1.0, 2.0, 5.0, 10.0)
    assert certain.std_error == 0.0
    assert probabilistic_sharpe_ratio(certain) == 1.0
    assert probabilistic_sharpe_ratio(certain, 2.0) == 0.0
