"""Sums of skills over time: their band by hand, and lines that keep their shape with few points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.results.cumulated import (
    CumulatedSkill,
    beyond_chance_since,
    cumulated_skill,
    drawdowns,
    thinned,
)
from ray_pipeline.results.steadiness import DatedSkill
from ray_pipeline.statistics.hac import overlapping_mean


def dated(skills: np.ndarray) -> list[DatedSkill]:
    return [DatedSkill(60.0 * place, 0, float(skill)) for place, skill in enumerate(skills)]


@pytest.mark.parametrize(("mean", "is_outside"), [(0.05, True), (0.002, False)])
def test_the_last_sum_is_outside_where_the_mean_is_two_errors_from_chance(
    mean: float, is_outside: bool
) -> None:
    """The band is that of the t-statistic, whatever the labels' overlap."""
    skills = mean + 0.2 * np.random.default_rng(3).standard_normal(400)
    found = cumulated_skill(dated(skills), 5)
    estimate = overlapping_mean(skills, 5)
    assert found.totals[-1] == pytest.approx(skills.sum())
    assert found.half_widths[-1] == pytest.approx(2 * 400 * estimate.std_error)
    outside = bool(abs(found.totals[-1]) > found.half_widths[-1])
    assert (outside, abs(estimate.t_stat) > 2) == (is_outside, is_outside)
    assert found.half_widths[99] == pytest.approx(found.half_widths[399] / 2)
    assert found.seconds[:3].tolist() == [0.0, 60.0, 120.0]


def test_chance_stays_in_the_band() -> None:
    """At the end of 500 series of independent noise about one in twenty is outside."""
    rng = np.random.default_rng(0)
    outside = 0
    for _ in range(500):
        found = cumulated_skill(dated(rng.standard_normal(250)), 1)
        outside += abs(found.totals[-1]) > found.half_widths[-1]
    assert 10 <= outside <= 60


def test_too_short_a_series_has_no_band() -> None:
    """And none at all no line."""
    assert math.isnan(cumulated_skill(dated(np.ones(3)), 1).half_widths[0])
    assert len(cumulated_skill([], 1).totals) == 0


def test_the_band_is_left_for_good_at_one_time() -> None:
    """The last time that the sum was inside counts; without a band, or in it at the end, none."""
    seconds = 60.0 * np.arange(5)
    band = np.full(5, 1.0)
    for totals, since in (
        ([2.0, 0.5, 2.0, 2.0, 3.0], 120.0),
        ([2.0, 2.0, 2.0, 2.0, 2.0], 0.0),
        ([2.0, 2.0, 2.0, 2.0, 0.9], None),
        ([-2.0, -2.0, -2.0, -2.0, -2.0], None),
    ):
        assert beyond_chance_since(CumulatedSkill(seconds, np.array(totals), band)) == since
    unknown = CumulatedSkill(seconds, np.ones(5), np.full(5, np.nan))
    assert beyond_chance_since(unknown) is None


def test_drawdowns_count_from_zero() -> None:
    """A portfolio that lost at once has fallen."""
    assert drawdowns(np.array([-1.0, 2.0, 1.0, 3.0])).tolist() == [-1.0, 0.0, -1.0, 0.0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), st.integers(4, 40))
def test_few_points_keep_the_ends_and_the_extremes(values: list[float], at_most: int) -> None:
    """In order, no more than asked for, and all where they are few."""
    line = np.array(values)
    kept = thinned(line, at_most)
    assert len(kept) <= max(at_most, min(len(line), at_most))
    assert (np.diff(kept) > 0).all()
    assert (kept[0], kept[-1]) == (0, len(line) - 1)
    assert (line[kept].min(), line[kept].max()) == (line.min(), line.max())
    if len(line) <= at_most:
        assert len(kept) == len(line)
