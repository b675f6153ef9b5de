"""What every kind of storage can do with one whole file, and with the bytes of an open one."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from ray_pipeline.records import PartitionFile, WrittenFile
from ray_pipeline.storage.filesystems import FileSystem, is_local, is_s3
from ray_pipeline.storage.local_store import LocalStore
from ray_pipeline.storage.other_store import OtherStore

__all__ = ["ObjectStore", "OpenFile", "store_of"]


class OpenFile(Protocol):
    """The bytes of one file, the same for as long as it is open."""

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        ...

    @property
    def is_remote(self) -> bool:
        """Whether several ranges at a time arrive sooner than one after the other."""
        ...

    def fetch(self, start: int, end: int) -> Future[bytes]:
        """Start reading the bytes from `start` to before `end`.

        The future raises `FileChangedError` when they are no longer those of the file that was
        opened, else what the storage raises.
        """
        ...

    def close(self) -> None:
        """Release what it holds; doing so more than once does no harm."""
        ...


class ObjectStore(Protocol):
    """Whole files by their path inside a filesystem.

    Methods raise what the filesystem raises; where a file has to be there and is not, that is a
    `FileNotFoundError`.
    """

    def exists(self, path: str) -> bool:
        """Whether a file is there (a folder is not a file)."""
        ...

    def find(self, path: str) -> bytes | None:
        """Read a whole file; None where there is none."""
        ...

    def describe(self, path: str, expected: WrittenFile | None = None) -> WrittenFile | None:
        """Say size and checksums of a file; None where there is none.

        Parameters
        ----------
        expected
            Returned without reading the file where the store itself vouches for that content.
        """
        ...

    def write(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        ...

    def write_from(self, path: str, local: str) -> None:
        """Write the content of a local file, whole or not at all."""
        ...

    def swap(self, path: str, seen: bytes | None, content: bytes) -> bool:
        """Write a file if it still holds what was seen (None: if there is none).

        Returns
        -------
        bool
            Whether it was written.
        """
        ...

    def copy(self, path: str, target: str) -> None:
        """Copy a file, on the store's side where it can."""
        ...

    def link(self, path: str, target: str) -> None:
        """Give a file a second name, which keeps its content; copy it where that cannot be."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file."""
        ...

    def open(self, path: str, listed: PartitionFile | None = None) -> OpenFile:
        """Open a file for reading ranges of it.

        Parameters
        ----------
        path
            The file.
        listed
            What a listing said of it: only that content will do, and its size and version need
            not be asked for again.

        Raises
        ------
        FileChangedError
            When it is known already that it is no longer the file that was listed.
        """
        ...


def store_of(fs: FileSystem) -> ObjectStore:
    """Return the store behind a filesystem."""
    if is_local(fs):
        return LocalStore(fs)
    if is_s3(fs):
        from ray_pipeline.storage.s3_store import S3Store

        return S3Store(fs)
    return OtherStore(fs)
