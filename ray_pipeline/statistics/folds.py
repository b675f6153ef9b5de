"""Walk-forward folds on the unique timestamps of a panel, purged by label interval.

Positions count the panel's unique timestamps from 0. All symbols of a timestamp share its
position and therefore its side of every split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError

__all__ = [
    "Fold",
    "label_end_positions",
    "test_rows",
    "train_rows",
    "walk_forward_folds",
]

MIN_TRAIN_TIMESTAMPS = 60
"""Timestamps that the first fold must keep for training after the purge."""

MIN_TEST_TIMESTAMPS = 20
"""Timestamps of a test fold: ranks within fewer say next to nothing."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Positions ``[test_start, test_end)`` are tested; earlier ones, less the purge, train.

    None before `train_start` has a say in them, 0 where the window of training expands.
    """

    index: int
    test_start: int
    test_end: int
    train_start: int = 0


def walk_forward_folds(
    n_timestamps: int,
    n_splits: int,
    min_train_fraction: float,
    horizon: int = 0,
    embargo: int = 0,
) -> tuple[Fold, ...]:
    """Split a time axis into consecutive test folds, each trained on all that came before.

    Parameters
    ----------
    n_timestamps
        Unique timestamps of the panel.
    n_splits
        Number of test folds; their sizes differ by at most one.
    min_train_fraction
        Share of the timestamps before the first test fold.
    horizon, embargo
        Label horizon and embargo in positions. They do not move the folds (targets of all
        horizons are tested on the same rows); they decide whether the first fold keeps enough
        training timestamps.

    Raises
    ------
    DataError
        With the arithmetic, when a fold would be too short to train or to test on.

    Examples
    --------
    >>> [(f.test_start, f.test_end) for f in walk_forward_folds(200, 3, 0.4)]
    [(80, 120), (120, 160), (160, 200)]
    """
    first_test = int(n_timestamps * min_train_fraction)
    n_trained = first_test - horizon - embargo
    test_size = (n_timestamps - first_test) // n_splits
    if n_trained < MIN_TRAIN_TIMESTAMPS:
        raise DataError(
            f"{n_timestamps} timestamps are too few to train the first fold: "
            f"min_train_fraction={min_train_fraction} gives {first_test}, less "
            f"horizon={horizon} and embargo={embargo} leaves {max(n_trained, 0)}; at least "
            f"{MIN_TRAIN_TIMESTAMPS} are needed. Use more rows, a shorter horizon, or a larger "
            "validation.min_train_fraction."
        )
    if test_size < MIN_TEST_TIMESTAMPS:
        raise DataError(
            f"{n_timestamps} timestamps cannot hold n_splits={n_splits} test folds: "
            f"{n_timestamps} - {first_test} for training leaves {n_timestamps - first_test}, "
            f"or {test_size} a fold; at least {MIN_TEST_TIMESTAMPS} a fold are needed. Use more "
            "rows, fewer validation.n_splits, or a smaller validation.min_train_fraction."
        )
    edges = np.linspace(first_test, n_timestamps, n_splits + 1).round().astype(int).tolist()
    return tuple(Fold(i, edges[i], edges[i + 1]) for i in range(n_splits))


def label_end_positions(positions: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    """Last position that each row's label may have seen.

    A label of `horizon` bars ends at the *symbol's* bar ``row + horizon``, which on a panel with
    gaps lies later than ``position + horizon``. Bars past the symbol's last one are counted on
    from it, on the panel's own grid.

    Parameters
    ----------
    positions
        Strictly increasing panel positions of one symbol's rows, shape (n_rows,).
    horizon
        Bars of that symbol.

    Returns
    -------
    ndarray
        Shape (n_rows,).
    """
    n_rows = len(positions)
    last_row = np.arange(n_rows) + horizon
    n_beyond = np.maximum(last_row - (n_rows - 1), 0)
    return positions[last_row - n_beyond] + n_beyond


def train_rows(label_ends: NDArray[np.int64], fold: Fold, embargo: int) -> NDArray[np.bool_]:
    """Mask of the rows whose label interval, plus embargo, ends before the test fold starts.

    The rows are those from `Fold.train_start` on.
    """
    return label_ends + embargo < fold.test_start


def test_rows(positions: NDArray[np.int64], fold: Fold) -> NDArray[np.bool_]:
    """Mask of the rows inside the test fold."""
    return (positions >= fold.test_start) & (positions < fold.test_end)
