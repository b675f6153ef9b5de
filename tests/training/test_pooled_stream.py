"""Training rows that are read symbol by symbol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from training_designs import FOLDS, target_spec, training_frame

from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.pooled_stream import PooledStream, StreamSpec


@pytest.fixture(name="stream")
def two_symbols(tmp_path: Path) -> PooledStream:
    """S0 has all 300 hours, S1 from hour 100 on and no label at hour 120."""
    run = RunDirectory(str(tmp_path))
    names = []
    for index, first in enumerate((0, 100)):
        positions = np.arange(first, 300)
        y = positions * 1.0 + 1_000 * index
        y[positions == 120] = np.nan if index else y[positions == 120]
        columns = {"position": positions, "end_5": positions + 5, "y_0": y}
        for j in range(4):
            columns[f"x_{j}"] = (positions + j / 8 + 1_000 * index).astype(np.float32)
        run.write_table(f"slice_{index}.parquet", pa.table(columns))
        names.append(f"slice_{index}.parquet")
    return PooledStream(run, StreamSpec(tuple(names), training_frame(embargo=2)))


def test_rows_before_a_fold_are_purged_and_embargoed(stream: PooledStream) -> None:
    """Fold 0 tests from 150 on: labels of 5 bars and 2 of embargo leave rows up to 142."""
    problem, span = stream.problem(target_spec(), ("b",), FOLDS[0], seed=1)
    assert problem.rows.block_rows == (143, 42)
    np.testing.assert_array_equal(
        problem.y, [*range(143), *(1_000 + p for p in range(100, 143) if p != 120)]
    )
    assert (span.first, span.last) == (0, 142)


def test_blocks_hold_the_features_in_the_order_asked_for(stream: PooledStream) -> None:
    """Columns by name, rows those that have a label."""
    problem, _ = stream.problem(target_spec(), ("d", "a"), FOLDS[0], seed=1)
    block = problem.rows.block(1)
    assert block.dtype == np.float32
    kept = [p for p in range(100, 143) if p != 120]
    np.testing.assert_array_equal(block, [[1_000 + p + 3 / 8, 1_000 + p] for p in kept])


def test_without_a_fold_every_labelled_row_trains(stream: PooledStream) -> None:
    """The final model."""
    problem, span = stream.problem(target_spec(), ("a",), None, seed=1)
    assert problem.rows.block_rows == (300, 199)
    assert (span.first, span.last) == (0, 299)


def test_a_symbol_without_a_row_before_the_fold_is_no_block(stream: PooledStream) -> None:
    """A fold that starts at 110 purges all but S1's rows up to 102; one at 100 all of them."""
    early = replace(FOLDS[0], test_start=100)
    problem, _ = stream.problem(target_spec(), ("a",), early, seed=1)
    assert problem.rows.block_rows == (93,)


def test_too_few_rows_are_no_problem(stream: PooledStream) -> None:
    """As in memory: 60 labelled rows are needed."""
    assert stream.problem(target_spec(), ("a",), replace(FOLDS[0], test_start=60), seed=1) is None
    assert stream.problem(target_spec(), ("a",), replace(FOLDS[0], test_start=3), seed=1) is None
