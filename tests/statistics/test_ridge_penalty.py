"""The penalty that ridge chooses by the training rows, against planted truths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from ray_pipeline.statistics.ridge import RidgeSolution, choose_ridge_in_blocks, solve_ridge
from ray_pipeline.statistics.ridge_penalty import (
    N_BLOCKS,
    PENALTIES,
    PartSums,
    RowSums,
    choose_penalties,
    parts_in_time,
)

Floats = NDArray[np.float64]
SEEDS = range(4)


def persistent(n_rows: int, n_series: int, seed: int, phi: float = 0.9) -> Floats:
    """Return AR(1) series of unit variance, shape (n_rows, n_series)."""
    shocks = np.random.default_rng([seed, 1]).standard_normal((n_rows + 200, n_series))
    series = signal.lfilter([np.sqrt(1 - phi**2)], [1.0, -phi], shocks, axis=0)
    return np.asarray(series[200:])


def fitted(Z: Floats, y: Floats, penalty: float | None = None) -> RidgeSolution:
    return solve_ridge(Z, y[:, np.newaxis], [np.arange(len(Z))], penalty)


def skill(solution: RidgeSolution, Z: Floats, truth: Floats) -> float:
    """Correlation of predictions with what is there to be predicted."""
    return float(np.corrcoef(Z @ solution.coefficients[:, 0], truth)[0, 1])


def planted(seed: int, strength: float, n_features: int = 150) -> tuple[Floats, Floats, Floats]:
    """Features of 800 rows to train on and 4,000 to test, and what 20 of them say together."""
    Z = persistent(4_800, n_features, seed, 0.5)
    truth = strength * Z[:, :20] @ np.random.default_rng(seed).choice([-1.0, 1.0], 20) / np.sqrt(20)
    return Z, truth, truth + np.random.default_rng([seed, 2]).standard_normal(4_800)


def test_weak_signal_among_noise_comes_close_to_the_oracle() -> None:
    """Within a few percent of the best of all penalties, where a tenth and almost none lose."""
    found = []
    for seed in SEEDS:
        Z, truth, y = planted(seed, 0.15)
        every = [skill(fitted(Z[:800], y[:800], p), Z[800:], truth[800:]) for p in PENALTIES]
        chosen = skill(fitted(Z[:800], y[:800]), Z[800:], truth[800:])
        by_penalty = dict(zip(np.round(np.log10(PENALTIES), 1), every, strict=True))
        found.append([max(every), chosen, by_penalty[-1.0], by_penalty[-4.0]])
    oracle, chosen, tenth, least = np.mean(found, axis=0)
    assert chosen > 0.95 * oracle
    assert tenth < 0.95 * chosen
    assert least < 0.9 * chosen


def test_strong_signal_is_hardly_shrunk() -> None:
    """What the features say outright needs no penalty."""
    for seed in SEEDS:
        Z, truth, y = planted(seed, 5.0, 20)
        solution = fitted(Z[:800], y[:800])
        assert solution.penalties[0] <= 0.02
        assert skill(solution, Z[800:], truth[800:]) > 0.99


@pytest.mark.parametrize("horizon", [1, 20])
def test_noise_is_shrunk_to_next_to_nothing(horizon: int) -> None:
    """Also where labels of twenty bars overlap and features persist: what plain GCV falls for."""
    variances = []
    for seed in range(8):
        Z = persistent(1_000, 60, seed, 0.97)
        changes = np.random.default_rng([seed, 3]).standard_normal(1_000 + horizon)
        sums = np.r_[0.0, np.cumsum(changes)]
        y = (sums[horizon:-1] - sums[: -horizon - 1])[:1_000] / np.sqrt(horizon)
        solution = fitted(Z, y)
        variances.append([(Z @ solution.coefficients[:, 0]).var(), y.var()])
        assert solution.penalties[0] >= 1.0
        least = fitted(Z, y, 1e-4)
        assert variances[-1][0] < 0.35 * (Z @ least.coefficients[:, 0]).var()
    explained, total = np.mean(variances, axis=0)
    assert explained < 0.1 * total


def test_symbols_that_move_together_do_not_count_as_many() -> None:
    """Thirty symbols with one shock and one feature value a timestamp are a single series."""
    Z, y = persistent(400, 40, 5), np.random.default_rng(6).standard_normal(400)
    pooled = fitted(np.repeat(Z, 30, axis=0), np.repeat(y, 30))
    assert pooled.penalties[0] == fitted(Z, y).penalties[0]
    assert pooled.penalties[0] >= 1.0


@given(seed=st.integers(0, 2**32), n_rows=st.integers(60, 120))
def test_choice_is_that_of_fits_without_each_stretch(seed: int, n_rows: int) -> None:
    """The sums give what refitting without the stretch, and predicting its middle, gives."""
    random = np.random.default_rng(seed)
    Z, Y = random.standard_normal((n_rows, 3)) + 1.0, random.standard_normal((n_rows, 2))
    Y[:, 0] += Z[:, 1]
    weights = random.random(n_rows) + 0.5
    parts = parts_in_time(weights)
    sums = PartSums()
    sums.add(Z, Y, parts, weights)
    losses = np.zeros((len(PENALTIES), 2))
    for block in range(N_BLOCKS):
        judged, others = parts == 3 * block + 1, parts // 3 != block
        for k, penalty in enumerate(PENALTIES):
            given_weights = [weights[others]] * 2
            rows = [np.arange(others.sum())] * 2
            fit = solve_ridge(Z[others], Y[others], rows, penalty, given_weights)
            errors = Y[judged] - Z[judged] @ fit.coefficients
            errors -= np.average(errors, axis=0, weights=weights[judged])
            losses[k] += weights[judged] @ errors**2
    chosen = choose_penalties(sums)
    for target in range(2):
        ours = losses[np.argmin(np.abs(PENALTIES - chosen[target])), target]
        assert ours == pytest.approx(losses[:, target].min(), rel=1e-9)


def test_row_of_weight_two_is_two_rows() -> None:
    """In the parts, in the choice and in the solution."""
    Z, _, y = planted(1, 0.3, 30)
    Z, y = Z[:600], y[:600]
    weights = np.where(np.arange(600) < 200, 2.0, 1.0)
    twice = np.repeat(np.arange(600), weights.astype(int))
    weighted = solve_ridge(Z, y[:, np.newaxis], [np.arange(600)], None, [weights])
    repeated = fitted(Z[twice], y[twice])
    assert weighted.penalties[0] == repeated.penalties[0]
    assert weighted.coefficients == pytest.approx(repeated.coefficients, abs=1e-10)
    ours = np.bincount(parts_in_time(weights), weights)
    assert np.abs(ours - np.bincount(parts_in_time(np.ones(800)))).max() <= 1.0


def test_target_does_not_depend_on_its_company() -> None:
    """Whatever other targets lack, weigh or hold, a target's penalty is its own."""
    Z, _, y = planted(2, 0.2, 40)
    Z, random = Z[:500], np.random.default_rng(0)
    Y = np.column_stack([y[:500], random.standard_normal((500, 4)), Z[:, 0]])
    rows = [np.flatnonzero(random.random(500) < share) for share in (1.0, 0.95, 0.6, 1.0, 0.3, 1.0)]
    weights = [None, None, None, random.random(500) + 0.5, None, None]
    together = solve_ridge(Z, Y, rows, None, weights)
    for k in range(6):
        alone = solve_ridge(Z, Y[:, [k]], [rows[k]], None, [weights[k]])
        assert together.penalties[k] == alone.penalties[0]
        assert together.coefficients[:, k] == pytest.approx(alone.coefficients[:, 0], abs=1e-10)
    assert len(set(together.penalties.tolist())) > 1


