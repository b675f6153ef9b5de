"""The first pass: each symbol's own columns, on which the batch will be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.cross_section.joining import TIME
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.storage import RunDirectory

__all__ = ["BaseRows", "base_schema", "base_tables", "read_base"]


_GROUP = "group"


@dataclass(frozen=True, slots=True, eq=False)
class BaseRows:
    """Rows of one symbol within a span of time.

    Attributes
    ----------
    time_ns
        int64 (n_rows,), strictly increasing.
    features
        float32 (n_rows,) each: features are compared in the precision that every stage uses.
    labels
        float64 (n_rows,) each.
    ends_ns
        int64 (n_rows,) for each label: when its horizon ends.
    groups
        Group of each row, None where all symbols are compared with each other.
    """

    time_ns: NDArray[np.int64]
    features: tuple[NDArray[np.float32], ...]
    labels: tuple[NDArray[np.float64], ...]
    ends_ns: tuple[NDArray[np.int64], ...]
    groups: RowGroups | None = None


def base_schema(n_features: int, n_labels: int, *, is_grouped: bool) -> pa.Schema:
    """Return the columns of a symbol's base table, by number."""
    return pa.schema(
        [
            (TIME, pa.int64()),
            *((f"x_{j}", pa.float32()) for j in range(n_features)),
            *((f"y_{j}", pa.float64()) for j in range(n_labels)),
            *((f"end_{j}", pa.int64()) for j in range(n_labels)),
            *([(_GROUP, pa.string())] if is_grouped else []),
        ]
    )


def base_tables(
    table: SymbolTable, ends_ns: Sequence[NDArray[np.int64]], rows_per_group: int
) -> Iterator[pa.Table]:
    """Yield a symbol's rows, some at a time.

    Parameters
    ----------
    table
        Features and labels of the symbol.
    ends_ns
        int64 (n_rows,) for each of its labels: when its horizon ends, beyond the data where there
        is no label.
    rows_per_group
        Rows at a time: what a block of the second pass reads from the symbol.
    """
    time_ns = table.time_ns
    columns: dict[str, Any] = {TIME: time_ns}
    columns |= {f"x_{j}": column for j, column in enumerate(table.features.T)}
    columns |= {f"y_{j}": column for j, column in enumerate(table.targets.T)}
    columns |= {f"end_{j}": ends for j, ends in enumerate(ends_ns)}
    if table.groups is not None:
        columns[_GROUP] = table.groups.to_arrow().cast(pa.string())
    for start in range(0, len(time_ns), rows_per_group):
        rows = slice(start, start + rows_per_group)
        yield pa.table({name: column[rows] for name, column in columns.items()})


def read_base(run: RunDirectory, name: str, start_ns: int, stop_ns: int) -> BaseRows:
    """Read the rows of a symbol within [start_ns, stop_ns): the row groups that hold them."""
    with run.open_table(name) as file:
        # The file's footer has the first and last time of every row group.
        schema, metadata = file.schema_arrow, file.metadata
        groups = []
        for number in range(metadata.num_row_groups):
            times = metadata.row_group(number).column(0).statistics
            if times.min < stop_ns and times.max >= start_ns:
                groups.append(number)
        table = file.read_row_groups(groups, use_threads=False)
    rows = slice(*np.searchsorted(table.column(TIME).to_numpy(), [start_ns, stop_ns]))

    def columns(prefix: str) -> tuple[NDArray[Any], ...]:
        names = [name for name in schema.names if name.startswith(prefix)]
        # A view would also keep the rows of the neighbouring spans.
        return tuple(table.column(name).to_numpy()[rows].copy() for name in names)

    (time_ns,) = columns(TIME)
    of_rows = None
    if _GROUP in schema.names:
        of_rows = RowGroups.from_column(table.column(_GROUP), "the group of a row").at(rows)
    return BaseRows(time_ns, columns("x_"), columns("y_"), columns("end_"), of_rows)
