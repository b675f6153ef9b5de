"""Which bytes of a Parquet file hold the columns that are needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pyarrow.parquet as pq

__all__ = ["FOOTER_BYTES", "column_ranges", "joined_ranges"]

FOOTER_BYTES = 1 << 16
"""What pyarrow reads first of a Parquet file, from its end."""

MAX_GAP_BYTES = 2 << 20
"""Bytes that are read for nothing rather than sending another request: at the 80 MB/s of one
connection to S3 they take the 25 ms that a request takes to begin its answer."""


def column_ranges(
    metadata: pq.FileMetaData, row_groups: Iterable[int], columns: Collection[str]
) -> list[tuple[int, int]]:
    """Return the ranges (start, end) that hold columns of some row groups, few and sorted.

    Parameters
    ----------
    metadata
        Footer of the file.
    row_groups
        Which of them.
    columns
        Names of top-level columns; those nested in one belong to it.
    """
    wanted = _leaves(metadata, columns)
    chunks = []
    for group in map(metadata.row_group, row_groups):
        for leaf in wanted:
            chunk = group.column(leaf)
            start = chunk.data_page_offset
            # Some writers leave a 0 where there is no dictionary.
            if chunk.dictionary_page_offset:
                start = min(start, chunk.dictionary_page_offset)
            chunks.append((start, start + chunk.total_compressed_size))
    return joined_ranges(chunks)


def joined_ranges(
    ranges: Iterable[tuple[int, int]], max_gap_bytes: int = MAX_GAP_BYTES
) -> list[tuple[int, int]]:
    """Join ranges that overlap or have a small gap between them.

    >>> joined_ranges([(50, 60), (0, 10), (12, 20)], max_gap_bytes=5)
    [(0, 20), (50, 60)]
    """
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start - joined[-1][1] <= max_gap_bytes:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _leaves(metadata: pq.FileMetaData, columns: Collection[str]) -> list[int]:
    # A column called "a.b" and one nested in "a" have the same path: then too much is read.
    names = set(columns)
    starts = tuple(f"{name}." for name in names)
    paths = [metadata.schema.column(leaf).path for leaf in range(metadata.num_columns)]
    return [leaf for leaf, path in enumerate(paths) if path in names or path.startswith(starts)]
