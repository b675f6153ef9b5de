"""The bars of one symbol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ray_pipeline.errors import DataError

__all__ = ["Bars", "FloatArray"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Open, high, low, close and volume of one symbol, one row per bar.

    Rows are taken as consecutive bars: a window of 20 is the last 20 rows, whatever the clock
    says between them.

    Attributes
    ----------
    time_ns : int64 (n_rows,)
        Timestamps, strictly increasing.
    open, high, low, close, volume : float64 (n_rows,)
        NaN where missing.
    columns
        Further columns of the table, float64 (n_rows,) by name: those that are features as they
        are. Functions of your own read them here.

    Raises
    ------
    DataError
        When a column's shape or type differs, or time does not increase.
    """

    time_ns: npt.NDArray[np.int64]
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    columns: Mapping[str, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check shapes, types and the order of time."""
        expected = {"time_ns": np.int64} | dict.fromkeys(
            ("open", "high", "low", "close", "volume"), np.float64
        )
        shape = (len(self.time_ns),)
        own = {name: getattr(self, name) for name in expected} | dict(self.columns)
        for name, column in own.items():
            dtype = expected.get(name, np.float64)
            if column.shape != shape or column.dtype != dtype:
                raise DataError(
                    f"Bars: column {name!r} is {column.dtype} of shape {column.shape}; "
                    f"{np.dtype(dtype)} of shape {shape} is needed, as time_ns has."
                )
        if not np.all(self.time_ns[1:] > self.time_ns[:-1]):
            raise DataError(
                "Bars: time_ns must increase from row to row. Sort the rows and drop duplicates."
            )

    def rows(self, start: int, stop: int) -> Bars:
        """Return the bars of the rows in [start, stop), as views."""
        part = slice(start, stop)
        return Bars(
            self.time_ns[part],
            self.open[part],
            self.high[part],
            self.low[part],
            self.close[part],
            self.volume[part],
            {name: column[part] for name, column in self.columns.items()},
        )

    def read_only(self) -> Bars:
        """Return the same bars as views that cannot be written to."""
        bars = self.rows(0, len(self))
        for name in ("time_ns", "open", "high", "low", "close", "volume"):
            getattr(bars, name).flags.writeable = False
        for column in bars.columns.values():
            column.flags.writeable = False
        return bars

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.time_ns)
