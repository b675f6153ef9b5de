"""The pooled panel: whole timestamps, within bounds, the same every time."""

from __future__ import annotations

import numpy as np
import pytest
from frames import MemoryReader, make_frame, make_table, partition_of, pool_of
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import SymbolRows
from ray_pipeline.records import Horizon, TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.pool import Pool, count_samples, sample_positions
from ray_pipeline.statistics.folds import Fold

TARGETS = (TargetSpec("y1", 1, "regression"), TargetSpec("y3", 3, "regression"))


@given(n_timestamps=st.integers(1, 2000), share=st.floats(0.001, 1.2), seed=st.integers(0, 99))
def test_one_timestamp_is_taken_from_each_stretch(
    n_timestamps: int, share: float, seed: int
) -> None:
    """As many as asked for, sorted, evenly spread, and the same for the same seed."""
    n_sampled = max(1, int(share * n_timestamps))
    sample = sample_positions(n_timestamps, n_sampled, seed)
    assert len(sample) == min(n_sampled, n_timestamps)
    stretch = np.arange(len(sample) + 1) * n_timestamps // len(sample)
    assert np.all((stretch[:-1] <= sample) & (sample < stretch[1:]))
    assert np.array_equal(sample, sample_positions(n_timestamps, n_sampled, seed))


@given(
    rows=st.lists(st.integers(1, 50), min_size=1, max_size=300),
    max_rows=st.integers(1, 5000),
    seed=st.integers(0, 99),
)
def test_the_sampled_timestamps_fit(rows: list[int], max_rows: int, seed: int) -> None:
    """Their rows stay within the bound, or a single timestamp is left; all of them if they fit."""
    rows_per_position = np.array(rows)
    n_sampled = count_samples(rows_per_position, max_rows, seed)
    taken = rows_per_position[sample_positions(len(rows), n_sampled, seed)].sum()
    assert taken <= max_rows or n_sampled == 1
    if sum(rows) <= max_rows:
        assert n_sampled == len(rows)


def test_sampling_uses_what_the_bound_allows() -> None:
    """With ten rows at each of a thousand timestamps, 3,000 rows are three hundred timestamps."""
    assert count_samples(np.full(1000, 10), 3000, 7) == 300


def _table(symbol: str, positions: np.ndarray, offset: float) -> tuple[np.ndarray, object]:
    values = offset + positions
    X = np.column_stack([values, -values])
    return values, make_table(symbol, X, {"y1": values + 0.1, "y3": values + 0.3}, positions)


@pytest.fixture
def ragged() -> tuple[MemoryReader, PanelFrame]:
    """Three symbols on 200 timestamps: one complete, one listed late, one full of holes."""
    everywhere = np.arange(200)
    tables = [
        _table("B", everywhere[150:], 1000.0)[1],
        _table("A", everywhere, 0.0)[1],
        _table("C/x", everywhere[::7], 5000.0)[1],
    ]
    reader = MemoryReader(tables)  # type: ignore[arg-type]
    return reader, make_frame(200, TARGETS, ("x0", "x1"))


def _assert_rows_belong_together(pool: Pool, reader: MemoryReader) -> None:
    offsets = np.array([0.0, 1000.0, 5000.0])
    values = offsets[pool.symbol_index] + pool.positions
    assert pool.X.dtype == np.float32
    assert np.array_equal(pool.X, np.column_stack([values, -values]))
    assert np.array_equal(pool.target("y1"), values + 0.1)
    assert np.array_equal(pool.target("y3"), values + 0.3)
    for index, symbol in enumerate(pool.symbols):
        mine = pool.symbol_index == index
        rows = SymbolRows(reader.tables[symbol], reader.tables[symbol].time_ns)
        for horizon in (Horizon(1), Horizon(3)):
            ends = dict(zip(rows.positions.tolist(), rows.label_ends(horizon), strict=True))
            expected = [ends[position] for position in pool.positions[mine].tolist()]
            assert pool.ends(horizon)[mine].tolist() == expected


def test_the_pool_holds_every_row_of_every_symbol(
    ragged: tuple[MemoryReader, PanelFrame],
) -> None:
    """Sorted by position, then by symbol; a row keeps its features, labels and label ends."""
    reader, frame = ragged
    pool, _ = pool_of(reader, frame)
    assert pool.symbols == ("A", "B", "C/x")
    assert (pool.feature_names, pool.target_names, pool.horizons) == (
        ("x0", "x1"),
        ("y1", "y3"),
        (Horizon(1), Horizon(3)),
    )
    assert len(pool.positions) == 200 + 50 + 29
    order = np.lexsort((pool.symbol_index, pool.positions))
    assert np.array_equal(order, np.arange(len(order)))
    assert pool.spacing == 1.0
    _assert_rows_belong_together(pool, reader)


def test_a_sampled_pool_holds_whole_timestamps(ragged: tuple[MemoryReader, PanelFrame]) -> None:
    """All symbols of a sampled timestamp; labels still end where they ended in the full panel."""
    reader, frame = ragged
    pool, _ = pool_of(reader, frame, n_sampled=50)
    whole, _ = pool_of(reader, frame)
    assert pool.spacing == 4.0
    assert set(pool.positions.tolist()) <= set(sample_positions(200, 50, frame.seed).tolist())
    kept = np.isin(whole.positions, pool.positions)
    assert np.array_equal(pool.symbol_index, whole.symbol_index[kept])
    assert np.array_equal(pool.label_ends, whole.label_ends[kept])
    _assert_rows_belong_together(pool, reader)


def test_a_symbol_without_sampled_rows_has_none(ragged: tuple[MemoryReader, PanelFrame]) -> None:
    """It stays a symbol of the pool, with no row in it."""
    reader, frame = ragged
    del reader.tables["A"]
    pool, _ = pool_of(reader, frame, n_sampled=2)
    assert pool.symbols == ("B", "C/x")
    assert set(pool.symbol_index.tolist()) <= {0, 1}


def test_designs_are_views_of_one_target(ragged: tuple[MemoryReader, PanelFrame]) -> None:
    """Of a symbol and of the pool: the same labels and ends, cut where the fold begins."""
    reader, frame = ragged
    pool, _ = pool_of(reader, frame)
    state: object = reader
    rows = reader.rows(partition_of("B"), frame)
    own, shared = (
        Design.of_symbol(rows, TARGETS[1], frame),
        Design.of_pool(pool, TARGETS[1], frame),
    )
    mine = shared.symbol_index == 1
    assert state is reader
    assert own.symbols == ("B",)
    assert np.array_equal(own.y, shared.y[mine])
    assert np.array_equal(own.label_ends, shared.label_ends[mine])
    assert (own.spacing, own.symbol_index.sum()) == (1.0, 0)
    first, start, end = shared.split(Fold(0, 160, 180, 30))
    assert np.all(shared.positions[:first] < 30)
    assert np.all(shared.positions[first:start] >= 30)
    assert np.all(shared.positions[:start] < 160)
    assert np.all((shared.positions[start:end] >= 160) & (shared.positions[start:end] < 180))
    assert np.all(shared.positions[end:] >= 180)
    assert own.split(Fold(0, 160, 180)) == (0, 10, 30)
