"""Mean labels per quantile: by hand, with gaps, and with errors that can be believed."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.statistics.hac import overlapping_mean
from ray_pipeline.statistics.quantile_returns import quantile_matrix, quantile_returns


def test_matrix_holds_the_mean_label_of_each_cell() -> None:
    """By hand; rows without a quantile or a label count nowhere."""
    quantiles = np.array([0, 0, 1, 1, -1, 1])
    labels = np.array([1.0, 3.0, 5.0, np.nan, 9.0, 7.0])
    times = np.array([0, 0, 0, 0, 1, 1])
    matrix = quantile_matrix(quantiles, labels, times, 2, 2)
    np.testing.assert_array_equal(matrix, [[2.0, 5.0], [np.nan, 7.0]])


def test_every_timestamp_counts_once() -> None:
    """Means over time of the cells, the excess over the benchmark, and the spread."""
    matrix = np.array([[0.0, 1.0, 2.0], [2.0, 3.0, 10.0]] * 50)
    found = quantile_returns(matrix, np.array([1.0, 5.0] * 50), 1.0)
    assert found.means.tolist() == [1.0, 2.0, 6.0]
    assert found.excess.tolist() == [-2.0, -1.0, 3.0]
    assert found.spread.mean == 5.0
    assert found.monotonicity == pytest.approx(1.0)


def test_spread_of_complete_series_is_the_mean_of_their_difference() -> None:
    """Without gaps the linearised ratio is the plain series, with the same HAC error."""
    matrix = np.random.default_rng(0).standard_normal((400, 5))
    found = quantile_returns(matrix, np.zeros(400), 4.0, 2.0)
    expected = overlapping_mean(matrix[:, 4] - matrix[:, 0], 4.0, 2.0)
    assert found.spread.mean == pytest.approx(expected.mean)
    assert found.spread.std_error == pytest.approx(expected.std_error)
    alone = overlapping_mean(matrix[:, 2], 4.0, 2.0)
    assert found.std_errors[2] == pytest.approx(alone.std_error)


def test_error_of_a_symbols_own_quantiles_is_that_of_two_means() -> None:
    """One label a row, in one quantile each: two means of 100 labels differ by √(2/100)."""
    rng = np.random.default_rng(2)
    errors = []
    for _ in range(60):
        quantiles = rng.integers(0, 5, 500)
        matrix = quantile_matrix(quantiles, rng.standard_normal(500), np.arange(500), 500, 5)
        errors.append(quantile_returns(matrix, np.zeros(500), 1.0).spread.std_error)
    assert np.mean(errors) == pytest.approx(np.sqrt(2 / 100), rel=0.05)


def test_empty_quantile_has_no_mean_and_gives_no_spread() -> None:
    """Not measured is NaN, with no significance; the others keep their figures."""
    matrix = np.array([[np.nan, 1.0, 2.0]] * 60)
    found = quantile_returns(matrix, np.full(60, 1.5), 1.0)
    assert np.isnan(found.means[0])
    assert np.isnan(found.excess[0])
    assert found.means[1:].tolist() == [1.0, 2.0]
    assert np.isnan(found.spread.mean)
    assert (np.isnan(found.spread.std_error), found.spread.p_value) == (True, 1.0)


@pytest.mark.parametrize(
    ("means", "expected"), [([3.0, 2.0, 1.0], -1.0), ([1.0, 3.0, 2.0], 0.5), ([1.0], np.nan)]
)
def test_monotonicity_is_a_rank_correlation(means: list[float], expected: float) -> None:
    """-1 for falling means; of a single quantile there is none."""
    found = quantile_returns(np.array([means] * 60), np.zeros(60), 1.0)
    assert found.monotonicity == pytest.approx(expected, nan_ok=True)
