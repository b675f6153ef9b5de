"""A live skill beside its promise: a loss is found, and what is none hardly ever taken for one."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ray_pipeline.statistics.family_wise import holm
from ray_pipeline.statistics.promise import (
    SkillPromise,
    after_selection,
    change_point,
    promise_of,
    watch,
)

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "monitoring.py"

N_YEARS = 120


@pytest.fixture(scope="module")
def monitoring() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("monitoring_benchmark", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["monitoring_benchmark"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["monitoring_benchmark"]


def _skills(n: int, mean: float, seed: int = 0) -> np.ndarray:
    return mean + 0.1 * np.random.default_rng(seed).standard_normal(n)


@pytest.mark.timeout(600)
def test_years_without_a_loss_seldom_have_an_alarm(monitoring: ModuleType) -> None:
    """A small version of ``benchmarks/monitoring.py``.

    Labels that overlap, skill that swings, and eight models at once. At 5 %, at most 13 of 120 are
    what all but one in 250 such samples show.
    """
    world = monitoring.World((1, 5, 20), n_symbols=20)
    alone, _ = monitoring.false_alarms(world, N_YEARS)
    several = replace(world, horizons=(1, 5, 10, 20), n_models=2, n_symbols=20)
    _, of_any = monitoring.false_alarms(several, N_YEARS // 2)
    assert all(share <= 13 / 120 for share in alone), alone
    assert of_any <= 8 / 60


@pytest.mark.timeout(600)
def test_a_vanished_skill_is_noticed(monitoring: ModuleType) -> None:
    """Over two years, of labels of one bar and a promise nine errors above 0, nearly always."""
    world = monitoring.World((1,), n_live=504, left=0.0, ic=0.08, swing=0.2, n_symbols=30)
    ((days, t_stat),) = monitoring.delays(world, 20).values()
    assert t_stat > 6
    assert np.mean(days <= 504) >= 0.8


def test_a_loss_is_found_and_dated() -> None:
    """Skill 0.1 that vanishes after 300 of 600 days: p ≤ 0.05 later, and the day nearly met."""
    before = _skills(1000, 0.1)
    live = np.concatenate([_skills(300, 0.1, 1), _skills(300, 0.0, 2)])
    promise = promise_of(before, 1)
    seen = watch(promise, live)
    assert seen.p_value[seen.ends <= 300].min() > 0.05
    assert seen.p_value[-1] <= 0.05
    assert abs(change_point(live, promise.skill, promise.block) - 300) <= 15


def test_more_skill_than_promised_is_no_loss() -> None:
    """Evidence falls as the skill rises: p stays 1."""
    seen = watch(promise_of(_skills(1000, 0.05), 1), _skills(1000, 0.2, 1))
    assert seen.p_value[-1] > 0.9
    assert seen.low[-1] > 0.1


def test_p_values_never_rise_and_depend_on_the_past_alone() -> None:
    """What is known after 10 blocks is the same whatever follows."""
    promise, live = promise_of(_skills(1000, 0.1), 5), _skills(1000, 0.05, 1)
    seen = watch(promise, live)
    shorter = watch(promise, live[: promise.block * 10])
    assert (np.diff(seen.p_value) <= 0).all()
    np.testing.assert_array_equal(shorter.p_value, seen.p_value[:10])
    np.testing.assert_array_equal(shorter.low, seen.low[:10])


def test_the_promise_is_paid_for_by_its_own_error() -> None:
    """The same live skills are evidence beside a long promise, and none beside a short one."""
    live = _skills(500, 0.0, 1)
    longer = watch(promise_of(_skills(4000, 0.03), 1), live)
    shorter = watch(promise_of(_skills(150, 0.03, 3), 1), live)
    assert longer.p_value[-1] < shorter.p_value[-1]


@pytest.mark.parametrize("n", [0, 5, 60])
def test_too_short_a_promise_promises_nothing(n: int) -> None:
    """Of labels of 20 bars: no skill, p 1, and an interval that excludes nothing."""
    promise = promise_of(_skills(n, 0.1), 20)
    seen = watch(promise, _skills(500, -0.5, 1))
    assert math.isnan(promise.skill)
    assert set(seen.p_value.tolist()) == {1.0}
    assert (seen.low == -1).all()
    assert (seen.high == 1).all()


def test_skills_that_never_vary_are_as_promised_or_not() -> None:
    """A perfect copy stays one; less than that is a loss."""
    promise = promise_of(np.ones(500), 1)
    assert promise.skill == 1.0
    assert watch(promise, np.ones(500)).p_value[-1] > 0.9
    assert watch(promise, np.full(500, 0.9)).p_value[-1] < 1e-6


def test_what_was_chosen_promises_less() -> None:
    """Just above the bar nothing is left, far above nearly all; what was not chosen keeps all."""
    assert after_selection(2.01, 2.0) == 0.0
    assert after_selection(3.0, 2.0) == pytest.approx(2.48, abs=0.01)
    assert after_selection(9.0, 2.0) == pytest.approx(9.0, abs=1e-6)
    assert after_selection(0.5, -math.inf) == 0.5
    assert after_selection(-1.0, 2.0) == -1.0


def test_shrunken_means_are_not_too_high_on_average() -> None:
    """Of normal estimates with mean 2.5 seen above 2, they are nearer to it, and mostly below."""
    seen = 2.5 + np.random.default_rng(0).standard_normal(4000)
    seen = seen[seen > 2.0]
    shrunken = np.array([after_selection(t, 2.0) for t in seen])
    assert seen.mean() > 2.9
    assert np.mean(shrunken) < 2.5
    assert np.median(shrunken) < 2.6


def test_holm_by_hand_and_with_equals() -> None:
    """Steps down, never falls below an earlier one, and never exceeds 1."""
    assert holm(np.array([0.5, 0.01, 0.02])).tolist() == [0.5, 0.03, 0.04]
    assert holm(np.array([0.02, 0.02])).tolist() == [0.04, 0.04]
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.empty(0)).tolist() == []


def test_change_points_by_hand() -> None:
    """The middle of a series; all of it; and never a change shorter than asked for."""
    assert change_point(np.array([1.0, 1.1, 0.9, 0.1, -0.1, 0.0]), 1.0, 1) == 3
    assert change_point(np.zeros(4), 1.0, 1) == 0
    assert change_point(np.array([1.0, 1.0, 1.0, 1.0, -9.0]), 1.0, 2) == 3


def test_a_block_holds_three_horizons() -> None:
    """And no less than the bandwidth of the HAC error."""
    assert isinstance(promise_of(_skills(1000, 0.1), 20), SkillPromise)
    assert promise_of(_skills(1000, 0.1), 20).block == 60
    assert promise_of(_skills(1000, 0.1), 1).block == 42
    assert promise_of(_skills(1000, 0.1), 20, spacing=10).block == 42
