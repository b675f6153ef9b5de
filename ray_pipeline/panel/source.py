"""A file of a symbol, readable by pyarrow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ray_pipeline.errors import DataError
from ray_pipeline.records import PartitionFile
from ray_pipeline.storage.changes import FileChangedError
from ray_pipeline.storage.failures import storage_errors
from ray_pipeline.storage.filesystems import FileSystem, is_local, uri_of
from ray_pipeline.storage.local_listing import is_at_fault
from ray_pipeline.storage.ranged_file import RangedFile
from ray_pipeline.storage.s3_errors import said
from ray_pipeline.storage.stores import store_of

__all__ = ["Source"]


class Source(RangedFile):
    """A file whose storage failures are distinguishable from damage found by pyarrow.

    Otherwise both are plain `OSError`, but one calls for a retry and the other for a quarantine.

    Parameters
    ----------
    fs
        File system that holds the file.
    file
        The file as listed.

    Raises
    ------
    DataError
        When the file is gone or has changed since it was listed, or cannot be opened on a disk;
        raised here, or by the first read if the store only reports it then.
    StorageError
        When the storage fails, here and in every method that reads.
    """

    def __init__(self, fs: FileSystem, file: PartitionFile) -> None:
        self._uri = uri_of(fs, file.path)
        self._is_on_disk = is_local(fs)
        self.closed = True
        with self._storage_is_named("open"):
            super().__init__(store_of(fs).open(file.path, file))

    def read(self, n_bytes: int = -1) -> bytes | memoryview:
        """Read from the position; -1 reads to the end."""
        with self._storage_is_named("read"):
            return super().read(n_bytes)

    @contextmanager
    def _storage_is_named(self, action: str) -> Iterator[None]:
        with storage_errors(action, self._uri):
            try:
                yield
            except FileNotFoundError as error:
                raise DataError(f"{self._uri} was listed and is gone now.") from error
            except FileChangedError as error:
                raise DataError(
                    f"{self._uri} {error}: it has changed since. Run again when the data no longer "
                    "change."
                ) from error
            except OSError as error:
                # For a store, it may be the credentials, which are renewed.
                if not (self._is_on_disk and is_at_fault(error)):
                    raise
                raise DataError(
                    f"{self._uri} cannot be opened: {said(error)}. Make it readable for the user "
                    "who runs this, or remove it."
                ) from error
