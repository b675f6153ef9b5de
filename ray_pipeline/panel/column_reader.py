"""What a symbol's columns are read by, from files or from a table in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from ray_pipeline.panel.timestamps import FileTimes

__all__ = ["ColumnReader"]


class ColumnReader(Protocol):
    """Columns of one symbol, wherever they are; `PartitionReader` says what each member gives."""

    columns: tuple[tuple[str, str], ...]
    n_rows: int

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read columns."""
        ...

    def read_timed(
        self, time_column: str, columns: Sequence[str]
    ) -> tuple[list[FileTimes], pa.Table]:
        """Read columns, and the times as each file has them."""
        ...

    def blocks(
        self, columns: Sequence[str], max_cells: int | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        """Read columns, some rows after the other."""
        ...
