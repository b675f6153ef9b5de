"""A symbol's own job: quantiles among its earlier predictions, and no look ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from prediction_panels import OWN, SETTINGS, forward_sums, persistent, series

from ray_pipeline.evaluating.measure import evaluate_job
from ray_pipeline.evaluating.ranked import rank_predictions

N_ROWS = 600
FIVE = replace(OWN, horizon_bars=5, span=5)


def walk(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    prediction = persistent(rng, N_ROWS, 1, memory=0.9)
    return prediction[:, 0], forward_sums(rng.standard_normal((N_ROWS, 1)), 5)[:, 0]


def test_no_later_row_moves_a_quantile_or_a_side() -> None:
    """Cut off after any row, all quantiles, calls and outcomes before it are the same bits."""
    prediction, label = walk(0)
    whole = rank_predictions(series(prediction, label), FIVE, SETTINGS)
    for n in (51, 120, 400):
        cut = rank_predictions(series(prediction[:n], label[:n]), FIVE, SETTINGS)
        for name in ("percentile", "quantile", "call", "outcome", "side"):
            np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name)[:n])


def test_a_label_places_others_only_once_it_is_known() -> None:
    """Labels of the four rows before a row say nothing of where its label or its call stands."""
    prediction, label = walk(1)
    up = (label > 0).astype(float)
    binary = replace(FIVE, task="binary")
    whole = rank_predictions(series(prediction, label), FIVE, SETTINGS)
    calls = rank_predictions(series(prediction, up), binary, SETTINGS)
    moved = 0
    for row in range(200, 260):  # the reference is renewed at some of them
        for first, last in ((row - 4, row), (row - 60, row - 4)):
            unknown, other = label.copy(), up.copy()
            unknown[first:last], other[first:last] = 99.0, 1.0
            found = rank_predictions(series(prediction, unknown), FIVE, SETTINGS)
            called = rank_predictions(series(prediction, other), binary, SETTINGS)
            if last == row:
                assert found.outcome[row] == whole.outcome[row]
                assert called.call[row] == calls.call[row]
                assert called.outcome[row] - other[row] == calls.outcome[row] - up[row]
            moved += found.outcome[row] != whole.outcome[row]
    assert moved > 50


def test_first_rows_only_place_later_ones() -> None:
    """Ten per quantile; with no more than those there is nothing to measure."""
    prediction, label = walk(2)
    ranked = rank_predictions(series(prediction, label), FIVE, SETTINGS)
    assert (ranked.quantile[:50] == -1).all()
    assert (ranked.quantile[50:] >= 0).all()
    found = evaluate_job(series(prediction[:50], label[:50]), FIVE, SETTINGS)
    assert (found.quantiles, found.curve, found.job.n_rows) == ((), None, 0)
    assert found.job.reason == (
        "50 predictions are too few: the first 50 (10 per quantile) are what later ones are "
        "placed among"
    )


def test_labels_that_are_never_known_are_told() -> None:
    """Predictions alone are worth nothing."""
    prediction, label = walk(2)
    found = evaluate_job(series(prediction, np.full_like(label, np.nan)), FIVE, SETTINGS)
    assert found.job.reason == "no prediction has both a quantile and a known label"
    assert np.isnan(found.decay[0].rank_ic)
    assert found.decay[0].rank_autocorrelation == pytest.approx(1.0)


def test_position_is_long_short_or_none_by_hand() -> None:
    """Predictions 1 … 5 in turn: a fifth of the time long, a fifth short, each for a row."""
    prediction = np.tile(np.arange(1.0, 6.0), 120)
    label = np.tile([-0.02, 0.0, 0.0, 0.0, 0.01], 120)
    job = evaluate_job(series(prediction, label), OWN, SETTINGS).job
    n_used = N_ROWS - 50
    assert job.n_rows == n_used
    assert job.spread == pytest.approx(0.03)
    assert job.gross == pytest.approx((0.02 + 0.01) / 5)
    # Short, closed, nothing, nothing, long, then from long to short: 2 + 1 + 0 + 0 + 1.
    assert job.traded == pytest.approx(4 / 5, rel=0.01)
    assert np.isnan(job.turnover_top)
    assert job.break_even_bps == pytest.approx(0.006 / 0.8 * 1e4, rel=0.01)


def test_constant_predictions_take_no_position() -> None:
    """All in the middle: nothing is ever held, and it says so."""
    _, label = walk(3)
    found = evaluate_job(series(np.ones(N_ROWS), label), FIVE, SETTINGS)
    assert found.job.reason == (
        "no position is ever taken: the predictions do not reach the outer quantiles"
    )
    assert np.isnan(found.job.spread)
    assert np.isnan(found.decay[1].rank_autocorrelation)


def test_noise_earns_nothing_and_its_errors_say_so() -> None:
    """Persistent predictions of a random walk's overlapping returns."""
    spreads, skills, hits = [], [], []
    for seed in range(60):
        found = evaluate_job(series(*walk(100 + seed)), FIVE, SETTINGS)
        spreads.append(abs(found.job.spread) > 2 * found.job.spread_std_error)
        skills.append(abs(found.decay[0].rank_ic) > 2 * found.decay[0].std_error)
        hits.append(abs(found.job.hit_rate - 0.5) > 2 * found.job.hit_rate_std_error)
    assert np.mean(spreads) < 0.12
    assert np.mean(skills) < 0.12
    assert np.mean(hits) < 0.15


def test_planted_direction_is_found() -> None:
    """Quantiles rise, calls are right more often, the skill fades with the lag."""
    rng = np.random.default_rng(5)
    signal = persistent(rng, 1_500, 1, memory=0.8)
    changes = 0.3 * np.vstack([signal[:1], signal[:-1]]) + rng.standard_normal((1_500, 1))
    rows = series(signal[:, 0], forward_sums(changes, 2)[:, 0])
    found = evaluate_job(rows, replace(OWN, horizon_bars=2, span=2), SETTINGS)
    assert found.job.spread > 4 * found.job.spread_std_error
    assert found.job.monotonicity > 0.8
    assert found.job.hit_rate > 0.5 + 4 * found.job.hit_rate_std_error
    skills = [row.rank_ic for row in found.decay]
    assert skills[0] > 0.3
    assert skills == sorted(skills, reverse=True)


def test_binary_direction_is_found() -> None:
    """Calls at the known base rate beat chance; lift rises with the quantile."""
    rng = np.random.default_rng(6)
    prediction = rng.standard_normal(1_000)
    label = (prediction + rng.standard_normal(1_000) > 1.0).astype(float)
    found = evaluate_job(series(prediction, label), replace(OWN, task="binary"), SETTINGS)
    assert found.job.hit_rate > found.job.hit_rate_by_chance + 4 * found.job.hit_rate_std_error
    lifts = [row.lift for row in found.quantiles]
    assert lifts[-1] > 2 > lifts[0]
    assert found.decay[0].rank_ic > 0.4
