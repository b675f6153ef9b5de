"""What is found in a column of numbers, counted block by block."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.rows import Rows

__all__ = ["ColumnTally"]

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_MAX_LISTED_VALUES = 12


class ColumnTally:
    """What is found in a column of numbers, block by block.

    Parameters
    ----------
    name
        Of the column, for messages.
    lists_values
        Whether its distinct values are wanted.

    Attributes
    ----------
    n_missing
        Cells without a value; infinite cells count.
    """

    def __init__(self, name: str, *, lists_values: bool = False) -> None:
        self.name = name
        self.n_missing = 0
        self._n_rows = 0
        self._n_infinite = 0
        self._n_overflowing = 0
        self._lowest = np.inf
        self._highest = -np.inf
        self._first: tuple[int, float] | None = None
        self._listed: NDArray[np.float64] | None = np.empty(0) if lists_values else None

    def add(self, values: _Floats, rows: Rows) -> None:
        """Count the cells of a block.

        Parameters
        ----------
        values
            As `to_float` gives them.
        rows
            Their places among all rows of the column, in increasing order within a slice.
        """
        infinite = np.isinf(values)
        n_infinite = int(np.count_nonzero(infinite))
        if n_infinite:
            values = np.where(infinite, np.nan, values)
        n_missing = int(np.count_nonzero(np.isnan(values)))
        self._n_rows += len(values)
        self._n_infinite += n_infinite
        self.n_missing += n_missing
        if n_missing == len(values):
            return
        lowest, highest = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
        if max(-lowest, highest) > _FLOAT32_MAX:
            self._n_overflowing += int(np.count_nonzero(np.abs(values) > _FLOAT32_MAX))
        self._lowest = min(lowest, self._lowest)
        self._highest = max(highest, self._highest)
        if self._lowest == self._highest:
            first = _first_value(values, rows)
            self._first = first if self._first is None else min(first, self._first)
        self._list(values)

    @property
    def only_value(self) -> float | None:
        """The value of a column that has just one in all its cells, which are at least two."""
        if self._n_rows - self.n_missing > 1 and self._lowest == self._highest and self._first:
            return self._first[1]
        return None

    @property
    def few_values(self) -> tuple[float, ...] | None:
        """The distinct values, sorted, or None when there are more than 12."""
        return None if self._listed is None else tuple(map(float, self._listed))

    def findings(self) -> list[QualityFinding]:
        """Report infinite cells, and a column that has no value or only one."""
        name, found = self.name, []
        if self._n_infinite:
            message = f"{self._n_infinite} infinite cells of {name!r} are taken as missing"
            found.append(QualityFinding("infinite_values", name, self._n_infinite, message))
        n_present = self._n_rows - self.n_missing
        if self._n_rows and not n_present:
            message = f"{name!r} has no value in any row"
            found.append(QualityFinding("all_missing", name, self._n_rows, message))
        if self.only_value is not None:
            message = f"{name!r} is {self.only_value:g} wherever it has a value"
            found.append(QualityFinding("constant_column", name, n_present, message))
        return found

    def overflow_findings(self) -> list[QualityFinding]:
        """Report cells that float32, the type of the feature matrix, cannot hold."""
        n_cells = self._n_overflowing
        if not n_cells:
            return []
        message = f"{n_cells} cells of {self.name!r} are beyond float32 and are taken as missing"
        return [QualityFinding("float32_overflow", self.name, n_cells, message)]

    def _list(self, values: _Floats) -> None:
        # A real-valued target shows itself in its first rows; sorting all of it would be for
        # nothing.
        for part in (values[:1_000], values):
            if self._listed is not None:
                # Adding 0 makes −0 to 0: which of them stands for both would be chance.
                present = part[~np.isnan(part)].astype(np.float64) + 0.0
                listed = np.unique(np.concatenate([self._listed, present]))
                self._listed = listed if len(listed) <= _MAX_LISTED_VALUES else None


def _first_value(values: _Floats, rows: Rows) -> tuple[int, float]:
    """Return place and value of the first cell that has a value."""
    present = np.flatnonzero(~np.isnan(values))
    if isinstance(rows, slice):
        first = present[0]
        return int(rows.start + first), float(values[first])
    first = present[np.argmin(rows[present])]
    return int(rows[first]), float(values[first])
