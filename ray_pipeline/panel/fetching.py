"""Row groups of a symbol's files, fetched while earlier ones are decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.errors import DataError, StorageError
from ray_pipeline.panel.source import Source
from ray_pipeline.records import PartitionFile
from ray_pipeline.storage.batches import row_group_bunches
from ray_pipeline.storage.filesystems import FileSystem, uri_of
from ray_pipeline.storage.parquet_ranges import column_bytes, column_ranges

__all__ = ["FetchedPiece", "ParquetSource", "Piece", "ahead", "pieces_of"]

N_AHEAD = 32
"""Files or pieces in flight at a time."""

BYTES_AHEAD = 64 << 20
"""Bytes in flight at a time, unless a single row group has more."""


class ParquetSource(AbstractContextManager["ParquetSource"]):
    """One Parquet file of a symbol, whose footer is being fetched.

    Parameters
    ----------
    fs
        File system that holds it.
    file
        The file as listed.
    footer
        Its footer, if it has been read before.

    Raises
    ------
    DataError
        As `Source`, and when it is not whole Parquet.
    StorageError
        As `Source`.
    """

    def __init__(
        self, fs: FileSystem, file: PartitionFile, footer: pq.FileMetaData | None = None
    ) -> None:
        self.file = file
        self.uri = uri_of(fs, file.path)
        self._footer = footer
        self._parquet: pq.ParquetFile | None = None
        self._source = Source(fs, file)
        if footer is None:
            self._source.fetch_footer()

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    @property
    def parquet(self) -> pq.ParquetFile:
        """The file, its footer read."""
        if self._parquet is None:
            with _damage_is_named(self.uri):
                self._parquet = pq.ParquetFile(
                    self._source,
                    metadata=self._footer,
                    pre_buffer=True,
                    page_checksum_verification=True,
                    # Spark's INT96 times wrap around silently in nanoseconds outside 1677–2262.
                    coerce_int96_timestamp_unit="us",
                )
        return self._parquet

    @property
    def is_remote(self) -> bool:
        """Whether the file is in a store."""
        return self._source.is_remote

    def fetch(self, row_groups: Sequence[int], columns: Sequence[str]) -> list[tuple[int, int]]:
        """Start fetching columns of row groups; return their ranges, none on a local disk."""
        if not self.is_remote:
            return []
        ranges = column_ranges(self.parquet.metadata, row_groups, columns)
        self._source.fetch_ahead(ranges)
        return ranges

    def read(
        self, row_groups: Sequence[int], columns: Sequence[str], ranges: Iterable[tuple[int, int]]
    ) -> pa.Table:
        """Decode columns of row groups, and release the ranges that held them."""
        with _damage_is_named(self.uri):
            table = self.parquet.read_row_groups(list(row_groups), list(columns), use_threads=False)
        # pyarrow keeps what it read from the file until it reads again or the file is released.
        self._footer, self._parquet = self.parquet.metadata, None
        self._source.forget(ranges)
        return table

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._source.close()


@dataclass(frozen=True, slots=True)
class Piece:
    """Some row groups of one file."""

    file: PartitionFile
    row_groups: tuple[int, ...]
    n_rows: int


class FetchedPiece:
    """A piece whose columns are being fetched.

    Parameters
    ----------
    piece, columns
        What to fetch.
    source
        The file of the piece.
    stays_open
        Whether the file is still needed after this piece.

    Attributes
    ----------
    n_column_bytes
        Of the columns in the file.
    """

    def __init__(
        self, piece: Piece, columns: list[str], source: ParquetSource, *, stays_open: bool
    ) -> None:
        self.piece = piece
        self.columns = columns
        self.source = source
        self.n_column_bytes = column_bytes(source.parquet.metadata, piece.row_groups, columns)
        self._stays_open = stays_open
        self._ranges = source.fetch(piece.row_groups, columns)

    @property
    def size_bytes(self) -> int:
        """Bytes in flight."""
        return sum(end - start for start, end in self._ranges)

    def read(self) -> pa.Table:
        """Decode the columns."""
        return self.source.read(self.piece.row_groups, self.columns, self._ranges)

    def close(self) -> None:
        """Close the file, unless it is still needed."""
        if not self._stays_open:
            self.source.close()


def pieces_of(
    file: PartitionFile,
    footer: pq.FileMetaData,
    max_rows: int | None,
    numbers: Sequence[int],
) -> list[Piece]:
    """Cut some row groups of a file into pieces that fit into memory.

    Returns
    -------
    list
        At least one, in order.
    """
    bunches = list(row_group_bunches(footer, BYTES_AHEAD, max_rows, numbers)) or [[]]
    return [
        Piece(file, tuple(bunch), sum(footer.row_group(group).num_rows for group in bunch))
        for bunch in bunches
    ]


class _Started(Protocol):
    def close(self) -> None: ...


Item = TypeVar("Item")
S = TypeVar("S", bound=_Started)


def ahead(
    items: Iterable[Item], start: Callable[[Item], tuple[S, int]]
) -> Generator[tuple[Item, S]]:
    """Yield items in order, having started each and some of those that follow.

    Parameters
    ----------
    items
        What there is to do.
    start
        Starts one, and returns how many bytes are then in flight.

    Notes
    -----
    Those started and not yet yielded are closed when the iteration ends early.
    """
    started: deque[tuple[Item, S, int]] = deque()
    n_bytes = 0
    try:
        for item in items:
            what, size = start(item)
            started.append((item, what, size))
            n_bytes += size
            while len(started) > N_AHEAD or (n_bytes > BYTES_AHEAD and len(started) > 1):
                first, what, size = started.popleft()
                n_bytes -= size
                yield first, what
        while started:
            first, what, _ = started.popleft()
            yield first, what
    finally:
        for _, what, _ in started:
            what.close()


@contextmanager
def _damage_is_named(uri: str) -> Iterator[None]:
    """Turn pyarrow's error about a damaged file into a `DataError` that names it."""
    try:
        yield
    except StorageError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"{uri} is not a whole Parquet file: {str(error).rstrip('.')}. "
            "Write the file again, or remove it from the symbol's folder."
        ) from error
