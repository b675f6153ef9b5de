"""Folds and purge against a definition that counts every bar, and against `purgedcv`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import purgedcv
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


# Against `purgedcv`, which purges by half-open intervals [prediction time, evaluation time) of
# rows. Ours are closed, in positions: a label made of bars up to position e is theirs of
# [position, e + 1). Our embargo keeps labels away from the test on the side where walk-forward
# training lies, which is their `purge_horizon`; their embargo acts after a test fold, where
# walk-forward trains on nothing.


@dataclass(frozen=True)
class _Rows:
    """Rows of a panel in time order, one array per column, those without a label left out."""

    positions: np.ndarray
    symbols: np.ndarray
    last_seen: np.ndarray

    @classmethod
    def of(cls, bars: list[np.ndarray], horizon: int) -> _Rows:
        """Look up the bar that ends each label in a table, symbol by symbol, with pandas."""
        table = pd.concat(
            pd.DataFrame({"position": positions, "symbol": symbol})
            for symbol, positions in enumerate(bars)
        )
        table["last_seen"] = table.groupby("symbol")["position"].shift(-horizon)
        table = table.dropna().sort_values(["position", "symbol"])
        return cls(
            table["position"].to_numpy(dtype=np.int64),
            table["symbol"].to_numpy(dtype=np.int64),
            table["last_seen"].to_numpy(dtype=np.int64),
        )

    def intervals(self) -> dict[str, Any]:
        """Return the half-open intervals of the labels, a nanosecond to a position."""
        return {
            "prediction_times": pd.to_timedelta(self.positions, unit="ns"),
            "evaluation_times": pd.to_timedelta(self.last_seen + 1, unit="ns"),
        }


def _trained(rows: _Rows, bars: list[np.ndarray], horizon: int, fold: Fold, embargo: int) -> Any:
    """Rows that our purge keeps, as indices into `rows`."""
    kept = np.zeros(len(rows.positions), dtype=np.bool_)
    for symbol, positions in enumerate(bars):
        mask = train_rows(label_end_positions(positions, horizon), fold, embargo)
        labelled = max(len(positions) - horizon, 0)
        kept[rows.symbols == symbol] = mask[:labelled]
    return np.flatnonzero(kept)


@st.composite
def _panel(draw: st.DrawFn, ragged: bool) -> tuple[list[np.ndarray], int]:
    """Positions of each symbol: every timestamp, or listed late, full of gaps, delisted early."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_bars = draw(st.integers(360, 420))
    present = np.ones((draw(st.integers(1, 4)), n_bars), dtype=np.bool_)
    if ragged:
        present &= random.random(present.shape) >= draw(st.sampled_from([0.0, 0.05, 0.2]))
        for symbol in present[1:]:
            symbol[: random.integers(0, n_bars)] = False
            symbol[random.integers(1, n_bars + 1) :] = False
    # The time axis of a panel has the timestamps at which some symbol has a bar, and no others.
    present = present[:, present.any(axis=0)]
    return [np.flatnonzero(symbol) for symbol in present], present.shape[1]


@pytest.mark.parametrize("ragged", [False, True])
@given(data=st.data(), horizon=st.integers(1, 20), embargo=st.integers(0, 5))
def test_purge_is_that_of_purgedcv_on_every_fold_of_a_panel(
    ragged: bool, data: st.DataObject, horizon: int, embargo: int
) -> None:
    """Pooled over symbols, the same training rows to the last one: nothing differs."""
    bars, n_timestamps = data.draw(_panel(ragged))
    rows = _Rows.of(bars, horizon)
    # What is purged depends on all test timestamps, those without any label included.
    tested_rows = _Rows.of(bars, 0)
    both = {
        name: theirs.append(tested_rows.intervals()[name])
        for name, theirs in rows.intervals().items()
    }
    n_splits = data.draw(st.integers(1, 4))
    folds = walk_forward_folds(n_timestamps, n_splits, 0.4, horizon, embargo)
    assert len(folds) == n_splits
    for fold in folds:
        expected = purgedcv.purge(
            np.flatnonzero(rows.positions < fold.test_start),
            len(rows.positions) + np.flatnonzero(test_rows(tested_rows.positions, fold)),
            **both,
            purge_horizon=pd.Timedelta(embargo, unit="ns"),
        )
        assert _trained(rows, bars, horizon, fold, embargo).tolist() == expected.tolist()


@given(
    test_size=st.integers(20, 60),
    n_splits=st.integers(1, 5),
    first_test=st.integers(90, 200),
    horizon=st.integers(1, 25),
    embargo=st.integers(0, 5),
)
def test_whole_walk_is_that_of_purgedcv_where_the_folds_divide_evenly(
    test_size: int, n_splits: int, first_test: int, horizon: int, embargo: int
) -> None:
    """Training and test rows of `WalkForwardSplit` on one row per timestamp.

    The splitters differ in two ways, so the agreement is asked for where neither matters. A
    remainder is spread over our folds and goes to training in theirs. They count rows, so that
    with several symbols a timestamp may fall on both sides of a split; we count timestamps.
    """
    n_timestamps = first_test + n_splits * test_size
    positions = np.arange(n_timestamps)
    label_ends = label_end_positions(positions, horizon)
    theirs = purgedcv.WalkForwardSplit(
        n_splits,
        test_size,
        prediction_times=pd.to_timedelta(positions, unit="ns"),
        evaluation_times=pd.to_timedelta(label_ends + 1, unit="ns"),
        purge_horizon=pd.Timedelta(embargo, unit="ns"),
    )
    # Half a row more than the share keeps the product from rounding down to one row less.
    fraction = (first_test + 0.5) / n_timestamps
    folds = walk_forward_folds(n_timestamps, n_splits, fraction, horizon, embargo)
    pairs = list(theirs.split(np.zeros((n_timestamps, 1))))
    assert len(pairs) == len(folds)
    for fold, (train, test) in zip(folds, pairs, strict=True):
        assert np.flatnonzero(train_rows(label_ends, fold, embargo)).tolist() == train.tolist()
        assert np.flatnonzero(test_rows(positions, fold)).tolist() == test.tolist()


def test_a_symbol_alone_is_purged_at_the_fold_where_purgedcv_waits_for_its_first_row() -> None:
    """Where they differ: a symbol with no bar at the start of a fold, looked at alone.

    The fold starts at 10, the symbol's next bar is at 14. The label of its row 8 ends at 9; that
    of row 9 is made of the bar at 14, and both drop it. With an embargo of two, row 8 is too
    close to the *fold*, which other symbols are tested on, but not to the bar at 14.
    """
    bars = np.array([*range(10), *range(14, 20)])
    label_ends = label_end_positions(bars, 1)
    fold = Fold(0, 10, 20)
    theirs = purgedcv.purge(
        np.arange(10),
        np.arange(10, 16),
        pd.to_timedelta(bars, unit="ns"),
        pd.to_timedelta(label_ends + 1, unit="ns"),
        purge_horizon=pd.Timedelta(2, unit="ns"),
    )
    assert theirs.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert np.flatnonzero(train_rows(label_ends, fold, 2)).tolist() == [0, 1, 2, 3, 4, 5, 6]
