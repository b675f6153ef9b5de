"""The series of one symbol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ray_pipeline.errors import DataError

__all__ = ["FloatArray", "IntArray", "ValueSeries"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ValueSeries:
    """One value of one symbol over time, and further columns beside it.

    Zeros and negative values are values like all others.

    Attributes
    ----------
    time_ns : int64 (n_rows,)
        Timestamps, strictly increasing.
    value : float64 (n_rows,)
        NaN where missing.
    columns
        Further columns of the table, float64 (n_rows,) by name: those that are features as they
        are. Functions of your own read them here.

    Raises
    ------
    DataError
        When a column's shape or type differs, or time does not increase.
    """

    time_ns: IntArray
    value: FloatArray
    columns: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check shapes, types and the order of time."""
        shape = (len(self.time_ns),)
        for name, column in {"value": self.value, **self.columns}.items():
            if column.shape != shape or column.dtype != np.float64:
                raise DataError(
                    f"ValueSeries: column {name!r} is {column.dtype} of shape {column.shape}; "
                    f"float64 of shape {shape} is needed, as time_ns has."
                )
        if self.time_ns.dtype != np.int64 or not np.all(self.time_ns[1:] > self.time_ns[:-1]):
            raise DataError(
                "ValueSeries: time_ns must be int64 and increase from row to row. Sort the rows "
                "and drop duplicates."
            )

    def rows(self, start: int, stop: int) -> ValueSeries:
        """Return the rows in [start, stop), as views."""
        part = slice(start, stop)
        columns = {name: column[part] for name, column in self.columns.items()}
        return ValueSeries(self.time_ns[part], self.value[part], columns)

    def read_only(self) -> ValueSeries:
        """Return the same series as views that cannot be written to."""
        series = self.rows(0, len(self))
        for array in (series.time_ns, series.value, *series.columns.values()):
            array.flags.writeable = False
        return series

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.time_ns)
