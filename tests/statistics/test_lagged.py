"""Correlations at many shifts: by hand, with holes anywhere, and how far luck takes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal, stats

from ray_pipeline.statistics.lagged import (
    LaggedCorrelation,
    correlation_errors,
    normal_scores,
)

Floats = NDArray[np.float64]


def test_scores_are_standardised_ranks_of_what_is_there() -> None:
    """Mean 0 and deviation 1 over the finite values, 0 for missing ones and constants."""
    values = np.array([3.0, np.nan, 1.0, 1.0, np.inf, 8.0])
    scores, finite = normal_scores(values)
    assert finite.tolist() == [1, 0, 1, 1, 0, 1]
    ranks = stats.rankdata([3.0, 1.0, 1.0, 8.0])
    assert scores[finite == 1] == pytest.approx((ranks - ranks.mean()) / ranks.std())
    assert scores[finite == 0].tolist() == [0.0, 0.0]
    assert normal_scores(np.ones(5))[0].tolist() == [0.0] * 5
    assert normal_scores(np.array([1.0, 2.0]))[0].tolist() == [0.0] * 2


HOLES = st.sampled_from(["none", "ends", "anywhere"])


def _with_holes(values: Floats, holes: str, random: np.random.Generator) -> Floats:
    if holes == "ends":
        values[:17], values[-9:] = np.nan, np.nan
    elif holes == "anywhere":
        values[random.random(len(values)) < 0.2] = np.nan
    return values


@given(seed=st.integers(0, 2**32), x_holes=HOLES, y_holes=HOLES)
def test_every_shift_is_that_of_moved_rows(seed: int, x_holes: str, y_holes: str) -> None:
    """Pairs are counted exactly however the missing values lie, and products are of those pairs."""
    random = np.random.default_rng(seed)
    x = _with_holes(random.standard_normal(150), x_holes, random)
    y = _with_holes(random.standard_normal(150), y_holes, random)
    correlation = LaggedCorrelation(n_rows=150, reach=20)
    shifts = np.arange(-20, 21)
    found, pairs = correlation.at(correlation.prepare(x), correlation.prepare(y), shifts)
    (x_scores, x_known), (y_scores, y_known) = normal_scores(x), normal_scores(y)
    for shift, value, n_pairs in zip(shifts.tolist(), found, pairs, strict=True):
        rows = np.arange(max(0, -shift), min(150, 150 - shift))
        expected = int((x_known[rows] & y_known[rows + shift]).sum())
        product = float(x_scores[rows] @ y_scores[rows + shift])
        assert n_pairs == expected
        assert value == pytest.approx(product / expected if expected >= 50 else 0.0, abs=1e-9)


def test_without_enough_pairs_there_is_no_correlation() -> None:
    """A tenth of the rows and at least fifty: five equal values agree by chance."""
    values = np.full(1000, np.nan)
    values[:80] = np.arange(80)
    correlation = LaggedCorrelation(n_rows=1000, reach=1)
    series = correlation.prepare(values)
    found, pairs = correlation.at(series, series, np.array([0]))
    assert (found.tolist(), pairs.tolist()) == ([0.0], [80])


@pytest.mark.parametrize("phi", [0.0, 0.9])
@pytest.mark.parametrize("overlap", [1, 8])
def test_errors_are_those_of_unrelated_series(phi: float, overlap: int) -> None:
    """Correlations of independent series, in these errors, have a deviation of about 1."""
    correlation = LaggedCorrelation(n_rows=800, reach=60)
    weights = np.zeros((2, 11))
    weights[0, 5], weights[1, :5], weights[1, 6:] = 1.0, 0.2, -0.2
    z = []
    for seed in range(300):
        random = np.random.default_rng([seed, overlap])
        x = signal.lfilter([1.0], [1.0, -phi], random.standard_normal(900))[100:]
        y = np.convolve(random.standard_normal(800 + overlap - 1), np.ones(overlap), "valid")
        series = [correlation.prepare(values) for values in (x, y)]
        memories = [correlation.at(item, item, np.arange(61))[0] for item in series]
        profile, _ = correlation.at(series[0], series[1], np.arange(-5, 6))
        errors = correlation_errors(weights, memories[0], memories[1], 800.0)
        z.append((weights @ profile) / errors)
    deviation = np.std(z, axis=0)
    # White noise is the floor of the error, and differences of persistent series lie below it.
    assert 0.8 < deviation[0] < 1.2
    assert deviation[1] < 1.2
    if phi == 0.0:
        assert deviation[1] > 0.5
