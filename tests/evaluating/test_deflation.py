"""Sharpe ratios of a run's jobs, judged by what the run tried."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from prediction_panels import POOLED, SETTINGS, panel, persistent
from scipy import stats

from ray_pipeline.evaluating.deflation import MIN_JOBS, count_trials, deflate
from ray_pipeline.evaluating.measure import evaluate_job
from ray_pipeline.evaluating.records import EvaluatedRow
from ray_pipeline.statistics.sharpe import expected_maximum


def measured(strength: float, seed: int) -> EvaluatedRow:
    rng = np.random.default_rng(seed)
    signal = persistent(rng, 500, 10, memory=0.95)
    label = 0.01 * (strength * signal + rng.standard_normal(signal.shape))
    return evaluate_job(panel(signal, label), POOLED, replace(SETTINGS, cost_bps=0.0)).job


def test_all_that_was_tried_is_counted() -> None:
    """Families on ranked (target, view) pairs, trained jobs, trials of searches."""
    assert count_trials(n_ranked=12, n_families=2, n_jobs=5, n_searched=40) == 69


def test_one_job_is_deflated_by_the_variance_of_luck() -> None:
    """The best of N worthless ratios over n periods is that of N normals over the root of n - 1."""
    (row,) = deflate([measured(0.05, 0)], 100)
    by_luck = expected_maximum(100) / np.sqrt(row.n_periods - 1) * np.sqrt(row.periods_per_year)
    assert row.sharpe_by_luck == pytest.approx(by_luck)
    assert row.n_trials == 100
    z = (row.sharpe - by_luck) / row.sharpe_std_error
    assert row.deflated_sharpe == pytest.approx(stats.norm.cdf(z))


def test_one_trial_is_not_deflated() -> None:
    """What was not chosen from several is the plain probability."""
    (row,) = deflate([measured(0.05, 0)], 1)
    assert row.deflated_sharpe == pytest.approx(row.probabilistic_sharpe)
    assert row.sharpe_by_luck == 0.0


def test_many_jobs_tell_how_far_ratios_lie_apart() -> None:
    """From ten jobs on their own variance counts, where it is the larger one."""
    jobs = [measured(0.1 if i % 2 else -0.1, i) for i in range(MIN_JOBS)]
    few = deflate(jobs[:-1], 100)
    all_of_them = deflate(jobs, 100)
    variance = np.var([row.sharpe for row in jobs], ddof=1)
    expected = np.sqrt(variance) * expected_maximum(100)
    assert all_of_them[0].sharpe_by_luck == pytest.approx(expected)
    assert few[0].sharpe_by_luck < expected
    alike = [replace(jobs[0], job_id=str(i)) for i in range(MIN_JOBS)]
    assert deflate(alike, 100)[0].sharpe_by_luck == pytest.approx(few[0].sharpe_by_luck)


def test_a_planted_ratio_holds_and_the_best_of_noise_does_not() -> None:
    """After as many trials as there were."""
    (planted,) = deflate([measured(0.15, 1)], 30)
    assert planted.deflated_sharpe > 0.99
    noise = deflate([measured(0.0, seed) for seed in range(24)], 24)
    best = max(noise, key=lambda row: row.sharpe)
    assert best.probabilistic_sharpe > 0.95
    assert best.deflated_sharpe < 0.95


def test_jobs_without_a_ratio_are_left_alone() -> None:
    """They count no variance and get no probability, but know how many trials there were."""
    row = measured(0.05, 0)
    without = replace(row, sharpe=float("nan"))
    first, second = deflate([without, row], 100)
    assert np.isnan(first.deflated_sharpe)
    assert first.n_trials == 100
    assert second == deflate([row], 100)[0]
