"""Sharpe ratios of a run's jobs, judged by what the run tried."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from prediction_panels import POOLED, SETTINGS, panel, persistent
from scipy import stats

from ray_pipeline.evaluating.comparison import Likeness
from ray_pipeline.evaluating.deflation import Trials, deflate
from ray_pipeline.evaluating.measure import evaluate_job
from ray_pipeline.evaluating.records import EvaluatedRow
from ray_pipeline.statistics.sharpe import expected_maximum


def measured(strength: float, seed: int) -> EvaluatedRow:
    rng = np.random.default_rng(seed)
    signal = persistent(rng, 500, 10, memory=0.95)
    label = 0.01 * (strength * signal + rng.standard_normal(signal.shape))
    return evaluate_job(panel(signal, label), POOLED, replace(SETTINGS, cost_bps=0.0)).job


UNLIKE = Likeness(float("nan"), float("nan"))


def independent(n: int) -> Trials:
    """As many jobs, each of a question of its own, that were all that was ranked."""
    return Trials(n_ranked=n, n_trained=n, n_families=1, n_questions=n, n_jobs=n, n_searched=0)


def test_all_that_was_tried_is_counted() -> None:
    """Families on ranked (target, view) pairs, trained jobs, trials of searches."""
    trials = Trials(12, n_trained=2, n_families=2, n_questions=2, n_jobs=5, n_searched=40)
    assert trials.n_counted == 69


def test_trials_that_are_alike_are_worth_fewer() -> None:
    """By hand: ten questions with two families each were left, four jobs answer two questions.

    Families correlate by ½, so that two of them are worth 1.5 trials; two questions that
    correlate by 0.2 are worth 1.8.
    """
    trials = Trials(12, n_trained=2, n_families=2, n_questions=2, n_jobs=4, n_searched=0)
    assert trials.n_effective(Likeness(0.5, 0.2)) == pytest.approx(10 * 1.5 + 1.8 * 1.5)
    assert trials.n_effective(Likeness(1.0, 1.0)) == pytest.approx(10 + 1)
    searched = replace(trials, n_searched=6)
    assert searched.n_effective(Likeness(0.5, 0.2)) == pytest.approx(10 * 1.5 + 1.8 * 3.0)


@pytest.mark.parametrize("alike", [UNLIKE, Likeness(0.0, 0.0), Likeness(-0.3, -0.1)])
def test_trials_that_are_not_alike_count_in_full(alike: Likeness) -> None:
    """Those that resemble nothing, and those of which nothing is known; none is not below one."""
    trials = Trials(12, n_trained=2, n_families=2, n_questions=2, n_jobs=4, n_searched=0)
    assert trials.n_effective(alike) == 10 * 2 + 4
    assert Trials(0, 0, 2, 0, 0, 0).n_effective(alike) == 1.0


def test_ratios_are_deflated_by_the_spread_of_luck() -> None:
    """The best of N worthless ratios is that of N normals by the error of one of them."""
    (row,) = deflate([measured(0.05, 0)], independent(100), UNLIKE)
    by_luck = expected_maximum(100) * row.sharpe_std_error
    assert row.sharpe_by_luck == pytest.approx(by_luck)
    assert (row.n_trials, row.n_effective_trials) == (200, 100)
    t = (row.sharpe - by_luck) / row.sharpe_std_error
    of_t = stats.t(row.sharpe_degrees_of_freedom)
    assert row.deflated_sharpe == pytest.approx(of_t.cdf(t))
    alone = of_t.sf(row.sharpe / row.sharpe_std_error)
    assert row.sharpe_p_value == pytest.approx(1 - (1 - alone) ** 100)


def test_one_trial_is_not_deflated() -> None:
    """What was not chosen from several is the plain probability."""
    (row,) = deflate([measured(0.05, 0)], independent(1), UNLIKE)
    assert row.deflated_sharpe == pytest.approx(row.probabilistic_sharpe)
    assert row.sharpe_p_value == pytest.approx(1 - row.probabilistic_sharpe)
    assert row.sharpe_by_luck == 0.0


def test_what_other_jobs_are_worth_deflates_nothing() -> None:
    """Ratios that lie far apart since some are true are not a reason to doubt one of them."""
    jobs = [measured(0.2 if i % 2 else -0.2, i) for i in range(6)]
    together = deflate(jobs, independent(6), UNLIKE)
    assert together[1] == deflate(jobs[1:2], independent(6), UNLIKE)[0]


def test_a_planted_ratio_holds_and_the_best_of_noise_does_not() -> None:
    """After as many trials as there were."""
    (planted,) = deflate([measured(0.15, 1)], independent(30), UNLIKE)
    assert planted.deflated_sharpe > 0.99
    assert planted.sharpe_p_value < 0.01
    noise = deflate([measured(0.0, seed) for seed in range(24)], independent(24), UNLIKE)
    best = max(noise, key=lambda row: row.sharpe)
    assert best.probabilistic_sharpe > 0.95
    assert best.deflated_sharpe < 0.99
    assert best.sharpe_p_value > 0.01


def test_jobs_without_a_ratio_are_left_alone() -> None:
    """They count no variance and get no probability, but know how many trials there were."""
    row = measured(0.05, 0)
    without = replace(row, sharpe=float("nan"))
    first, second = deflate([without, row], independent(100), UNLIKE)
    assert np.isnan(first.deflated_sharpe)
    assert first.n_trials == 200
    assert second == deflate([row], independent(100), UNLIKE)[0]
