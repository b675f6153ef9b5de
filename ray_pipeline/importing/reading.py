"""Rows of source files as they are to be written: columns named, types made one, times in UTC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from ray_pipeline.errors import DataError, StorageError
from ray_pipeline.importing.chunks import Extent, GroupSpan
from ray_pipeline.importing.columns import TIME, ColumnPlan, FileColumns, name_columns, written_type
from ray_pipeline.importing.sources import SourceFile
from ray_pipeline.importing.times import as_options, clock_of, read_times
from ray_pipeline.panel.reading_rules import TimeRules
from ray_pipeline.panel.source import Source
from ray_pipeline.panel.time_forms import Clock
from ray_pipeline.storage import FileSystem, uri_of

__all__ = ["Look", "ReadRows", "Tally", "column_type", "look_at", "read_span"]

_ROWS_AT_ONCE = 1 << 20
_BYTES_AT_ONCE = 48 << 20
_CSV_BLOCK_BYTES = 8 << 20
_LOOK_BYTES = 1 << 20
_NULLS = ["", "#N/A", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "-", "<NA>"]
_TEXT_GROWTH = {None: 1, "gzip": 5, "zstd": 6, "bz2": 7}
"""Bytes of text, which is about what its numbers take in memory, to those of the file."""


@dataclass(slots=True)
class Tally:
    """Rows that were read, those dropped by why, and those of buckets that are finished.

    `assumed` counts the rows of which something was assumed, by what.
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
        """Add the counts of another."""
        self.n_read += other.n_read
        self.n_finished += other.n_finished
        for why, n_rows in other.dropped.items():
            self.drop(why, n_rows)
        for what, n_rows in other.assumed.items():
            self.assumed[what] = self.assumed.get(what, 0) + n_rows


@dataclass(frozen=True, slots=True)
class ReadRows:
    """Rows with their times as int64 nanoseconds in `TIME`, and the symbol of each."""

    table: pa.Table
    symbols: pa.DictionaryArray


@dataclass(frozen=True, slots=True)
class Look:
    """What a file is: its columns, their types by their names in it, its size, and its times."""

    columns: FileColumns
    kinds: Mapping[str, pa.DataType]
    extent: Extent
    clock: Clock | None


def look_at(fs: FileSystem, source: SourceFile, given: Mapping[str, str], rules: TimeRules) -> Look:
    """Find out what a file is without reading it all.

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
            columns = _named(schema.names, given, uri, source)
            times = _first_times(parquet, columns.time)
        else:
            reader = _csv_reader(opened, source, _LOOK_BYTES, {})
            schema = reader.schema
            extent = Extent((source.file.size_bytes * _TEXT_GROWTH[source.codec],), None)
            columns = _named(schema.names, given, uri, source)
            first = next(iter(reader), None)
            kind = schema.field(columns.time).type
            times = pa.chunked_array([] if first is None else [first[columns.time]], kind)
        clock = clock_of(times, rules, f"time column {columns.time!r}")
    kinds = {name: _kind(schema.field(name).type, source) for name in schema.names}
    return Look(columns, kinds, extent, clock)


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
        When the file is damaged, or holds values that its columns cannot have; it is named.
    StorageError
        When the storage fails.
    """
    uri = uri_of(fs, source.file.path)
    with _file(fs, source) as opened:
        if source.form == "parquet":
            pieces = _parquet_pieces(opened, source, span, plan, uri)
        else:
            with _file(fs, source) as again:
                names = _csv_reader(again, source, _LOOK_BYTES, {}).schema.names
            pieces = _csv_pieces(opened, source, names, plan, uri)
        for columns, table in pieces:
            tally.n_read += table.num_rows
            rows = _clean(table, columns, source, plan, rules, since_ns, tally, uri)
            if rows is not None:
                yield rows


