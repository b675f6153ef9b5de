"""Training rows of all symbols, read from storage one symbol at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.streaming import StreamedProblem
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import SampleWeights, TargetSpec
from ray_pipeline.samples.walk import is_trainable
from ray_pipeline.statistics.folds import Fold, train_rows
from ray_pipeline.statistics.uniqueness import average_uniqueness
from ray_pipeline.storage import RunDirectory

__all__ = ["PooledStream", "StreamSpec", "StreamedRows"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """The rows that pooled models are trained on, beyond those of the shared pool.

    Attributes
    ----------
    tables
        What `ray_pipeline.samples.pool.write_slice` wrote for each symbol, in symbol order.
    frame
        The frame that it wrote them by: its features and targets number the columns.
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

    Labels, masks and weights are in memory (17 to 25 bytes a row), features are not.
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
    ) -> tuple[StreamedProblem, Span] | None:
        """Return the target's problem on the purged rows before a fold, or on all rows.

        None where the rows are too few to train on.
        """
        frame = self._spec.frame
        end = f"end_{target.horizon_bars}"
        label = f"y_{frame.request.targets.index(target.name)}"
        tables: list[str] = []
        kept: list[NDArray[np.bool_]] = []
        labels: list[Floats] = []
        weights: list[Floats] = []
        spans: list[Span] = []
        where: list[NDArray[np.int64]] = []
        for name in self._spec.tables:
            table = self._run.read_table(name, ("position", end, label))
            y, ends = table.column(label).to_numpy(), table.column(end).to_numpy()
            usable = np.isfinite(y)
            if fold is not None:
                usable &= train_rows(ends, fold, frame.embargo)
            if usable.any():
                positions = table.column("position").to_numpy()[usable]
                tables.append(name)
                kept.append(usable)
                labels.append(y[usable])
                where.append(positions)
                if sample_weights == "average_uniqueness":
                    weights.append(average_uniqueness(positions, ends[usable]))
                spans.append(Span(int(positions[0]), int(positions[-1])))
        if not labels:
            return None
        y = np.concatenate(labels)
        if not is_trainable(y, target.task):
            return None
        place = {name: f"x_{j}" for j, name in enumerate(frame.request.features)}
        rows = StreamedRows(
            run=self._run,
            tables=tuple(tables),
            kept=tuple(kept),
            columns=tuple(place[name] for name in features),
            block_rows=tuple(len(part) for part in labels),
        )
        span = Span(min(s.first for s in spans), max(s.last for s in spans))
        weight = np.concatenate(weights) if weights else None
        if weight is not None:
            weight /= weight.mean()
        return StreamedProblem(rows, y, target.task, seed, weight, np.concatenate(where)), span
