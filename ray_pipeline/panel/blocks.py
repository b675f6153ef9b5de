"""A symbol's clean cells, block by block: memory holds the result and one block.

A symbol of a million rows and 300 columns is 2.4 GB decoded, and its matrices are 1.2 GB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.panel.column_reader import ColumnReader
from ray_pipeline.panel.quality import QualityFinding, to_float, within_range
from ray_pipeline.panel.reading_rules import AS_THEY_ARE, ReadingRules
from ray_pipeline.panel.rows import RepeatedRows, RowPlan, Rows, plan_rows

__all__ = ["Block", "Blocks", "clean_blocks"]

_Floats: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

WHOLE_BYTES = 64 << 20
"""Decoded bytes of a symbol that is read in one go, without a separate request for its times."""

BLOCK_BYTES = 32 << 20
"""Decoded bytes of a block of a longer one, unless a single column of a row group has more.

While pyarrow decodes, it holds up to six times as much."""

_CELL_BYTES = 8
_LINE_COLUMNS = 16
"""Columns written at a time: as float32 they are one line of a processor's cache."""
_LINE_ROWS = 4096
"""Rows written at a time, whose lines stay in the cache until all columns are written."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some columns of some rows of a symbol.

    Attributes
    ----------
    table
        The cells as read.
    kept
        Rows of `table` that are kept.
    rows
        Their positions among all kept rows of the symbol.
    """

    table: pa.Table
    kept: Rows
    rows: Rows

    def values(self, name: str) -> _Floats:
        """Return the kept cells of a column as `to_float` gives them."""
        return to_float(self.table.column(name))[self.kept]

    def write(self, matrix: _Floats, columns: Sequence[str]) -> None:
        """Write cells to their positions; those beyond `LARGEST_VALUE` become NaN.

        Parameters
        ----------
        matrix
            (n_kept, n_columns), of all rows kept of the symbol.
        columns
            Names of the columns of `matrix`; columns that this block lacks are left unchanged.
        """
        # Column by column, each cell would need its own cache line: four times slower.
        here = set(self.table.column_names)
        places = [(name, j) for j, name in enumerate(columns) if name in here]
        for first in range(0, len(places), _LINE_COLUMNS):
            group = places[first : first + _LINE_COLUMNS]
            cells = [within_range(self.values(name), matrix.dtype.type) for name, _ in group]
            n_rows = len(cells[0])
            for start in range(0, n_rows, _LINE_ROWS):
                some = slice(start, min(start + _LINE_ROWS, n_rows))
                rows = _of(self.rows, some)
                for (_, j), values in zip(group, cells, strict=True):
                    matrix[rows, j] = values[some]


class Blocks:
    """The blocks of a symbol, to be iterated over once.

    Attributes
    ----------
    findings
        Findings about rows of one time, after the last block.
    """

    def __init__(self, repeated: RepeatedRows, blocks: Iterator[Block]) -> None:
        self._repeated = repeated
        self._blocks = blocks
        self.findings: tuple[QualityFinding, ...] = ()

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks, and judge rows of one time after the last."""
        yield from self._blocks
        self.findings = self._repeated.judge()


def clean_blocks(
    reader: ColumnReader,
    time_column: str,
    columns: Sequence[str],
    max_rows: int | None,
    rules: ReadingRules = AS_THEY_ARE,
) -> tuple[RowPlan, Blocks]:
    """Read columns of numbers on a strictly increasing UTC axis.

    A short symbol is read in one go. For a longer one, the times are read first, then the columns
    in blocks: one row group after the other, and some columns at a time if a row group is large.

    Parameters
    ----------
    reader
        The symbol, open until the last block has been read.
    time_column, columns
        Names of the time column and of the others.
    max_rows
        Number of newest rows to keep, None for all.
    rules
        How times are read, and which of several rows of one time is kept.

    Returns
    -------
    plan
        The rows that are kept. See `plan_rows`.
    blocks
        Every kept cell of `columns` once, in no particular order. Release each before reading the
        next, or two are in memory.

    Raises
    ------
    DataError
        When times or columns cannot be read; after the last block, when rows of one time
        contradict each other and the config does not say which counts.
    """
    if (1 + len(columns)) * reader.n_rows * _CELL_BYTES <= WHOLE_BYTES:
        files, whole = reader.read_timed(time_column, columns)
        plan = plan_rows(files, time_column, max_rows, rules)
        return plan, _blocks(plan, columns, lambda names, _: [(0, whole.select(names))])
    files, _ = reader.read_timed(time_column, ())
    plan = plan_rows(files, time_column, max_rows, rules)
    # Neighbours in a file are neighbours in a block: one range of bytes holds them.
    wanted = set(columns)
    in_file_order = [name for name, _ in reader.columns if name in wanted]
    return plan, _blocks(plan, in_file_order, reader.blocks)


def _blocks(
    plan: RowPlan,
    columns: Sequence[str],
    read: Callable[[list[str], int], Iterable[tuple[int, pa.Table]]],
) -> Blocks:
    repeated = RepeatedRows(plan)
    return Blocks(repeated, _placed(plan, columns, read, repeated))


def _placed(
    plan: RowPlan,
    columns: Sequence[str],
    read: Callable[[list[str], int], Iterable[tuple[int, pa.Table]]],
    repeated: RepeatedRows,
) -> Iterator[Block]:
    max_cells = BLOCK_BYTES // _CELL_BYTES
    # Their cells stay until all blocks of the columns are read, usually of all columns at once.
    n_columns = max(1, max_cells // max(1, len(repeated)))
    for first in range(0, len(columns), n_columns):
        for first_row, table in read(list(columns[first : first + n_columns]), max_cells):
            repeated.add(first_row, table)
            yield Block(table, *plan.place(first_row, table.num_rows))
            del table  # before the next is read
        repeated.compare()


def _of(rows: Rows, some: slice) -> Rows:
    if isinstance(rows, slice):
        return slice(rows.start + some.start, rows.start + some.stop)
    return rows[some]
