"""Training rows of all symbols, read from storage one symbol at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import LabelForm
from ray_pipeline.families.streaming import StreamedProblem
from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import SampleWeights, TargetSpec, Task
from ray_pipeline.samples.learned import LabelComparison, LearnedLabels
from ray_pipeline.samples.pool import row_groups_of
from ray_pipeline.statistics.cells import cells_of
from ray_pipeline.statistics.folds import Fold, train_rows
from ray_pipeline.statistics.uniqueness import average_uniqueness
from ray_pipeline.storage import RunDirectory

__all__ = ["PooledStream", "StreamSpec", "StreamedRows"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """The rows beyond the shared pool on which pooled models are trained.

    Attributes
    ----------
    tables
        The tables from `ray_pipeline.samples.pool.write_slice` for each symbol, in symbol order.
    frame
        The frame used to write them: its features and targets number the columns.
    """

    tables: tuple[str, ...]
    frame: PanelFrame


@dataclass(frozen=True, slots=True)
class StreamedRows:
    """Rows of a problem by symbol, a `RowStream`.

    Attributes
    ----------
    tables
        One per block.
    kept
        Mask of the table's rows that are used, one array of shape (n_table_rows,) per block.
    columns
        Of the tables, in the order of the features.
    """

    run: RunDirectory
    tables: tuple[str, ...]
    kept: tuple[NDArray[np.bool_], ...]
    columns: tuple[str, ...]
    block_rows: tuple[int, ...]

    def block(self, index: int) -> NDArray[np.float32]:
        """Read the rows of one symbol, shape (n_rows, n_features)."""
        table = self.run.read_table(self.tables[index], self.columns)
        rows = np.empty((self.block_rows[index], len(self.columns)), dtype=np.float32)
        for j, name in enumerate(self.columns):
            rows[:, j] = table.column(name).to_numpy()[self.kept[index]]
        return rows


@dataclass(frozen=True, slots=True)
class Span:
    """Panel positions of the first and the last row of a problem."""

    first: int
    last: int


class PooledStream:
    """Builds problems on the streamed rows.

    Labels, positions, masks and weights are in memory, but features are not: 17 to 25 bytes per row
    for raw labels, up to twice that for compared labels, which need the labels of all symbols at a
    timestamp at once, and 12 more with groups.
    """

    def __init__(self, run: RunDirectory, spec: StreamSpec) -> None:
        self._run = run
        self._spec = spec

    def problem(
        self,
        target: TargetSpec,
        features: Sequence[str],
        fold: Fold | None,
        seed: int,
        sample_weights: SampleWeights = "none",
        comparison: LabelComparison | None = None,
        form: LabelForm = "as_they_are",
    ) -> tuple[StreamedProblem, Span] | None:
        """Return the target's problem on the purged rows before a fold, or on those of the end.

        None if there are too few rows to train on. Timestamps are sampled whole, so that labels are
        compared with those of the same symbols as in the pool.
        """
        frame = self._spec.frame
        labels = self._labels(target)
        learned = labels.learned(target.task, comparison, form)
        first = (frame.final_fold if fold is None else fold).train_start
        usable = labels.positions >= first
        if fold is not None:
            usable &= train_rows(learned.label_ends, fold, frame.embargo)
        problem = learned.problem(usable, seed)
        if problem is None:
            return None
        trains = np.zeros(len(learned.y), dtype=np.bool_)
        trains[problem.rows] = True
        kept = {name: trains[part] for name, part in labels.parts.items() if trains[part].any()}
        place = {name: f"x_{j}" for j, name in enumerate(frame.request.features)}
        rows = StreamedRows(
            run=self._run,
            tables=tuple(kept),
            kept=tuple(kept.values()),
            columns=tuple(place[name] for name in features),
            block_rows=tuple(int(mask.sum()) for mask in kept.values()),
        )
        weights = None if problem.weights is None else problem.weights[problem.rows]
        if sample_weights == "average_uniqueness":
            own = labels.uniqueness(trains, kept)
            weights = own if weights is None else own * weights
            weights /= weights.mean()
        positions = labels.positions[problem.rows]
        streamed = StreamedProblem(
            rows=rows,
            y=problem.y[problem.rows],
            task=problem.task,
            seed=seed,
            weights=weights,
            positions=positions,
            offsets=None if problem.offsets is None else problem.offsets[problem.rows],
            groups=None if problem.groups is None else problem.groups[problem.rows],
        )
        return streamed, Span(int(positions.min()), int(positions.max()))

    def _labels(self, target: TargetSpec) -> _StreamedLabels:
        """Read the labels of all symbols."""
        label = f"y_{self._spec.frame.request.targets.index(target.name)}"
        grouped = self._spec.frame.request.group is not None
        columns = ("position", f"end_{target.horizon}", label)
        parts: dict[str, slice] = {}
        found: list[list[NDArray[Any]]] = [[], [], []]
        groups: list[RowGroups] = []
        start = 0
        for name in self._spec.tables:
            table = self._run.read_table(name, (*columns, "group") if grouped else columns)
            if grouped:
                groups.append(row_groups_of(table))
            for into, column in zip(found, columns, strict=True):
                into.append(table.column(column).to_numpy())
            parts[name] = slice(start, start + table.num_rows)
            start += table.num_rows
        positions, ends, y = (np.concatenate(each) for each in found)
        cells = cells_of(positions, RowGroups.joined(groups).codes) if grouped else positions
        return _StreamedLabels(parts, positions, cells, ends, y)


@dataclass(frozen=True, slots=True)
class _StreamedLabels:
    """Labels of one target in the order of the tables; `parts` are the rows of each table."""

    parts: dict[str, slice]
    positions: NDArray[np.int64]
    cells: NDArray[np.int64]
    ends: NDArray[np.int64]
    y: Floats

    def learned(
        self, task: Task, comparison: LabelComparison | None, form: LabelForm
    ) -> LearnedLabels:
        if comparison is None:
            return LearnedLabels.as_they_are(self.y, self.ends, task)
        return LearnedLabels.compared(
            self.y, self.positions, self.cells, self.ends, task, comparison, form
        )

    def uniqueness(self, trains: NDArray[np.bool_], tables: Iterable[str]) -> Floats:
        """Of each training row among those of its symbol, table by table."""
        found = []
        for name in tables:
            part = self.parts[name]
            rows = trains[part]
            found.append(average_uniqueness(self.positions[part][rows], self.ends[part][rows]))
        return np.concatenate(found)
