"""The interface for reading a symbol's columns, from files or from a table in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from ray_pipeline.panel.timestamps import FileTimes

__all__ = ["ColumnReader"]


class ColumnReader(Protocol):
    """Columns of one symbol, wherever they are; see `PartitionReader` for each member."""

    columns: tuple[tuple[str, str], ...]
    n_rows: int

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read columns."""
        ...

    def read_timed(
        self, time_column: str, columns: Sequence[str]
    ) -> tuple[list[FileTimes], pa.Table]:
        """Read columns, and the times in each file's own type."""
        ...

    def blocks(
        self, columns: Sequence[str], max_cells: int | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        """Read columns, some rows at a time."""
        ...
