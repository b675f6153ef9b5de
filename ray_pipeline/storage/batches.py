"""A Parquet table in pieces, so that memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["row_group_bunches", "table_batches"]

_BATCH_ROWS = 1 << 18
_READ_BYTES = 1 << 26


def table_batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    """Read a table in order, a batch of rows after the other.

    Notes
    -----
    A file opened with ``pre_buffer`` keeps every row group of one call of ``iter_batches`` in
    memory until the call ends: without a limit that is the whole file. Row groups are asked for
    in bunches of at most 64 MiB, or one by one where they are larger.
    """
    for groups in row_group_bunches(file.metadata, _READ_BYTES):
        yield from file.iter_batches(_BATCH_ROWS, row_groups=groups)


def row_group_bunches(metadata: pq.FileMetaData, max_bytes: int) -> Iterator[list[int]]:
    """Group the row groups of a file, in order, into bunches of at most so many decoded bytes.

    A row group that is larger is a bunch of its own.
    """
    bunch: list[int] = []
    n_bytes = 0
    for group in range(metadata.num_row_groups):
        size = metadata.row_group(group).total_byte_size
        if bunch and n_bytes + size > max_bytes:
            yield bunch
            bunch, n_bytes = [], 0
        bunch.append(group)
        n_bytes += size
    if bunch:
        yield bunch
