"""A file of any filesystem as pyarrow reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from ray_pipeline.errors import DataError
from ray_pipeline.storage.failures import storage_errors
from ray_pipeline.storage.filesystems import FileSystem, uri_of

__all__ = ["Source"]


class Source:
    """A file for pyarrow whose storage failures can be told from damage found by pyarrow.

    Both are plain `OSError` otherwise, yet one deserves another try and the other a quarantine.

    Parameters
    ----------
    fs
        File system that holds the file.
    path
        Path inside it.

    Raises
    ------
    DataError
        When the file is gone.
    StorageError
        When the storage fails, here and in every method that reads.
    """

    def __init__(self, fs: FileSystem, path: str) -> None:
        self._fs = fs
        self._uri = uri_of(fs, path)
        self.closed = False
        with self._storage_is_named("open"):
            # Without a cache each read is one request for exactly the bytes that pyarrow asks for.
            self._file = fs.open(path, "rb", cache_type="none")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def size_bytes(self) -> int:
        """Return the size that the file has now; the position goes to the start."""
        with self._storage_is_named("measure"):
            size = int(self._file.seek(0, 2))
            self._file.seek(0)
        return size

    def read(self, n_bytes: int = -1) -> bytes:
        """Read from the position; -1 reads to the end."""
        with self._storage_is_named("read"):
            content: bytes = self._file.read(n_bytes)
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move the position."""
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        """Return the position."""
        return int(self._file.tell())

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from any position."""
        return True

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        if not self.closed:
            self.closed = True
            self._file.close()

    @contextmanager
    def _storage_is_named(self, action: str) -> Iterator[None]:
        with storage_errors(action, self._uri, self._fs):
            try:
                yield
            except FileNotFoundError as error:
                raise DataError(f"{self._uri} was listed and is gone now.") from error
