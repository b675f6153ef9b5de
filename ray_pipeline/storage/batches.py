"""A Parquet table in pieces, so that memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["table_batches"]

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
    for groups in _bunches(file.metadata):
        yield from file.iter_batches(_BATCH_ROWS, row_groups=groups)


def _bunches(metadata: pq.FileMetaData) -> Iterator[list[int]]:
    bunch: list[int] = []
    n_bytes = 0
    for group in range(metadata.num_row_groups):
        size = metadata.row_group(group).total_byte_size
        if bunch and n_bytes + size > _READ_BYTES:
            yield bunch
            bunch, n_bytes = [], 0
        bunch.append(group)
        n_bytes += size
    if bunch:
        yield bunch