def _parquet_pieces(
    opened: Source, source: SourceFile, span: GroupSpan, plan: ColumnPlan, uri: str
) -> Iterator[tuple[FileColumns, pa.Table]]:
    given = dict(plan.given)
    names = pq.ParquetFile(opened).schema_arrow.names
    columns = _named(names, given, uri, source)
    as_codes = [] if columns.symbol is None else [columns.symbol]
    parquet = pq.ParquetFile(
        opened, read_dictionary=as_codes, pre_buffer=True, coerce_int96_timestamp_unit="us"
    )
    known = dict(plan.types)
    kept = [columns.time, *as_codes, *(file for name, file in columns.others if name in known)]
    row_bytes = max(1, 9 * len(kept))
    batches = parquet.iter_batches(
        batch_size=min(_ROWS_AT_ONCE, max(1024, _BYTES_AT_ONCE // row_bytes)),
        row_groups=range(span.first, span.end),
        columns=kept,
    )
    for batch in batches:
        yield columns, pa.Table.from_batches([batch])


def _csv_pieces(
    opened: Source, source: SourceFile, names: Sequence[str], plan: ColumnPlan, uri: str
) -> Iterator[tuple[FileColumns, pa.Table]]:
    known = dict(plan.types)
    columns = _named(names, dict(plan.given), uri, source)
    types = {columns.time: pa.string()}
    if columns.symbol is not None:
        types[columns.symbol] = pa.string()
    for name, in_file in columns.others:
        if name in known:
            types[in_file] = column_type(known[name])
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in _csv_reader(opened, source, _CSV_BLOCK_BYTES, types):
        waiting.append(batch)
        size += batch.nbytes
        if size >= _BYTES_AT_ONCE:
            yield columns, pa.Table.from_batches(waiting)
            waiting, size = [], 0
    if waiting:
        yield columns, pa.Table.from_batches(waiting)


def _clean(
    table: pa.Table,
    columns: FileColumns,
    source: SourceFile,
    plan: ColumnPlan,
    rules: TimeRules,
    since_ns: int | None,
    tally: Tally,
    uri: str,
) -> ReadRows | None:
    if table.num_rows == 0:
        return None
    table, symbols = _with_symbols(table, columns, source, tally, uri)
    one_symbol = source.symbol is not None
    with _naming(uri):
        times = read_times(table[columns.time], columns.time, rules, one_symbol=one_symbol)
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


def _with_symbols(
    table: pa.Table, columns: FileColumns, source: SourceFile, tally: Tally, uri: str
) -> tuple[pa.Table, pa.DictionaryArray]:
    if columns.symbol is None:
        codes = pa.array(np.zeros(table.num_rows, dtype=np.int32))
        return table, pa.DictionaryArray.from_arrays(codes, pa.array([source.symbol]))
    column = table[columns.symbol]
    if pa.types.is_floating(column.type) or pa.types.is_nested(column.type):
        raise DataError(
            f"{uri}: the symbol column {columns.symbol!r} is {column.type}; text or whole numbers "
            "are needed."
        )
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    symbols = column.unify_dictionaries().combine_chunks()
    if isinstance(symbols, pa.ChunkedArray):
        symbols = pa.concat_arrays(symbols.chunks)
    names = symbols.dictionary.cast(pa.string())
    symbols = pa.DictionaryArray.from_arrays(symbols.indices, names)
    is_named = symbols.is_valid()
    empty = pc.index(names, pa.scalar("")).as_py() if len(names) else -1
    if empty >= 0:
        is_named = pc.and_(is_named, pc.fill_null(pc.not_equal(symbols.indices, empty), False))
    n_unnamed = len(symbols) - int(pc.sum(is_named).as_py() or 0)
    if n_unnamed:
        tally.drop("no symbol", n_unnamed)
        return table.filter(is_named), symbols.filter(is_named)
    return table, symbols


def _first_times(parquet: pq.ParquetFile, name: str) -> pa.ChunkedArray:
    """Return times that tell what all of them are; of a type that tells, none are read."""
    kind = parquet.schema_arrow.field(name).type
    if pa.types.is_temporal(kind):
        return pa.chunked_array([], kind)
    batch = next(parquet.iter_batches(batch_size=1000, columns=[name]), None)
    return pa.chunked_array([] if batch is None else [batch[name]], kind)


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


def _named(
    names: Sequence[str], given: Mapping[str, str], uri: str, source: SourceFile
) -> FileColumns:
    return name_columns(names, given, uri, symbol_in_path=source.symbol is not None)


def _kind(kind: pa.DataType, source: SourceFile) -> pa.DataType:
    """Return a column's type for the plan.

    Numbers in text are float64: a later line may have a fraction where the first ones have none.
    """
    written = written_type(kind)
    if source.form != "parquet" and written is not None and pa.types.is_integer(written):
        return pa.float64()
    return kind


def _csv_reader(
    opened: Source, source: SourceFile, block_bytes: int, types: Mapping[str, pa.DataType]
) -> pacsv.CSVStreamingReader:
    stream = pa.PythonFile(opened, mode="r")
    if source.codec is not None:
        stream = pa.CompressedInputStream(stream, source.codec)
    return pacsv.open_csv(
        stream,
        read_options=pacsv.ReadOptions(block_size=block_bytes, use_threads=False),
        parse_options=pacsv.ParseOptions(delimiter="\t" if source.form == "tsv" else ","),
        convert_options=pacsv.ConvertOptions(
            column_types=dict(types),
            include_columns=list(types),
            null_values=_NULLS,
            strings_can_be_null=False,
            timestamp_parsers=[],
        ),
    )


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
    """Name the file in what Arrow and the reading of times complain about."""
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
    """Return the type that a plan spells."""
    if name.startswith("timestamp"):
        zone = name.partition("tz=")[2].rstrip("]")
        return pa.timestamp("ns", zone or None)
    return pa.type_for_alias(name)
