"""Predictions compared with outcomes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.statistics.family_wise import holm
from ray_pipeline.statistics.reliability import label_reach, mean_gap, tenths_of, with_shared_error

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_SIMULATED = 300
ALPHA = 0.05


def test_means_and_counts_are_those_of_the_rows() -> None:
    """Rows count alike, however many of them a timestamp has."""
    times = np.array([7, 7, 7, 9])
    found = mean_gap(times, np.array([0.2, 0.4, 0.6, 0.8]), np.array([0.0, 1.0, 1.0, 1.0]), 1.0)
    assert (found.n_rows, found.n_times) == (4, 2)
    assert found.predicted == pytest.approx(0.5)
    assert found.observed == pytest.approx(0.75)
    assert math.isnan(found.std_error)
    assert math.isnan(found.p_value)


def test_without_overlap_the_error_is_that_of_clusters() -> None:
    """Of independent timestamps with equal rows it is the error of their means."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=4_000)
    times = np.repeat(np.arange(4_000), 3)
    found = mean_gap(times, np.zeros(12_000), np.repeat(means, 3), 1.0)
    # Three rows of one shock are one observation, and no more.
    assert found.std_error == pytest.approx(means.std() / math.sqrt(4_000), rel=0.15)


def test_outcomes_all_alike_are_no_certainty() -> None:
    """Thirty of thirty at 95 % are what luck does in one of five cases."""
    times, said = np.arange(30), np.full(30, 0.95)
    bare = mean_gap(times, said, np.ones(30), 1.0)
    held = mean_gap(times, said, np.ones(30), 1.0, said * (1 - said))
    assert bare.p_value == 0.0 or bare.p_value < 1e-6
    assert held.std_error == pytest.approx(math.sqrt(0.95 * 0.05 / 30))
    assert held.p_value > 0.1


def test_a_tenth_of_one_stretch_has_its_evidence_alone() -> None:
    """Other timestamps, which have no row of it, add none."""
    rng = np.random.default_rng(1)
    times, observed = np.arange(60), rng.integers(0, 2, 60).astype(float)
    early = mean_gap(times, np.full(60, 0.5), observed, 5.0)
    late = mean_gap(times + 10_000, np.full(60, 0.5), observed, 5.0)
    assert early == late
    assert early.degrees_of_freedom < 10


def test_tenths_hold_equal_shares_and_never_part_equals() -> None:
    """Of distinct predictions a tenth each; of one that many rows share, all in one tenth."""
    rng = np.random.default_rng(2)
    distinct = rng.permutation(1_000) / 1_000
    assert np.bincount(tenths_of(distinct)).tolist() == [100] * 10
    tied = np.where(distinct < 0.55, 0.1, distinct)
    tenths = tenths_of(tied)
    assert len(set(tenths[tied == 0.1])) == 1
    assert (np.diff(tenths[np.argsort(tied)]) >= 0).all()


def test_reach_is_that_of_the_labels() -> None:
    """In timestamps of all symbols, not in bars of one."""
    times = np.arange(20)
    assert label_reach(times, times[:15], times[5:]) == 5.0
    every_second = times[::2]
    assert label_reach(times, every_second[:-3], every_second[3:]) == 6.0
    assert label_reach(times, times[:0], times[:0]) == 1.0


def _overlapping(
    rng: np.random.Generator, horizon: int, true: float
) -> tuple[Ints, Floats, Floats]:
    """Make the outcomes of 12 symbols that share half of their shocks, summed over a horizon."""
    n_times, n_symbols = 400, 12
    shape = (n_times + horizon, n_symbols)
    steps = rng.normal(size=(shape[0], 1)) + rng.normal(size=shape)
    sums = np.cumsum(np.vstack([np.zeros((1, n_symbols)), steps]), axis=0)
    moved = (sums[horizon : n_times + horizon] - sums[:n_times]) / math.sqrt(2 * horizon)
    # A standard normal is below the quantile of `true` with that probability.
    level = np.sqrt(2) * _inverse_erf(2 * true - 1)
    happened = (moved < level).astype(np.float64)
    times = np.repeat(np.arange(n_times), n_symbols)
    return times, np.full(len(times), true), happened.ravel()


def _inverse_erf(value: float) -> float:
    low, high = -6.0, 6.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < value else (low, middle)
    return low


