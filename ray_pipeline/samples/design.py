"""One target's rows for fitting: of one symbol, or of the pooled panel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import SymbolRows
from ray_pipeline.records import TargetSpec, Task, View
from ray_pipeline.samples.evidence import SkillMeasure
from ray_pipeline.samples.pool import Pool
from ray_pipeline.statistics.folds import Fold

__all__ = ["Design"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Design:
    """Rows sorted by position, and by symbol within a position.

    Attributes
    ----------
    view
        Whose rows these are: those of the pool, or those of one symbol.
    symbols
        Symbols of the rows.
    feature_names
        Columns of `X`.
    X
        Features, float32, NaN = missing, shape (n_rows, n_features).
    y
        Labels, NaN = missing, shape (n_rows,).
    positions, label_ends
        Panel positions of the row and of the end of its label, shape (n_rows,).
    cells
        What each row is compared within: rows of one number are compared with each other, and with
        no others, shape (n_rows,). The numbers ascend with the positions.
    symbol_index
        Index into `symbols`, shape (n_rows,).
    span
        What a label spans in the time of the view; see `PanelFrame.span_of`.
    spacing
        Of the same time from one timestamp to the next (above 1 when sampled).
    groups
        Group of each row; None where there are none.
    """

    view: View
    symbols: tuple[str, ...]
    feature_names: tuple[str, ...]
    X: NDArray[np.float32]
    y: NDArray[np.float64]
    positions: Ints
    label_ends: Ints
    cells: Ints
    symbol_index: NDArray[np.int32]
    span: int
    spacing: float
    groups: RowGroups | None = None

    @classmethod
    def of_symbol(cls, rows: SymbolRows, target: TargetSpec, frame: PanelFrame) -> Design:
        """Return the rows of one symbol inside its membership in the universe."""
        kept = slice(None) if rows.is_member is None else rows.is_member
        positions = rows.positions[kept]
        return cls(
            view="symbol_specific",
            symbols=(rows.table.symbol,),
            feature_names=rows.table.feature_names,
            X=rows.table.features[kept],
            y=rows.target(target.name)[kept],
            positions=positions,
            label_ends=rows.label_ends(target.horizon)[kept],
            cells=positions,
            symbol_index=np.zeros(len(positions), dtype=np.int32),
            span=frame.span_of(target, "symbol_specific", rows.table.symbol),
            spacing=1.0,
            groups=None if rows.table.groups is None else rows.table.groups.at(kept),
        )

    @classmethod
    def of_pool(cls, pool: Pool, target: TargetSpec, frame: PanelFrame) -> Design:
        """Return the rows of all symbols."""
        return cls(
            view="cross_sectional",
            symbols=pool.symbols,
            feature_names=pool.feature_names,
            X=pool.X,
            y=pool.target(target.name),
            positions=pool.positions,
            label_ends=pool.ends(target.horizon),
            cells=pool.cells,
            symbol_index=pool.symbol_index,
            span=frame.span_of(target, "cross_sectional"),
            spacing=pool.spacing,
            groups=pool.groups,
        )

    def measure(self, task: Task, min_cs: int) -> SkillMeasure:
        """Return how the skill of predictions of these rows is measured."""
        return SkillMeasure(self.view, task, self.span, self.spacing, min_cs)

    def split(self, fold: Fold) -> tuple[int, int, int]:
        """Rows ``[first:start]`` may train for a test fold and ``[start:end]`` lie inside it."""
        edges = [fold.train_start, fold.test_start, fold.test_end]
        first, start, end = np.searchsorted(self.positions, edges).tolist()
        return first, start, end

    def since(self, first: int) -> Design:
        """Return the rows from one on, as views."""
        return self if first == 0 else self._at(slice(first, None))

    def until(self, end: int) -> Design:
        """Return the rows before one, as views."""
        return self._at(slice(end))

    def _at(self, kept: slice) -> Design:
        return replace(
            self,
            X=self.X[kept],
            y=self.y[kept],
            positions=self.positions[kept],
            label_ends=self.label_ends[kept],
            cells=self.cells[kept],
            symbol_index=self.symbol_index[kept],
            groups=None if self.groups is None else self.groups.at(kept),
        )
