"""Ranks, z-scores and deviations: by hand, by pandas, and what must not matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ray_pipeline.panel.cross_section.values import (
    deviations,
    group_rows,
    mid_ranks,
    robust_deviations,
    z_scores,
)

NAN = np.nan


def _one_group(
    values: list[float], members: list[bool] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_], int]:
    is_member = np.ones(len(values), dtype=bool) if members is None else np.array(members)
    return np.array(values, dtype=np.float32), np.zeros(len(values), np.int64), is_member, 1


def _panel(
    seed: int, n_groups: int = 40, n_symbols: int = 9
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]:
    """Rows of some symbols, one after the other, with ties, missing values and missing rows."""
    random = np.random.default_rng(seed)
    groups = np.tile(np.arange(n_groups), n_symbols)
    values = np.round(random.standard_normal(len(groups)), 1).astype(np.float32)
    values[random.random(len(groups)) < 0.2] = NAN
    is_there = random.random(len(groups)) < 0.7
    is_member = np.repeat(random.random(n_symbols) < 0.7, n_groups)
    return values[is_there], groups[is_there], is_member[is_there]


# by hand


def test_ties_share_the_middle_and_missing_values_count_for_nothing() -> None:
    """Of 5 values: one is below ½/5, the two in a tie have 1 below and 2 equal, and so on."""
    ranks = mid_ranks(*_one_group([3.0, NAN, 1.0, 2.0, 2.0, 7.0]))
    assert_allclose(ranks, [0.7, NAN, 0.1, 0.4, 0.4, 0.9], rtol=0, atol=1e-15)


def test_signs_and_zeros_are_ordered_as_numbers_are() -> None:
    """−0 and 0 are a tie, and of two negative numbers the larger in size is the lower."""
    ranks = mid_ranks(*_one_group([-0.0, 0.0, -2.0, -1.0, 1e-45, 3e38]))
    assert_allclose(ranks * 6, [3.0, 3.0, 0.5, 1.5, 4.5, 5.5], rtol=1e-15)


def test_z_scores_by_hand() -> None:
    """Of 1, 2, 3 and 6 the mean is 3 and the variance 14/3."""
    scores = z_scores(*_one_group([1.0, 2.0, NAN, 3.0, 6.0]))
    assert_allclose(scores, np.array([-2.0, -1.0, NAN, 0.0, 3.0]) / np.sqrt(14 / 3), rtol=1e-15)


def test_deviations_by_hand() -> None:
    """From the mean of all that have a value, the own included."""
    values, *rest = _one_group([1.0, 2.0, NAN, 6.0])
    assert_array_equal(deviations(values.astype(float), *rest), [-2.0, -1.0, NAN, 3.0])


def test_strangers_are_placed_without_being_counted() -> None:
    """The members 1, 2, 3 are as they are alone; the strangers 9, 2 and 0 stand among them."""
    values, groups, is_member, n = _one_group(
        [1, 9, 2, 2, 3, 0], [True, False, True, False] * 1 + [True, False]
    )
    ranks = mid_ranks(values, groups, is_member, n)
    assert_allclose(ranks * 3, [0.5, 3.0, 1.5, 1.5, 2.5, 0.0], rtol=1e-15)
    assert_array_equal(z_scores(values, groups, is_member, n), [-1, 7, 0, 0, 1, -2])
    exact = values.astype(float)
    assert_array_equal(deviations(exact, groups, is_member, n), [-1, 7, 0, 0, 1, -2])


@pytest.mark.parametrize("compare", [mid_ranks, z_scores, deviations])
def test_two_members_are_too_few(compare: object) -> None:
    """Strangers do not make up for members that are missing."""
    values, groups, is_member, n = _one_group([1, NAN, 2, 5], [True, True, True, False])
    assert np.isnan(compare(values, groups, is_member, n)).all()  # type: ignore[operator]


def test_no_spread_is_no_score() -> None:
    """Where all have the same value, no rounding passes for a deviation; the rank is ½."""
    values, *rest = _one_group([0.1] * 7)
    assert np.isnan(z_scores(values, *rest)).all()
    assert_array_equal(mid_ranks(values, *rest), np.full(7, 0.5))
    outside = _one_group([0.1, 0.1, 0.1, 0.7], [True, True, True, False])
    assert np.isnan(z_scores(*outside)).all()  # and a stranger is not infinitely far away


def test_groups_are_numbered_by_all_keys() -> None:
    """Equal in one key is not enough; the numbers ascend with the first key, then the second."""
    groups, n_groups = group_rows(np.array([5, 5, -1, 5]), np.array([8, 2, 9, 8]))
    assert (groups.tolist(), n_groups) == ([2, 1, 0, 2], 3)


def test_nothing_is_nothing() -> None:
    """No rows give no values, and no value among rows gives none."""
    groups, n_groups = group_rows(np.array([], dtype=np.int64))
    none = np.array([], dtype=np.float32)
    assert mid_ranks(none, groups, np.array([], dtype=bool), n_groups).shape == (0,)
    assert np.isnan(mid_ranks(*_one_group([NAN, NAN, NAN]))).all()


# against pandas


@pytest.mark.parametrize("seed", range(5))
def test_pandas_gives_the_same(seed: int) -> None:
    """On random panels with gaps and ties, members alone, as a groupby of pandas does it."""
    values, groups, _ = _panel(seed)
    everyone = np.ones(len(values), dtype=bool)
    frame = pd.DataFrame({"group": groups, "value": values.astype(np.float64)})
    grouped = frame.groupby("group")["value"]
    counts = grouped.transform("count").to_numpy()
    enough = np.where(counts >= 3, 1.0, NAN)
    means = grouped.transform("mean")
    ranks = ((grouped.rank(method="average") - 0.5) / counts).to_numpy() * enough
    assert_allclose(mid_ranks(values, groups, everyone, 40), ranks, rtol=1e-14)
    spreads = grouped.transform("std").replace(0.0, NAN)
    scores = ((frame["value"] - means) / spreads).to_numpy() * enough
    assert_allclose(z_scores(values, groups, everyone, 40), scores, rtol=1e-9, atol=1e-12)
    excess = (frame["value"] - means).to_numpy() * enough
    exact = values.astype(np.float64)
    assert_allclose(deviations(exact, groups, everyone, 40), excess, rtol=1e-9, atol=1e-12)


# what must not matter


@pytest.mark.parametrize("compare", [mid_ranks, z_scores, deviations])
def test_each_group_stands_alone(compare: object) -> None:
    """Any subset of the groups has the same bits as among all of them: blocks change nothing."""
    values, groups, is_member = _panel(11)
    whole = compare(values, groups, is_member, 40)  # type: ignore[operator]
    assert 0.2 < np.isfinite(whole).mean() < 0.9
    for some in (groups < 17, groups >= 17):
        numbers, n_groups = group_rows(groups[some])
        part = compare(values[some], numbers, is_member[some], n_groups)  # type: ignore[operator]
        assert part.tobytes() == whole[some].tobytes()


@pytest.mark.parametrize("compare", [mid_ranks, z_scores, deviations])
def test_strangers_change_no_members_bit(compare: object) -> None:
    """A member's value is the same with other symbols in the data and without them."""
    values, groups, is_member = _panel(12)
    whole = compare(values, groups, is_member, 40)  # type: ignore[operator]
    alone = compare(  # type: ignore[operator]
        values[is_member], groups[is_member], np.ones(is_member.sum(), dtype=bool), 40
    )
    assert not is_member.all()
    assert whole[is_member].tobytes() == alone.tobytes()


