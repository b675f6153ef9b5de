"""Rows of source files in output form: columns named, types unified, times in UTC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_pipeline.errors import DataError, StorageError
from ray_pipeline.importing.chunks import Extent, GroupSpan
from ray_pipeline.importing.columns import (
    TIME,
    ColumnPlan,
    FileColumns,
    Given,
    name_columns,
    wide_symbols,
    written_type,
)
from ray_pipeline.importing.sources import SourceFile
from ray_pipeline.importing.symbols import with_symbols
from ray_pipeline.importing.texts import ColumnBlock, TextHeader, read_header, text_reader
from ray_pipeline.importing.times import as_options, clock_of, read_times
from ray_pipeline.panel.reading_rules import TimeRules
from ray_pipeline.panel.source import Source
from ray_pipeline.panel.time_forms import Clock
from ray_pipeline.panel.timestamps import FileTimes
from ray_pipeline.storage import FileSystem, uri_of
from ray_pipeline.wording import some_of

__all__ = ["Look", "ReadRows", "Tally", "column_type", "look_at", "read_span"]

_ROWS_AT_ONCE = 1 << 20
_BYTES_AT_ONCE = 48 << 20
_TEXT_BLOCK_BYTES = 8 << 20
_LOOK_BYTES = 1 << 20
_TEXT_GROWTH = {None: 1, "gzip": 5, "zip": 5, "zstd": 6, "bz2": 7}
"""Ratio of the bytes of text, about what its numbers take in memory, to those of the file."""


@dataclass(slots=True)
class Tally:
    """Rows that were read, dropped (by reason), or belong to finished buckets.

    `assumed` counts the rows with an assumption, by assumption.
    """

    n_read: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    n_finished: int = 0
    assumed: dict[str, int] = field(default_factory=dict)

    def drop(self, why: str, n_rows: int) -> None:
        """Count rows that are dropped."""
        if n_rows:
            self.dropped[why] = self.dropped.get(why, 0) + n_rows

    def add(self, other: Tally) -> None:
        """Add another's counts."""
        self.n_read += other.n_read
        self.n_finished += other.n_finished
        for why, n_rows in other.dropped.items():
            self.drop(why, n_rows)
        for what, n_rows in other.assumed.items():
            self.assumed[what] = self.assumed.get(what, 0) + n_rows


@dataclass(frozen=True, slots=True)
class ReadRows:
    """Rows with their times as int64 nanoseconds in `TIME`, and their symbols."""

    table: pa.Table
    symbols: pa.DictionaryArray


@dataclass(frozen=True, slots=True)
class Look:
    """A file's columns, their types by name in the file, its size, and its times."""

    columns: FileColumns
    kinds: Mapping[str, pa.DataType]
    extent: Extent
    clock: Clock | None


def look_at(fs: FileSystem, source: SourceFile, given: Given, rules: TimeRules) -> tuple[Look, ...]:
    """Inspect a file without reading it all; if symbols are side by side, once per symbol.

    Raises
    ------
    DataError
        When the file is damaged, or has no time or symbol.
    StorageError
        When the storage fails.
    """
    uri = uri_of(fs, source.file.path)
    with _file(fs, source) as opened:
        if source.form == "parquet":
            parquet = pq.ParquetFile(opened)
            schema, footer = parquet.schema_arrow, parquet.metadata
            sizes = (footer.row_group(i).total_byte_size for i in range(footer.num_row_groups))
            extent = Extent(tuple(sizes), footer.num_rows)
            kinds = {name: schema.field(name).type for name in schema.names}
            blocks = [(each, kinds) for each in _of_parquet(schema.names, given, source, uri)]
            columns, _ = blocks[0]
            times = _first_times(parquet, columns)
        else:
            header = _header(fs, source, given)
            reader = text_reader(opened, source, header, _LOOK_BYTES, {})
            extent = Extent((source.file.size_bytes * _TEXT_GROWTH[source.codec],), None)
            first = next(iter(reader), None) or pa.RecordBatch.from_pylist([], reader.schema)
            blocks = []
            for block in header.blocks:
                columns = _of_block(block, header, given, source, uri)
                kinds = {name: first.schema.field(read).type for name, read in block.names.items()}
                blocks.append((columns, {name: _text_type(kind) for name, kind in kinds.items()}))
            times = FileTimes(
                "",
                pa.chunked_array([first[columns.time]]),
                None if columns.clock is None else pa.chunked_array([first[columns.clock]]),
            )
        clock = clock_of(times, rules, columns.time)
    return tuple(Look(columns, kinds, extent, clock) for columns, kinds in blocks)


