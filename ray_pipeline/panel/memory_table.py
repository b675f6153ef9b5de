"""A table in memory, with the interface of a symbol's files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pyarrow as pa

from ray_pipeline.errors import DataError
from ray_pipeline.panel.cells import cast, own_type, plain_type
from ray_pipeline.panel.columns import unified_type
from ray_pipeline.panel.naming import TIME_OF_DAY, name_columns, require_mapped
from ray_pipeline.panel.prices import read_column, read_type
from ray_pipeline.panel.reading_rules import AS_THEY_ARE, ReadingRules
from ray_pipeline.panel.timestamps import FileTimes
from ray_pipeline.wording import some_of

__all__ = ["TableReader"]


class TableReader:
    """The columns of a table in memory, with the interface of `PartitionReader`.

    Raises
    ------
    DataError
        When it has two columns of the same name.
    """

    def __init__(self, table: pa.Table, rules: ReadingRules = AS_THEY_ARE) -> None:
        twice = sorted(name for name, count in Counter(table.column_names).items() if count > 1)
        if twice:
            raise DataError(f"the table holds two columns of the same name: {some_of(twice)}")
        self._naming = name_columns(table.column_names, dict(rules.columns), "the table")
        self._rules = rules
        self._table = table
        require_mapped([self._naming], rules.columns)
        types = {
            inside: read_type(inside, table.schema.field(own).type, self._naming, rules)
            for inside, own in self._naming.own.items()
        }
        self.columns = tuple((name, unified_type([str(kind)])) for name, kind in types.items())
        self.n_rows = table.num_rows

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return `columns`, in the types of `PartitionReader.read`."""
        arrays = []
        for name in columns:
            if name not in self._naming.own:
                raise DataError(f"no column {name!r}; found {some_of(list(self._naming.own))}.")
            subject = f"column {name!r}"
            column = read_column(self._table, name, self._naming, self._rules, subject)
            arrays.append(cast(column, plain_type(own_type(column.type)), subject))
        return pa.table(arrays, names=list(columns))

    def read_timed(
        self, time_column: str, columns: Sequence[str]
    ) -> tuple[list[FileTimes], pa.Table]:
        """Return `columns`, and the unconverted times."""
        own = self._naming.own
        times = [own[name] for name in (time_column, TIME_OF_DAY) if name in own]
        return [FileTimes("", *map(self._table.column, times))], self.read(columns)

    def blocks(
        self, columns: Sequence[str], max_cells: int | None = None
    ) -> Iterator[tuple[int, pa.Table]]:
        """Yield all rows in one block: they are already in memory."""
        del max_cells
        yield 0, self.read(columns)
