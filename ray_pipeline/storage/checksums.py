"""Checksums of files: collected while a unit writes them, compared before they are relied on."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from ray_pipeline.records import WrittenFile

__all__ = ["collecting", "is_collected", "note_written", "written_bytes", "written_file"]

_CHUNK_BYTES = 2**20

# To compare with the name that an object store gave: nothing is kept secret by it.
_md5 = partial(hashlib.md5, usedforsecurity=False)

_LOCK = threading.Lock()
_COLLECTORS: list[tuple[str, dict[str, WrittenFile]]] = []


@contextmanager
def collecting(uri: str) -> Iterator[Mapping[str, WrittenFile]]:
    """Give what this process writes into a run directory while the block lasts, by name.

    By whichever thread, since a unit may write in several.
    """
    collector: tuple[str, dict[str, WrittenFile]] = (uri, {})
    with _LOCK:
        _COLLECTORS.append(collector)
    try:
        yield collector[1]
    finally:
        with _LOCK:
            _COLLECTORS[:] = [each for each in _COLLECTORS if each is not collector]


def is_collected(uri: str) -> bool:
    """Tell whether anybody wants to know what is written into a run directory."""
    with _LOCK:
        return any(wanted == uri for wanted, _ in _COLLECTORS)


def note_written(uri: str, name: str, file: WrittenFile) -> None:
    """Tell of a file that was written."""
    with _LOCK:
        for wanted, files in _COLLECTORS:
            if wanted == uri:
                files[name] = file


def written_bytes(content: bytes) -> WrittenFile:
    """Describe a file by its content."""
    return WrittenFile(len(content), hashlib.sha256(content).hexdigest(), _md5(content).hexdigest())


def written_file(path: str) -> WrittenFile:
    """Describe a file of this machine, holding little of it at a time."""
    size_bytes, sha256, md5 = 0, hashlib.sha256(), _md5()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            size_bytes += len(chunk)
            sha256.update(chunk)
            md5.update(chunk)
    return WrittenFile(size_bytes, sha256.hexdigest(), md5.hexdigest())
