"""A pooled job's figures: panels whose answers are known, and panels that hold nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from prediction_panels import POOLED, SETTINGS, forward_sums, panel, persistent

from ray_pipeline.evaluating.measure import evaluate_job
from ray_pipeline.evaluating.ranked import rank_predictions
from ray_pipeline.evaluating.records import Predictions
from ray_pipeline.evaluating.trading import form_cohorts
from ray_pipeline.statistics.cells import cells_of

N_TIMES = 100


def alternating(n_symbols: int = 5) -> np.ndarray:
    """Rank the symbols 0 … n-1, the other way round at every other timestamp."""
    ranks = np.arange(float(n_symbols))
    return np.array([ranks, ranks[::-1]] * (N_TIMES // 2))


def test_quantiles_of_a_panel_by_hand() -> None:
    """Five symbols, one in each quantile: mean label, excess, lift, spread, all hits."""
    prediction = alternating()
    found = evaluate_job(panel(prediction, 0.01 * prediction), POOLED, SETTINGS)
    assert [row.quantile for row in found.quantiles] == [1, 2, 3, 4, 5]
    means = [row.mean_actual for row in found.quantiles]
    assert means == pytest.approx([0.0, 0.01, 0.02, 0.03, 0.04])
    excess = [row.excess for row in found.quantiles]
    assert excess == pytest.approx([-0.02, -0.01, 0.0, 0.01, 0.02], abs=1e-15)
    assert all(row.n_rows == N_TIMES and np.isnan(row.lift) for row in found.quantiles)
    job = found.job
    assert job.spread == pytest.approx(0.04)
    assert job.spread_p_value < 1e-9
    assert (job.monotonicity, job.n_rows, job.n_timestamps) == (pytest.approx(1.0), 500, 100)
    # The symbol in the middle is on neither side.
    assert job.hit_rate == pytest.approx(4 / 5 + 1 / 5 * 1 / 2)
    assert job.hit_rate_by_chance == pytest.approx(0.5)


def test_costs_of_a_panel_by_hand() -> None:
    """Both legs of one name change entirely every day: 4 of weight at 5 basis points."""
    prediction = alternating()
    label = np.where(prediction == 4, 0.03, 0.0)
    label[::2] -= 0.02 * (prediction[::2] == 0)
    found = evaluate_job(panel(prediction, label), POOLED, SETTINGS)
    job = found.job
    # 5 % at even timestamps, 3 % at odd ones.
    assert job.gross == pytest.approx(0.04)
    # From cash 2, then 4 each time, and at the end the last positions are closed.
    assert job.traded == pytest.approx((2 + 4 * (N_TIMES - 1) + 2) / N_TIMES)
    assert job.net == pytest.approx(0.04 - 4.0 * 5e-4)
    assert job.break_even_bps == pytest.approx(100.0)
    assert (job.turnover_top, job.turnover_bottom) == (1.0, 1.0)
    assert (job.n_periods, job.max_drawdown) == (N_TIMES, 0.0)
    assert job.periods_per_year == pytest.approx(365.25)
    assert job.net_per_year == pytest.approx(0.038 * 365.25)
    assert job.gross_sharpe == pytest.approx(4.0 * np.sqrt(0.99) * np.sqrt(365.25))
    assert (job.cost_bps, job.reason) == (5.0, "")
    assert found.curve is not None
    assert found.curve.gross[-1] == pytest.approx(0.04 * N_TIMES)
    assert found.curve.net[-1] == pytest.approx(job.net * N_TIMES)


def test_a_portfolio_that_is_held_on_costs_only_its_beginning_and_its_end() -> None:
    """The same order at all times: 2 bought, 2 sold, no turnover."""
    prediction = np.tile(np.arange(10.0), (N_TIMES, 1))
    job = evaluate_job(panel(prediction, 0.01 * prediction), POOLED, SETTINGS).job
    assert job.traded == pytest.approx(4 / N_TIMES)
    assert (job.turnover_top, job.turnover_bottom) == (0.0, 0.0)
    # Two names in each quantile: 8.5 less 0.5.
    assert job.gross == pytest.approx(0.08)


def test_overlapping_parts_trade_against_the_same_part_a_horizon_before() -> None:
    """With the order reversed every other day, parts of two days see no change, of three all."""
    prediction = alternating()
    rows = panel(prediction, 0.01 * prediction)
    two = replace(POOLED, horizon_bars=2, span=2)
    job = evaluate_job(rows, two, SETTINGS).job
    assert job.traded == pytest.approx((2 * 2 + 2 * 2) / N_TIMES)
    assert (job.n_periods, job.turnover_top) == (N_TIMES / 2, 0.0)
    three = evaluate_job(rows, replace(POOLED, horizon_bars=3, span=3), SETTINGS).job
    assert (three.turnover_top, three.turnover_bottom) == (1.0, 1.0)


def test_summed_returns_are_those_of_the_parts() -> None:
    """Ten parts earn a tenth of their capital each, whatever the horizon."""
    prediction = np.tile(np.arange(5.0), (N_TIMES, 1))
    ten = replace(POOLED, horizon_bars=5, span=5)
    found = evaluate_job(panel(prediction, 0.01 * prediction), ten, SETTINGS)
    assert found.curve is not None
    assert found.curve.gross[-1] == pytest.approx(N_TIMES * 0.04 / 5)


def test_missing_symbols_leave_the_others_in_their_quantiles() -> None:
    """A timestamp with fewer symbols than quantiles counts for nothing, any other one does."""
    prediction = alternating(6)
    prediction[::4, 2] = np.nan
    prediction[1::4, :2] = np.nan
    found = evaluate_job(panel(prediction, 0.01 * prediction), POOLED, SETTINGS)
    assert found.job.n_timestamps == N_TIMES - 25
    assert found.job.n_rows == 25 * 5 + 50 * 6
    assert found.job.spread > 0.04


def test_names_without_a_known_label_are_ranked_all_the_same() -> None:
    """Whether a label will be known is not known: it moves nobody to another quantile."""
    prediction = np.tile(np.arange(10.0), (N_TIMES, 1))
    label = 0.01 * prediction
    whole = evaluate_job(panel(prediction, label), POOLED, SETTINGS)
    label[:, 9] = np.nan
    found = evaluate_job(panel(prediction, label), POOLED, SETTINGS)
    assert [row.mean_actual for row in found.quantiles] == pytest.approx(
        [0.005, 0.025, 0.045, 0.065, 0.08]
    )
    assert found.job.traded == whole.job.traded
    assert found.job.gross == pytest.approx(0.075)


def test_tied_predictions_take_no_position() -> None:
    """Equal predictions are all in the middle: no spread, no portfolio, and it says why."""
    label = np.random.default_rng(0).standard_normal((N_TIMES, 8))
    found = evaluate_job(panel(np.ones((N_TIMES, 8)), label), POOLED, SETTINGS)
    assert np.isnan(found.job.spread)
    assert np.isnan(found.job.sharpe)
    assert found.job.hit_rate == pytest.approx(0.5)
    assert found.job.reason == "predictions tie: no timestamp has both a top and a bottom quantile"
    assert [row.n_rows for row in found.quantiles] == [0, 0, 8 * N_TIMES, 0, 0]
    assert found.decay[0].rank_ic == 0.0


def test_too_few_symbols_are_told() -> None:
    """Four symbols make no five quantiles; the decay of the skill needs fewer."""
    prediction = alternating(4)
    found = evaluate_job(panel(prediction, prediction), POOLED, SETTINGS)
    assert found.quantiles == ()
    assert found.job.reason == (
        "no timestamp has more than 4 symbols, and 5 are needed for evaluation.n_quantiles=5 with "
        "target_ranking.min_cs=3"
    )
    assert found.decay[0].rank_ic == pytest.approx(1.0)
    fewer = evaluate_job(panel(prediction, prediction), POOLED, replace(SETTINGS, n_quantiles=4))
    assert fewer.job.spread == 3.0


def test_too_few_holding_periods_have_no_ratio() -> None:
    """Eleven periods of nine days are fewer than twelve; the quantiles are there."""
    prediction = alternating()
    nine = replace(POOLED, horizon_bars=9, span=9)
    job = evaluate_job(panel(prediction, prediction), nine, SETTINGS).job
    assert job.reason == "11 holding periods are fewer than 12"
    assert (job.spread, np.isnan(job.gross), np.isnan(job.sharpe)) == (4.0, True, True)
    assert job.turnover_top == 1.0


def test_returns_that_never_vary_have_no_ratio() -> None:
    """What nothing happens to is not a miracle."""
    prediction = np.tile(np.arange(5.0), (N_TIMES, 1))
    free = replace(SETTINGS, cost_bps=0.0)
    found = evaluate_job(panel(prediction, 0.01 * prediction), POOLED, free)
    assert found.job.reason == "no Sharpe ratio: the returns do not vary"
    assert (found.job.net, np.isnan(found.job.sharpe)) == (pytest.approx(0.04), True)
    assert found.curve is not None


def test_only_returns_have_a_portfolio() -> None:
    """Other targets have the quantiles, the turnover and the decay."""
    prediction = alternating()
    other = replace(POOLED, is_return=False)
    found = evaluate_job(panel(prediction, prediction), other, SETTINGS)
    assert found.curve is None
    assert found.job.reason == ("no portfolio: the target is not among evaluation.return_targets")
    assert (found.job.spread, found.job.turnover_top, np.isnan(found.job.net)) == (4.0, 1.0, True)


def test_binary_labels_have_lift_and_accuracy_at_the_base_rate() -> None:
    """Two of ten are up, and the model puts them on top: all calls right, a lift of 5."""
    rng = np.random.default_rng(0)
    prediction = np.array([rng.permutation(np.arange(10.0)) for _ in range(400)])
    label = (prediction >= 8).astype(float)
    binary = replace(POOLED, task="binary")
    found = evaluate_job(panel(prediction, label), binary, SETTINGS)
    assert [row.lift for row in found.quantiles] == pytest.approx([0.0, 0.0, 0.0, 0.0, 5.0])
    # Only until a fifth of the known labels are known to be up does the threshold err.
    assert found.job.hit_rate > 0.99
    assert found.job.hit_rate_by_chance == pytest.approx(0.2**2 + 0.8**2, abs=0.01)
    assert found.decay[0].rank_ic == pytest.approx(1.0)
    assert found.job.reason == "no portfolio: a binary label is not a return"
    worthless = evaluate_job(panel(rng.permuted(prediction, axis=1), label), binary, SETTINGS).job
    assert worthless.hit_rate == pytest.approx(worthless.hit_rate_by_chance, abs=0.02)


def test_ordinal_labels_are_ranked() -> None:
    """Grades have quantiles, hits and a decay; ties of grades count half."""
    rng = np.random.default_rng(1)
    prediction = rng.standard_normal((300, 10))
    label = np.digitize(prediction + rng.standard_normal((300, 10)), [-1.0, 1.0]).astype(float)
    ordinal = replace(POOLED, task="ordinal", is_return=False)
    found = evaluate_job(panel(prediction, label), ordinal, SETTINGS)
    assert found.job.monotonicity == pytest.approx(1.0)
    assert found.job.hit_rate > found.job.hit_rate_by_chance + 10 * found.job.hit_rate_std_error
    assert found.decay[0].rank_ic > 0.4


def spearman(correlation: float, n: int) -> float:
    """Mean rank correlation of n normal pairs (Moran 1948, Biometrika 35)."""
    angles = np.arcsin(correlation) + (n - 2) * np.arcsin(correlation / 2)
    return float(6 / (np.pi * (n + 1)) * angles)


def test_skill_decays_as_the_signal_does() -> None:
    """The IC at lag k is that at lag 0 times memory to the k; the ranks correlate as normals."""
    rng = np.random.default_rng(2)
    signal = persistent(rng, 1_500, 12, memory=0.9)
    label = signal + rng.standard_normal(signal.shape)
    two = replace(POOLED, horizon_bars=2, span=2)
    decay = evaluate_job(panel(signal, label), two, SETTINGS).decay
    assert [row.lag_bars for row in decay] == [0, 1, 2, 4, 10]
    for row in decay:
        assert row.rank_ic == pytest.approx(decay[0].rank_ic * 0.9**row.lag_bars, abs=0.03)
        assert row.rank_autocorrelation == pytest.approx(spearman(0.9**row.lag_bars, 12), abs=0.03)
        assert row.n == 1_500 - row.lag_bars


def test_noise_earns_nothing_and_its_errors_say_so() -> None:
    """Persistent predictions of overlapping returns of random walks: |t| is seldom above 2."""
    rng = np.random.default_rng(3)
    spreads, nets, ratios = [], [], []
    five = replace(POOLED, horizon_bars=5, span=5)
    free = replace(SETTINGS, cost_bps=0.0)
    for _ in range(50):
        prediction = persistent(rng, 400, 10, memory=0.97)
        label = forward_sums(rng.standard_normal((400, 10)), 5)
        job = evaluate_job(panel(prediction, label), five, free).job
        spreads.append(abs(job.spread) > 2 * job.spread_std_error)
        nets.append(abs(job.net) > 2 * job.net_std_error)
        ratios.append(abs(job.sharpe) > 2 * job.sharpe_std_error)
    assert np.mean(spreads) < 0.12
    assert np.mean(nets) < 0.12
    assert 0.0 < np.mean(ratios) < 0.12


def test_planted_returns_are_found() -> None:
    """What moves returns shows in spread, hits, ratio, and in what is left after costs."""
    rng = np.random.default_rng(4)
    signal = persistent(rng, 800, 10, memory=0.9)
    returns = 0.01 * (0.15 * np.vstack([signal[:1], signal[:-1]]) + rng.standard_normal((800, 10)))
    job = evaluate_job(
        panel(signal, forward_sums(returns, 3)), replace(POOLED, horizon_bars=3, span=3), SETTINGS
    ).job
    assert job.spread > 4 * job.spread_std_error
    assert job.net > 3 * job.net_std_error
    assert job.hit_rate > 0.5 + 3 * job.hit_rate_std_error
    assert job.sharpe > 3 * job.sharpe_std_error
    assert job.probabilistic_sharpe > 0.99
    assert job.gross_sharpe > job.sharpe
    assert job.break_even_bps > 5.0


def test_sampled_timestamps_are_read_as_such() -> None:
    """Every fourth position: a holding period of eight holds two of them, lags are in bars."""
    prediction = alternating()
    rows = panel(prediction, 0.01 * prediction)
    rows = replace(rows, positions=4 * rows.positions, time_ns=4 * rows.time_ns)
    sampled = replace(POOLED, horizon_bars=8, span=8, spacing=4.0)
    found = evaluate_job(rows, sampled, SETTINGS)
    assert found.job.n_periods == N_TIMES / 2
    assert found.job.periods_per_year == pytest.approx(365.25 / 8)
    assert found.job.turnover_top == 0.0
    assert [row.lag_bars for row in found.decay] == [0, 4, 8, 16, 40]
    sparse = replace(POOLED, horizon_bars=1, span=1, spacing=4.0)
    assert evaluate_job(rows, sparse, SETTINGS).job.n_periods == N_TIMES


def test_a_year_of_stocks_beside_coins_has_their_own_periods() -> None:
    """A day spans the panel's 288 timestamps; stocks, there at 78 of them, hold once a session."""
    rng = np.random.default_rng(0)
    n_days, five_minutes = 60, 300 * 10**9
    signal = rng.standard_normal((n_days * 288, 6))
    signal[np.arange(len(signal)) % 288 >= 78] = np.nan
    rows = panel(signal, 0.01 * signal + 0.01 * rng.standard_normal(signal.shape))
    rows = replace(rows, time_ns=rows.positions * five_minutes)
    found = evaluate_job(rows, replace(POOLED, horizon_bars=288, span=288), SETTINGS).job
    assert found.n_periods == pytest.approx(n_days)
    assert found.periods_per_year == pytest.approx(365.25, rel=0.02)


