"""The group of each row, such as its symbol's sector at the time: which symbols are compared.

The groups of a symbol come from a column of its own files or, if these lack it, from the table of
``data.universe``. They may change over time: each row has the group that it had then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.records import GroupSpans

__all__ = ["RowGroups"]

NONE = -1

_LARGEST_WHOLE = 2.0**53
"""Limit up to which floating-point numbers represent every integer."""

MOST_RUNS = 1_000
"""Maximum runs of a symbol that an inspection records."""


@dataclass(frozen=True, slots=True, eq=False)
class RowGroups:
    """Groups of rows by their names.

    Attributes
    ----------
    names
        Of the groups, sorted.
    codes
        int32 (n_rows,): index of each row's group in `names`, −1 if it has none.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int32]

    @classmethod
    def none(cls, n_rows: int) -> RowGroups:
        """Return rows that have no group."""
        return cls((), np.full(n_rows, NONE, dtype=np.int32))

    @classmethod
    def from_column(cls, column: pa.ChunkedArray, subject: str) -> RowGroups:
        """Take a column of text or of whole numbers; nulls, NaN and empty text are not a group.

        Parameters
        ----------
        subject
            The faulty object, for the message.

        Raises
        ------
        DataError
            When it holds something else.
        """
        kind = column.type
        if pa.types.is_dictionary(kind):
            return cls.joined([cls._from_dictionary(chunk, subject) for chunk in column.chunks])
        if pa.types.is_null(kind):
            return cls.none(len(column))
        if pa.types.is_floating(kind):
            values = column.to_numpy()
            known = np.isfinite(values)
            is_whole = (np.abs(values) <= _LARGEST_WHOLE) & (values == np.round(values))
            if not is_whole[~np.isnan(values)].all():
                raise DataError(_not_groups(subject, f"{kind} that is not whole throughout"))
            whole = np.where(known, values, 0.0).astype(np.int64)
            column = pa.chunked_array([pa.array(whole, mask=~known)])
        elif not (_is_text(kind) or pa.types.is_integer(kind)):
            raise DataError(_not_groups(subject, str(kind)))
        texts = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
        texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.large_string()), texts)
        names = pc.unique(texts).drop_null().sort()
        found = pc.fill_null(pc.index_in(texts, value_set=names), NONE)
        # A missing text would be found at a null among the names, of which there is none.
        return cls(tuple(names.to_pylist()), found.to_numpy().astype(np.int32))

    @classmethod
    def _from_dictionary(cls, chunk: pa.DictionaryArray, subject: str) -> RowGroups:
        values = cls.from_column(pa.chunked_array([chunk.dictionary]), subject)
        codes = np.append(values.codes, np.int32(NONE))  # the last place is that of a null
        places = pc.fill_null(chunk.indices.cast(pa.int64()), len(values.codes)).to_numpy()
        return cls(values.names, codes[places])

    @classmethod
    def from_spans(cls, spans: GroupSpans, time_ns: NDArray[np.int64]) -> RowGroups:
        """Look up timestamps, shape (n_rows,), in sorted, disjoint spans.

        Examples
        --------
        >>> spans = ((0, 10, "Energy"), (10, 20, "Banks"))
        >>> found = RowGroups.from_spans(spans, np.array([5, 10, 20]))
        >>> found.names, found.codes.tolist()
        (('Banks', 'Energy'), [1, 0, -1])
        """
        names = tuple(sorted({name for _, _, name in spans}))
        if not spans:
            return cls.none(len(time_ns))
        starts, ends = (np.array([span[i] for span in spans], dtype=np.int64) for i in (0, 1))
        numbers = np.array([names.index(name) for _, _, name in spans], dtype=np.int32)
        place = np.searchsorted(starts, time_ns, side="right") - 1
        inside = (place >= 0) & (time_ns < ends[place])
        return cls(names, np.where(inside, numbers[place], np.int32(NONE)).astype(np.int32))

    @classmethod
    def joined(cls, parts: Sequence[RowGroups]) -> RowGroups:
        """Concatenate the rows of several."""
        names = tuple(sorted({name for part in parts for name in part.names}))
        place = {name: i for i, name in enumerate(names)}
        codes = [np.empty(0, dtype=np.int32)]
        for part in parts:
            # The last place is that of −1.
            numbers = np.array([*(place[name] for name in part.names), NONE], dtype=np.int32)
            codes.append(numbers[part.codes])
        return cls(names, np.concatenate(codes))

    @property
    def n_missing(self) -> int:
        """Rows without a group."""
        return int((self.codes < 0).sum())

    def at(self, rows: slice | NDArray[np.int64] | NDArray[np.bool_]) -> RowGroups:
        """Return the groups of some rows."""
        return RowGroups(self.names, self.codes[rows])

    def runs(self, time_ns: NDArray[np.int64]) -> tuple[tuple[int, str | None], ...]:
        """Return when each run of rows of one group begins, with its name (None: no group).

        With more than `MOST_RUNS`, only that many, evenly spaced: they only serve to describe group
        sizes.

        Parameters
        ----------
        time_ns
            Times of the rows, ascending, shape (n_rows,).
        """
        begins = np.flatnonzero(np.diff(self.codes, prepend=-2))
        if len(begins) > MOST_RUNS:
            begins = begins[np.linspace(0, len(begins) - 1, MOST_RUNS).astype(np.int64)]
        names = (*self.names, None)  # the last place is that of −1
        codes = self.codes[begins].tolist()
        return tuple(
            (time, names[code]) for time, code in zip(time_ns[begins].tolist(), codes, strict=True)
        )

    def to_arrow(self) -> pa.DictionaryArray:
        """Return a column of text, null where a row has no group."""
        codes = pa.array(self.codes, mask=self.codes < 0)
        return pa.DictionaryArray.from_arrays(codes, pa.array(self.names, pa.string()))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _not_groups(subject: str, found: str) -> str:
    return (
        f"{subject} is {found}; groups must be text or whole numbers. Name another column, or "
        "write the groups as text."
    )
