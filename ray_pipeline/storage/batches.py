"""A Parquet table in pieces, so that memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["may_hold", "row_group_bunches", "table_batches"]

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


def row_group_bunches(
    metadata: pq.FileMetaData,
    max_bytes: int,
    max_rows: int | None = None,
    numbers: Iterable[int] | None = None,
) -> Iterator[list[int]]:
    """Group row groups of a file, in order, into bunches of at most so many bytes and rows.

    Bytes are those before compression, which a dictionary can make far fewer than the decoded
    ones. A row group that is larger is a bunch of its own.

    Parameters
    ----------
    numbers
        Row groups to take; None: all.
    """
    bunch: list[int] = []
    n_bytes = n_rows = 0
    for number in range(metadata.num_row_groups) if numbers is None else numbers:
        group = metadata.row_group(number)
        n_bytes += group.total_byte_size
        n_rows += group.num_rows
        if bunch and (n_bytes > max_bytes or (max_rows is not None and n_rows > max_rows)):
            yield bunch
            bunch, n_bytes, n_rows = [], group.total_byte_size, group.num_rows
        bunch.append(number)
    if bunch:
        yield bunch


def may_hold(file: pq.ParquetFile, group: int, column: str, text: str) -> bool:
    """Tell whether a row group can hold a text in a column, by what the file's footer says."""
    place = file.schema_arrow.names.index(column)
    bounds = file.metadata.row_group(group).column(place).statistics
    return bounds is None or not bounds.has_min_max or bounds.min <= text <= bounds.max
