"""A table in memory, read as the files of a symbol are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ray_pipeline.panel.blocks import clean_blocks
from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.tallies import ColumnTally
from ray_pipeline.panel.timestamps import FileTimes

T0 = 1_706_711_400 * 10**9
MINUTE = 60 * 10**9


class TableReader:
    """What `clean_blocks` uses of a `PartitionReader`; a row group has `group_rows` rows."""

    def __init__(self, table: pa.Table, group_rows: int = 3) -> None:
        self._table = table
        self._group_rows = group_rows
        self.columns = tuple((field.name, str(field.type)) for field in table.schema)
        self.n_rows = table.num_rows

    def read(self, columns: Sequence[str]) -> pa.Table:
        return self._table.select(list(columns))

    def read_timed(
        self, time_column: str, columns: Sequence[str]
    ) -> tuple[list[FileTimes], pa.Table]:
        return [FileTimes("", self._table.column(time_column))], self.read(columns)

    def blocks(self, columns: Sequence[str], max_cells: int) -> Iterator[tuple[int, pa.Table]]:
        n_columns = max(1, max_cells // self._group_rows)
        for first_row in range(0, self.n_rows, self._group_rows):
            for first in range(0, len(columns), n_columns):
                some = self._table.select(list(columns[first : first + n_columns]))
                yield first_row, some.slice(first_row, self._group_rows)


@dataclass(frozen=True)
class Cleaned:
    minutes: list[int]
    columns: dict[str, list[float]]
    findings: tuple[QualityFinding, ...]

    def only(self, rule: str) -> QualityFinding:
        (found,) = [finding for finding in self.findings if finding.rule == rule]
        return found


def rows(minutes: Sequence[int | None], **columns: Any) -> pa.Table:
    """Return a table of `columns` with times so many minutes after an arbitrary first one."""
    times = [None if minute is None else T0 + minute * MINUTE for minute in minutes]
    return pa.table({"ts": pa.array(times, pa.timestamp("ns", "UTC")), **columns})


def clean(table: pa.Table, max_rows: int | None = None, group_rows: int = 3) -> Cleaned:
    """Clean a table of a time column ``ts`` and numbers, as loading and inspecting do."""
    names = [name for name in table.column_names if name != "ts"]
    reader: Any = TableReader(table, group_rows)
    plan, blocks = clean_blocks(reader, "ts", names, max_rows)
    matrix = np.full((plan.n_kept, len(names)), np.nan)
    tallies = {name: ColumnTally(name) for name in names}
    for block in blocks:
        block.write(matrix, names)
        for name in block.table.column_names:
            tallies[name].add(block.values(name), block.rows)
    found = [finding for tally in tallies.values() for finding in tally.findings()]
    return Cleaned(
        [(time - T0) // MINUTE for time in plan.time_ns.tolist()],
        {name: matrix[:, j].tolist() for j, name in enumerate(names)},
        (*plan.findings, *found),
    )
