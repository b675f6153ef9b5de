"""Where a prediction stands, and that nothing later moves it."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.statistics.percentiles import (
    earlier_percentiles,
    known_share,
    percentiles_in_groups,
    quantile_numbers,
)


def test_percentiles_are_of_the_group_and_ties_share_theirs() -> None:
    """(rank - 1/2) / n by hand, whatever the order of the rows."""
    values = np.array([5.0, 1.0, 2.0, 2.0, 9.0, 9.0])
    groups = np.array([7, 7, 7, 7, 3, 3])
    expected = [3.5 / 4, 0.5 / 4, 2.0 / 4, 2.0 / 4, 0.5, 0.5]
    assert percentiles_in_groups(values, groups).tolist() == expected
    order = [4, 2, 0, 5, 3, 1]
    shuffled = percentiles_in_groups(values[order], groups[order])
    assert shuffled.tolist() == [expected[i] for i in order]


def test_first_percentiles_are_among_all_earlier_values() -> None:
    """By hand: none before, then below, above, equal to what came before."""
    found = earlier_percentiles(np.array([3.0, 1.0, 4.0, 3.0]))
    np.testing.assert_array_equal(found, [np.nan, 0.0, 1.0, 0.5])


def test_reference_is_all_earlier_rows_but_the_last_tenth() -> None:
    """Each percentile is that among the first m values, m within a tenth of those before it."""
    values = np.random.default_rng(0).standard_normal(400)
    found = earlier_percentiles(values, min_earlier=30)
    assert np.isnan(found[:30]).all()
    for row in range(30, 400):
        possible = [np.mean(values[:m] < values[row]) for m in range(int(row / 1.1) - 1, row + 1)]
        assert np.isclose(possible, found[row]).any()


@pytest.mark.parametrize("delay", [1, 7])
def test_nothing_later_moves_a_percentile(delay: int) -> None:
    """Cutting off the future changes no bit; nor does any value that is not known yet."""
    values = np.random.default_rng(1).standard_normal(300)
    values[[40, 41, 150]] = np.nan
    whole = earlier_percentiles(values, delay, min_earlier=20)
    for n in (21, 60, 151, 299):
        np.testing.assert_array_equal(earlier_percentiles(values[:n], delay, 20), whole[:n])
    for row in (60, 222):
        other = values.copy()
        other[row - delay + 1 : row] = 99.0
        assert earlier_percentiles(other, delay, 20)[row] == whole[row]
    known = values.copy()
    known[: 60 - delay + 1] = 99.0
    assert earlier_percentiles(known, delay, 20)[60] != whole[60]


def test_missing_values_have_no_percentile_and_are_no_reference() -> None:
    """NaN where the value is NaN, or where nothing but NaN came before."""
    found = earlier_percentiles(np.array([np.nan, 2.0, np.nan, 1.0, 3.0]))
    np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 0.0, 1.0])


def test_every_percentile_has_one_quantile() -> None:
    """The edges belong to the quantile above, 1 to the last; rounding moves none."""
    assert quantile_numbers(np.array([0.0, 0.19, 0.2, 0.999, 1.0]), 5).tolist() == [0, 0, 1, 4, 4]
    edges = np.arange(100) / 100
    assert quantile_numbers(edges, 100).tolist() == list(range(100))
    assert quantile_numbers(np.array([np.nan]), 5).tolist() == [-1]


def test_known_share_counts_labels_once_they_are_known() -> None:
    """By hand: labels of positions up to two before, with one of either kind added."""
    labels = np.array([1.0, 1.0, np.nan, 0.0, 1.0])
    positions = np.array([0, 0, 1, 2, 3])
    expected = [1 / 2, 1 / 2, 1 / 2, 3 / 4, 3 / 4]
    assert known_share(labels, positions, span=2).tolist() == expected
    order = [4, 1, 3, 0, 2]
    shuffled = known_share(labels[order], positions[order], span=2)
    assert shuffled.tolist() == [expected[i] for i in order]
