"""A hash of what was computed, independent of how and where it is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_pipeline.errors import DamagedFileError
from ray_pipeline.storage.batches import table_batches
from ray_pipeline.storage.documents import canonical_json
from ray_pipeline.storage.run_directory import RunDirectory
from ray_pipeline.storage.values import fixed_width, is_text, json_texts, plain, type_name

__all__ = [
    "content_sha256",
    "file_digest",
    "file_digests",
    "joint_sha256",
    "memory_table_sha256",
    "table_sha256",
]

_FILES_AT_ONCE = 8


def content_sha256(
    run: RunDirectory, names: Sequence[str], known: Mapping[str, bytes] | None = None
) -> str:
    """Hash the logical content of files of a run.

    Parameters
    ----------
    run
        Where the files are.
    names
        Names in the run directory; their order does not matter, the names themselves do.
    known
        Digests of some of them, by name, which are not read again.

    Returns
    -------
    str
        64 hexadecimal digits: the `joint_sha256` of each file's `file_digest`.

    Raises
    ------
    StorageError
        When a file is missing or broken.
    """
    given = known or {}
    read = file_digests(run, [name for name in names if name not in given])
    return joint_sha256({**given, **read})


def joint_sha256(digests: Mapping[str, bytes]) -> str:
    """Hash digests of files together with the names of the files."""
    total = hashlib.sha256()
    for name in sorted(digests):
        _add(total, name.encode())
        _add(total, digests[name])
    return total.hexdigest()


def file_digests(run: RunDirectory, names: Sequence[str]) -> dict[str, bytes]:
    """Hash several files by `file_digest`, some of them at a time; by name."""
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        return dict(zip(names, pool.map(lambda name: file_digest(run, name), names), strict=True))


def file_digest(run: RunDirectory, name: str) -> bytes:
    """Hash the logical content of one file.

    Tables (``.parquet``) count by `table_sha256`, JSON by its values whatever its layout, other
    files byte by byte.

    Raises
    ------
    StorageError
        When the file is missing or broken.
    """
    if name.endswith(".parquet"):
        with run.open_table(name) as file:
            return table_sha256(file).encode()
    content = _canonical(run, name) if name.endswith(".json") else run.read_bytes(name)
    return hashlib.sha256(content).digest()


def _canonical(run: RunDirectory, name: str) -> bytes:
    value = run.read_json(name)
    try:
        return canonical_json(value).encode()
    except (RecursionError, UnicodeEncodeError) as error:
        raise DamagedFileError(f"{run.uri}/{name} cannot be hashed: {error}.") from error


def table_sha256(file: pq.ParquetFile) -> str:
    """Hash a table's column names, types, order and values.

    Parameters
    ----------
    file
        An open Parquet file; it is read in pieces.

    Returns
    -------
    str
        64 hexadecimal digits that do not depend on row groups, encodings, compression,
        dictionaries, or the library that wrote the file.

    Notes
    -----
    Floats count by their bits, so that −0.0 is not 0.0, but every NaN is the same NaN;
    timestamps by their integer and unit; text by lengths and bytes. A null is not a value.
    """
    return _sha256_of(file.schema_arrow, table_batches(file))


def memory_table_sha256(table: pa.Table) -> str:
    """Hash a table in memory; see `table_sha256`, which gives the same for its file."""
    return _sha256_of(table.schema, table.to_batches())


def _sha256_of(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> str:
    columns = [_ColumnHash(field.type) for field in schema]
    for batch in batches:
        for column, values in zip(columns, batch.columns, strict=True):
            column.update(values)
    total = hashlib.sha256()
    for field, column in zip(schema, columns, strict=True):
        _add(total, field.name.encode())
        _add(total, column.digest())
    return total.hexdigest()


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def _add(total: _Digest, part: bytes) -> None:
    """Add a part after its length, so that no two sequences of parts read the same."""
    total.update(len(part).to_bytes(8, "little"))
    total.update(part)


class _ColumnHash:
    """The hash of a column that arrives in chunks, independent of where they are cut.

    Values, lengths and positions of nulls go to hashes of their own: each of the three streams
    is the same bytes however the rows are grouped.
    """

    def __init__(self, kind: pa.DataType) -> None:
        self._type_name = type_name(kind)
        self._n_rows = 0
        self._values = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._nulls = hashlib.sha256()

    def update(self, values: pa.Array) -> None:
        """Take in the next rows of the column."""
        values = plain(values)
        if values.null_count:
            rows = np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))
            self._nulls.update((rows + self._n_rows).astype("<i8").tobytes())
        self._n_rows += len(values)
        if is_text(values.type):
            self._update_text(values)
        elif (numbers := fixed_width(values)) is not None:
            self._values.update(numbers.data)
        else:
            for text in json_texts(values):
                self._values.update(text.encode() + b"\n")

    def digest(self) -> bytes:
        """Return the digest over type, number of rows and the three streams."""
        total = hashlib.sha256()
        _add(total, self._type_name.encode())
        _add(total, self._n_rows.to_bytes(8, "little"))
        for stream in (self._values, self._lengths, self._nulls):
            _add(total, stream.digest())
        return total.digest()

    def _update_text(self, values: pa.Array) -> None:
        present = values.cast(pa.large_binary()).drop_null()
        lengths = pc.binary_length(present).to_numpy(zero_copy_only=False)
        self._lengths.update(lengths.astype("<i8").tobytes())
        if len(present):
            _, offsets, data = present.buffers()
            ends = np.frombuffer(offsets, "<i8")[present.offset : present.offset + len(present) + 1]
            self._values.update(memoryview(data or b"")[ends[0] : ends[-1]])
