"""The error of a mean against statsmodels, fixed-b theory and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal, stats

from ray_pipeline.statistics.hac import best_of, hac_lag, hac_mean, overlap_share

Floats = NDArray[np.float64]


@given(seed=st.integers(0, 2**32), n=st.integers(30, 200), share=st.floats(0.0, 0.3))
def test_error_is_statsmodels_newey_west_less_its_small_sample_bias(
    seed: int, n: int, share: float
) -> None:
    """Before the correction ``1 − b + b²/3`` it is `OLS(z, 1)` with a HAC covariance."""
    series = np.random.default_rng(seed).standard_normal(n).cumsum() + 0.5
    lag = int(share * n)
    fitted = sm.OLS(series, np.ones(n)).fit(cov_type="HAC", cov_kwds={"maxlags": lag})
    found = hac_mean(series, lag)
    b = (lag + 1) / n
    assert found.mean == pytest.approx(float(fitted.params[0]))
    expected = float(fitted.bse[0]) / math.sqrt(1 - b + b * b / 3)
    assert found.std_error == pytest.approx(expected)
    assert found.t_stat == pytest.approx(found.mean / found.std_error)
    assert found.degrees_of_freedom == pytest.approx(1.5 / b)
    assert found.p_value == pytest.approx(float(stats.t.sf(found.t_stat, 1.5 / b)))
    assert found.n == n


@pytest.mark.parametrize("b", [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
def test_critical_values_are_those_of_fixed_b_theory(b: float) -> None:
    """Student's t and the bias correction together stand in for Kiefer & Vogelsang's (2005) limit.

    Their 97.5 % point for the Bartlett kernel is a cubic in b; ours lies within 6 % of it, and
    below it by at most 1 %, which is the side that would reject too often.
    """
    theirs = 1.9600 + 2.9694 * b + 0.4160 * b**2 - 0.5324 * b**3
    ours = float(stats.t.ppf(0.975, 1.5 / b)) / math.sqrt(1 - b + b * b / 3)
    assert -0.01 < ours / theirs - 1 < 0.06


def test_hand_computed_error() -> None:
    """−2, −1, 0, 3 four times over: squares add up to 56, neighbours to 4·2 − 3·6 = −10.

    With one lag of weight ½ that is 56 + 2·½·(−10) = 46, of 16 values with b = 2/16.
    """
    series = np.array([1.0, 2.0, 3.0, 6.0] * 4)
    expected = math.sqrt(46 / (1 - 1 / 8 + 1 / 192)) / 16
    assert hac_mean(series, lag=1).std_error == pytest.approx(expected)


def test_lag_covers_the_overlap_and_grows_with_the_sample() -> None:
    """Three horizons, or 1.3·√n where that is more; sampled timestamps count in their own steps."""
    assert hac_lag(400, 5) == 26
    assert hac_lag(400, 20) == 60
    assert hac_lag(400, 20, spacing=4.0) == 26
    assert hac_lag(100, 20, spacing=4.0) == 15
    assert hac_lag(10_000, 1) == 130


@pytest.mark.parametrize(("horizon", "bandwidth"), [(1, 4), (5, 30), (20, 61), (7, 7)])
def test_share_of_the_overlap_that_bartlett_weights_count(horizon: int, bandwidth: int) -> None:
    """The closed form for whole horizons; nothing is lost without overlap, or at infinite M."""
    expected = 1 - (horizon**2 - 1) / (3 * horizon * bandwidth)
    assert overlap_share(horizon, bandwidth) == pytest.approx(expected)
    assert overlap_share(0.4, bandwidth) == overlap_share(1, bandwidth) == 1.0
    assert overlap_share(horizon, 10**9) == pytest.approx(1.0)


@pytest.mark.parametrize("horizon", [5, 20])
def test_variance_of_overlapping_sums_is_not_understated(horizon: int) -> None:
    """Sums of h independent changes: the mean variance found is the true one, h²/n of the mean.

    Without the share it would be 4 % and 10 % too small, and noise found accordingly often.
    """
    random = np.random.default_rng(horizon)
    n, runs = 800, 2000
    noise = random.standard_normal((runs, n + horizon - 1))
    sums = signal.lfilter(np.ones(horizon), [1.0], noise, axis=1)[:, horizon - 1 :]
    lag = hac_lag(n, horizon)
    found = np.mean([hac_mean(row, lag, horizon).std_error ** 2 for row in sums])
    without = np.mean([hac_mean(row, lag).std_error ** 2 for row in sums])
    assert found == pytest.approx(np.var(sums.mean(axis=1)), rel=0.1)
    assert found == pytest.approx(horizon**2 / n, rel=0.03)
    assert without == pytest.approx(found * overlap_share(horizon, lag + 1))


def test_too_few_effective_observations_claim_nothing() -> None:
    """Below four degrees of freedom the p-value is 1 whatever the mean, and the error unknown."""
    series = np.full(50, 0.9) + np.random.default_rng(0).standard_normal(50) * 0.01
    short = hac_mean(series, lag=18)
    assert short.degrees_of_freedom == pytest.approx(75 / 19)
    assert (short.p_value, short.t_stat, math.isnan(short.std_error)) == (1.0, 0.0, True)
    assert hac_mean(series, lag=17).p_value < 1e-6
    empty = hac_mean(np.empty(0), lag=3)
    assert (empty.n, empty.mean, empty.p_value) == (0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("value", "t_stat", "p_value"), [(1.0, math.inf, 0.0), (-0.5, -math.inf, 1.0), (0.0, 0.0, 1.0)]
)
def test_a_series_that_never_varies_is_certain(value: float, t_stat: float, p_value: float) -> None:
    """A perfect copy is right at every timestamp: certainly skill; no skill at all is none."""
    found = hac_mean(np.full(128, value), lag=4)
    assert (found.mean, found.std_error) == (value, 0.0)
    assert (found.t_stat, found.p_value) == (t_stat, p_value)


def _rejections(series: Floats, lag: int) -> float:
    """Share of the rows whose mean is found positive at 5 %, one-sided."""
    return float(np.mean([hac_mean(row, lag).p_value < 0.05 for row in series]))


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_noise_of_overlapping_labels_is_found_one_time_in_twenty(horizon: int) -> None:
    """Products of a persistent feature (φ = 0.95) and h-bar sums of noise, 400 of them."""
    random = np.random.default_rng(horizon)
    n, runs = 400, 1500
    noise = random.standard_normal((runs, n + horizon))
    labels = signal.lfilter(np.ones(horizon), [1.0], noise, axis=1)[:, horizon:]
    feature = signal.lfilter([1.0], [1.0, -0.95], random.standard_normal((runs, n)), axis=1)
    products = labels * feature
    assert 0.03 < _rejections(products, hac_lag(n, horizon)) < 0.07
    naive = stats.ttest_1samp(products, 0.0, axis=1, alternative="greater").pvalue
    if horizon == 20:
        assert float(np.mean(naive < 0.05)) > 0.2


def test_a_planted_mean_is_found() -> None:
    """A mean of 0.15 in 400 autocorrelated values with an error of 0.05 is mostly found."""
    random = np.random.default_rng(5)
    noise = signal.lfilter([1.0], [1.0, -0.5], random.standard_normal((500, 400)), axis=1)
    series = 0.15 + 0.5 * noise
    assert np.mean([hac_mean(row, 26).std_error for row in series]) == pytest.approx(0.05, rel=0.1)
    assert _rejections(series, 26) > 0.8


def test_sampling_every_other_value_keeps_the_error_of_the_mean() -> None:
    """A lag in elements of the sampled series covers the same time."""
    random = np.random.default_rng(6)
    noise = signal.lfilter(np.ones(20), [1.0], random.standard_normal((200, 2020)), axis=1)[:, 20:]
    whole = np.mean([hac_mean(row, hac_lag(2000, 20)).std_error for row in noise])
    half = np.mean([hac_mean(row[::2], hac_lag(1000, 20, 2.0)).std_error for row in noise])
    assert half == pytest.approx(whole, rel=0.1)


def test_the_choice_between_tries_is_paid_for() -> None:
    """The smallest of n p-values times n, at most 1; the first of equals."""
    assert best_of(np.array([0.3, 0.01])) == (1, 0.02)
    index, p_value = best_of(np.array([0.2, 0.2, 0.4]))
    assert (index, round(p_value, 12)) == (0, 0.6)
    assert best_of(np.array([0.7, 0.9])) == (0, 1.0)
    assert best_of(np.array([0.04])) == (0, 0.04)


@pytest.mark.parametrize("n_tries", [1, 2, 4])
@pytest.mark.parametrize("correlation", [0.0, 0.7, 1.0])
def test_the_best_of_several_tries_on_noise_is_found_at_most_one_time_in_twenty(
    n_tries: int, correlation: float
) -> None:
    """Simulated families that err independently, alike, and in the same way, 40,000 times.

    At a nominal 5 % the adjusted p-value rejects in ``1 − (1 − 0.05/n)ⁿ`` of independent tries
    and in ``0.05/n`` of equal ones; the smallest itself rejects in ``1 − 0.95ⁿ`` of the former.
    Three standard errors of a share of 5 % are 0.33 points.
    """
    random = np.random.default_rng(7)
    common, own = random.standard_normal((40_000, 1)), random.standard_normal((40_000, n_tries))
    p_values = stats.norm.sf(math.sqrt(correlation) * common + math.sqrt(1 - correlation) * own)
    adjusted = np.mean([best_of(row)[1] < 0.05 for row in p_values])
    assert adjusted < 0.05 + 0.0033
    smallest = np.mean(p_values.min(axis=1) < 0.05)
    if correlation == 0.0:
        assert adjusted == pytest.approx(1 - (1 - 0.05 / n_tries) ** n_tries, abs=0.0033)
        assert smallest == pytest.approx(1 - 0.95**n_tries, abs=0.006)
    if correlation == 1.0:
        assert adjusted == pytest.approx(0.05 / n_tries, abs=0.0033)
