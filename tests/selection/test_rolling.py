"""Shadows: what they keep of a feature, and what they lose."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.selection.rolling import rolled_rows, shift_within_symbols
from ray_pipeline.statistics.tails import average_ranks

symbol_indices = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(
    lambda values: np.array(values, dtype=np.int32)
)
shares = st.floats(0.25, 0.75)


def test_shift_by_hand() -> None:
    """Half of symbol 0's four rows is two, half of symbol 1's two rows is one."""
    index = np.array([0, 1, 0, 1, 0, 0], dtype=np.int32)
    assert shift_within_symbols(index, [0.5])[0].tolist() == [4, 3, 5, 1, 0, 2]


@given(symbol_indices, shares)
def test_a_shadow_keeps_every_value_of_its_symbol(index: np.ndarray, share: float) -> None:
    """Rows are exchanged inside a symbol: none is lost, doubled, or taken from another."""
    source = shift_within_symbols(index, [share])[0]
    assert sorted(source.tolist()) == list(range(len(index)))
    np.testing.assert_array_equal(index[source], index)


@given(symbol_indices, shares)
def test_a_shadow_keeps_the_order_of_time(index: np.ndarray, share: float) -> None:
    """Each symbol's rows are rotated, so that a persistent feature stays persistent."""
    source = shift_within_symbols(index, [share])[0]
    for symbol in np.unique(index):
        rows = np.flatnonzero(index == symbol)
        moved = source[rows].tolist()
        start = moved.index(rows[0])
        assert moved[start:] + moved[:start] == rows.tolist()


@given(st.integers(4, 60), shares)
def test_no_row_is_its_own_shadow(n_rows: int, share: float) -> None:
    """From four rows on, a share of a quarter moves every row."""
    source = shift_within_symbols(np.zeros(n_rows, dtype=np.int32), [share])[0]
    assert (source != np.arange(n_rows)).all()


def test_features_move_together() -> None:
    """Shadows of two features have the correlation of the features."""
    X = np.random.default_rng(0).standard_normal((90, 2))
    X[:, 1] += X[:, 0]
    shadows = X[shift_within_symbols(np.zeros(90, dtype=np.int32), [0.3])[0]]
    np.testing.assert_allclose(np.corrcoef(shadows.T), np.corrcoef(X.T))


def test_a_symbol_absent_from_the_rows_is_no_obstacle() -> None:
    """Before the first fold a symbol may have no row yet."""
    source = shift_within_symbols(np.array([2, 0, 2, 0], dtype=np.int32), [0.5])[0]
    assert source.tolist() == [2, 3, 0, 1]


@given(symbol_indices, st.integers(0, 2**32))
def test_rolled_ranks_are_ranks_of_rolled_labels(index: np.ndarray, seed: int) -> None:
    """Every roll holds the same labels, so that one ranking serves all; the first is none."""
    y = np.random.default_rng(seed).integers(0, 5, len(index)).astype(np.float64)
    rolled = rolled_rows(index, 3, seed)
    assert rolled.shape == (4, len(index))
    assert rolled[0].tolist() == list(range(len(index)))
    for source in rolled:
        assert average_ranks(y)[source].tolist() == average_ranks(y[source]).tolist()
