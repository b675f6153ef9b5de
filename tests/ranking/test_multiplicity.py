"""How q-values are made where tests have circular shifts, where not, and where some have."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.ranking.multiplicity import SingleTest, corrected_p_values
from ray_pipeline.statistics.max_statistic import max_statistic_p_values

nan = float("nan")
SHIFTED = np.random.default_rng(0).standard_normal((30, 99))
STRONG = SingleTest(0.01, 9.0, SHIFTED[0])
WEAK = [SingleTest(0.5, 0.0, row) for row in SHIFTED[1:]]


def test_the_largest_statistic_finds_what_single_p_values_cannot() -> None:
    """One strong test among thirty with 99 shifts."""
    by_maximum = corrected_p_values([STRONG, *WEAK], "max_statistic")
    assert by_maximum[0] == 0.01
    assert by_maximum[1:].min() >= 0.5
    assert corrected_p_values([STRONG, *WEAK], "bh")[0] == pytest.approx(0.3)


def test_without_any_shifts_it_is_the_false_discovery_rate() -> None:
    """Pooled models on single symbols have the analytic null alone."""
    tests = [SingleTest(0.01), SingleTest(0.5), SingleTest(nan)]
    found = corrected_p_values(tests, "max_statistic")
    assert found[:2].tolist() == [0.02, 0.5]
    assert np.isnan(found[2])


def test_tests_without_shifts_among_others_pay_for_all() -> None:
    """Bonferroni: they cannot be compared with the others' maximum."""
    others = [SingleTest(0.004), SingleTest(0.6), SingleTest(nan)]
    found = corrected_p_values([STRONG, *others], "max_statistic")
    assert found[0] == 0.01
    assert found[1:3].tolist() == [pytest.approx(0.012), 1.0]
    assert np.isnan(found[3])


def test_a_test_measured_on_fewer_shifts_is_held_to_its_own_p_value() -> None:
    """Shifts that it lacks are not evidence for it."""
    few = np.where(np.arange(99) < 20, SHIFTED[0], nan)
    assert max_statistic_p_values(np.array([9.0]), few[np.newaxis]).tolist() == [0.01]
    assert corrected_p_values([SingleTest(1 / 21, 9.0, few)], "max_statistic").tolist() == [1 / 21]