def read_span(
    fs: FileSystem,
    source: SourceFile,
    span: GroupSpan,
    plan: ColumnPlan,
    rules: TimeRules,
    since_ns: int | None,
    tally: Tally,
) -> Iterator[ReadRows]:
    """Read some of a file's row groups, or a text file, a bounded piece at a time.

    Rows without a time or a symbol, and those before `since_ns`, are dropped and counted.

    Raises
    ------
    DataError
        When the file, which the message names, is damaged or has values of other types.
    StorageError
        When the storage fails.
    """
    uri = uri_of(fs, source.file.path)
    with _file(fs, source) as opened:
        if source.form == "parquet":
            pieces = _parquet_pieces(opened, source, span, plan, uri)
        else:
            pieces = _text_pieces(opened, source, _header(fs, source, plan.given), plan, uri)
        for columns, table in pieces:
            tally.n_read += table.num_rows
            rows = _clean(table, columns, plan, rules, since_ns, tally, uri)
            if rows is not None:
                yield rows


def _parquet_pieces(
    opened: Source, source: SourceFile, span: GroupSpan, plan: ColumnPlan, uri: str
) -> Iterator[tuple[FileColumns, pa.Table]]:
    names = pq.ParquetFile(opened).schema_arrow.names
    blocks = _of_parquet(names, plan.given, source, uri)
    columns = blocks[0]
    as_codes = list(columns.symbols)
    parquet = pq.ParquetFile(
        opened, read_dictionary=as_codes, pre_buffer=True, coerce_int96_timestamp_unit="us"
    )
    known = dict(plan.types)
    clocks = [] if columns.clock is None else [columns.clock]
    others = [file for each in blocks for name, file in each.others if name in known]
    kept = [columns.time, *clocks, *as_codes, *others]
    row_bytes = max(1, 9 * len(kept))
    batches = parquet.iter_batches(
        batch_size=min(_ROWS_AT_ONCE, max(1024, _BYTES_AT_ONCE // row_bytes)),
        row_groups=range(span.first, span.end),
        columns=kept,
    )
    for batch in batches:
        table = pa.Table.from_batches([batch])
        if len(blocks) == 1:
            yield columns, table
        for each in blocks if len(blocks) > 1 else ():
            own = table.select([each.time, *(file for name, file in each.others if name in known)])
            has_value = pc.is_valid(own.column(own.num_columns - 1))
            yield each, own.filter(has_value) if own.num_columns > 1 else own


def _of_parquet(
    names: Sequence[str], given: Given, source: SourceFile, uri: str
) -> tuple[FileColumns, ...]:
    """Name the columns of a file, or those of each symbol if each column is one."""
    if not given.wide:
        return (name_columns(names, given.columns, uri, told=source.symbol),)
    time, symbols = wide_symbols(names, given, uri)
    return tuple(
        FileColumns(time, None, None, symbol, ((given.wide, name),))
        for symbol, name in symbols.items()
    )


def _text_pieces(
    opened: Source, source: SourceFile, header: TextHeader, plan: ColumnPlan, uri: str
) -> Iterator[tuple[FileColumns, pa.Table]]:
    known = dict(plan.types)
    types: dict[str, pa.DataType] = {}
    blocks = []
    for block in header.blocks:
        columns = _of_block(block, header, plan.given, source, uri)
        as_text = [columns.time, *columns.symbols, columns.clock]
        its = {name: pa.string() for name in as_text if name is not None}
        its |= {own: column_type(known[name]) for name, own in columns.others if name in known}
        types |= {block.names[name]: kind for name, kind in its.items()}
        blocks.append((columns, {name: block.names[name] for name in its}))
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in text_reader(opened, source, header, _TEXT_BLOCK_BYTES, types):
        waiting.append(batch)
        size += batch.nbytes
        if size >= _BYTES_AT_ONCE:
            yield from _by_block(waiting, blocks)
            waiting, size = [], 0
    if waiting:
        yield from _by_block(waiting, blocks)


def _by_block(
    batches: Sequence[pa.RecordBatch],
    blocks: Sequence[tuple[FileColumns, Mapping[str, str]]],
) -> Iterator[tuple[FileColumns, pa.Table]]:
    """Give each symbol its own rows: one of several may lack rows that others have."""
    whole = pa.Table.from_batches(batches)
    for columns, names in blocks:
        table = whole.select(list(names.values())).rename_columns(list(names))
        if len(blocks) > 1:
            values = [table[name] for name in names if name != columns.time]
            if values:
                table = table.filter(reduce(pc.or_, map(pc.is_valid, values)))
        yield columns, table


def _clean(
    table: pa.Table,
    columns: FileColumns,
    plan: ColumnPlan,
    rules: TimeRules,
    since_ns: int | None,
    tally: Tally,
    uri: str,
) -> ReadRows | None:
    if table.num_rows == 0:
        return None
    n_read = table.num_rows
    table, symbols = with_symbols(table, columns, uri)
    tally.drop("no symbol", n_read - table.num_rows)
    clock = None if columns.clock is None else table[columns.clock]
    with _naming(uri):
        times = read_times(
            FileTimes("", table[columns.time], clock),
            columns.time,
            rules,
            one_symbol=columns.told is not None,
        )
    time_ns = times.time_ns
    tally.drop("no time", table.num_rows - len(time_ns))
    if len(time_ns) == 0:
        return None
    if times.rows is not None:
        there = pa.array(times.rows)
        table, symbols = table.take(there), symbols.take(there)
    for what in times.assumed:
        tally.assumed[what] = tally.assumed.get(what, 0) + len(time_ns)
    if since_ns is not None and bool((time_ns < since_ns).any()):
        is_new = time_ns >= since_ns
        tally.drop("before --since", int((~is_new).sum()))
        mask = pa.array(is_new)
        table, symbols, time_ns = table.filter(mask), _filtered(symbols, mask), time_ns[is_new]
        if table.num_rows == 0:
            return None
    in_file = dict(columns.others)
    written = [pa.chunked_array([pa.array(time_ns)])]
    for name, kind in plan.types:
        if name not in in_file or in_file[name] not in table.column_names:
            written.append(pa.chunked_array([pa.nulls(table.num_rows, column_type(kind))]))
        else:
            written.append(_cast(table[in_file[name]], column_type(kind), in_file[name], uri))
    names = [TIME, *(name for name, _ in plan.types)]
    return ReadRows(pa.table(dict(zip(names, written, strict=True))), symbols)


def _first_times(parquet: pq.ParquetFile, columns: FileColumns) -> FileTimes:
    """Return times that show the form of all of them; none are read if the type shows it."""
    kind = parquet.schema_arrow.field(columns.time).type
    if pa.types.is_temporal(kind) and columns.clock is None:
        return FileTimes("", pa.chunked_array([], kind))
    names = [name for name in (columns.time, columns.clock) if name is not None]
    batch = next(parquet.iter_batches(batch_size=1000, columns=names), None)
    if batch is None:
        return FileTimes("", pa.chunked_array([], kind))
    return FileTimes("", *(pa.chunked_array([batch[name]]) for name in names))


def _cast(column: pa.ChunkedArray, kind: pa.DataType, name: str, uri: str) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_decimal(column.type) or pa.types.is_uint64(column.type):
            return column.cast(kind, safe=False)
        return column.cast(kind)
    except pa.ArrowException as error:
        raise DataError(
            f"{uri}: column {name!r} is {column.type} there and {kind} elsewhere: "
            f"{_one_line(error)}"
        ) from error


def _header(fs: FileSystem, source: SourceFile, given: Given) -> TextHeader:
    with _file(fs, source) as opened:
        header = read_header(opened, source, given)
    if not given.wide:
        return header
    time, symbols = wide_symbols(header.names, given, uri_of(fs, source.file.path))
    blocks = tuple(
        ColumnBlock(symbol, {time: time, given.wide: name}) for symbol, name in symbols.items()
    )
    return replace(header, blocks=blocks)


def _of_block(
    block: ColumnBlock, header: TextHeader, given: Given, source: SourceFile, uri: str
) -> FileColumns:
    """Name the columns of one symbol; its path has to agree."""
    told = source.symbol
    if block.symbol is not None and told not in (None, block.symbol):
        raise DataError(
            f"{uri}: its columns are of {some_of([str(each.symbol) for each in header.blocks])}, "
            f"and --symbol-from-path reads {told}. Omit that: the header has the symbol."
        )
    return name_columns(list(block.names), given.columns, uri, told=block.symbol or told)


def _text_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a text file's column for the plan.

    Integers become float64, because a later line may have a fraction.
    """
    written = written_type(kind)
    return pa.float64() if written is not None and pa.types.is_integer(written) else kind


@contextmanager
def _file(fs: FileSystem, source: SourceFile) -> Iterator[Source]:
    uri = uri_of(fs, source.file.path)
    opened = Source(fs, source.file)
    try:
        with _naming(uri):
            yield opened
    finally:
        opened.close()


@contextmanager
def _naming(uri: str) -> Iterator[None]:
    """Name the file in errors of Arrow and of reading times."""
    try:
        yield
    except StorageError:
        raise
    except DataError as error:
        text = as_options(str(error))
        raise DataError(text if text.startswith(uri) else f"{uri}: {text}") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{uri} cannot be read: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith(".") else f"{text}."


def _filtered(symbols: pa.DictionaryArray, mask: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    plain = mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask
    return symbols.filter(
        pa.concat_arrays(plain.chunks) if isinstance(plain, pa.ChunkedArray) else plain
    )


def column_type(name: str) -> pa.DataType:
    """Return the type from its spelling in a plan."""
    if name.startswith("timestamp"):
        zone = name.partition("tz=")[2].rstrip("]")
        return pa.timestamp("ns", zone or None)
    return pa.type_for_alias(name)