@pytest.mark.parametrize(("horizon", "true"), [(1, 0.5), (5, 0.5), (5, 0.85), (10, 0.3)])
def test_what_is_right_is_seldom_called_off(horizon: int, true: float) -> None:
    """At 5 %, of labels that overlap and symbols that move together; naive errors fail at 40 %."""
    rng = np.random.default_rng(100 + horizon)
    called, naive = 0, 0
    for _ in range(N_SIMULATED):
        times, said, came = _overlapping(rng, horizon, true)
        found = mean_gap(times, said, came, float(horizon), said * (1 - said))
        called += found.p_value <= ALPHA
        naive += abs(found.observed - true) > 1.96 * math.sqrt(true * (1 - true) / len(said))
    assert called / N_SIMULATED <= 0.085
    assert naive / N_SIMULATED > 0.35


def test_what_is_off_is_seen() -> None:
    """Ten points over a few independent stretches of time already."""
    rng = np.random.default_rng(5)
    seen = 0
    for _ in range(60):
        times, said, came = _overlapping(rng, 5, 0.6)
        seen += mean_gap(times, said - 0.15, came, 5.0).p_value <= ALPHA
    assert seen / 60 > 0.8


def test_ten_tenths_are_called_off_as_seldom_as_one() -> None:
    """With all of them counted, any of them is in about 5 % of the cases."""
    rng = np.random.default_rng(6)
    called, grid = 0, np.linspace(0.3, 0.7, 41)
    levels = np.array([math.sqrt(2) * _inverse_erf(2 * p - 1) for p in grid])
    for _ in range(N_SIMULATED):
        times, _, _ = _overlapping(rng, 5, 0.5)
        said = rng.uniform(0.3, 0.7, len(times))
        shared = rng.normal(size=400)[times] * 0.6 + rng.normal(size=len(times)) * 0.8
        came = (shared < np.interp(said, grid, levels)).astype(np.float64)
        tenths = tenths_of(said)
        p_values = [
            mean_gap(times[own], said[own], came[own], 5.0, said[own] * (1 - said[own])).p_value
            for own in (tenths == i for i in range(10))
        ]
        called += _any_off(p_values)
    assert called / N_SIMULATED <= 0.085


def test_stretches_of_time_have_at_least_their_mean_error() -> None:
    """Misses come together: of one without any, its own error would say that is not luck."""
    rng = np.random.default_rng(7)
    called, bare = 0, 0
    for _ in range(N_SIMULATED):
        times, said, came = _overlapping(rng, 5, 0.9)
        variance = said * (1 - said)
        alone = [
            mean_gap(times[own], said[own], came[own], 5.0, variance[own])
            for own in (times // 50 == i for i in range(8))
        ]
        shared = with_shared_error(alone)
        assert all(s.std_error >= a.std_error for s, a in zip(shared, alone, strict=True))
        called += _any_off([gap.p_value for gap in shared])
        bare += _any_off([gap.p_value for gap in alone])
    assert called / N_SIMULATED <= 0.06
    assert bare / N_SIMULATED > 0.2


def test_a_stretch_that_differs_is_seen_among_others() -> None:
    """Its gap makes no error of the others larger, nor its own."""
    rng = np.random.default_rng(8)
    times, said, came = _overlapping(rng, 1, 0.8)
    said = np.where(times < 200, said, 0.45)
    alone = [
        mean_gap(times[own], said[own], came[own], 1.0)
        for own in (times // 50 == i for i in range(8))
    ]
    p_values = holm(np.array([gap.p_value for gap in with_shared_error(alone)]))
    assert set(np.flatnonzero(p_values <= ALPHA)) == {4, 5, 6, 7}


def _any_off(p_values: Sequence[float]) -> bool:
    return bool((holm(np.array(p_values)) <= ALPHA).any())


@pytest.mark.parametrize("horizon", [5, 20])
def test_labels_that_are_right_by_tenths_are_seldom_called_off(horizon: int) -> None:
    """Of real labels, under a year of days, with predictions whose level wanders."""
    rng = np.random.default_rng(200 + horizon)
    n_times, n_symbols, called = 190, 20, 0
    times = np.repeat(np.arange(n_times), n_symbols)
    for _ in range(100):
        steps = rng.normal(size=(n_times + horizon, 1)) + rng.normal(
            size=(n_times + horizon, n_symbols)
        )
        sums = np.cumsum(np.vstack([np.zeros((1, n_symbols)), steps]), axis=0)
        level = 0.05 * np.cumsum(rng.normal(size=(n_times, 1)), axis=0)
        said = (0.01 * (level + rng.normal(size=(n_times, n_symbols)))).ravel()
        came = said + (sums[horizon : n_times + horizon] - sums[:n_times]).ravel()
        tenths = tenths_of(said)
        p_values = [
            mean_gap(times[own], said[own], came[own], float(horizon)).p_value
            for own in (tenths == i for i in range(10))
        ]
        called += _any_off(p_values)
    assert called / 100 <= 0.08