def test_few_missing_labels_hardly_matter() -> None:
    """A target that lacks one row in twenty gets the penalty of all rows, or the next to it."""
    for seed in SEEDS:
        Z, _, y = planted(seed, 0.2)
        rows = np.flatnonzero(np.random.default_rng(seed).random(800) < 0.95)
        gaps = solve_ridge(Z[:800], y[:800, np.newaxis], [rows], None).penalties[0]
        assert abs(np.log10(gaps) - np.log10(fitted(Z[:800], y[:800]).penalties[0])) <= 0.51


def test_blocks_give_the_choice_of_the_whole() -> None:
    """Rows that come symbol by symbol are put in the order of time by their parts."""
    Z, _, y = planted(3, 0.2, 40)
    Z, y = Z[:600], y[:600] + 7.0
    order = np.argsort(np.arange(600) % 3, kind="stable")  # three symbols, one after the other
    parts = parts_in_time(np.ones(600))[order]
    blocks = [(Z[rows], y[rows], np.ones(200)) for rows in np.split(order, 3)]
    streamed = choose_ridge_in_blocks(blocks, parts)
    whole = fitted(Z, y)
    assert streamed.penalties[0] == whole.penalties[0]
    assert streamed.coefficients == pytest.approx(whole.coefficients, abs=1e-12)


def test_of_equal_penalties_the_strongest_is_taken() -> None:
    """Features that never vary say nothing either way."""
    assert fitted(np.zeros((100, 2)), np.arange(100.0)).penalties[0] == PENALTIES.max()


def test_sums_add_up_and_are_taken_off() -> None:
    """The sums of two halves are those of the whole, and what is left is the other half."""
    random = np.random.default_rng(0)
    Z, Y, weights = random.random((50, 3)), random.random((50, 2)), random.random(50)
    first = RowSums.of(Z[:20], Y[:20], weights[:20])
    whole = RowSums.of(Z, Y, weights)
    left = whole - first
    for mine, theirs in zip(
        (left + first).centred() + left.centred(),
        whole.centred() + RowSums.of(Z[20:], Y[20:], weights[20:]).centred(),
        strict=True,
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
