"""Membership over time: which symbols belong to the universe, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ray_pipeline.errors import ConfigError, StorageError
from ray_pipeline.records import MembershipSpans
from ray_pipeline.storage import open_filesystem, storage_errors

__all__ = ["Universe", "read_universe"]

_KEY = "data.universe"
_SYMBOL, _FROM, _TO = "symbol", "from", "to"
_ALWAYS = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class Universe:
    """Spans of time in which symbols are members.

    Attributes
    ----------
    uri
        Of the table, as the user gave it.
    spans
        By symbol: [start, end) in nanoseconds since 1970, UTC; sorted, and apart from each other.
    """

    uri: str
    spans: Mapping[str, MembershipSpans]


def read_universe(uri: str, storage_options: Mapping[str, Any]) -> Universe:
    """Read a table of symbol, from and to; a symbol may have several rows.

    Both ends belong to the membership, and a date means the whole of that day in UTC. An empty
    `from` is the beginning of the data, an empty `to` their end.

    Parameters
    ----------
    uri
        A Parquet file, or a CSV file with a header (``.csv``, also compressed).
    storage_options
        Of its store.

    Raises
    ------
    ConfigError
        When the file is missing or unreadable, lacks a column, or holds a row that makes no sense.
        The message names the file, and the row where there is one.
    """
    table = _read(uri, storage_options)
    columns = _columns(table, uri)
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
        raise ConfigError(f"{_KEY}: {uri} has no rows, so that no symbol would be a member.")
    return Universe(uri, {symbol: tuple(_joined(found[symbol])) for symbol in sorted(found)})


def _read(uri: str, storage_options: Mapping[str, Any]) -> pa.Table:
    fs, path = open_filesystem(uri, storage_options)
    try:
        with storage_errors("read", uri), fs.open(path, "rb", compression="infer") as file:
            content = pa.BufferReader(file.read())
    except StorageError as error:
        raise ConfigError(f"{_KEY}: {error}") from error
    try:
        if ".csv" not in path.rpartition("/")[2].lower():
            return pq.read_table(content)
        # Symbols stay text: neither 0700 nor TRUE may turn into something else.
        types = pa.csv.ConvertOptions(
            column_types={name: pa.string() for name in ("symbol", "Symbol", "SYMBOL")},
            strings_can_be_null=True,
            null_values=[""],
        )
        return pa.csv.read_csv(content, convert_options=types)
    except pa.ArrowException as error:
        raise ConfigError(
            f"{_KEY}: {uri} is neither a Parquet nor a CSV file with a header: {error}"
        ) from error


def _columns(table: pa.Table, uri: str) -> dict[str, pa.ChunkedArray]:
    """Return the three columns, whose names may be capitalised."""
    by_name = {name.strip().lower(): name for name in table.column_names}
    missing = [name for name in (_SYMBOL, _FROM, _TO) if name not in by_name]
    if missing:
        raise ConfigError(
            f"{_KEY}: {uri} has no column {', '.join(map(repr, missing))}; it has "
            f"{', '.join(map(repr, table.column_names)) or 'none'}. Needed are 'symbol', 'from' "
            "and 'to'; leave 'to' empty for those that still belong to it."
        )
    return {name: table.column(by_name[name]) for name in (_SYMBOL, _FROM, _TO)}


def _texts(column: pa.ChunkedArray, uri: str) -> list[str]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise ConfigError(
            f"{_KEY}: {uri}: column 'symbol' is {column.type}; text is needed, since 0700 and 700 "
            "are two symbols."
        )
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise ConfigError(f"{_KEY}: {uri}: row {row + 1} has no symbol.")
    found: list[str] = column.to_pylist()
    return found


def _times(column: pa.ChunkedArray, uri: str, name: str, *, at_end: bool) -> NDArray[np.int64]:
    """Return the start of what each value means, or with `at_end` what follows its end."""
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


def _joined(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the union of spans, sorted."""
    start, end = sorted(spans)[0]
    for next_start, next_end in sorted(spans)[1:]:
        if next_start > end:
            yield start, end
            start, end = next_start, next_end
        end = max(end, next_end)
    yield start, end
