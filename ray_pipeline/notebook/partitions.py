"""Splitting a long frame into Parquet partitions, in a folder named after its content."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from ray_pipeline.config import DataConfig
from ray_pipeline.discovery.proposing import SYMBOL_KEYS
from ray_pipeline.errors import DataError, RayPipelineError
from ray_pipeline.importing.columns import FileColumns, written_type
from ray_pipeline.importing.symbols import with_symbols
from ray_pipeline.panel.naming import name_columns
from ray_pipeline.panel.roles import resolve_time_column
from ray_pipeline.storage import RunDirectory, joint_sha256, memory_table_sha256
from ray_pipeline.wording import plural, some_of

__all__ = ["SplitFrame", "split_frame", "write_partitions"]

_N_WRITING = 8
_DIGITS = 16
"""Digits of the digest in a folder's name: enough for any number of frames."""


@dataclass(frozen=True, slots=True)
class SplitFrame:
    """A frame, split by symbol.

    Attributes
    ----------
    tables
        By symbol, ordered by name; rows in time order.
    left_behind
        Columns that cannot be used, with the reason.
    """

    tables: Mapping[str, pa.Table]
    left_behind: Mapping[str, str]

    @property
    def n_rows(self) -> int:
        """Rows of all symbols."""
        return sum(table.num_rows for table in self.tables.values())


def split_frame(table: pa.Table, data: DataConfig, symbol: str | None = None) -> SplitFrame:
    """Split a table by its symbol column; the order of its rows does not matter.

    Parameters
    ----------
    data
        Names columns with unusual names.
    symbol
        Name of the symbol column; None: that of ``data.columns.symbol``, or the first with a usual
        name (symbol, ticker, asset, …).

    Raises
    ------
    DataError
        When there is no symbol or time column, rows have no symbol, or a column occurs twice.
    """
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise DataError(f"data: has {some_of(twice)} more than once; rename or drop one of them.")
    column = _symbol_column(table.column_names, data, symbol)
    time = _time_column(table, data)
    if table.num_rows == 0:
        raise DataError("data: the frame has no rows.")
    table, left_behind = _readable(table, {column, time})
    kept, symbols = with_symbols(table, FileColumns(time, column, None, None, ()), "data")
    if kept.num_rows < table.num_rows:
        raise DataError(
            f"data: {plural(table.num_rows - kept.num_rows, 'row')} of {table.num_rows:,} have no "
            f"value in the symbol column {column!r}. Drop them, or name another column."
        )
    if data.columns.get("symbol") != column:
        # The path contains it; otherwise it would count as a feature.
        kept = kept.drop_columns([column])
    return SplitFrame(_by_symbol(kept, symbols, time), left_behind)


def write_partitions(
    split: SplitFrame,
    place: RunDirectory,
    interval: str | None,
    say: Callable[[str], None],
) -> str:
    """Write missing files, and return the address of the panel.

    It is a folder of `place` named after the content: the same rows, in any order, are written only
    once, and existing files do not change.

    Parameters
    ----------
    interval
        Of the bars, for the paths; None: not in the paths.
    """
    root = f"interval={interval}/" if interval else ""
    tables = {
        f"{root}symbol={quote(symbol, safe='')}/part-0.parquet": table
        for symbol, table in split.tables.items()
    }
    digests = {name: memory_table_sha256(table).encode() for name, table in tables.items()}
    folder = place.below(joint_sha256(digests)[:_DIGITS])
    present = set(folder.list())
    missing = [name for name in tables if name not in present]
    told = f"{plural(len(tables), 'symbol')}, {plural(split.n_rows, 'row')} of data in {folder.uri}"
    say(told if missing else f"{told}, as before")
    for name, why in split.left_behind.items():
        say(f"warning: column {name!r} is left out: {why}")
    with ThreadPoolExecutor(_N_WRITING) as pool:
        list(pool.map(lambda name: folder.write_table(name, tables[name]), missing))
    return folder.uri


def _symbol_column(names: list[str], data: DataConfig, asked: str | None) -> str:
    wanted = asked or data.columns.get("symbol")
    if wanted is not None:
        if wanted not in names:
            raise DataError(f"data: no column {wanted!r} for the symbol; found {some_of(names)}.")
        return wanted
    by_case = {name.casefold(): name for name in reversed(names)}
    found = next((by_case[key] for key in SYMBOL_KEYS if key in by_case), None)
    if found is None:
        raise DataError(
            f"data: no symbol column: looked for {', '.join(SYMBOL_KEYS[:4])} and the like; found "
            f"{some_of(names)}. Name it (symbol='…'). Convert a frame with a column per symbol to "
            "the long form first (pandas: stack)."
        )
    return found


def _time_column(table: pa.Table, data: DataConfig) -> str:
    """Return the name of the time column in the frame."""
    try:
        own = name_columns(table.column_names, dict(data.column_names), "the frame").own
        kinds = [(inside, str(table.schema.field(name).type)) for inside, name in own.items()]
        return own[resolve_time_column(list(own), data.time_name, kinds)]
    except RayPipelineError as error:
        raise DataError(f"data: {error}") from error


def _readable(table: pa.Table, needed: set[str]) -> tuple[pa.Table, dict[str, str]]:
    """Return the columns in file types, and those that cannot be used."""
    left: dict[str, str] = {}
    columns: dict[str, pa.ChunkedArray] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = written_type(column.type)
        if name in needed:
            # Times and symbols have their own rules.
            is_coded = pa.types.is_dictionary(column.type)
            columns[name] = column.cast(column.type.value_type) if is_coded else column
        elif kind is None:
            left[name] = f"{column.type} is not a supported type"
        elif pa.types.is_null(kind):
            left[name] = "it has no value"
        else:
            try:
                columns[name] = column.cast(kind)
            except pa.ArrowInvalid as error:
                raise DataError(f"data: column {name!r}: {' '.join(str(error).split())}") from error
    return pa.table(columns), left


def _by_symbol(table: pa.Table, symbols: pa.DictionaryArray, time: str) -> dict[str, pa.Table]:
    codes = symbols.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    names = symbols.dictionary.to_pylist()
    keys = pa.table({"symbol": codes, "time": table[time]})
    # Stable: rows of one time keep their order.
    order = pa.compute.sort_indices(
        keys, sort_keys=[("symbol", "ascending"), ("time", "ascending")]
    ).to_numpy()
    if not np.array_equal(order, np.arange(len(order))):
        table, codes = table.take(pa.array(order)), codes[order]
    bounds = np.searchsorted(codes, np.arange(len(names) + 1))
    found = {
        name: table.slice(bounds[code], bounds[code + 1] - bounds[code])
        for code, name in enumerate(names)
        if bounds[code + 1] > bounds[code]
    }
    return {name: found[name].combine_chunks() for name in sorted(found)}
