"""The work of an import cut into chunks: row groups of Parquet, whole files of text. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Chunk", "Extent", "GroupSpan", "chunks_of", "n_buckets_for"]

CHUNK_BYTES = 64 << 20
"""Memory of a chunk, unless a single row group or file has more: a worker needs about three
times that."""

BUCKET_BYTES = 24 << 20
"""Average memory of a bucket; a worker that writes one needs about three times as much."""

_MAX_BUCKETS = 1024


@dataclass(frozen=True, slots=True)
class Extent:
    """The size of a source file.

    Attributes
    ----------
    groups
        Bytes in memory of each of its row groups; for text, one estimate.
    n_rows
        If known before reading.
    """

    groups: tuple[int, ...]
    n_rows: int | None


@dataclass(frozen=True, slots=True)
class GroupSpan:
    """Some row groups of one source: from `first` to before `end`."""

    source: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """The input of one task, in the order of the sources."""

    index: int
    spans: tuple[GroupSpan, ...]


def chunks_of(extents: Sequence[Extent], chunk_bytes: int = CHUNK_BYTES) -> tuple[Chunk, ...]:
    """Cut sources into chunks that follow one another; the same sources give the same chunks."""
    found: list[Chunk] = []
    spans: list[GroupSpan] = []
    size = 0
    for span, n_bytes in _spans(extents, chunk_bytes):
        if spans and size + n_bytes > chunk_bytes:
            found.append(Chunk(len(found), tuple(spans)))
            spans, size = [], 0
        spans.append(span)
        size += n_bytes
    if spans:
        found.append(Chunk(len(found), tuple(spans)))
    return tuple(found)


def n_buckets_for(extents: Iterable[Extent], bucket_bytes: int = BUCKET_BYTES) -> int:
    """Return the number of buckets for these sources, independent of the machine."""
    total = sum(sum(extent.groups) for extent in extents)
    return max(4, min(_MAX_BUCKETS, -(-total // bucket_bytes)))


def _spans(extents: Sequence[Extent], chunk_bytes: int) -> Iterator[tuple[GroupSpan, int]]:
    for source, extent in enumerate(extents):
        first = size = 0
        for i, n_bytes in enumerate(extent.groups):
            if i > first and size + n_bytes > chunk_bytes:
                yield GroupSpan(source, first, i), size
                first, size = i, 0
            size += n_bytes
        if extent.groups:
            yield GroupSpan(source, first, len(extent.groups)), size
