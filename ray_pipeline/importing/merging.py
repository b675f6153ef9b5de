"""Rows of one symbol and year, merged in time order, the newest of equal times. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.importing.columns import TIME

__all__ = ["Merged", "merge_rows"]


@dataclass(frozen=True, slots=True)
class Merged:
    """Rows of one file, and counts of how they were merged.

    Attributes
    ----------
    table
        Sorted by unique time.
    n_repeated, n_contradicting
        Rows of the sources replaced by a later row of the sources with the same time, and how many
        of them differed from it.
    n_replaced
        Existing rows that were replaced by different ones.
    n_known
        Existing rows that are in the sources again, unchanged.
    """

    table: pa.Table
    n_repeated: int
    n_contradicting: int
    n_replaced: int
    n_known: int

    def is_as_before(self, before: pa.Table) -> bool:
        """Whether nothing has changed."""
        is_as_long = self.table.num_rows == before.num_rows and not self.n_replaced
        return is_as_long and bool(self.table.schema.equals(before.schema))


def merge_rows(before: pa.Table | None, pieces: Sequence[pa.Table], schema: pa.Schema) -> Merged:
    """Merge rows.

    Parameters
    ----------
    before
        Rows written earlier, ordered by their unique times, or None.
    pieces
        New rows, in the order of the sources: a later row takes precedence.
    schema
        Schema of the result; a column that a piece lacks is null there, and integers may become
        floats.

    """
    parts = [_fitted(piece, schema) for piece in pieces]
    n_before = 0
    if before is not None:
        parts.insert(0, _fitted(before, schema))
        n_before = before.num_rows
    table = pa.concat_tables(parts).combine_chunks()
    time_ns = table[TIME].cast(pa.int64()).to_numpy()
    if (time_ns[1:] > time_ns[:-1]).all():
        return Merged(table, 0, 0, 0, 0)
    order = np.argsort(time_ns, kind="stable")
    ordered = time_ns[order]
    is_last = np.append(ordered[1:] != ordered[:-1], [True])
    gone, winners = order[~is_last], order[_next_last(is_last)][~is_last]
    was_before = gone < n_before
    n_gone_before = int(was_before.sum())
    n_known = _n_equal(table, gone[was_before], winners[was_before]) if n_gone_before else 0
    repeated, by = gone[~was_before], winners[~was_before]
    n_same = _n_equal(table, repeated, by) if len(repeated) else 0
    return Merged(
        table.take(pa.array(order[is_last])),
        len(repeated),
        len(repeated) - n_same,
        n_gone_before - n_known,
        n_known,
    )


def _next_last(is_last: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each row the position of the last one with the same time."""
    places = np.flatnonzero(is_last)
    return np.asarray(places[np.searchsorted(places, np.arange(len(is_last)))])


def _n_equal(table: pa.Table, rows: NDArray[np.int64], others: NDArray[np.int64]) -> int:
    equal = np.ones(len(rows), dtype=bool)
    for column in table.columns:
        one, other = column.take(pa.array(rows)), column.take(pa.array(others))
        same = pc.fill_null(pc.equal(one, other), False).to_numpy()
        both_null = pc.and_(pc.is_null(one, nan_is_null=True), pc.is_null(other, nan_is_null=True))
        equal &= same | both_null.to_numpy()
    return int(equal.sum())


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    if table.schema.equals(schema):
        return table
    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
            continue
        columns.append(table[field.name].cast(field.type))
    return pa.table(columns, schema=schema)
