"""A hash of what was computed, independent of how and where it is stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_pipeline.storage.documents import canonical_json
from ray_pipeline.storage.run_directory import RunDirectory

__all__ = ["content_sha256", "table_sha256"]

# Bounds the memory of hashing a table: one such batch, whatever the table's length.
_BATCH_ROWS = 1 << 18


def content_sha256(run: RunDirectory, names: Sequence[str]) -> str:
    """Hash the logical content of files of a run.

    Parameters
    ----------
    run
        Where the files are.
    names
        Names in the run directory; their order does not matter, the names themselves do.

    Returns
    -------
    str
        64 hexadecimal digits. Tables (``.parquet``) count by `table_sha256`, JSON by its values
        whatever its layout, other files byte by byte.

    Raises
    ------
    StorageError
        When a file is missing or broken.
    """
    total = hashlib.sha256()
    for name in sorted(set(names)):
        _add(total, name.encode())
        _add(total, _file_digest(run, name))
    return total.hexdigest()


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
    schema = file.schema_arrow
    columns = [_ColumnHash(field.type) for field in schema]
    for batch in file.iter_batches(_BATCH_ROWS):
        for column, values in zip(columns, batch.columns, strict=True):
            column.update(values)
    total = hashlib.sha256()
    for field, column in zip(schema, columns, strict=True):
        _add(total, field.name.encode())
        _add(total, column.digest())
    return total.hexdigest()


def _file_digest(run: RunDirectory, name: str) -> bytes:
    if name.endswith(".parquet"):
        with run.open_table(name) as file:
            return table_sha256(file).encode()
    content = run.read_bytes(name)
    if name.endswith(".json"):
        content = canonical_json(run.read_json(name)).encode()
    return hashlib.sha256(content).digest()


def _add(total: hashlib._Hash, part: bytes) -> None:
    """Add a part after its length, so that no two sequences of parts read the same."""
    total.update(len(part).to_bytes(8, "little"))
    total.update(part)


class _ColumnHash:
    """The hash of a column that arrives in chunks, independent of where they are cut.

    Values, lengths and positions of nulls go to hashes of their own: each of the three streams
    is the same bytes however the rows are grouped.
    """

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        self._n_rows = 0
        self._values = hashlib.sha256()
        self._lengths = hashlib.sha256()
        self._nulls = hashlib.sha256()

    def update(self, values: pa.Array) -> None:
        """Take in the next rows of the column."""
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if values.null_count:
            rows = np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))
            self._nulls.update((rows + self._n_rows).astype("<i8").tobytes())
        self._n_rows += len(values)
        if _is_text(self._kind):
            self._update_text(values)
        elif (numbers := _numbers(values)) is not None:
            self._values.update(numbers.data)
        else:
            for item in values.to_pylist():
                self._values.update(json.dumps(item, sort_keys=True, default=str).encode() + b"\n")

    def digest(self) -> bytes:
        """Return the digest over type, number of rows and the three streams."""
        total = hashlib.sha256()
        _add(total, _type_name(self._kind).encode())
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


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
    )


def _type_name(kind: pa.DataType) -> str:
    """Name a type; what differs only in how Arrow holds it in memory has the same name."""
    types = pa.types
    if _is_text(kind):
        return str(kind).removeprefix("large_").removesuffix("_view")
    if types.is_list(kind) or types.is_large_list(kind):
        return f"list<{_type_name(kind.value_type)}>"
    return str(kind)


def _numbers(values: pa.Array) -> npt.NDArray[Any] | None:
    """Return the values that are not null, in fixed-width form; None for a type without one."""
    kind = values.type
    present = values.drop_null()
    if pa.types.is_boolean(kind):
        present = present.cast(pa.uint8())
    elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        present = present.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    numbers: npt.NDArray[Any] = present.to_numpy(zero_copy_only=False)
    # There are 2^53 NaNs, and which one an operation returns depends on the processor.
    if pa.types.is_floating(kind) and (missing := np.isnan(numbers)).any():
        numbers = np.where(missing, numbers.dtype.type(np.nan), numbers)
    return np.ascontiguousarray(numbers)
