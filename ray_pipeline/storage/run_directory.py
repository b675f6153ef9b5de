"""The run directory: every file of a run by its name, written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.errors import DamagedFileError, RunDirectoryError, StorageError
from ray_pipeline.records import PartitionFile, WrittenFile
from ray_pipeline.storage.checksums import (
    is_collected,
    note_written,
    written_bytes,
    written_file,
)
from ray_pipeline.storage.documents import check_document, parse_json, strict_json
from ray_pipeline.storage.failures import storage_errors
from ray_pipeline.storage.filesystems import (
    FileSystem,
    absolute_uri,
    is_local,
    join,
    open_filesystem,
    refuse_credentials,
)
from ray_pipeline.storage.listing import list_entries, list_files, list_names
from ray_pipeline.storage.local_store import is_temporary, remove_temporary
from ray_pipeline.storage.parquet_ranges import column_ranges
from ray_pipeline.storage.parquet_writing import repetitive_columns, table_bytes
from ray_pipeline.storage.ranged_file import RangedFile
from ray_pipeline.storage.stores import ObjectStore, store_of
from ray_pipeline.storage.units import UnitRecords

__all__ = ["RunDirectory"]

# Inside the class below, `list` is a method.
Names: TypeAlias = list[str]

Columns: TypeAlias = Sequence[str] | Callable[[pa.Schema], Sequence[str]]

_N_THREADS = 32
_N_AHEAD = 16


class RunDirectory:
    """The files of one run, by names relative to its directory.

    It opens its filesystem when first used and travels between processes as URI and options,
    so each worker reads and writes with its own client and credentials.

    Parameters
    ----------
    uri
        Local path (made absolute, since workers have other working directories) or fsspec URI.
    storage_options
        As for `open_filesystem`: a credential among them is a `ConfigError`.

    Notes
    -----
    Local files are written beside their target, synced, and renamed over it; an object store
    takes each object in one put. Either way a reader sees the old content or the new.
    The methods raise `RunDirectoryError` with the address in its message, and
    `DamagedFileError` where a file can be read but holds something else than it should.
    """

    def __init__(
        self, uri: str | os.PathLike[str], storage_options: Mapping[str, object] | None = None
    ) -> None:
        self._uri = absolute_uri(uri)
        self._storage_options = dict(storage_options or {})
        refuse_credentials(self._storage_options)  # before they could be pickled
        self._opened: tuple[FileSystem, str] | None = None

    def __repr__(self) -> str:
        """Name the directory."""
        return f"RunDirectory({self._uri!r})"

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open filesystem behind."""
        return self.__dict__ | {"_opened": None}

    @property
    def uri(self) -> str:
        """Address of the directory, without a trailing slash."""
        return self._uri

    def below(self, folder: str) -> RunDirectory:
        """Return a folder of the directory as a run directory of its own."""
        return RunDirectory(join(self._uri, folder), self._storage_options)

    @property
    def is_local(self) -> bool:
        """Whether it is on a disk of this machine, or one that looks like it."""
        return is_local(self._open()[0])

    @property
    def units(self) -> UnitRecords:
        """The finished units of work, which resuming reads."""
        return UnitRecords(self)

    def exists(self, name: str) -> bool:
        """Whether a file of this name is there (a folder is not a file)."""
        with self._file("look for", name) as (store, path):
            return store.exists(path)

    def list(self, prefix: str = "") -> Names:
        """Name the files in the folder `prefix` (or the file of that name), sorted.

        Temporary files that an interrupted write left behind are not listed.
        """
        fs, root = self._open()
        path = self._locate(prefix)[1] if prefix else root
        files = list_files(fs, path)
        names = [file.path[len(root) + 1 :] for file in files if not is_temporary(file.path)]
        return names or ([prefix.strip("/")] if prefix and self.exists(prefix) else [])

    def names_in(self, folder: str) -> Names:
        """Name the files directly in a folder, sorted and without the folder."""
        fs, path = self._locate(folder)
        names = list_names(fs, path)
        return [name for name in names if name[-1] != "/" and not is_temporary(name)]

    def size_bytes(self) -> int:
        """Bytes of all files in the directory that can be looked at."""
        return sum(each.size_bytes for each in list_entries(*self._open()).entries)

    def listed(self, folder: str) -> dict[str, PartitionFile]:
        """Say what a listing tells of the files below a folder, by name."""
        fs, path = self._locate(folder)
        root = self._open()[1]
        return {file.path[len(root) + 1 :]: file for file in list_files(fs, path)}

    def difference(
        self, name: str, written: WrittenFile, listed: PartitionFile | None = None
    ) -> str | None:
        """Say how a file differs from what was written, None where it does not.

        Parameters
        ----------
        listed
            What a listing says of it, if one does. An object whose version there is the MD5 of
            what was written is not read; a file on a disk is.
        """
        if listed is not None and listed.size_bytes != written.size_bytes:
            return f"has {listed.size_bytes} bytes, {written.size_bytes} were written"
        if listed is not None and listed.version == written.md5:
            return None
        with self._file("read", name) as (store, path):
            found = store.describe(path, written)
        if found is None:
            return "is gone"
        if found.size_bytes != written.size_bytes:
            return f"has {found.size_bytes} bytes, {written.size_bytes} were written"
        return None if found == written else "is not as it was written: its checksum does not agree"

    def remove(self, prefix: str) -> None:
        """Remove the folder `prefix` with all in it, or the file of that name, if there."""
        with self._file("remove", prefix) as (store, path):
            if os.path.isdir(path) and is_local(self._open()[0]):
                shutil.rmtree(path)
                return
            paths = [self._locate(name)[1] for name in self.list(prefix)]
            with ThreadPoolExecutor(_N_THREADS) as pool:
                list(pool.map(store.remove, paths))

    def remove_temporary(self) -> None:
        """Remove what writes that were killed left among the results, on a local disk.

        Units are left alone, and so is the lease, which is being renewed meanwhile.
        """
        fs, root = self._open()
        if is_local(fs):  # elsewhere an object is there whole or not at all
            remove_temporary(root, {"units"}, ".driver.json")

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        with self._file("write", name) as (store, path):
            store.write(path, content)
        if is_collected(self._uri):
            note_written(self._uri, name, written_bytes(content))

    def swap_bytes(self, name: str, seen: bytes | None, content: bytes) -> bool:
        """Write a file if it still holds what was seen (None: if it is not there).

        Returns
        -------
        bool
            Whether it was written. Two machines can both be told so on a network disk without
            locks, or a store that ignores conditions on puts: code that relies on what was written
            has to read it again later.
        """
        with self._file("write", name) as (store, path):
            return store.swap(path, seen, content)

    def read_bytes(self, name: str) -> bytes:
        """Read a whole file."""
        with self._file("read", name) as (store, path):
            content = store.find(path)
            if content is None:
                raise FileNotFoundError(path)
            return content

    def find_bytes(self, name: str) -> bytes | None:
        """Read a whole file; None where there is none."""
        with self._file("read", name) as (store, path):
            return store.find(path)

    def write_text(self, name: str, text: str) -> None:
        """Write text as UTF-8."""
        self.write_bytes(name, text.encode())

    def read_text(self, name: str) -> str:
        """Read UTF-8 text."""
        content = self.read_bytes(name)
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise DamagedFileError(f"{self._address(name)} is not UTF-8 text: {error}.") from error

    def write_json(self, name: str, value: object) -> None:
        """Write strict JSON: keys sorted, NaN and infinities as null (see `strict_json`)."""
        self.write_text(name, strict_json(value))

    def read_json(self, name: str) -> Any:
        """Read JSON, including the NaN of unit records."""
        content = self.read_bytes(name)
        try:
            return parse_json(content)
        except ValueError as error:
            raise DamagedFileError(f"{self._address(name)} is not valid JSON: {error}.") from error

    def read_document(self, name: str, *, finite: bool = True) -> Any:
        """Read JSON that `write_json` wrote: see `check_document` for what it never holds."""
        value = self.read_json(name)
        try:
            check_document(value, finite=finite)
        except ValueError as error:
            raise DamagedFileError(f"{self._address(name)} cannot be used: {error}.") from error
        return value

    def write_table(self, name: str, table: pa.Table) -> None:
        """Write a table as Parquet that depends on nothing but its columns and values."""
        with storage_errors("write", self._address(name)):
            content = table_bytes(table)
        self.write_bytes(name, content)

    def write_tables(self, name: str, schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
        """Write many tables of one schema as one Parquet file, holding one of them at a time.

        The file is built on the local disk, then put in its place whole.
        """
        repeated = repetitive_columns(schema)
        with tempfile.TemporaryDirectory() as folder:
            local = os.path.join(folder, "table.parquet")
            with pq.ParquetWriter(
                local, schema, compression="zstd", use_dictionary=repeated
            ) as writer:
                for table in tables:
                    writer.write_table(table.select(schema.names).cast(schema))
            with self._file("write", name) as (store, path):
                store.write_from(path, local)
            if is_collected(self._uri):
                note_written(self._uri, name, written_file(local))

    def copy(self, name: str, to: str) -> None:
        """Copy a file within the directory, on the store's side where it can."""
        with self._file("copy", name) as (store, path):
            store.copy(path, self._locate(to)[1])

    def link(self, name: str, to: str) -> None:
        """Give a file a second name, where the disk can; else copy it.

        Neither name's content changes with the other's: files are replaced, never written into.
        """
        with self._file("copy", name) as (store, path):
            store.link(path, self._locate(to)[1])

    def describe(self, name: str) -> WrittenFile:
        """Say size and checksums of a file, which is read for it."""
        with self._file("read", name) as (store, path):
            found = store.describe(path)
            if found is None:
                raise FileNotFoundError(path)
            return found

    def read_table(self, name: str, columns: Columns | None = None) -> pa.Table:
        """Read a Parquet table, or some of its columns, in the order given.

        Parameters
        ----------
        columns
            Their names, or what chooses them when it is given the schema of the file.
        """
        return self._decoded(name, self._content(name), columns)

    def read_tables(self, names: Iterable[str]) -> Iterator[pa.Table]:
        """Read tables one after the other.

        On an object store the ends of those that follow, which of small tables is all, are
        fetched meanwhile: of a whole table no more than one is held.
        """
        if is_local(self._open()[0]):
            yield from map(self.read_table, names)
            return
        opening: deque[tuple[str, Future[RangedFile]]] = deque()
        pool = ThreadPoolExecutor(_N_AHEAD)
        try:
            for name in names:
                opening.append((name, pool.submit(self._content, name)))
                if len(opening) > _N_AHEAD:
                    first, content = opening.popleft()
                    yield self._decoded(first, content.result())
            while opening:
                first, content = opening.popleft()
                yield self._decoded(first, content.result())
        finally:
            pool.shutdown(cancel_futures=True)

    @contextmanager
    def open_table(self, name: str) -> Iterator[pq.ParquetFile]:
        """Open a Parquet file for reading it in pieces.

        A file by its handle, never by its path: a reader that sees ``symbol=0700`` in a path
        adds a column of that name.
        """
        with self._parsed(name, self._content(name)) as file:
            yield file

    def _content(self, name: str) -> RangedFile:
        with self._file("read", name) as (store, path):
            return RangedFile(store.open(path), lambda: storage_errors("read", self._address(name)))

    @contextmanager
    def _parsed(self, name: str, content: RangedFile) -> Iterator[pq.ParquetFile]:
        """Give the open file; what Arrow cannot make sense of becomes a DamagedFileError.

        Failures of the store are StorageErrors by then, see `_content`.
        """
        try:
            with content, pq.ParquetFile(content, pre_buffer=True) as file:
                yield file
        except StorageError:
            raise
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            text = " ".join(str(error).split())
            raise DamagedFileError(
                f"Cannot read {self._address(name)}: it is damaged, or is not a Parquet table "
                f"({text.rstrip('.')})."
            ) from error

    def _decoded(self, name: str, content: RangedFile, columns: Columns | None = None) -> pa.Table:
        with self._parsed(name, content) as file:
            if callable(columns):
                columns = columns(file.schema_arrow)
            names = file.schema_arrow.names if columns is None else list(columns)
            missing = sorted(set(names) - set(file.schema_arrow.names))
            if missing:
                raise DamagedFileError(
                    f"{self._address(name)} has no column {', '.join(missing)}; "
                    f"it has {', '.join(file.schema_arrow.names)}."
                )
            groups = range(file.num_row_groups)
            content.fetch_ahead(column_ranges(file.metadata, groups, names))
            return file.read(columns=None if columns is None else names).select(names)

    @contextmanager
    def _file(self, action: str, name: str) -> Iterator[tuple[ObjectStore, str]]:
        """Give the store and the path of a file; what fails inside is a `RunDirectoryError`."""
        fs, path = self._locate(name)
        try:
            with storage_errors(action, self._address(name)):
                yield store_of(fs), path
        except StorageError as error:
            if type(error) is not StorageError:
                raise
            raise RunDirectoryError(str(error)) from error.__cause__

    def _open(self) -> tuple[FileSystem, str]:
        if self._opened is None:
            self._opened = open_filesystem(self._uri, self._storage_options)
        return self._opened

    def _locate(self, name: str) -> tuple[FileSystem, str]:
        parts = name.rstrip("/").split("/")
        if any(part in {"", ".", ".."} for part in parts):
            raise StorageError(f"{name!r} names no file inside the run directory {self._uri}.")
        fs, root = self._open()
        return fs, join(root, *parts)

    def _address(self, name: str) -> str:
        return join(self._uri, name)