def test_an_hour_of_five_minute_bars_is_a_twelfth_of_them() -> None:
    """78 bars on 252 days are 1,638 hours of trading a year, nights and weekends being none."""
    rng = np.random.default_rng(0)
    days = np.flatnonzero(np.arange(364) % 7 < 5)[:252]
    times = (days[:, np.newaxis] * 86_400 + np.arange(78) * 300).ravel() * 10**9
    signal = rng.standard_normal((len(times), 6))
    rows = panel(signal, 0.01 * signal + 0.01 * rng.standard_normal(signal.shape))
    rows = replace(rows, time_ns=times[rows.positions])
    found = evaluate_job(rows, replace(POOLED, horizon_bars=12, span=12), SETTINGS).job
    assert found.n_periods == pytest.approx(252 * 78 / 12)
    assert found.periods_per_year == pytest.approx(261 * 78 / 12, rel=0.02)


def _two_sectors(prediction: np.ndarray, label: np.ndarray, n_first: int) -> Predictions:
    """Return rows whose first symbols are one sector, and the others another."""
    rows = panel(prediction, label)
    sectors = (rows.symbols >= n_first).astype(np.int32)
    return replace(rows, cells=cells_of(rows.positions, sectors))


def test_portfolio_is_neutral_to_each_sector_by_hand() -> None:
    """Three symbols of a sector that gains 10 %, six of one that loses it: each within itself.

    The first sector holds a third of the capital, long its best and short its worst name, the
    second two thirds, half of that in each of two names.
    """
    settings = replace(SETTINGS, n_quantiles=3, cost_bps=0.0)
    within = np.r_[[0.0, 1.0, 2.0], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]
    moves = np.r_[[0.10] * 3, [-0.10] * 6]
    prediction = np.tile(within + 100 * (moves > 0), (N_TIMES, 1))
    label = np.tile(moves + 0.01 * within, (N_TIMES, 1))
    rows = _two_sectors(prediction, label, 3)
    ranked = rank_predictions(rows, POOLED, settings)
    cohorts = form_cohorts(rows, ranked, POOLED, settings)
    # 2 % between the outer names of the first; 4.5 % less 0.5 % between pairs of the second.
    assert cohorts.gross == pytest.approx(1 / 3 * 0.02 + 2 / 3 * 0.04)
    first = cohorts.owners == 0
    weights = dict(zip(cohorts.symbols[first].tolist(), cohorts.weights[first], strict=True))
    third = 1 / 3
    assert weights == pytest.approx({0: -third, 2: third, 3: -third, 4: -third, 7: third, 8: third})
    for of_sector in (range(3), range(3, 9)):
        assert sum(weights.get(symbol, 0.0) for symbol in of_sector) == pytest.approx(0.0)
    job = evaluate_job(rows, POOLED, settings).job
    assert job.spread == pytest.approx(1 / 3 * 0.02 + 2 / 3 * 0.04)
    assert job.traded == pytest.approx(4 / N_TIMES)  # 2 at the start, 2 at the end
    among_all = evaluate_job(panel(prediction, label), POOLED, settings)
    assert among_all.job.gross > 0.15


