"""Drift is found where it was planted, and not where features merely move slowly."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.statistics.drift import (
    beyond_usual,
    distances,
    distribution_distance,
    stability_index,
    stretches,
)
from ray_pipeline.statistics.false_discoveries import q_values

N_SYMBOLS, N_OLD, N_NEW = 10, 1000, 60
N_FEATURES = 10


def _panel(
    seed: int, common: float = 0.5, n_symbols: int = N_SYMBOLS
) -> tuple[np.ndarray, np.ndarray]:
    """Features that last, half of whose variance all symbols share."""
    chance = np.random.default_rng(seed)
    n = N_OLD + N_NEW

    def lasting(width: int) -> np.ndarray:
        values = chance.standard_normal((n, width))
        for i in range(1, n):
            values[i] = 0.95 * values[i - 1] + np.sqrt(1 - 0.95**2) * values[i]
        return values

    shared = lasting(N_FEATURES)[:, None, :]
    own = lasting(n_symbols * N_FEATURES).reshape(n, n_symbols, N_FEATURES)
    X = np.sqrt(common) * shared + np.sqrt(1 - common) * own
    return X.reshape(-1, N_FEATURES).astype(np.float32), np.repeat(np.arange(n), n_symbols)


def test_slow_common_features_do_not_cry_wolf() -> None:
    """Of 40 panels without drift, few have any feature at q ≤ 0.05.

    5 % are expected, and up to seven of 40 are what all but one in 500 such samples show.
    """
    found = []
    for seed in range(40):
        X, positions = _panel(seed)
        there = stretches(positions, N_OLD)
        assert there is not None
        apart = distances(X, there)
        q = q_values(np.concatenate([apart.p_stability, apart.p_difference]))
        found.append(q.min() <= 0.05)
    assert sum(found) <= 7


def test_rows_taken_for_independent_find_drift_in_every_feature() -> None:
    """The two-sample test of rows rejects nearly everywhere: what the stretches are for."""
    from scipy import stats

    X, positions = _panel(0)
    p = [
        stats.ks_2samp(X[positions < N_OLD, j], X[positions >= N_OLD, j]).pvalue
        for j in range(N_FEATURES)
    ]
    assert np.mean(np.array(p) < 0.05) > 0.8


@pytest.mark.parametrize("kind", ["shifted", "wider", "missing"])
def test_planted_drift_is_found_in_its_feature_alone(kind: str) -> None:
    """A shift, a wider distribution and missing values of one feature, at q ≤ 0.05."""
    X, positions = _panel(1, common=0.1, n_symbols=40)
    new = positions >= N_OLD
    if kind == "shifted":
        X[new, 3] += 2.0
    elif kind == "wider":
        X[new, 3] *= 3.0
    else:
        X[np.flatnonzero(new)[::2], 3] = np.nan
    there = stretches(positions, N_OLD)
    assert there is not None
    apart = distances(X, there)
    q = np.minimum(q_values(apart.p_stability), 1.0)
    assert q[3] <= 0.05
    assert np.argmin(apart.p_stability) == 3
    assert np.sum(q <= 0.05) <= 2


def test_stretches_are_as_long_as_the_new_one_and_end_where_it_begins() -> None:
    """60 new of 1060 timestamps: 16 earlier stretches, the oldest 40 timestamps in none."""
    positions = np.arange(1060)
    found = stretches(positions, 1000)
    assert found is not None
    assert (found.n, found.length) == (16, 60)
    assert np.bincount(found.of_rows + 1).tolist() == [40, *[60] * 17]
    assert found.of_rows[-60:].tolist() == [16] * 60


def test_of_much_that_is_new_the_newest_counts() -> None:
    """600 new of 1200: stretches of 50, the rest of the new in none."""
    found = stretches(np.arange(1200), 600)
    assert found is not None
    assert (found.n, found.length) == (12, 50)
    assert set(found.of_rows[600:1150].tolist()) == {-1}


@pytest.mark.parametrize(("n", "first_new"), [(100, 100), (20, 8), (0, 0)])
def test_without_old_or_new_there_is_nothing_to_compare(n: int, first_new: int) -> None:
    """Nothing new, too little old, no rows."""
    assert stretches(np.arange(n), first_new) is None


def test_distances_by_hand() -> None:
    """Equal distributions are 0 apart; all in the lowest tenth against all in the highest, 1."""
    even, low, high = np.full(51, 10.0), np.zeros(51), np.zeros(51)
    even[-1] = 0.0
    low[0] = high[49] = 100.0
    assert stability_index(even, even) == 0.0
    assert distribution_distance(even, even) == 0.0
    assert distribution_distance(low, high) == 1.0
    p, q = 100.5 / 105.5, 0.5 / 105.5
    assert stability_index(low, high) == pytest.approx(2 * (p - q) * np.log(p / q))


def test_a_distance_beyond_all_that_was_usual_is_unlikely() -> None:
    """And one in their midst is not; where all were alike, any larger one is impossible."""
    usual = np.exp(np.random.default_rng(0).standard_normal(20))
    assert beyond_usual(float(np.exp(6.0)), usual) < 1e-4
    assert 0.2 < beyond_usual(float(np.median(usual)), usual) < 0.8
    assert beyond_usual(1.0, np.ones(10)) == 1.0
    assert beyond_usual(2.0, np.ones(10)) == 0.0
    assert np.isnan(beyond_usual(2.0, np.ones(2)))


def test_a_feature_without_a_value_before_is_not_measured() -> None:
    """All missing: NaN, and no q-value."""
    X = np.full((130, 1), np.nan, dtype=np.float32)
    there = stretches(np.arange(130), 120)
    assert there is not None
    assert np.isnan(distances(X, there).p_stability).all()
