"""Where two Parquet tables differ, found a batch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.storage import table_batches, type_name, unequal_values

__all__ = ["compare_tables"]

_IDENTIFYING = ("ts", "target", "view", "symbol", "feature", "test", "family", "fold")
"""Columns that tell a person which row is meant, where a table has them."""


def compare_tables(a: pq.ParquetFile, b: pq.ParquetFile) -> dict[str, Any]:
    """Compare two tables by column and by position of the row.

    Returns
    -------
    dict
        ``n_rows`` of either table. ``columns``: those only in one, ``types`` that differ, and
        whether the ``order`` does. ``first``: the first row that differs, from 0, with its
        identifying columns, and in it the first column with both values; where one table only
        has more rows than the other, the first of these, with the table it is ``only_in``.
        ``n_rows_differing`` among the rows that both have, and per column in
        ``columns_differing``.

    Notes
    -----
    Values differ when `unequal_values` says so. Columns are compared where both tables have them
    with one type.
    """
    schema_a, schema_b = a.schema_arrow, b.schema_arrow
    shared = _shared_columns(schema_a, schema_b)
    n_differing = np.zeros(len(shared), dtype=np.int64)
    n_rows_differing = start = 0
    first: dict[str, Any] | None = None
    for rows_a, rows_b in _same_rows(a, b):
        unequal = np.zeros((len(shared), rows_a.num_rows), dtype=np.bool_)
        for k, (i, j) in enumerate(shared):
            unequal[k] = unequal_values(rows_a.column(i), rows_b.column(j))
        n_differing += unequal.sum(axis=1)
        differing = np.flatnonzero(unequal.any(axis=0))
        n_rows_differing += len(differing)
        if first is None and len(differing):
            row = int(differing[0])
            column = shared[int(np.argmax(unequal[:, row]))]
            first = {"row": start + row, **_difference(rows_a, rows_b, row, column)}
        start += rows_a.num_rows
    return {
        "n_rows": {"a": a.metadata.num_rows, "b": b.metadata.num_rows},
        "columns": _compare_columns(schema_a, schema_b),
        "first": first or _first_row_in_one(a, b),
        "n_rows_differing": n_rows_differing,
        "n_columns_compared": len(shared),
        "columns_differing": [
            {"column": schema_a.names[i], "n_rows": int(n)}
            for (i, _), n in zip(shared, n_differing, strict=True)
            if n
        ],
    }


def shown(value: pa.Scalar) -> str:
    """Write a value so that its last bit or nanosecond shows."""
    kind = value.type
    if not value.is_valid:
        return "null"
    if pa.types.is_timestamp(kind):
        # Python's datetime has no nanoseconds.
        return f"{np.datetime64(value.value, kind.unit)}{f' {kind.tz}' if kind.tz else ''}"
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return f"{value.value} {kind}"
    return repr(value.as_py())


def _compare_columns(a: pa.Schema, b: pa.Schema) -> dict[str, Any]:
    types_a, types_b = ({f.name: type_name(f.type) for f in schema} for schema in (a, b))
    order_a = [name for name in a.names if name in types_b]
    order_b = [name for name in b.names if name in types_a]
    return {
        "only_in_a": [name for name in a.names if name not in types_b],
        "only_in_b": [name for name in b.names if name not in types_a],
        "types": [
            {"column": name, "a": types_a[name], "b": types_b[name]}
            for name in dict.fromkeys(order_a)
            if types_a[name] != types_b[name]
        ],
        "order": order_a != order_b,
    }


def _shared_columns(a: pa.Schema, b: pa.Schema) -> list[tuple[int, int]]:
    """Pair the positions of columns of one name and type."""
    if a.names == b.names:
        positions = [(i, i) for i in range(len(a))]
    else:
        in_b = {name: j for j, name in enumerate(b.names)}
        positions = [(i, in_b[name]) for i, name in enumerate(a.names) if name in in_b]
    return [(i, j) for i, j in positions if type_name(a.types[i]) == type_name(b.types[j])]


def _same_rows(
    a: pq.ParquetFile, b: pq.ParquetFile
) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """Yield batches of the same rows, cut alike, up to the end of the shorter table."""
    batches_a, batches_b = table_batches(a), table_batches(b)
    rows_a, rows_b = next(batches_a, None), next(batches_b, None)
    while rows_a is not None and rows_b is not None:
        n_rows = min(rows_a.num_rows, rows_b.num_rows)
        yield rows_a.slice(0, n_rows), rows_b.slice(0, n_rows)
        rows_a, rows_b = rows_a.slice(n_rows), rows_b.slice(n_rows)
        rows_a = rows_a if rows_a.num_rows else next(batches_a, None)
        rows_b = rows_b if rows_b.num_rows else next(batches_b, None)


def _difference(
    a: pa.RecordBatch, b: pa.RecordBatch, row: int, column: tuple[int, int]
) -> dict[str, Any]:
    """Describe a value that differs; a row is identified by what both tables say of it."""
    identity_a, identity_b = _identity(a, row), _identity(b, row)
    i, j = column
    return {
        "identity": {k: v for k, v in identity_a.items() if identity_b.get(k) == v},
        "only_in": None,
        "column": a.schema.names[i],
        "a": shown(a.column(i)[row]),
        "b": shown(b.column(j)[row]),
    }


def _first_row_in_one(a: pq.ParquetFile, b: pq.ParquetFile) -> dict[str, Any] | None:
    """Describe the first row past the end of the shorter table."""
    n_a, n_b = a.metadata.num_rows, b.metadata.num_rows
    if n_a == n_b:
        return None
    longer, row, only_in = (a, n_b, "a") if n_a > n_b else (b, n_a, "b")
    place = {"row": row, "identity": _identity_at(longer, row), "only_in": only_in}
    return place | {"column": None, "a": None, "b": None}


def _identity_at(file: pq.ParquetFile, row: int) -> dict[str, str]:
    for batch in table_batches(file):
        if row < batch.num_rows:
            return _identity(batch, row)
        row -= batch.num_rows
    return {}


def _identity(rows: pa.RecordBatch, row: int) -> dict[str, str]:
    positions = {name: rows.schema.get_field_index(name) for name in _IDENTIFYING}
    return {name: shown(rows.column(i)[row]) for name, i in positions.items() if i >= 0}