def test_a_sector_that_is_too_small_has_no_part_in_the_portfolio() -> None:
    """Its names are in no quantile, and the other sector holds everything."""
    settings = replace(SETTINGS, n_quantiles=3, cost_bps=0.0)
    prediction = np.tile(np.r_[[9.0, 8.0], [0.0, 1.0, 2.0]], (N_TIMES, 1))
    rows = _two_sectors(prediction, 0.01 * prediction, 2)
    ranked = rank_predictions(rows, POOLED, settings)
    assert set(ranked.quantile[rows.symbols < 2].tolist()) == {-1}
    cohorts = form_cohorts(rows, ranked, POOLED, settings)
    assert cohorts.gross == pytest.approx(0.02)
    assert set(cohorts.symbols.tolist()) == {2, 4}
    alone = _two_sectors(prediction[:, :2], 0.01 * prediction[:, :2], 1)
    found = evaluate_job(alone, POOLED, replace(settings, is_grouped=True))
    assert "no group of a timestamp has more than 1 symbol" in found.job.reason


def test_decay_is_told_within_sectors() -> None:
    """What tells sectors apart is not skill in any bar to come."""
    random = np.random.default_rng(0)
    level = np.repeat([0.0, 5.0], 6)
    own = persistent(random, N_TIMES, 12, 0.9)
    prediction = level + 0.1 * own
    label = level + 0.1 * random.standard_normal((N_TIMES, 12))
    among = evaluate_job(panel(prediction, label), POOLED, SETTINGS).decay[0]
    within = evaluate_job(_two_sectors(prediction, label, 6), POOLED, SETTINGS).decay[0]
    assert among.rank_ic > 0.6
    assert abs(within.rank_ic) < 4 * within.std_error
