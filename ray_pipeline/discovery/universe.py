"""Membership over time: which symbols belong to the universe, when, and to which group of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ray_pipeline.errors import ConfigError, DataError, StorageError
from ray_pipeline.groups import RowGroups
from ray_pipeline.records import GroupSpans, MembershipSpans
from ray_pipeline.storage import open_filesystem, storage_errors
from ray_pipeline.wording import iso_time

__all__ = ["Universe", "has_dates", "read_universe"]

_KEY = "data.universe"
_SYMBOL, _FROM, _TO = "symbol", "from", "to"
_ALWAYS = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class Universe:
    """When symbols are members of the universe.

    Attributes
    ----------
    uri
        The table's address, as given by the user.
    spans
        By symbol: [start, end) in nanoseconds since 1970, UTC; sorted and disjoint.
    groups
        By symbol: when it belonged to which group, if the table has the requested column of groups;
        None if not.
    others
        Further columns of the table.
    """

    uri: str
    spans: Mapping[str, MembershipSpans]
    groups: Mapping[str, GroupSpans] | None = None
    others: tuple[str, ...] = ()


def read_universe(
    uri: str, storage_options: Mapping[str, Any], group: str | None = None
) -> Universe:
    """Read a table of symbol, from and to; a symbol may have several rows.

    Both dates are included, and a date means that whole day in UTC. An empty `from` means the
    beginning of the data, an empty `to` their end.

    Parameters
    ----------
    uri
        A Parquet file, or a CSV file with a header (``.csv``, also compressed).
    storage_options
        Options of its store.
    group
        Column of groups. A table that has it may lack `from` and `to`, as a plain map from symbol
        to group.

    Raises
    ------
    ConfigError
        When the file is missing or unreadable, lacks a column, or has an invalid row. The message
        names the file, and the row if there is one.
    """
    table = _read(uri, storage_options, group)
    columns = _columns(table, uri, group)
    symbols = _texts(columns[_SYMBOL], uri)
    starts = _times(columns[_FROM], uri, _FROM, at_end=False)
    ends = _times(columns[_TO], uri, _TO, at_end=True)
    wrong = np.flatnonzero(starts >= ends)
    if len(wrong):
        row = int(wrong[0])
        raise ConfigError(
            f"{_KEY}: {uri}: row {row + 1}, {symbols[row]}: 'from' "
            f"({columns[_FROM][row].as_py()}) lies after 'to' ({columns[_TO][row].as_py()}). "
            "Correct the row."
        )
    found: dict[str, list[tuple[int, int]]] = {}
    for symbol, start, end in zip(symbols, starts.tolist(), ends.tolist(), strict=True):
        found.setdefault(symbol, []).append((start, end))
    if not found:
        raise ConfigError(f"{_KEY}: {uri} has no rows, so no symbol would be a member.")
    groups = None
    if group is not None and group in columns:
        names = _group_names(columns[group], uri, group)
        groups = _grouped(symbols, starts.tolist(), ends.tolist(), names, uri, group)
    return Universe(
        uri,
        {symbol: tuple(_joined(found[symbol])) for symbol in sorted(found)},
        groups,
        tuple(n for n in table.column_names if n.strip().lower() not in (_SYMBOL, _FROM, _TO)),
    )


def _grouped(
    symbols: list[str],
    starts: list[int],
    ends: list[int],
    names: list[str | None],
    uri: str,
    group: str,
) -> dict[str, GroupSpans]:
    """Return the sorted spans of each symbol by group; refuse a symbol with two at a time."""
    found: dict[str, list[tuple[int, int, str]]] = {symbol: [] for symbol in sorted(set(symbols))}
    for symbol, start, end, name in zip(symbols, starts, ends, names, strict=True):
        if name is not None:
            found[symbol].append((start, end, name))
    joined: dict[str, GroupSpans] = {}
    for symbol, spans in found.items():
        kept: list[tuple[int, int, str]] = []
        for start, end, name in sorted(spans):
            if kept and start <= kept[-1][1] and name == kept[-1][2]:
                kept[-1] = (kept[-1][0], max(end, kept[-1][1]), name)
            elif kept and start < kept[-1][1]:
                at = "" if start == _ALWAYS.min else f" at {iso_time(start)}"
                raise ConfigError(
                    f"{_KEY}: {uri}: {symbol} has two groups{at} in column {group!r}: "
                    f"{kept[-1][2]!r} and {name!r}. Give the rows a 'from' and a 'to' that do not "
                    "overlap."
                )
            else:
                kept.append((start, end, name))
        joined[symbol] = tuple(kept)
    return joined


def _group_names(column: pa.ChunkedArray, uri: str, name: str) -> list[str | None]:
    try:
        groups = RowGroups.from_column(column, f"{_KEY}: {uri}: column {name!r}")
    except DataError as error:
        raise ConfigError(str(error)) from error
    return [None if code < 0 else groups.names[code] for code in groups.codes.tolist()]


def _read(uri: str, storage_options: Mapping[str, Any], group: str | None) -> pa.Table:
    fs, path = open_filesystem(uri, storage_options)
    try:
        with storage_errors("read", uri), fs.open(path, "rb", compression="infer") as file:
            content = pa.BufferReader(file.read())
    except StorageError as error:
        raise ConfigError(f"{_KEY}: {error}") from error
    try:
        if ".csv" not in path.rpartition("/")[2].lower():
            return pq.read_table(content)
        # Symbols and groups stay text: neither 0700 nor TRUE may turn into something else.
        texts = ("symbol", "Symbol", "SYMBOL", *([] if group is None else [group]))
        types = pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in texts},
            strings_can_be_null=True,
            null_values=[""],
        )
        return pa.csv.read_csv(content, convert_options=types)
    except pa.ArrowException as error:
        raise ConfigError(
            f"{_KEY}: {uri} is neither a Parquet nor a CSV file with a header: {error}"
        ) from error


def _columns(table: pa.Table, uri: str, group: str | None) -> dict[str, pa.ChunkedArray]:
    """Return the three columns, whose names may be capitalised, and that of groups if it exists.

    With groups, a column of dates may be missing, as if it were empty.
    """
    by_name = {name.strip().lower(): name for name in table.column_names}
    is_map = group in table.column_names
    needed = (_SYMBOL,) if is_map else (_SYMBOL, _FROM, _TO)
    missing = [name for name in needed if name not in by_name]
    others = [name for name in table.column_names if name.strip().lower() != _SYMBOL]
    if missing == [_FROM, _TO] and others:
        named = "" if group is None else f", and columns.group: {group} is none of its columns"
        raise ConfigError(
            f"{_KEY}: {uri} does not say when symbols belong ('from', 'to'){named}; it has "
            f"{', '.join(map(repr, table.column_names))}. A plain map from symbols to groups is "
            f"read as one if columns.group names its column, e.g. {others[-1]}; else add 'from' "
            "and "
            "'to', empty where a symbol has always belonged, or still does."
        )
    if missing:
        raise ConfigError(
            f"{_KEY}: {uri} has no column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, table.column_names)) or 'none'}. It needs 'symbol', 'from' and "
            "'to'; leave 'to' empty for symbols that still belong."
        )
    never = pa.chunked_array([pa.nulls(table.num_rows)])
    columns = {
        name: table.column(by_name[name]) if name in by_name else never
        for name in (_SYMBOL, _FROM, _TO)
    }
    if group is not None and is_map:
        columns[group] = table.column(group)
    return columns


def _texts(column: pa.ChunkedArray, uri: str) -> list[str]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise ConfigError(
            f"{_KEY}: {uri}: column 'symbol' is {column.type}; it must be text, because 0700 and "
            "700 are different symbols."
        )
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise ConfigError(f"{_KEY}: {uri}: row {row + 1} has no symbol.")
    found: list[str] = column.to_pylist()
    return found


def _times(column: pa.ChunkedArray, uri: str, name: str, *, at_end: bool) -> NDArray[np.int64]:
    """Return the start of each value's time span, or, with `at_end`, the time after its end."""
    open_end = _ALWAYS.max if at_end else _ALWAYS.min
    if pa.types.is_null(column.type):
        return np.full(len(column), open_end)
    try:
        times = column.cast(pa.timestamp("ns")).cast(pa.int64())
    except pa.ArrowException as error:
        raise ConfigError(
            f"{_KEY}: {uri}: column {name!r} is {column.type}, and does not hold dates: {error}. "
            "Give dates or timestamps, or ISO 8601 text such as 2019-06-24."
        ) from error
    if pa.types.is_integer(column.type):
        raise ConfigError(
            f"{_KEY}: {uri}: column {name!r} holds whole numbers; dates, timestamps or ISO 8601 "
            "text such as 2019-06-24 are needed."
        )
    values = np.asarray(pc.fill_null(times, pa.scalar(0)).to_numpy())
    if at_end:
        a_day = 86_400 * 10**9
        values = values + np.where(values % a_day == 0, a_day, 1)
    return np.where(np.asarray(column.is_null().to_numpy()), open_end, values)


def has_dates(spans: Iterable[MembershipSpans | None]) -> bool:
    """Tell whether memberships begin or end at all; in a plain map they never do."""
    always = ((_ALWAYS.min, _ALWAYS.max),)
    return any(each not in (None, always) for each in spans)


def _joined(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the union of spans, sorted."""
    start, end = sorted(spans)[0]
    for next_start, next_end in sorted(spans)[1:]:
        if next_start > end:
            yield start, end
            start, end = next_start, next_end
        end = max(end, next_end)
    yield start, end
