"""Skill within groups against scipy and against counting every pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ray_pipeline.records import Task
from ray_pipeline.statistics.skill import grouped_ranks, grouped_skill


def _auc_by_pairs(prediction: Any, actual: Any) -> float:
    """Share of (positive, negative) pairs in the right order, ties counting half."""
    positive, negative = prediction[actual == 1], prediction[actual == 0]
    signs = np.sign(positive[:, None] - negative[None, :])
    return float((signs.mean() + 1) / 2)


# Few distinct values, so that ties are common.
_small = st.integers(-3, 3).map(float)


@given(st.lists(st.tuples(_small, st.integers(0, 3)), min_size=1, max_size=40))
def test_ranks_are_scipys_within_each_group(rows: list[tuple[float, int]]) -> None:
    """Average ranks, whatever the order of the groups' rows."""
    values = np.array([row[0] for row in rows])
    groups = np.unique([row[1] for row in rows], return_inverse=True)[1]
    ranks = grouped_ranks(values, groups)
    for group in np.unique(groups):
        members = groups == group
        assert ranks[members].tolist() == stats.rankdata(values[members]).tolist()


def test_ranks_of_nothing() -> None:
    """No rows have no ranks."""
    assert grouped_ranks(np.empty(0), np.empty(0, dtype=np.int64)).tolist() == []


@pytest.mark.parametrize("task", ["regression", "ordinal"])
@given(rows=st.lists(st.tuples(_small, _small, st.integers(0, 2)), min_size=1, max_size=60))
def test_ordered_targets_have_spearmans_correlation(
    task: Task, rows: list[tuple[float, float, int]]
) -> None:
    """Each group's skill is scipy's; unmeasurable groups are absent and a constant bet is 0."""
    prediction, actual = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    groups = np.array([r[2] for r in rows])
    found = grouped_skill(prediction, actual, groups, task, min_rows=3)
    expected = {}
    for group in np.unique(groups).tolist():
        p, y = prediction[groups == group], actual[groups == group]
        if len(p) >= 3 and np.ptp(y) > 0:
            expected[group] = stats.spearmanr(p, y).statistic if np.ptp(p) > 0 else 0.0
    assert found.groups.tolist() == list(expected)
    assert found.skills == pytest.approx(list(expected.values()), abs=1e-12)
    assert found.counts.tolist() == [int(np.sum(groups == group)) for group in expected]


@given(rows=st.lists(st.tuples(_small, st.booleans(), st.integers(0, 2)), min_size=1, max_size=60))
def test_binary_targets_have_the_auc(rows: list[tuple[float, bool, int]]) -> None:
    """``2·AUC − 1`` by brute force over all pairs of a positive and a negative."""
    prediction, actual = np.array([r[0] for r in rows]), np.array([float(r[1]) for r in rows])
    groups = np.array([r[2] for r in rows])
    found = grouped_skill(prediction, actual, groups, "binary", min_rows=2)
    expected = {}
    for group in np.unique(groups).tolist():
        p, y = prediction[groups == group], actual[groups == group]
        if 0 < y.mean() < 1:
            expected[group] = 2 * _auc_by_pairs(p, y) - 1
    assert found.groups.tolist() == list(expected)
    assert found.skills == pytest.approx(list(expected.values()), abs=1e-12)


@pytest.mark.parametrize("task", ["regression", "binary"])
@given(seed=st.integers(0, 2**32))
def test_skill_is_the_mean_of_the_contributions(task: Task, seed: int) -> None:
    """Row products average to the group's skill: what the standard error is computed from."""
    random = np.random.default_rng(seed)
    groups, prediction = random.integers(0, 4, 40), random.standard_normal(40)
    actual = random.standard_normal(40)
    actual = (actual > 0).astype(float) if task == "binary" else actual
    found = grouped_skill(prediction, actual, groups, task)
    for group, skill in zip(found.groups, found.skills, strict=True):
        assert found.contributions[groups == group].mean() == pytest.approx(skill, abs=1e-12)
    left_out = ~np.isin(groups, found.groups)
    assert np.isnan(found.contributions[left_out]).all()
    assert not np.isnan(found.contributions[~left_out]).any()


@pytest.mark.parametrize("task", ["regression", "binary"])
@given(seed=st.integers(0, 2**32), n_rows=st.integers(3, 30))
def test_skill_is_odd_and_depends_on_order_alone(task: Task, seed: int, n_rows: int) -> None:
    """In [-1, 1]; monotone maps leave it, reversing the prediction reverses it."""
    random = np.random.default_rng(seed)
    prediction, actual = random.standard_normal(n_rows), random.standard_normal(n_rows)
    actual = (actual > 0).astype(float) if task == "binary" else actual
    one = np.zeros(n_rows, dtype=np.int64)
    skills = grouped_skill(prediction, actual, one, task).skills
    assert np.all(np.abs(skills) <= 1 + 1e-12)
    assert grouped_skill(np.exp(prediction), actual, one, task).skills == pytest.approx(skills)
    assert grouped_skill(-prediction, actual, one, task).skills == pytest.approx(-skills)


def test_perfect_and_reversed_order_are_the_ends_of_the_scale() -> None:
    """1 for the right order, −1 for the reverse, for both kinds of target."""
    prediction = np.array([0.1, 0.4, 0.2, 0.9])
    groups = np.zeros(4, dtype=np.int64)
    for actual, task in ((prediction**3, "regression"), (np.array([0.0, 1, 0, 1]), "binary")):
        kind: Any = task
        assert grouped_skill(prediction, actual, groups, kind).skills == pytest.approx([1.0])
        assert grouped_skill(-prediction, actual, groups, kind).skills == pytest.approx([-1.0])


def test_no_rows_have_no_skill() -> None:
    """An empty fold is measured nowhere."""
    empty = np.empty(0)
    found = grouped_skill(empty, empty, empty.astype(np.int64), "regression")
    assert (found.skills.tolist(), found.groups.tolist()) == ([], [])
