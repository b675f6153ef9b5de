"""Online calibration: planted truths that it finds, nulls that it does not, no look ahead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.statistics.delayed_outcomes import (
    NEVER,
    DelayedRows,
    OnlineMap,
    Waiting,
    walk_online,
)
from ray_pipeline.statistics.online_maps import ExpectationMap, IntervalMap, ProbabilityMap

Floats = NDArray[np.float64]

N_TIMES, N_SYMBOLS, HORIZON = 1_500, 20, 5


def panel(
    outcome: Callable[[np.random.Generator, Floats, Floats, NDArray[np.int64]], Floats],
    *,
    n_times: int = N_TIMES,
    seed: int = 0,
) -> DelayedRows:
    """Rows of every symbol at every time, whose outcomes are known a horizon later."""
    rng = np.random.default_rng(seed)
    times = np.repeat(np.arange(n_times), N_SYMBOLS)
    symbols = np.tile(np.arange(N_SYMBOLS), n_times)
    scores = rng.uniform(size=len(times))
    outcomes = outcome(rng, times / n_times, scores, symbols)
    known = np.where(times + HORIZON < n_times, times + HORIZON, NEVER)
    return DelayedRows(times, known, symbols, scores, outcomes)


def binary(
    probability: Callable[[Floats, Floats], Floats],
) -> Callable[[np.random.Generator, Floats, Floats, NDArray[np.int64]], Floats]:
    return lambda rng, t, s, _: (rng.uniform(size=len(t)) < probability(t, s)).astype(float)


def later(rows: DelayedRows, share: float = 0.6) -> NDArray[np.bool_]:
    return rows.time_ns >= share * N_TIMES


def tenths(given: Floats, outcomes: Floats) -> Floats:
    """Mean outcome less mean probability, in each tenth of the probabilities."""
    tenth = np.argsort(np.argsort(given, kind="stable"), kind="stable") * 10 // len(given)
    return np.bincount(tenth, outcomes - given) / np.bincount(tenth)


def test_a_planted_probability_is_found() -> None:
    """Probabilities agree with what happens in each tenth, and with the planted curve."""

    def curve(t: Floats, s: Floats) -> Floats:
        return 0.1 + 0.6 * s**2

    rows = panel(binary(curve))
    given = walk_online(ProbabilityMap(HORIZON), rows)[:, 0]
    at = later(rows)
    # A tenth has 1,200 rows, and a standard error of 0.014.
    assert np.abs(tenths(given[at], rows.outcomes[at])).max() < 0.03
    assert np.abs(given[at] - curve(rows.time_ns[at], rows.scores[at])).mean() < 0.02


def test_a_drifting_base_rate_is_followed() -> None:
    """From 0.26 to 0.42 over the panel: a map that was fixed before is off by far more."""
    rows = panel(binary(lambda t, s: 0.16 + 0.16 * t + 0.2 * s))
    given = walk_online(ProbabilityMap(HORIZON), rows)[:, 0]
    at = later(rows)
    fixed = rows.outcomes[~at].mean()
    assert rows.outcomes[at].mean() - fixed > 0.07
    assert abs(rows.outcomes[at].mean() - given[at].mean()) < 0.015


def test_scores_that_tell_nothing_get_the_base_rate() -> None:
    """Without skill no probability is far from the rate of all."""
    rows = panel(binary(lambda t, s: np.full(len(t), 0.3)))
    given = walk_online(ProbabilityMap(HORIZON), rows)[:, 0]
    assert given[later(rows)].std() < 0.02
    assert np.abs(given[later(rows)] - 0.3).max() < 0.08


def test_nothing_is_given_before_enough_is_known() -> None:
    """Twenty timestamps have to be known, and every row after these has a probability."""
    rows = panel(binary(lambda t, s: np.full(len(t), 0.3)), n_times=60)
    given = walk_online(ProbabilityMap(HORIZON), rows)[:, 0]
    first = rows.time_ns[np.isfinite(given)].min()
    assert first == 20 + HORIZON
    assert np.isfinite(given[rows.time_ns >= first]).all()


def test_a_planted_slope_is_expected_in_the_unit_of_the_label() -> None:
    """The expected label is the planted one, though the noise is five times its spread."""
    rows = panel(lambda rng, t, s, _: 0.002 + 0.01 * s + rng.normal(0, 0.015, len(t)))
    given = walk_online(ExpectationMap(HORIZON), rows)[:, 0]
    at = later(rows)
    assert np.abs(given[at] - (0.002 + 0.01 * rows.scores[at])).max() < 0.002


def test_without_skill_the_mean_is_expected() -> None:
    """Of 20 panels of noise few get more than a sliver of a slope: the mean is all there is."""
    spreads = []
    for seed in range(20):
        rows = panel(lambda rng, t, s, _: rng.normal(0.1, 1.0, len(t)), n_times=300, seed=seed)
        given = walk_online(ExpectationMap(HORIZON), rows)[-N_SYMBOLS:, 0]
        spreads.append(np.ptp(given))
    assert np.median(spreads) == 0.0
    assert np.max(spreads) < 0.15


def test_a_score_that_points_the_wrong_way_is_not_believed() -> None:
    """A map never falls with the score."""
    rows = panel(lambda rng, t, s, _: -s + rng.normal(0, 0.1, len(t)))
    given = walk_online(ExpectationMap(HORIZON), rows)[:, 0]
    assert np.ptp(given[-N_SYMBOLS:]) == 0.0


def scaled(rng: np.random.Generator, t: Floats, s: Floats, symbols: NDArray[np.int64]) -> Floats:
    """Errors of heavy tails, ten times larger for some symbols; all of them double halfway."""
    size = 0.01 * (1.0 + symbols / 2.0) * np.where(t > 0.5, 2.0, 1.0)
    found: Floats = size * (s + rng.standard_t(4, len(t)))
    return found


def test_intervals_cover_of_every_symbol_and_after_a_break() -> None:
    """Nine in ten outcomes lie inside, of each symbol, though scales differ and double at once."""
    rows = panel(scaled)
    given = walk_online(IntervalMap(HORIZON, N_SYMBOLS, 0.9), rows)
    inside = (rows.outcomes >= given[:, 1]) & (rows.outcomes <= given[:, 2])
    at = later(rows, 0.2)
    assert 0.89 < inside[at].mean() < 0.91
    by_symbol = np.bincount(rows.symbols[at], inside[at]) / np.bincount(rows.symbols[at])
    assert by_symbol.min() > 0.88
    assert by_symbol.max() < 0.92
    recent = later(rows, 0.6)
    widths = (given[:, 2] - given[:, 1])[recent]
    wide = np.bincount(rows.symbols[recent], widths) / np.bincount(rows.symbols[recent])
    assert wide[-1] / wide[0] == pytest.approx(10.5, rel=0.2)


def test_both_tails_are_watched_by_themselves() -> None:
    """Of skewed outcomes as many lie below as above."""
    rows = panel(lambda rng, t, s, _: rng.exponential(1.0, len(t)))
    given = walk_online(IntervalMap(HORIZON, N_SYMBOLS, 0.8), rows)
    at = later(rows, 0.2)
    assert (rows.outcomes < given[:, 1])[at].mean() == pytest.approx(0.1, abs=0.01)
    assert (rows.outcomes > given[:, 2])[at].mean() == pytest.approx(0.1, abs=0.01)


def test_a_symbol_that_comes_late_begins_with_the_scale_of_all() -> None:
    """Its first interval is as wide as those of the others."""
    rows = panel(lambda rng, t, s, _: rng.normal(size=len(t)))
    kept = np.flatnonzero((rows.symbols > 0) | (rows.time_ns > 1_000))
    rows = rows.take(kept)
    given = walk_online(IntervalMap(HORIZON, N_SYMBOLS, 0.9), rows)
    first = np.flatnonzero(rows.symbols == 0)[0]
    width = given[first, 2] - given[first, 1]
    assert width == pytest.approx(2 * 1.645, rel=0.15)


def test_outcomes_that_are_all_alike_have_an_interval_of_no_width() -> None:
    """No error divides by a scale of nothing."""
    rows = panel(lambda rng, t, s, _: np.full(len(t), 2.0), n_times=100)
    given = walk_online(IntervalMap(HORIZON, N_SYMBOLS, 0.9), rows)
    assert (given[-N_SYMBOLS:, :3] == 2.0).all()


MAPS: list[Callable[[], OnlineMap]] = [
    lambda: ProbabilityMap(HORIZON),
    lambda: ExpectationMap(HORIZON),
    lambda: IntervalMap(HORIZON, N_SYMBOLS, 0.9),
]


@pytest.mark.parametrize("make", MAPS)
def test_later_rows_and_outcomes_change_no_bit(make: Callable[[], OnlineMap]) -> None:
    """Rows up to a day get the same, whatever comes after it and whatever is not known by then."""
    rows = panel(binary(lambda t, s: 0.3 + 0.3 * s), n_times=300)
    whole = walk_online(make(), rows)
    early = rows.take(np.flatnonzero(rows.time_ns <= 200))
    is_known = early.known_ns <= 200
    cut = DelayedRows(
        early.time_ns,
        np.where(is_known, early.known_ns, NEVER),
        early.symbols,
        early.scores,
        np.where(is_known, early.outcomes, 7.0),
    )
    np.testing.assert_array_equal(walk_online(make(), cut), whole[rows.time_ns <= 200])


@pytest.mark.parametrize("make", MAPS)
def test_an_outcome_counts_only_after_it_is_known(make: Callable[[], OnlineMap]) -> None:
    """The first row that an outcome changes is later than the time at which it is known."""
    rows = panel(binary(lambda t, s: 0.3 + 0.3 * s), n_times=100)
    changed = rows.outcomes.copy()
    changed[rows.time_ns == 50] = 1.0 - changed[rows.time_ns == 50]
    other = DelayedRows(rows.time_ns, rows.known_ns, rows.symbols, rows.scores, changed)
    before, after = walk_online(make(), rows), walk_online(make(), other)
    differs = (~np.isclose(before, after, rtol=0, atol=0, equal_nan=True)).any(axis=1)
    assert rows.time_ns[differs].min() == 50 + HORIZON + 1


@pytest.mark.parametrize("make", MAPS)
@pytest.mark.parametrize("step", [1, 7])
def test_stretch_by_stretch_gives_the_bits_of_all_at_once(
    make: Callable[[], OnlineMap], step: int
) -> None:
    """Day by day, or in weeks: what waits for its outcome is carried along."""
    rows = panel(binary(lambda t, s: 0.3 + 0.3 * s), n_times=150)
    online = make()
    waiting = Waiting(online.n_given)
    pieces = [
        walk_online(online, rows.take(np.flatnonzero(rows.time_ns // step == each)), waiting)
        for each in range(-(-150 // step))
    ]
    np.testing.assert_array_equal(np.concatenate(pieces), walk_online(make(), rows))
