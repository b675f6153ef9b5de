"""One target's rows for fitting: of one symbol, or of the pooled panel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel.reader import SymbolRows
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.pool import Pool
from ray_pipeline.statistics.folds import Fold

__all__ = ["Design"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Design:
    """Rows sorted by position, and by symbol within a position.

    Attributes
    ----------
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
    symbol_index
        Index into `symbols`, shape (n_rows,).
    spacing
        Panel positions from one timestamp to the next (above 1 when sampled).
    """

    symbols: tuple[str, ...]
    feature_names: tuple[str, ...]
    X: NDArray[np.float32]
    y: NDArray[np.float64]
    positions: Ints
    label_ends: Ints
    symbol_index: NDArray[np.int32]
    spacing: float

    @classmethod
    def of_symbol(cls, rows: SymbolRows, target: TargetSpec) -> Design:
        """Return the rows of one symbol."""
        return cls(
            symbols=(rows.table.symbol,),
            feature_names=rows.table.feature_names,
            X=rows.table.features,
            y=rows.target(target.name),
            positions=rows.positions,
            label_ends=rows.label_ends(target.horizon_bars),
            symbol_index=np.zeros(len(rows.positions), dtype=np.int32),
            spacing=1.0,
        )

    @classmethod
    def of_pool(cls, pool: Pool, target: TargetSpec) -> Design:
        """Return the rows of all symbols."""
        return cls(
            symbols=pool.symbols,
            feature_names=pool.feature_names,
            X=pool.X,
            y=pool.target(target.name),
            positions=pool.positions,
            label_ends=pool.ends(target.horizon_bars),
            symbol_index=pool.symbol_index,
            spacing=pool.spacing,
        )

    def split(self, fold: Fold) -> tuple[int, int]:
        """Rows ``[:start]`` lie before a test fold and ``[start:end]`` inside it."""
        start, end = np.searchsorted(self.positions, [fold.test_start, fold.test_end]).tolist()
        return start, end
