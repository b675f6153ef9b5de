"""Skill, labels and quantiles within the groups of a timestamp."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ray_pipeline.statistics.cells import cells_of
from ray_pipeline.statistics.compared_labels import compare_labels
from ray_pipeline.statistics.quantile_returns import mean_of_cells, quantile_matrix
from ray_pipeline.statistics.skill import grouped_skill, timestamp_skills


def _rows(
    n_times: int, sizes: tuple[int, ...], seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Return positions and groups of timestamps that have groups of these sizes, and chance."""
    positions = np.repeat(np.arange(n_times), sum(sizes))
    groups = np.tile(np.repeat(np.arange(len(sizes)), sizes), n_times).astype(np.int32)
    return positions, groups, np.random.default_rng(seed)


def test_a_timestamp_weighs_its_groups_by_their_rows_less_one() -> None:
    """By hand: a perfect group of five, a reversed one of three, and a pair that is too small."""
    prediction = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 2.0, 3.0, 1.0, 2.0])
    actual = np.array([2.0, 3.0, 4.0, 5.0, 6.0, 9.0, 8.0, 7.0, 1.0, 2.0])
    cells = np.repeat([0, 1, 2], [5, 3, 2])
    found = timestamp_skills(prediction, actual, np.zeros(10, dtype=int), cells, "regression", 3)
    assert found.tolist() == pytest.approx([(4 * 1.0 + 2 * -1.0) / 6])


def test_skills_are_those_of_each_group_put_together() -> None:
    """At every timestamp, ties and timestamps without a group to measure included."""
    positions, groups, random = _rows(50, (3, 9, 20))
    kept = (random.random(len(positions)) < 0.6) & (positions % 7 != 3)
    kept |= (positions % 7 == 3) & (groups == 0) & (np.arange(len(positions)) % 2 == 0)
    positions, groups = positions[kept], groups[kept]
    prediction = random.integers(0, 6, len(positions)).astype(float)
    actual = prediction + random.standard_normal(len(positions))
    found = timestamp_skills(
        prediction, actual, positions, cells_of(positions, groups), "regression", 4
    )
    expected = []
    for t in range(50):
        parts = [(positions == t) & (groups == g) for g in range(3)]
        parts = [part for part in parts if part.sum() >= 4]
        if parts:
            skills = [stats.spearmanr(prediction[p], actual[p]).statistic for p in parts]
            skills = np.nan_to_num(skills)  # a constant prediction says nothing
            expected.append(np.average(skills, weights=[p.sum() - 1 for p in parts]))
    assert found.tolist() == pytest.approx(expected)


def test_one_group_changes_no_bit() -> None:
    """Where a timestamp is all that is compared, skills are those of timestamps."""
    positions, _, random = _rows(100, (7,))
    prediction, actual = random.standard_normal((2, len(positions)))
    whole = grouped_skill(prediction, actual, positions, "regression", 3).skills
    cells = cells_of(positions, np.zeros(len(positions), dtype=np.int32))
    found = timestamp_skills(prediction, actual, positions, cells, "regression", 3)
    np.testing.assert_array_equal(found, whole)


def test_predictions_that_know_nothing_have_the_variance_that_weights_assume() -> None:
    """Mean 0 and variance 1 / sum(n - 1), less than that of groups that count alike."""
    sizes = (3, 5, 40)
    positions, groups, random = _rows(6_000, sizes, seed=4)
    prediction, actual = random.standard_normal((2, len(positions)))
    cells = cells_of(positions, groups)
    found = timestamp_skills(prediction, actual, positions, cells, "regression", 3)
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found))
    expected = 1 / sum(n - 1 for n in sizes)
    assert found.var() == pytest.approx(expected, rel=0.08)
    alike = grouped_skill(prediction, actual, cells, "regression", 3).skills.reshape(-1, 3)
    assert alike.mean(axis=1).var() > 3 * found.var()


def test_what_groups_have_in_common_is_no_skill() -> None:
    """A prediction of the group alone orders nothing within it, and all where there is none."""
    positions, groups, random = _rows(60, (10, 10, 10))
    level = groups + 1e-6 * random.standard_normal(len(groups))
    actual = groups + 0.1 * random.standard_normal(len(groups))
    cells = cells_of(positions, groups)
    within = timestamp_skills(level, actual, positions, cells, "regression", 3)
    among = timestamp_skills(level, actual, positions, positions, "regression", 3)
    assert abs(within.mean()) < 4 * within.std() / np.sqrt(60)
    assert among.mean() > 0.8


