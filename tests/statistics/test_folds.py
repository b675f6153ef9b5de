"""Folds and purge against a definition that counts every pair of rows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.statistics.folds import (
    Fold,
    label_end_positions,
    test_rows,
    train_rows,
    walk_forward_folds,
)

# pytest would collect it by its name.
test_rows.__test__ = False  # type: ignore[attr-defined]


@given(
    n_timestamps=st.integers(250, 3000), n_splits=st.integers(1, 6), fraction=st.floats(0.25, 0.5)
)
def test_folds_tile_everything_after_the_training_share(
    n_timestamps: int, n_splits: int, fraction: float
) -> None:
    """Consecutive folds of equal size (to one) from the training share to the last timestamp."""
    folds = walk_forward_folds(n_timestamps, n_splits, fraction)
    sizes = [fold.test_end - fold.test_start for fold in folds]
    assert [fold.index for fold in folds] == list(range(n_splits))
    assert folds[0].test_start == int(n_timestamps * fraction)
    assert folds[-1].test_end == n_timestamps
    assert all(a.test_end == b.test_start for a, b in itertools.pairwise(folds))
    assert max(sizes) - min(sizes) <= 1


def test_folds_do_not_depend_on_the_horizon() -> None:
    """Targets of all horizons are tested on the same rows."""
    assert walk_forward_folds(500, 4, 0.4, horizon=60, embargo=5) == walk_forward_folds(500, 4, 0.4)


def test_first_fold_that_cannot_train_is_an_error_with_the_arithmetic() -> None:
    """The message counts down from the timestamps to what is left for training."""
    assert walk_forward_folds(150, 1, 0.5, horizon=10, embargo=5)[0].test_start == 75
    message = (
        r"149 timestamps are too few to train the first fold: min_train_fraction=0.5 gives 74, "
        r"less horizon=10 and embargo=5 leaves 59; at least 60 are needed. Use more rows, a "
        r"shorter horizon, or a larger validation.min_train_fraction."
    )
    with pytest.raises(DataError, match=message):
        walk_forward_folds(149, 1, 0.5, horizon=10, embargo=5)
    with pytest.raises(DataError, match="leaves 0; at least 60"):
        walk_forward_folds(200, 1, 0.5, horizon=200)


def test_test_folds_that_are_too_short_are_an_error_with_the_arithmetic() -> None:
    """The message says how many timestamps a fold would have had."""
    assert len(walk_forward_folds(200, 4, 0.6)) == 4
    assert len(walk_forward_folds(199, 4, 0.6)) == 4
    message = (
        r"198 timestamps cannot hold n_splits=4 test folds: 198 - 120 for training leaves 78, "
        r"or 19 a fold; at least 20 a fold are needed. Use more rows, fewer validation.n_splits, "
        r"or a smaller validation.min_train_fraction."
    )
    with pytest.raises(DataError, match=message):
        walk_forward_folds(198, 4, 120 / 198)


def test_label_ends_follow_the_bars_of_the_symbol() -> None:
    """A label of two bars ends two *bars* later, gaps or not; past the last one the grid goes on.

    The second last row's label saw the last bar, at 20, and one more: it cannot end before.
    """
    positions = np.array([0, 1, 5, 6, 20])
    assert label_end_positions(positions, 2).tolist() == [5, 6, 20, 21, 22]
    assert label_end_positions(positions, 9).tolist() == [25, 26, 27, 28, 29]
    assert positions.tolist() == [0, 1, 5, 6, 20]
    assert label_end_positions(np.array([], dtype=np.int64), 3).tolist() == []


def test_purge_keeps_the_last_row_that_it_can() -> None:
    """With fold at 10 and horizon 3, row 6 (label of rows 7–9) trains and row 7 does not."""
    positions = np.arange(20)
    kept = np.flatnonzero(train_rows(label_end_positions(positions, 3), Fold(0, 10, 15), 0))
    assert kept.tolist() == [0, 1, 2, 3, 4, 5, 6]
    kept = np.flatnonzero(train_rows(label_end_positions(positions, 3), Fold(0, 10, 15), 2))
    assert kept.tolist() == [0, 1, 2, 3, 4]


@st.composite
def ragged_symbol(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    """Positions of a symbol that is listed late, delisted early and full of gaps."""
    n_timestamps = draw(st.integers(10, 120))
    present = draw(st.lists(st.booleans(), min_size=n_timestamps, max_size=n_timestamps))
    return np.flatnonzero(present).astype(np.int64), n_timestamps


@given(
    symbol=ragged_symbol(),
    horizon=st.integers(1, 15),
    embargo=st.integers(0, 5),
    where=st.floats(0.1, 0.9),
)
def test_purge_is_its_definition_on_ragged_panels(
    symbol: tuple[np.ndarray, int], horizon: int, embargo: int, where: float
) -> None:
    """No training label reaches a test timestamp, and every row that could be kept is kept."""
    positions, n_timestamps = symbol
    start = int(where * n_timestamps)
    fold = Fold(0, start, n_timestamps)
    trained = train_rows(label_end_positions(positions, horizon), fold, embargo)
    for row, position in enumerate(positions.tolist()):
        # The bars that the label is made of: the symbol's own, then unknown ones on the grid.
        seen = positions[row + 1 : row + 1 + horizon].tolist()
        while len(seen) < horizon:
            seen.append(max([position, *seen]) + 1)
        # The embargo holds back labels that come within so many positions of the test.
        reaches = position >= start or max(seen) >= start - embargo
        assert trained[row] == (not reaches)
    tested = test_rows(positions, fold)
    assert not np.any(trained & tested)
    assert tested.tolist() == [start <= position < n_timestamps for position in positions]