def test_sums_run_in_the_order_of_symbols() -> None:
    """Left to right, one by one: 1e16 + 1 + 1 loses both ones, 1 + 1 + 1e16 none."""
    groups, is_member = np.zeros(3, dtype=np.int64), np.ones(3, dtype=bool)
    for values, mean in (([1e16, 1.0, 1.0], 1e16 / 3), ([1.0, 1.0, 1e16], (1e16 + 2) / 3)):
        excess = deviations(np.array(values), groups, is_member, 1)
        assert excess[1] == 1.0 - mean
    assert 1.0 - 1e16 / 3 != 1.0 - (1e16 + 2) / 3


# the robust mean


def test_without_outliers_the_robust_mean_is_the_mean() -> None:
    """What lies within five deviations of the median is not moved."""
    values = np.random.default_rng(0).standard_normal(3_000)
    groups = np.repeat(np.arange(100), 30)
    everyone = np.ones(3_000, dtype=bool)
    found = robust_deviations(values, groups, everyone, 100)
    assert_allclose(found, deviations(values, groups, everyone, 100), atol=1e-12)


@pytest.mark.parametrize("n_symbols", [4, 6, 20])
def test_one_tick_does_not_decide_what_others_are_held_against(n_symbols: int) -> None:
    """However far it lies, the others' values move by a bounded fraction of their spread."""
    values = 0.01 * np.random.default_rng(1).standard_normal(n_symbols)
    groups, everyone = np.zeros(n_symbols, dtype=np.int64), np.ones(n_symbols, dtype=bool)
    found = []
    for tick in (1.0, 1e6):
        with_tick = np.append(values[:-1], tick)
        excess = robust_deviations(with_tick, groups, everyone, 1)
        assert excess[-1] > 0.9 * tick  # its own label is its own
        found.append(excess[:-1])
    assert_allclose(found[0], found[1], atol=1e-9)
    without = robust_deviations(values[:-1], groups[:-1], everyone[:-1], 1)
    assert np.abs(found[0] - without).max() < 0.05


def test_most_values_equal_leave_the_mean_distance_as_limit() -> None:
    """Of nine zeros and a one, the one counts as 5 · 1.2533 · 0.1."""
    values = np.append(np.zeros(9), 1.0)
    groups, everyone = np.zeros(10, dtype=np.int64), np.ones(10, dtype=bool)
    centre = 5 * 1.2533 * 0.1 / 10
    assert_allclose(robust_deviations(values, groups, everyone, 1), values - centre, rtol=1e-12)


def test_strangers_and_missing_values_do_not_move_the_robust_mean() -> None:
    """They are compared with the members, of whom three need a value."""
    values = np.array([1.0, 2.0, 3.0, NAN, 100.0])
    groups = np.zeros(5, dtype=np.int64)
    is_member = np.array([True, True, True, True, False])
    assert_allclose(robust_deviations(values, groups, is_member, 1), [-1.0, 0.0, 1.0, NAN, 98.0])
    assert np.isnan(robust_deviations(values[1:], groups[1:], is_member[1:], 1)).all()
