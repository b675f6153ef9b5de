"""Replacing a file only if it still is what one has seen."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ray_pipeline.storage.filesystems import FileSystem, is_local

__all__ = ["swapping"]

_IN_THIS_PROCESS = threading.Lock()


@contextmanager
def swapping(fs: FileSystem, path: str) -> Iterator[None]:
    """Let nobody else swap files of the same folder meanwhile.

    On a local disk that holds for all processes of all machines that see it, on ``memory://`` for
    all threads. On an object store, and on a network disk without locks, two machines can still
    swap at the same moment: whoever relies on what was written has to read it again later.
    """
    with _IN_THIS_PROCESS:
        if not is_local(fs):
            yield
            return
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
        try:
            _lock(handle)
            yield
        finally:
            os.close(handle)  # which unlocks


def _lock(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        # NFS locks no folder; the caller reads again, as it does on an object store.
        return
