"""The groups of a symbol's rows, from a column of its files or from the universe's table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.column_reader import ColumnReader
from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.reading import PartitionReader
from ray_pipeline.panel.reading_rules import ReadingRules
from ray_pipeline.panel.rows import plan_rows
from ray_pipeline.records import GroupSpans

__all__ = ["GroupSource", "find_only_group", "group_findings", "group_source", "groups_of_rows"]

GroupSource = Literal["files", "universe", "nowhere"]
"""Source of a symbol's groups."""


def group_source(
    columns: Iterable[tuple[str, str]], spans: GroupSpans | None, column: str | None
) -> GroupSource:
    """Find the source of a symbol's groups: its own files, or else the universe's table.

    Parameters
    ----------
    columns
        (name, type) of its files' columns.
    spans, column
        As of `groups_of_rows`.
    """
    if column is None:
        return "nowhere"
    if any(name == column for name, _ in columns):
        return "files"
    return "nowhere" if spans is None else "universe"


def groups_of_rows(
    reader: ColumnReader,
    spans: GroupSpans | None,
    column: str | None,
    time_column: str,
    time_ns: NDArray[np.int64],
    rules: ReadingRules,
) -> RowGroups:
    """Return the group of each row of a symbol.

    Parameters
    ----------
    spans
        The symbol's groups in the universe's table, None if it has none.
    column
        Name of the groups; None: there are none.
    time_column, rules
        How the files' times are read.
    time_ns
        Times of the rows, a subset of those of the files, shape (n_rows,).

    Raises
    ------
    DataError
        When the column holds neither text nor whole numbers.
    """
    source = group_source(reader.columns, spans, column)
    if column is None or source == "nowhere":
        return RowGroups.none(len(time_ns))
    if source == "universe":
        return RowGroups.from_spans(spans or (), time_ns)
    if isinstance(reader, PartitionReader):
        only = find_only_group(reader, column)
        if only is not None:
            return RowGroups((only,), np.zeros(len(time_ns), dtype=np.int32))
    files, table = reader.read_timed(time_column, (column,))
    plan = plan_rows(files, time_column, None, rules)
    read = RowGroups.from_column(table.column(column), f"columns.group: column {column!r}")
    kept, places = plan.place(0, plan.n_read)
    codes = np.empty(plan.n_kept, dtype=np.int32)
    codes[places] = read.codes[kept]
    return RowGroups(read.names, codes[np.searchsorted(plan.time_ns, time_ns)])


def find_only_group(reader: PartitionReader, column: str) -> str | None:
    """Return the group of all rows, if the files' footers show that there is only one.

    For example a sector that never changes; then the column is not read.
    """
    found: set[object] = set()
    for _, naming, footer, _ in reader.files():
        if column not in naming.own:
            return None
        for number in range(footer.num_row_groups):
            told = _statistics(footer.row_group(number), naming.own[column])
            # For floating-point numbers, the bounds do not reveal NaN.
            if told is None or told.min != told.max or type(told.min) not in (str, int):
                return None
            found.add(told.min)
    if len(found) != 1:
        return None
    values = pa.chunked_array([pa.array(list(found))])
    names = RowGroups.from_column(values, f"columns.group: column {column!r}").names
    return names[0] if names else None


def _statistics(group: pq.RowGroupMetaData, column: str) -> pq.Statistics | None:
    """Return the bounds of a column without nulls in a row group, None if unknown."""
    for place in range(group.num_columns):
        found = group.column(place)
        if found.path_in_schema == column:
            told = found.statistics
            known = told is not None and told.has_min_max and told.has_null_count
            return told if known and told.null_count == 0 else None
    return None


def group_findings(groups: RowGroups, column: str | None) -> list[QualityFinding]:
    """Report rows that have no group, if the config asks for groups."""
    n_missing = groups.n_missing
    if column is None or not n_missing:
        return []
    message = (
        f"{n_missing} of {len(groups.codes)} rows have no {column}: they are not compared with "
        "other symbols"
    )
    return [QualityFinding("no_group", column, n_missing, message)]
