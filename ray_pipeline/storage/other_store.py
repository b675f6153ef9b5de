"""Files of any other filesystem that fsspec knows, by nothing but its common interface."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

from ray_pipeline.records import PartitionFile, WrittenFile
from ray_pipeline.storage.changes import FileChangedError, require_listed
from ray_pipeline.storage.checksums import written_bytes
from ray_pipeline.storage.filesystems import FileSystem
from ray_pipeline.traffic import one_request

__all__ = ["OtherStore"]

_N_THREADS = 16
_SWAPS_OF_THIS_PROCESS = threading.Lock()


class OtherStore:
    """An `ObjectStore` of ``memory://``, ``gs://`` and others."""

    def __init__(self, fs: FileSystem) -> None:
        self._fs = fs

    def exists(self, path: str) -> bool:
        """Whether a file is there."""
        try:
            with one_request():
                return bool(self._fs.info(path)["type"] == "file")
        except (FileNotFoundError, NotADirectoryError):
            return False

    def find(self, path: str) -> bytes | None:
        """Read a whole file; None where there is none."""
        try:
            with one_request():
                return bytes(self._fs.cat_file(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def describe(self, path: str, expected: WrittenFile | None = None) -> WrittenFile | None:
        """Read a whole file for its size and checksums; None where there is none."""
        del expected  # nothing but its content tells what a file holds
        content = self.find(path)
        return None if content is None else written_bytes(content)

    def write(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all, as object stores do."""
        with one_request():
            self._fs.pipe_file(path, content)

    def write_from(self, path: str, local: str) -> None:
        """Write the content of a local file."""
        with one_request():
            self._fs.put_file(local, path)

    def swap(self, path: str, seen: bytes | None, content: bytes) -> bool:
        """Write a file if it still holds what was seen.

        fsspec can create a file exclusively where the store can, but not replace one so: two
        machines may do that at the same moment, and have to read again who won.
        """
        with _SWAPS_OF_THIS_PROCESS:
            if self.find(path) != seen:
                return False
            try:
                mode = "create" if seen is None else "overwrite"
                with one_request():
                    self._fs.pipe_file(path, content, mode=mode)
            except FileExistsError:
                return False
        return True

    def copy(self, path: str, target: str) -> None:
        """Copy a file."""
        with one_request():
            self._fs.cp_file(path, target)

    def link(self, path: str, target: str) -> None:
        """Copy the object: it has one name alone."""
        self.copy(path, target)

    def remove(self, path: str) -> None:
        """Remove a file."""
        with one_request():
            self._fs.rm_file(path)

    def open(self, path: str, listed: PartitionFile | None = None) -> OtherFile:
        """Open a file for reading ranges of it: one look at its size and version."""
        with one_request():
            info = self._fs.info(path)
        if info["type"] != "file":
            raise FileNotFoundError(path)
        if listed is not None:
            require_listed(listed, info)
        return OtherFile(self._fs, path, int(info["size"]))


class OtherFile:
    """A file of which ranges are read by several threads at a time."""

    is_remote = True

    def __init__(self, fs: FileSystem, path: str, size_bytes: int) -> None:
        self._fs = fs
        self._path = path
        self.size_bytes = size_bytes

    def fetch(self, start: int, end: int) -> Future[bytes]:
        """Start reading a range."""
        return _threads().submit(self._read, start, end)

    def close(self) -> None:
        """Do nothing: it holds nothing."""

    def _read(self, start: int, end: int) -> bytes:
        with one_request():
            content = bytes(self._fs.cat_file(self._path, start=start, end=end))
        if len(content) != end - start:
            raise FileChangedError(
                f"ended after {start + len(content)} of {self.size_bytes} bytes while it was read"
            )
        return content


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_N_THREADS, thread_name_prefix="read-ranges")
