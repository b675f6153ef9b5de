"""Reading the Parquet files of one symbol: by exact path, only the columns needed.

There is no dataset discovery and no Hive inference: a symbol folder called ``0700`` would come back
as the number 700. Files of one symbol may differ in columns and types; their union decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.errors import DataError
from ray_pipeline.panel.cells import UNION_TYPES, cast, own_type, plain_type
from ray_pipeline.panel.columns import column_kind, unified_type
from ray_pipeline.panel.fetching import FetchedPiece, ParquetSource, Piece, ahead, pieces_of
from ray_pipeline.panel.later_groups import TimedFile, later_groups
from ray_pipeline.panel.naming import (
    TIME_OF_DAY,
    Naming,
    name_columns,
    name_findings,
    require_mapped,
)
from ray_pipeline.panel.prices import columns_in_file, read_column, read_type
from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.reading_rules import AS_THEY_ARE, ReadingRules
from ray_pipeline.panel.timestamps import FileTimes
from ray_pipeline.records import PartitionFile, SymbolPartition
from ray_pipeline.storage.filesystems import FileSystem, uri_of
from ray_pipeline.storage.parquet_ranges import FOOTER_BYTES
from ray_pipeline.wording import plural, some_of

__all__ = ["PartitionReader", "naming_symbol", "read_columns"]

# Files kept open between reading the footers and the columns; a symbol with a file per hour would
# otherwise exceed the limit of open files.
_MAX_OPEN_FILES = 64
# For a store, this reads the last 64 KiB of each, which contain all of a small file.
_MAX_OPEN_OBJECTS = 1024


class PartitionReader:
    """The open files of one symbol; use it as a context manager.

    On S3 each file costs one GET for its footer and one or a few for its columns (none, if it is so
    small that it came with the footer), many of them at the same time, and all of the listed
    version.

    Parameters
    ----------
    partition
        The symbol and its files as listed.
    fs
        File system that holds them.
    rules
        The columns' names, and how they are read.

    Attributes
    ----------
    columns
        (name, Arrow type string) of the union over the files, in order of appearance. A column of
        conflicting types has a type ``mixed<…>``.
    n_rows
        Rows of all files.
    n_bytes_read
        Bytes of the columns read so far, as they lie in the files.
    findings
        Columns with other names in the files, or that only some of them have.

    Raises
    ------
    DataError
        When a file is gone, has another size than listed, is damaged, or has two columns of the
        same name. The message names the file.
    StorageError
        When the storage fails, which is worth another attempt.
    """

    def __init__(
        self, partition: SymbolPartition, fs: FileSystem, rules: ReadingRules = AS_THEY_ARE
    ) -> None:
        self._partition = partition
        self._fs = fs
        self._rules = rules
        self._namings: dict[str, Naming] = {}
        self._stack = ExitStack()
        self._open_files: dict[str, ParquetSource] = {}
        self._footers: dict[str, pq.FileMetaData] = {}
        self._schemas: dict[str, pa.Schema] = {}
        self._groups: Mapping[str, Sequence[int]] = {}
        self.n_bytes_read = 0
        self.columns: tuple[tuple[str, str], ...] = ()
        self.n_rows = 0
        self.findings: tuple[QualityFinding, ...] = ()

    def __enter__(self) -> Self:
        """Read all footers."""
        with ExitStack() as until_complete:
            until_complete.callback(self._stack.close)
            started = until_complete.enter_context(
                closing(ahead(self._partition.files, self._start_footer))
            )
            for file, source in started:
                self._look_at(file, source)
            require_mapped(self._namings.values(), self._rules.columns)
            until_complete.pop_all()
        types: dict[str, list[str]] = {}
        for schema in self._schemas.values():
            for field in schema:
                types.setdefault(field.name, []).append(str(field.type))
        self.columns = tuple((name, unified_type(seen)) for name, seen in types.items())
        every = self._footers.items()
        self._read_only({path: range(footer.num_row_groups) for path, footer in every})
        n_files = len(self._schemas)
        self.findings = name_findings(self._namings.values()) + tuple(
            QualityFinding(
                "column_missing_in_files",
                name,
                n_files - len(seen),
                f"column {name!r} is missing in {n_files - len(seen)} of "
                f"{plural(n_files, 'file')}; "
                "its cells there are missing",
            )
            for name, seen in types.items()
            if len(seen) < n_files
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all files."""
        self._stack.close()

    def leave_out_before(self, time_column: str, since_ns: int) -> None:
        """From here on, skip row groups that `later_groups` does not need, if it can tell."""
        timed = [
            TimedFile(path, footer, self._namings[path].own.get(time_column))
            for path, footer in self._footers.items()
        ]
        groups = later_groups(timed, since_ns)
        if groups is not None:
            self._read_only(groups)

    def _read_only(self, groups: Mapping[str, Sequence[int]]) -> None:
        self._groups = groups
        footers = ((self._footers[path], numbers) for path, numbers in groups.items())
        self.n_rows = sum(footer.row_group(n).num_rows for footer, some in footers for n in some)

    def _read_files(self) -> list[PartitionFile]:
        return [file for file in self._partition.files if file.path in self._groups]

    def files(
        self,
    ) -> Iterator[tuple[str, Naming, pq.FileMetaData, Callable[[str], pa.ChunkedArray]]]:
        """Yield each file's URI, names and footer, and a reader of its raw columns."""
        for file in self._partition.files:
            footer = self._footers[file.path]

            def read(column: str, file: PartitionFile = file) -> pa.ChunkedArray:
                with ParquetSource(self._fs, file, self._footers[file.path]) as source:
                    groups = range(source.parquet.metadata.num_row_groups)
                    return source.read(groups, [column], ()).column(column)

            yield uri_of(self._fs, file.path), self._namings[file.path], footer, read

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read `columns` of all files, concatenated in the order of the paths.

        Parameters
        ----------
        columns
            Names, each in at least one of the files. In a file without it its cells are null.

        Returns
        -------
        pyarrow.Table
            `columns` in the given order. Booleans and decimals are ``double``, dictionaries are
            decoded, half floats are ``float``; other types are as in `self.columns`.

        Raises
        ------
        DataError
            When no file has a column, when its types conflict, or when a file is damaged.
        """
        return pa.concat_tables([table for _, table in self.blocks(columns)])

    def read_timed(
        self, time_column: str, columns: Sequence[str]
    ) -> tuple[list[FileTimes], pa.Table]:
        """Read `columns` as `read` does, and the times of each file in the same pass.

        Returns
        -------
        files
            The time column of each file in the file's own type; nulls for a file without one.
        table
            `columns`.
        """
        types = self._types_of(columns)
        has_clock = any(TIME_OF_DAY in naming.own for naming in self._namings.values())
        of_time = (time_column, TIME_OF_DAY) if has_clock else (time_column,)
        times: dict[str, list[list[pa.ChunkedArray]]] = {f.path: [] for f in self._read_files()}
        tables = []
        wanted = list(dict.fromkeys((*of_time, *columns)))
        parts = ahead(self._parts(wanted, None), lambda part: self._start_piece(part[1], part[2]))
        with closing(parts):
            for (_, piece, _), fetched in parts:
                with closing(fetched):
                    read = fetched.read()
                own = self._namings[piece.file.path].own
                missing = pa.chunked_array([pa.nulls(piece.n_rows)])
                times[piece.file.path].append(
                    [read.column(own[name]) if name in own else missing for name in of_time]
                )
                tables.append(self._cells(read, piece, columns, types))
        files = [
            FileTimes(uri_of(self._fs, path), *map(_joined, zip(*parts, strict=True)))
            for path, parts in times.items()
        ]
        return files, pa.concat_tables(tables)

    def blocks(
        self, columns: Sequence[str], max_cells: int | None = None
    ) -> Generator[tuple[int, pa.Table]]:
        """Read `columns` of all files as `read` does, some rows at a time.

        Parameters
        ----------
        columns
            As of `read`.
        max_cells
            Maximum cells of a table, unless a single column of a row group has more. If all columns
            of a row group are too many, they come in several tables. None: all columns, of the rows
            fetched at a time.

        Yields
        ------
        first_row
            The table's first row among the rows of all files.
        table
            Some or all of `columns`.
        """
        types = self._types_of(columns)
        started = ahead(
            self._parts(columns, max_cells), lambda part: self._start_piece(part[1], part[2])
        )
        with closing(started):
            for (first_row, piece, names), fetched in started:
                with closing(fetched):
                    read = fetched.read()
                yield first_row, self._cells(read, piece, names, types)
                del read  # before the next is read

    def _parts(
        self, columns: Sequence[str], max_cells: int | None
    ) -> Iterator[tuple[int, Piece, Sequence[str]]]:
        """Cut the files into pieces, and the columns of a piece that is too large."""
        first_row = 0
        max_rows = None if max_cells is None else max_cells // max(1, len(columns))
        for file in self._read_files():
            footer, numbers = self._footers[file.path], self._groups[file.path]
            for piece in pieces_of(file, footer, max_rows, numbers):
                n_columns = len(columns)
                if max_cells is not None and piece.n_rows:
                    n_columns = max_cells // piece.n_rows
                n_columns = max(1, n_columns)
                for first in range(0, max(1, len(columns)), n_columns):
                    yield first_row, piece, columns[first : first + n_columns]
                first_row += piece.n_rows

    def _start_footer(self, file: PartitionFile) -> tuple[ParquetSource, int]:
        return ParquetSource(self._fs, file), min(file.size_bytes, FOOTER_BYTES)

    def _look_at(self, file: PartitionFile, source: ParquetSource) -> None:
        with ExitStack() as opened:
            opened.enter_context(source)
            schema = source.parquet.schema_arrow
            twice = sorted(name for name, count in Counter(schema.names).items() if count > 1)
            if twice:
                raise DataError(
                    f"{source.uri} holds two columns of the same name: {some_of(twice)}"
                )
            self._footers[file.path] = source.parquet.metadata
            naming = name_columns(schema.names, dict(self._rules.columns), source.uri)
            self._namings[file.path] = naming
            self._schemas[file.path] = pa.schema(
                (inside, read_type(inside, schema.field(own).type, naming, self._rules))
                for inside, own in naming.own.items()
            )
            limit = _MAX_OPEN_OBJECTS if source.is_remote else _MAX_OPEN_FILES
            if len(self._open_files) < limit:
                self._open_files[file.path] = source
                self._stack.push(opened.pop_all())

    def _start_piece(self, piece: Piece, columns: Sequence[str]) -> tuple[FetchedPiece, int]:
        path = piece.file.path
        fetched = FetchedPiece(
            piece,
            columns_in_file(columns, self._namings[path]),
            self._open_files.get(path) or ParquetSource(self._fs, piece.file, self._footers[path]),
            stays_open=path in self._open_files,
        )
        self.n_bytes_read += fetched.n_column_bytes
        return fetched, fetched.size_bytes

    def _cells(
        self, table: pa.Table, piece: Piece, columns: Sequence[str], types: dict[str, pa.DataType]
    ) -> pa.Table:
        """Return columns from what was read of a file, by their internal names."""
        naming = self._namings[piece.file.path]
        uri = uri_of(self._fs, piece.file.path)
        arrays = []
        for name in columns:
            target = types[name]
            if name not in naming.own:
                arrays.append(pa.nulls(piece.n_rows, target))
                continue
            subject = f"{uri}: column {name!r}"
            column = read_column(table, name, naming, self._rules, subject)
            arrays.append(cast(column, target, subject))
        return pa.table(arrays, names=list(columns))

    def _types_of(self, columns: Sequence[str]) -> dict[str, pa.DataType]:
        """Return the type in which each column is returned; refuse those without one."""
        unions = dict(self.columns)
        for name in columns:
            if name not in unions:
                raise DataError(f"no column {name!r}; found {some_of(list(unions))}.")
            if column_kind(unions[name]) == "mixed":
                raise DataError(
                    f"column {name!r} is {self._types_by_file(name)}; it needs one type. "
                    "Rewrite the file that differs."
                )
        return self._handed_over(columns)

    def _handed_over(self, columns: Sequence[str]) -> dict[str, pa.DataType]:
        """Return the type in which each column is returned, from the files' own types."""
        unions = dict(self.columns)
        found: dict[str, pa.DataType] = {}
        for schema in self._schemas.values():
            for field in schema:
                own = own_type(field.type)
                if str(own) == unions[field.name]:
                    found.setdefault(field.name, own)
            if len(found) == len(unions):
                break  # most often with the first file
        made_up = ((name, unions[name]) for name in columns if name not in found)
        found |= {name: UNION_TYPES[union] for name, union in made_up}
        return {name: plain_type(found[name]) for name in columns}

    def _types_by_file(self, name: str) -> str:
        seen: dict[str, str] = {}
        for path, schema in self._schemas.items():
            if name in schema.names:
                seen.setdefault(str(schema.field(name).type), path)
        return " and ".join(
            f"{arrow_type} in {uri_of(self._fs, path)}" for arrow_type, path in seen.items()
        )


def read_columns(
    partition: SymbolPartition,
    fs: FileSystem,
    columns: Sequence[str] | None = None,
    rules: ReadingRules = AS_THEY_ARE,
) -> pa.Table:
    """Read raw columns of a symbol (None: all of them) from all its files.

    Rows come in the order of the files' paths; nothing is sorted or cleaned. See
    `PartitionReader` for types and errors.
    """
    with PartitionReader(partition, fs, rules) as reader:
        names = [name for name, _ in reader.columns] if columns is None else columns
        return reader.read(names)


def _joined(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)


@contextmanager
def naming_symbol(symbol: str) -> Iterator[None]:
    """Put ``symbol X:`` before the message of every `DataError` raised inside."""
    try:
        yield
    except DataError as error:
        raise DataError(f"symbol {symbol}: {error}") from error
