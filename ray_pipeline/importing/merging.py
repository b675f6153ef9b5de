"""Rows of one symbol and year put in the order of time, of equal times the newest. No I/O."""

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
    """Rows of one file, and what became of those that were put together.

    Attributes
    ----------
    table
        Sorted by time, which is unique.
    n_repeated, n_contradicting
        Rows of the sources that a later row of the sources with the same time has replaced, and
        those of them that were not just as that one is.
    n_replaced
        Rows that were there before and were replaced by others.
    n_known
        Rows that were there before and are in the sources again, just as they are.
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
    """Put rows together.

    Parameters
    ----------
    before
        Rows that were written earlier, in the order of their unique times, or None.
    pieces
        New ones, in the order of the sources: a later row counts for more.
    schema
        Of the result; a column that a piece lacks is null there, and whole numbers may become
        fractions.

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
    """Return for each row the place of the last one with the same time."""
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
