"""Surprises: what neither the past of a series nor the time of day told."""

from __future__ import annotations

import numpy as np
from scipy import signal

from ray_pipeline.statistics.surprises import surprises

N_ROWS = 6_000
TIMES = np.arange(N_ROWS) % 50


def test_neither_persistence_nor_the_time_of_day_surprises() -> None:
    """The autocorrelation and the daily course of a volatility are gone."""
    random = np.random.default_rng(0)
    slow = signal.lfilter([1.0], [1.0, -0.97], random.standard_normal(N_ROWS)) * 0.2
    sizes = np.abs(random.standard_t(5, N_ROWS)) * np.exp(slow + 0.8 * (TIMES < 5))
    found = surprises(sizes, TIMES)
    assert found is not None
    values = found.values
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.03
    trailing = np.convolve(sizes, np.ones(20) / 20)[: N_ROWS - 1]
    assert abs(np.corrcoef(values[20:], trailing[19:])[0, 1]) < 0.05
    assert abs(values[TIMES < 5].mean() - values[TIMES >= 5].mean()) < 0.1


def test_what_was_unexpected_stays() -> None:
    """White noise is all surprise; missing rows count as none."""
    noise = np.random.default_rng(1).standard_normal(N_ROWS)
    noise[10:20] = np.nan
    found = surprises(noise, TIMES)
    assert found is not None
    assert np.corrcoef(found.values[found.known], noise[found.known])[0, 1] > 0.95
    assert not found.known[10:20].any()
    assert (found.values[10:20] == 0.0).all()


def test_too_little_to_tell_has_no_surprises() -> None:
    """Few rows, and a constant."""
    assert surprises(np.arange(50.0), np.arange(50)) is None
    assert surprises(np.ones(N_ROWS), TIMES) is None
