"""The maximum of many statistics: by hand, under any dependence, and beside one test at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ray_pipeline.statistics.max_statistic import max_statistic_p_values

nan = float("nan")


def test_step_down_by_hand() -> None:
    """The strongest is compared with all tests, the next against the rest, and p never falls."""
    observed = np.array([2.0, 4.0, nan, 1.0])
    shifted = np.array(
        [
            [0.0, 1.5, 2.5, 0.0],
            [0.0, 0.0, 0.0, 4.0],
            [9.0, 9.0, 9.0, 9.0],
            [3.0, 0.0, 0.5, 0.0],
        ]
    )
    # Second: 4.0 against 3.0, 1.5, 2.5, 4.0. First: 2.0 against 3.0, 1.5, 2.5, 0.0.
    # Last: 1.0 against 3.0, 0.0, 0.5, 0.0 would be 2/5, and is not below the one before it.
    found = max_statistic_p_values(observed, shifted)
    assert found[[0, 1, 3]].tolist() == [3 / 5, 2 / 5, 3 / 5]
    assert np.isnan(found[2])


def test_a_lone_discovery_among_many_tests_is_possible() -> None:
    """What no adjustment of single p-values of 99 shifts allows with more than five tests."""
    random = np.random.default_rng(0)
    shifted = random.standard_normal((200, 99))
    observed = random.standard_normal(200)
    observed[17] = 9.0
    found = max_statistic_p_values(observed, shifted)
    assert found[17] == 1 / 100
    assert np.delete(found, 17).min() > 0.05
    single = (1 + np.sum(shifted >= observed[:, None], axis=1)) / 100
    assert stats.false_discovery_control(single)[17] > 0.05


@pytest.mark.parametrize("common", [0.0, 0.6, 0.99])
def test_any_false_discovery_is_as_rare_as_alpha(common: float) -> None:
    """Over 400 families of 20 tests without effect, independent or nearly the same."""
    discoveries = 0
    for seed in range(400):
        random = np.random.default_rng([seed, int(100 * common)])
        noise = np.sqrt(1 - common) * random.standard_normal((20, 40))
        noise += np.sqrt(common) * random.standard_normal(40)
        discoveries += bool(max_statistic_p_values(noise[:, 0], noise[:, 1:]).min() <= 0.05)
    # Binomial limits that a true 5 % passes in all but one of a thousand such tests.
    assert discoveries <= stats.binom.ppf(0.9995, 400, 0.05)
    assert discoveries >= stats.binom.ppf(0.0005, 400, 0.05)


def test_shifts_that_could_not_be_measured_count_for_no_test() -> None:
    """A missing statistic is not a maximum."""
    shifted = np.array([[nan, 3.0, nan], [0.0, 0.0, nan]])
    assert max_statistic_p_values(np.array([2.0, 1.0]), shifted).tolist() == [2 / 4, 2 / 4]


@given(seed=st.integers(0, 2**32), n_tests=st.integers(1, 8), n_shifts=st.integers(1, 30))
def test_order_does_not_matter_and_strength_does(seed: int, n_tests: int, n_shifts: int) -> None:
    """Stronger tests have no larger p; each is at least its own p, and none is 0."""
    random = np.random.default_rng(seed)
    observed = random.integers(-3, 4, n_tests).astype(float)
    shifted = random.integers(-3, 4, (n_tests, n_shifts)).astype(float)
    found = max_statistic_p_values(observed, shifted)
    alone = (1 + np.sum(shifted >= observed[:, None], axis=1)) / (1 + n_shifts)
    assert (found >= alone - 1e-12).all()
    assert (found <= 1).all()
    assert (np.diff(found[np.argsort(-observed, kind="stable")]) >= 0).all()
    places = random.permutation(n_tests)
    distinct = len(set(observed.tolist())) == n_tests
    if distinct:
        assert max_statistic_p_values(observed[places], shifted[places]).tolist() == (
            found[places].tolist()
        )
