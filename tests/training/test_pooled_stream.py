"""Training rows that are read symbol by symbol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from training_designs import FOLDS, design_of, marked_features, target_spec, training_frame

from ray_pipeline.groups import RowGroups
from ray_pipeline.records import Task
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.learned import LabelComparison, LearnedLabels
from ray_pipeline.statistics.cells import cells_of
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.pooled_stream import PooledStream, StreamSpec

GROUPS = ("banks", "energy")


@pytest.fixture(name="stream")
def two_symbols(tmp_path: Path) -> PooledStream:
    """S0 has all 300 hours, S1 from hour 100 on and no label at hour 120."""
    run = RunDirectory(str(tmp_path))
    names = []
    for index, first in enumerate((0, 100)):
        positions = np.arange(first, 300)
        y = positions * 1.0 + 1_000 * index
        y[positions == 120] = np.nan if index else y[positions == 120]
        columns = {"position": positions, "end_5rows": positions + 5, "y_0": y}
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


def _symbols(
    folder: Path, n_symbols: int, task: Task, n_groups: int = 0
) -> tuple[PooledStream, Design]:
    """Return the same rows as a stream and in memory: labels by chance, some missing, gaps.

    With groups, which change half way and are missing now and then.
    """
    run = RunDirectory(str(folder))
    random = np.random.default_rng(5)
    y = random.standard_normal((300, n_symbols))
    if task == "binary":
        y = (y > 0.3).astype(np.float64)
    y[random.random(y.shape) < 0.2] = np.nan
    ends = np.arange(300)[:, np.newaxis] + 5 + random.integers(0, 3, y.shape)
    groups = np.zeros((300, n_symbols), dtype=np.int32)
    if n_groups:
        groups += np.arange(n_symbols, dtype=np.int32) % n_groups
        groups[150:] = (groups[150:] + 1) % n_groups
        groups[random.random(groups.shape) < 0.1] = -1
    names = []
    for i in range(n_symbols):
        columns: dict[str, Any] = {
            "position": np.arange(300),
            "end_5rows": ends[:, i],
            "y_0": y[:, i],
        }
        columns |= {f"x_{j}": np.zeros(300, dtype=np.float32) for j in range(4)}
        if n_groups:
            columns["group"] = RowGroups(GROUPS, groups[:, i]).to_arrow()
        run.write_table(f"slice_{i}.parquet", pa.table(columns))
        names.append(f"slice_{i}.parquet")
    design = design_of(y.ravel(), marked_features(300 * n_symbols), n_symbols)
    design.label_ends[:] = ends.ravel()
    frame = training_frame(embargo=2)
    if n_groups:
        design = replace(design, cells=cells_of(design.positions, groups.ravel()))
        frame = replace(frame, request=replace(frame.request, group="sector"))
    return PooledStream(run, StreamSpec(tuple(names), frame)), design


@pytest.mark.parametrize("n_groups", [0, 2])
@pytest.mark.parametrize("task", ["regression", "binary"])
@pytest.mark.parametrize("how", ["rank", "z_score"])
def test_streamed_labels_are_compared_as_those_in_memory(
    tmp_path: Path, how: Literal["rank", "z_score"], task: Task, n_groups: int
) -> None:
    """The same labels, weights, offsets and purge, though rows come symbol by symbol."""
    n_symbols = 4 if n_groups == 0 else 9
    stream, design = _symbols(tmp_path, n_symbols, task, n_groups)
    comparison = LabelComparison(how, 3)
    found = stream.problem(
        target_spec(task=task), ("a",), FOLDS[1], 1, "none", comparison, "offsets"
    )
    _, start, _ = design.split(FOLDS[1])
    learned = LearnedLabels.compared(
        design.y, design.positions, design.cells, design.label_ends, task, comparison, "offsets"
    )
    expected = learned.at(slice(start)).fold_problem(FOLDS[1], 2, 1)
    assert found is not None
    assert expected is not None
    streamed, span = found
    rows = expected.rows[np.lexsort((expected.rows // n_symbols, expected.rows % n_symbols))]
    assert streamed.groups is not None
    assert expected.groups is not None
    same = np.unique(np.stack([streamed.groups, expected.groups[rows]]), axis=1)
    assert same.shape[1] == len(np.unique(same[0])) == len(np.unique(same[1]))
    assert streamed.task == expected.task
    np.testing.assert_array_equal(streamed.y, expected.y[rows])
    np.testing.assert_array_equal(streamed.positions, design.positions[rows])
    assert expected.weights is not None
    assert streamed.weights == pytest.approx(expected.weights[rows])
    assert (span.first, span.last) == (design.positions[rows].min(), design.positions[rows].max())
    if task == "binary":
        assert expected.offsets is not None
        assert streamed.offsets == pytest.approx(expected.offsets[rows])
    else:
        assert streamed.offsets is None
