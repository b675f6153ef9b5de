"""The newest rows of some columns of a symbol, gathered from blocks that come in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel.rows import Rows

__all__ = ["NewestRows"]

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


class NewestRows:
    """The newest rows of several columns, side by side.

    Parameters
    ----------
    n_rows
        Rows of the symbol.
    names
        Of the columns.
    n_newest
        Rows to gather.

    Attributes
    ----------
    values
        float64 (min(n_rows, n_newest), n_columns), NaN where nothing was added.
    """

    def __init__(self, n_rows: int, names: Sequence[str], n_newest: int) -> None:
        self._places = {name: j for j, name in enumerate(names)}
        self._start = max(0, n_rows - n_newest)
        self.values = np.full((n_rows - self._start, len(names)), np.nan)

    def add(self, name: str, values: _Floats, rows: Rows) -> None:
        """Take the cells of a block; `rows` are their positions among all rows of the symbol."""
        column = self.values[:, self._places[name]]
        if isinstance(rows, slice):
            skipped = max(0, self._start - rows.start)
            if skipped < len(values):
                first = rows.start + skipped - self._start
                column[first : first + len(values) - skipped] = values[skipped:]
        else:
            new = rows >= self._start
            column[rows[new] - self._start] = values[new]

    def columns(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return some columns, (n_newest, len(names))."""
        return self.values[:, [self._places[name] for name in names]]
