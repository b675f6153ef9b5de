"""A symbol's table for computation: one time axis and two dense matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.newest_flaws import NewestFlaw

__all__ = ["SymbolTable"]


@dataclass(frozen=True, slots=True, eq=False)
class SymbolTable:
    """Features and targets of one symbol on its own time axis; NaN means missing.

    Attributes
    ----------
    symbol
        The symbol, as spelled in the path of its partition.
    time_ns
        int64 (n_rows,): nanoseconds since 1970 in UTC, strictly increasing.
    features
        float32 (n_rows, n_features). Never infinite.
    feature_names
        Names of the columns of ``features``.
    targets
        float64 (n_rows, n_targets). Never infinite.
    target_names
        Names of the columns of ``targets``.
    groups
        Group of each row; None if all symbols are compared with each other.
    n_bytes_read
        Stored bytes of the columns that were read for it.
    flaws
        Faults of its newest bars, if requested.

    Raises
    ------
    DataError
        When an array has another type or shape, or the time axis is not strictly increasing.

    Notes
    -----
    Two tables are equal only if they are the same object, because arrays have no truth value.
    """

    symbol: str
    time_ns: NDArray[np.int64]
    features: NDArray[np.float32]
    feature_names: tuple[str, ...]
    targets: NDArray[np.float64]
    target_names: tuple[str, ...]
    groups: RowGroups | None = None
    n_bytes_read: int = 0
    flaws: tuple[NewestFlaw, ...] = ()

    def __post_init__(self) -> None:
        """Check the invariants on which every stage relies."""
        n_rows = len(self.time_ns)
        expected = (
            ("time_ns", self.time_ns, "int64", (n_rows,)),
            ("features", self.features, "float32", (n_rows, len(self.feature_names))),
            ("targets", self.targets, "float64", (n_rows, len(self.target_names))),
        )
        for name, array, dtype, shape in expected:
            if array.dtype != np.dtype(dtype) or array.shape != shape:
                raise DataError(
                    f"symbol {self.symbol}: {name} is {array.dtype} {array.shape}; "
                    f"{dtype} {shape} is needed."
                )
        if n_rows > 1 and not bool(np.all(self.time_ns[1:] > self.time_ns[:-1])):
            raise DataError(f"symbol {self.symbol}: the time axis is not strictly increasing.")

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.time_ns)
