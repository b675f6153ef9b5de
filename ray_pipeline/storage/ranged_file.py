"""A file of any storage as pyarrow reads it, with the ranges fetched ahead that it will need."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Self

from ray_pipeline.storage.parquet_ranges import FOOTER_BYTES
from ray_pipeline.storage.stores import OpenFile

__all__ = ["RangedFile"]


@dataclass(frozen=True, slots=True)
class _Segment:
    start: int
    end: int
    content: Future[bytes]


class RangedFile:
    """A readable file over the ranges of an `OpenFile`.

    Parameters
    ----------
    file
        The open file; it is closed with this one.
    guard
        What every read happens inside of, to tell errors of the store from those of what reads.

    Notes
    -----
    A read inside a range that was fetched ahead copies nothing. Any other read is a request of
    its own. Errors are raised by the read that needs the bytes, not by `fetch_ahead`.
    """

    def __init__(
        self,
        file: OpenFile,
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._file = file
        self._guard = guard
        self._position = 0
        self._segments: list[_Segment] = []
        self.closed = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self._file.size_bytes

    @property
    def is_remote(self) -> bool:
        """Whether fetching ahead gains anything."""
        return self._file.is_remote

    def fetch_ahead(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Start reading ranges, all at once; on a local disk that would gain nothing."""
        if not self._file.is_remote:
            return
        for start, end in ranges:
            if end > start and self._found(start, end) is None:
                self._segments.append(_Segment(start, end, self._file.fetch(start, end)))

    def fetch_footer(self) -> None:
        """Start reading the end of the file, where a Parquet file says what it holds."""
        self.fetch_ahead([(max(self.size_bytes - FOOTER_BYTES, 0), self.size_bytes)])

    def forget(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Release the memory of ranges that were fetched ahead."""
        gone = set(ranges)
        self._segments = [item for item in self._segments if (item.start, item.end) not in gone]

    def read(self, n_bytes: int = -1) -> bytes | memoryview:
        """Read from the position; -1 reads to the end."""
        start = self._position
        end = self.size_bytes if n_bytes < 0 else min(start + n_bytes, self.size_bytes)
        if end <= start:
            return b""
        segment = self._found(start, end)
        with self._guard():
            if segment is None:
                content: bytes | memoryview = self._file.fetch(start, end).result()
            else:
                whole = memoryview(segment.content.result())
                content = whole[start - segment.start : end - segment.start]
        self._position = start + len(content)
        return content

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size_bytes}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from any position."""
        return True

    def close(self) -> None:
        """Close the file, and stop fetching; more than once does no harm."""
        if not self.closed:
            self.closed = True
            for segment in self._segments:
                segment.content.cancel()
            self._segments = []
            self._file.close()

    def _found(self, start: int, end: int) -> _Segment | None:
        return next(
            (item for item in self._segments if item.start <= start and end <= item.end), None
        )
