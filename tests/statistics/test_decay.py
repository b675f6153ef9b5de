"""Pairs of rows a lag apart."""

from __future__ import annotations

import numpy as np

from ray_pipeline.statistics.decay import decay_lags, later_rows


def test_lags_are_distinct_and_sorted() -> None:
    """Half of a horizon of one bar is 0, which is there once."""
    assert decay_lags(1) == (0, 1, 2, 5)
    assert decay_lags(20) == (0, 1, 10, 20, 40, 100)


def test_sampled_rows_have_lags_in_rows() -> None:
    """With a row in every eighth bar, lags are the nearest number of rows."""
    assert decay_lags(20, bars_per_row=8.0) == (0, 1, 2, 5, 12)


def test_rows_are_paired_within_a_symbol_and_a_stretch() -> None:
    """Never across the end of a symbol, nor across missing rows."""
    symbols = np.array([0, 0, 0, 1, 1, 1, 1])
    stretches = np.array([0, 0, 0, 0, 0, 1, 1])
    first, later = later_rows(symbols, stretches, 1)
    assert list(zip(first.tolist(), later.tolist(), strict=True)) == [
        (0, 1),
        (1, 2),
        (3, 4),
        (5, 6),
    ]
    first, later = later_rows(symbols, stretches, 2)
    assert list(zip(first.tolist(), later.tolist(), strict=True)) == [(0, 2)]


def test_no_lag_pairs_each_row_with_itself_and_a_long_one_none() -> None:
    """The ends of what can be asked for."""
    symbols = np.zeros(3, dtype=np.int64)
    first, later = later_rows(symbols, symbols, 0)
    assert first.tolist() == later.tolist() == [0, 1, 2]
    assert len(later_rows(symbols, symbols, 9)[0]) == 0