def test_a_row_without_a_group_is_in_no_skill_and_in_no_label() -> None:
    """Whatever it holds."""
    positions, groups, random = _rows(30, (5, 5))
    groups[::7] = -1
    y, ends = random.standard_normal(len(positions)), positions + 2
    cells = cells_of(positions, groups)
    found = []
    for value in (-9.0, 9.0):
        spoiled = np.where(groups < 0, value, y)
        skills = timestamp_skills(spoiled, spoiled**3, positions, cells, "regression", 3)
        labels = compare_labels(spoiled, positions, ends, "rank", 3, cells)
        assert np.isnan(labels.values[groups < 0]).all()
        found.append((skills, labels.values, labels.weights))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_are_compared_with_those_of_their_group() -> None:
    """By hand: less the group's mean; the weights of a timestamp are a share each of n - 1."""
    y = np.array([1.0, 2.0, 6.0, 10.0, 20.0, 30.0, 40.0, 7.0])
    groups = np.array([0, 0, 0, 1, 1, 1, 1, 2], dtype=np.int32)
    positions, ends = np.zeros(8, dtype=np.int64), np.array([1, 1, 5, 2, 2, 2, 3, 9])
    found = compare_labels(y, positions, ends, "demean", 3, cells_of(positions, groups))
    assert found.values[:7].tolist() == pytest.approx([-2, -1, 3, -15, -5, 5, 15])
    assert found.weights[:7].tolist() == pytest.approx([2 / 5 / 3] * 3 + [3 / 5 / 4] * 4)
    assert found.means[:7].tolist() == pytest.approx([3] * 3 + [25] * 4)
    assert found.ends.tolist() == [5, 5, 5, 3, 3, 3, 3, 9]
    assert np.isnan([found.values[7], found.weights[7], found.means[7]]).all()


@pytest.mark.parametrize("how", ["rank", "z_score", "demean"])
def test_weights_of_a_timestamp_add_up_to_one(how: str) -> None:
    """However its labels are spread over groups, as long as one of them teaches something."""
    positions, groups, random = _rows(40, (3, 6, 2))
    y = random.standard_normal(len(positions))
    y[random.random(len(y)) < 0.3] = np.nan
    cells = cells_of(positions, groups)
    found = compare_labels(y, positions, positions + 1, how, 3, cells)  # type: ignore[arg-type]
    taught = np.isfinite(found.values)
    sums = np.bincount(positions[taught], weights=found.weights[taught])
    assert sums[sums > 0].tolist() == pytest.approx([1.0] * int((sums > 0).sum()))
    means = np.bincount(cells[taught], weights=found.values[taught])
    np.testing.assert_allclose(means, 0.0, atol=1e-12)


def test_quantiles_within_groups_leave_out_what_groups_earn() -> None:
    """Sectors of different returns: the spread is that within them, also where one has a gap."""
    positions, groups, random = _rows(200, (4, 12), seed=2)
    quantile = np.tile(np.r_[[0, 0, 1, 1], [0] * 6, [1] * 6], 200)
    quantile[positions % 3 == 0] = np.where(
        groups[positions % 3 == 0] == 0, 1, quantile[positions % 3 == 0]
    )  # the small sector has no lower quantile at every third timestamp
    label = 10.0 * (groups == 0) + 0.5 * quantile + 0.1 * random.standard_normal(len(groups))
    cells = cells_of(positions, groups)
    first = np.unique(cells, return_index=True)[1]
    counts = np.bincount(cells)
    matrix = quantile_matrix(quantile, label, cells, len(first), 2)
    means = np.bincount(cells, weights=label) / counts
    found, benchmark = mean_of_cells(matrix, means, counts, positions[first], 200)
    assert benchmark.tolist() == pytest.approx([label[positions == t].mean() for t in range(200)])
    naive = quantile_matrix(quantile, label, positions, 200, 2)
    assert float((naive[:, 1] - naive[:, 0]).mean()) > 1.0
    assert float((found[:, 1] - found[:, 0]).mean()) == pytest.approx(0.5, abs=0.15)
