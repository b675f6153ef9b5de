"""Files of this machine's disks: written beside their target, synced, renamed over it."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from typing import IO, Any

from ray_pipeline.records import PartitionFile, WrittenFile
from ray_pipeline.storage.changes import require_size
from ray_pipeline.storage.checksums import written_file
from ray_pipeline.storage.filesystems import FileSystem

__all__ = ["LocalStore", "is_temporary", "remove_temporary"]

_TEMPORARY = ".tmp"
"""How the names of files end that are not yet whole; they begin with a dot."""

_SWAPS_OF_THIS_PROCESS = threading.Lock()


class LocalStore:
    """An `ObjectStore` on a local or network disk."""

    def __init__(self, fs: FileSystem) -> None:
        self._fs = fs

    def exists(self, path: str) -> bool:
        """Whether a file is there."""
        return os.path.isfile(path)

    def find(self, path: str) -> bytes | None:
        """Read a whole file; None where there is none."""
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def describe(self, path: str, expected: WrittenFile | None = None) -> WrittenFile | None:
        """Read a whole file for its size and checksums, a piece at a time."""
        del expected  # nothing but its content tells what a file holds
        try:
            return written_file(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def write(self, path: str, content: bytes) -> None:
        """Write a file whole or not at all."""
        with _replacing(path) as file:
            file.write(content)

    def write_from(self, path: str, local: str) -> None:
        """Write the content of another file, whole or not at all."""
        with open(local, "rb") as source, _replacing(path) as file:
            shutil.copyfileobj(source, file, 2**20)

    def swap(self, path: str, seen: bytes | None, content: bytes) -> bool:
        """Write a file if it still holds what was seen.

        One process of all machines that see the disk does so at a time. On a network disk without
        locks two machines can: code that relies on what was written has to read it again.
        """
        with _SWAPS_OF_THIS_PROCESS, _locked(os.path.dirname(path)):
            if self.find(path) != seen:
                return False
            self.write(path, content)
        return True

    def copy(self, path: str, target: str) -> None:
        """Copy a file."""
        self.write_from(target, path)

    def link(self, path: str, target: str) -> None:
        """Give a file a second name; copy it where the disk knows none, or it is another disk."""
        folder, name = os.path.split(target)
        os.makedirs(folder, exist_ok=True)
        temporary = _temporary(folder, name)
        try:
            os.link(path, temporary)
        except FileNotFoundError:
            raise
        except OSError:
            self.copy(path, target)
            return
        try:
            os.replace(temporary, target)
        finally:
            # Renaming over another name of the same file does nothing, and leaves both.
            if os.path.lexists(temporary):
                os.unlink(temporary)

    def remove(self, path: str) -> None:
        """Remove a file."""
        os.unlink(path)

    def open(self, path: str, listed: PartitionFile | None = None) -> LocalFile:
        """Open a file for reading ranges of it."""
        file = LocalFile(self._fs.open(path, "rb"))
        with ExitStack() as until_checked:
            until_checked.callback(file.close)
            if listed is not None:
                require_size(listed, file.size_bytes)
            until_checked.pop_all()
        return file


class LocalFile:
    """An open file of a local disk; a range is read when it is asked for."""

    is_remote = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._one_at_a_time = threading.Lock()
        self.size_bytes = int(file.seek(0, os.SEEK_END))

    def fetch(self, start: int, end: int) -> Future[bytes]:
        """Read a range."""
        done: Future[bytes] = Future()
        with self._one_at_a_time:
            self._file.seek(start)
            done.set_result(self._file.read(end - start))
        return done

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def _replacing(path: str) -> Iterator[IO[Any]]:
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    # Not tempfile: its files are readable by their owner only, and the rename would keep that.
    temporary = _temporary(folder, name)
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


def _temporary(folder: str, name: str) -> str:
    return os.path.join(folder, f".{name}.{uuid.uuid4().hex[:12]}{_TEMPORARY}")


@contextmanager
def _locked(folder: str) -> Iterator[None]:
    os.makedirs(folder, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # NFS locks no folder
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # which unlocks


def is_temporary(path: str) -> bool:
    """Whether a file is one that a write was building when it was interrupted, or still is."""
    name = os.path.basename(path)
    return name.startswith(".") and name.endswith(_TEMPORARY)


def remove_temporary(root: str, spared: set[str], prefix: str) -> None:
    """Remove such files below a folder, but in the folders of it that are spared.

    Those of a file that is being written all the time start with `prefix`, and stay.
    """
    for folder, folders, names in os.walk(root):
        if folder == root:
            folders[:] = [name for name in folders if name not in spared]
        for name in names:
            if is_temporary(name) and not name.startswith(prefix):
                os.remove(os.path.join(folder, name))
