"""The symbol that files contain, in addition to the one in their path."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_pipeline.panel.reading import PartitionReader

__all__ = ["is_same_symbol", "own_symbols_of"]

_SYMBOL = "symbol"
_MOST = 5


def own_symbols_of(reader: PartitionReader) -> tuple[tuple[str, str], ...]:
    """Return the symbols that files contain, each with the first such file; at most five.

    A column with one value per row group is known from the footer's statistics, and not read.
    """
    found: dict[str, str] = {}
    for uri, naming, footer, read in reader.files():
        values = [] if naming.symbol is None else [naming.symbol]
        if _SYMBOL in naming.own:
            told = _told_by_footer(footer, naming.own[_SYMBOL])
            values += _distinct(read(naming.own[_SYMBOL])) if told is None else told
        for value in values:
            found.setdefault(value, uri)
        if len(found) >= _MOST:
            break
    return tuple(list(found.items())[:_MOST])


def is_same_symbol(one: str, other: str) -> bool:
    """Tell whether two spellings mean the same symbol, ignoring case, signs and leading zeros.

    Examples
    --------
    >>> is_same_symbol("BRK/B", "brk-b"), is_same_symbol("0700", "700"), is_same_symbol("S1", "S2")
    (True, True, False)
    """
    return _plain(one) == _plain(other)


def _plain(symbol: str) -> str:
    return re.sub(r"[\W_]+", "", symbol).casefold().lstrip("0")


def _told_by_footer(footer: pq.FileMetaData, column: str) -> list[str] | None:
    """Return a column's values if each row group has only one, None if footers do not say."""
    values: dict[str, None] = {}
    place = next(
        (
            j
            for j in range(footer.num_columns)
            if footer.schema.column(j).path in (column, f"{column}.list.element")
        ),
        None,
    )
    if place is None:
        return None
    for group in range(footer.num_row_groups):
        told = footer.row_group(group).column(place).statistics
        if told is None or not told.has_min_max or told.min != told.max:
            return None
        values[_text(told.min)] = None
    return list(values)


def _distinct(column: pa.ChunkedArray) -> list[str]:
    return [_text(value) for value in pc.unique(column).to_pylist() if value is not None][:_MOST]


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
