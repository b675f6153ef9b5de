"""Findings about a column of numbers, counted block by block."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.rows import Rows
from ray_pipeline.records import LARGEST_VALUE
from ray_pipeline.wording import agreeing, plural

__all__ = ["ColumnTally"]

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

_MAX_LISTED_VALUES = 12


class ColumnTally:
    """Findings about a column of numbers, collected block by block.

    Parameters
    ----------
    name
        Of the column, for messages.
    lists_values
        Whether to collect its distinct values.

    Attributes
    ----------
    n_missing
        Cells without a value, including those that are infinite or beyond `LARGEST_VALUE`.
    """

    def __init__(self, name: str, *, lists_values: bool = False) -> None:
        self.name = name
        self.n_missing = 0
        self._n_rows = 0
        self._n_infinite = 0
        self._n_outside = 0
        self._first_outside: tuple[int, float] | None = None
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
            Their positions among all rows of the column, increasing within a slice.
        """
        beyond = np.abs(values) > LARGEST_VALUE
        if beyond.any():
            self._add_beyond(np.where(beyond, values, np.nan), rows)
            values = np.where(beyond, np.nan, values)
        n_missing = int(np.count_nonzero(np.isnan(values)))
        self._n_rows += len(values)
        self.n_missing += n_missing
        if n_missing == len(values):
            return
        lowest, highest = float(np.fmin.reduce(values)), float(np.fmax.reduce(values))
        self._lowest = min(lowest, self._lowest)
        self._highest = max(highest, self._highest)
        if self._lowest == self._highest:
            self._first = _earlier(self._first, _first_value(values, rows))
        self._list(values)

    @property
    def n_present(self) -> int:
        """Cells with a value."""
        return self._n_rows - self.n_missing

    @property
    def only_value(self) -> float | None:
        """The value of a column with only one distinct value in at least two cells."""
        if self.n_present > 1 and self._lowest == self._highest and self._first:
            return self._first[1]
        return None

    @property
    def few_values(self) -> tuple[float, ...] | None:
        """The sorted distinct values, or None if there are more than 12."""
        return None if self._listed is None else tuple(map(float, self._listed))

    def findings(self) -> list[QualityFinding]:
        """Report invalid cells, and a column with no value or only one."""
        name, found = self.name, []
        if self._n_infinite:
            message = (
                f"{plural(self._n_infinite, 'infinite cell')} of {name!r} "
                f"{agreeing(self._n_infinite, 'is', 'are')} treated as missing"
            )
            found.append(QualityFinding("infinite_values", name, self._n_infinite, message))
        if self._first_outside is not None:
            message = (
                f"{plural(self._n_outside, 'cell')} of {name!r} "
                f"{agreeing(self._n_outside, 'is', 'are')} beyond ±{LARGEST_VALUE:g}, the first is "
                f"{self._first_outside[1]:g}; {agreeing(self._n_outside, 'it is', 'they are')} "
                "treated as missing"
            )
            found.append(QualityFinding("out_of_range", name, self._n_outside, message))
        if self._n_rows and not self.n_present:
            message = f"{name!r} has no value in any row"
            found.append(QualityFinding("all_missing", name, self._n_rows, message))
        if self.only_value is not None:
            message = f"{name!r} is {self.only_value:g} wherever it has a value"
            found.append(QualityFinding("constant_column", name, self.n_present, message))
        return found

    def _add_beyond(self, values: _Floats, rows: Rows) -> None:
        """Count cells that are not values; `values` has NaN for all others."""
        infinite = np.isinf(values)
        self._n_infinite += int(np.count_nonzero(infinite))
        outside = np.where(infinite, np.nan, values)
        n_outside = int(np.count_nonzero(~np.isnan(outside)))
        if n_outside:
            self._n_outside += n_outside
            self._first_outside = _earlier(self._first_outside, _first_value(outside, rows))

    def _list(self, values: _Floats) -> None:
        # A real-valued target is recognised in its first rows; sorting all of it would be wasted.
        for part in (values[:1_000], values):
            if self._listed is not None:
                # Adding 0 turns −0 into 0: otherwise chance would decide which one represents both.
                present = part[~np.isnan(part)].astype(np.float64) + 0.0
                listed = np.unique(np.concatenate([self._listed, present]))
                self._listed = listed if len(listed) <= _MAX_LISTED_VALUES else None


def _earlier(one: tuple[int, float] | None, other: tuple[int, float]) -> tuple[int, float]:
    return other if one is None else min(one, other)


def _first_value(values: _Floats, rows: Rows) -> tuple[int, float]:
    """Return the position and value of the first cell with a value."""
    present = np.flatnonzero(~np.isnan(values))
    if isinstance(rows, slice):
        first = present[0]
        return int(rows.start + first), float(values[first])
    first = present[np.argmin(rows[present])]
    return int(rows[first]), float(values[first])
