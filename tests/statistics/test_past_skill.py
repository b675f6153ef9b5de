"""Skill over time by what was known: no later row changes it, and it is that of the ranks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ray_pipeline.statistics.past_skill import MIN_KNOWN, past_contributions


def _rows(n: int, skill: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    signal = chance.standard_normal(n)
    label = skill * signal + np.sqrt(1 - skill**2) * chance.standard_normal(n)
    return stats.norm.cdf(signal), label, np.arange(n)


def test_its_mean_is_the_rank_correlation() -> None:
    """Of 20,000 rows with a correlation of 0.3, within 0.02."""
    standing, label, positions = _rows(20_000, 0.3)
    found = past_contributions(standing, label, positions, 40, 5, "regression")
    assert np.nanmean(found) == pytest.approx(stats.spearmanr(standing, label)[0], abs=0.02)


def test_of_binary_labels_its_mean_is_that_of_the_area_under_the_curve() -> None:
    """2·AUC − 1, within 0.03."""
    standing, label, positions = _rows(20_000, 0.3)
    above = (label > 0.8).astype(float)
    found = past_contributions(standing, above, positions, 40, 5, "binary")
    area = stats.mannwhitneyu(standing[above == 1], standing[above == 0]).statistic
    area /= above.sum() * (1 - above).sum()
    assert np.nanmean(found) == pytest.approx(2 * area - 1, abs=0.03)


def test_nothing_later_changes_it_and_no_label_is_used_before_it_is_known() -> None:
    """Cut off or replaced, what comes after a row leaves its figure as it is."""
    standing, label, positions = _rows(400, 0.3)
    whole = past_contributions(standing, label, positions, 40, 5, "regression")
    cut = past_contributions(standing[:230], label[:230], positions[:230], 40, 5, "regression")
    np.testing.assert_array_equal(cut, whole[:230])
    changed = label.copy()
    changed[196:200] = 99.0  # not known at 200, where a stretch begins
    other = past_contributions(standing, changed, positions, 40, 5, "regression")
    np.testing.assert_array_equal(other[200:240], whole[200:240])
    assert (other[240:280] != whole[240:280]).any()


def test_the_first_rows_have_nothing_to_be_measured_by() -> None:
    """Until enough labels are known: NaN."""
    standing, label, positions = _rows(400, 0.3)
    found = past_contributions(standing, label, positions, 40, 5, "regression")
    first = int(np.flatnonzero(np.isfinite(found))[0])
    assert first >= MIN_KNOWN + 5
    assert np.isfinite(found[first:]).all()


def test_no_rows_have_no_figures() -> None:
    """Empty in, empty out."""
    none = np.empty(0)
    assert len(past_contributions(none, none, np.empty(0, dtype=np.int64), 5, 1, "binary")) == 0
