"""Finished units of work: one small object each, written last, named by what it depends on.

A record says what it holds and what its unit wrote: one that was cut off, changed, exchanged for
another, or whose files were, is told from the one that was written, and is unfinished work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from ray_pipeline.errors import StorageError
from ray_pipeline.records import FinishedUnit, PartitionFile, UnfitUnit, WrittenFile
from ray_pipeline.storage.checksums import collecting
from ray_pipeline.storage.documents import record_json

if TYPE_CHECKING:
    from ray_pipeline.storage.run_directory import RunDirectory

__all__ = ["UnitRecords"]

_N_THREADS = 16
_SUFFIX = ".json"

_BEGIN, _END = b'{"sha256":"', b'",\n'
"""The checksum is a line of its own, of all that comes after it: no change of a byte, in the
checksum or elsewhere, leaves a file that agrees with itself."""


class UnitRecords:
    """The records of finished units, at ``units/<stage>/<digest>.json`` of a run directory.

    Tables that a unit leaves for later ones lie beside its record, at
    ``units/<stage>/<digest>/<name>.parquet``, and are written before it: a record is there only
    when all that it speaks of is.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run

    def recall(
        self, stage: str, digests: Sequence[str]
    ) -> Iterator[tuple[str, FinishedUnit | UnfitUnit]]:
        """Yield those of the units that have a record, each with what it is worth.

        One listing of the stage, then the records, several at a time. Files that units wrote are
        read and hashed on a disk; on an object store that names objects by their content, the
        names in the listing are compared, and what does not agree by its name is read.
        """
        listed = self._run.listed(f"units/{stage}")
        there = [digest for digest in digests if _name(stage, digest) in listed]
        if not there:
            return
        recall = partial(self._recalled, stage, listed=listed)
        with ThreadPoolExecutor(min(_N_THREADS, len(there))) as pool:
            yield from zip(there, pool.map(recall, there), strict=True)

    def collecting(self) -> AbstractContextManager[Mapping[str, WrittenFile]]:
        """Give what is written into the run directory while the block lasts, by name."""
        return collecting(self._run.uri)

    def write(
        self, stage: str, digest: str, unit: FinishedUnit, files: Mapping[str, WrittenFile]
    ) -> None:
        """Write the record of a unit that is done; NaN and infinities survive."""
        text = record_json(
            {
                "stage": stage,
                "digest": digest,
                "key": unit.key,
                "seconds": round(unit.seconds, 6),
                "libraries": unit.libraries,
                "files": {name: asdict(file) for name, file in files.items()},
                "record": unit.record,
            }
        )
        body = text.removeprefix("{").encode()
        checksum = hashlib.sha256(body).hexdigest().encode()
        self._run.write_bytes(_name(stage, digest), _BEGIN + checksum + _END + body)

    def _recalled(
        self, stage: str, digest: str, listed: Mapping[str, PartitionFile]
    ) -> FinishedUnit | UnfitUnit:
        try:
            return self._checked(stage, digest, listed)
        except StorageError as error:
            # What a disk cannot read is damaged. A store that refuses may be one that is down,
            # and nothing would be gained by doing all its work again.
            if not self._run.is_local:
                raise
            return UnfitUnit(_name(stage, digest), f"or a file of its unit cannot be read: {error}")

    def _checked(
        self, stage: str, digest: str, listed: Mapping[str, PartitionFile]
    ) -> FinishedUnit | UnfitUnit:
        name = _name(stage, digest)
        content = self._run.find_bytes(name)
        if content is None:
            return UnfitUnit(name, "is gone")
        opened = _opened(content, stage, digest)
        if isinstance(opened, str):
            return UnfitUnit(name, opened)
        for file, written in opened["files"].items():
            reason = self._run.difference(file, WrittenFile(**written), listed.get(file))
            if reason is not None:
                return UnfitUnit(file, reason)
        return FinishedUnit(opened["key"], opened["record"], opened["seconds"], opened["libraries"])


def _opened(content: bytes, stage: str, digest: str) -> dict[str, Any] | str:
    """Return what a record file holds, or what is wrong with it."""
    if not content:
        return "is empty"
    if not content.startswith(_BEGIN):
        return "has no checksum: an older version wrote it, or it is damaged"
    body = content[len(_BEGIN) + 64 + len(_END) :]
    checksum = hashlib.sha256(body).hexdigest().encode()
    if not content.startswith(_BEGIN + checksum + _END):
        return "is not as it was written: its checksum does not agree"
    opened: dict[str, Any] = json.loads(b"{" + body)
    if (opened["stage"], opened["digest"]) != (stage, digest):
        return f"is the record of another unit, {opened['stage']}/{opened['key']}"
    return opened


def _name(stage: str, digest: str) -> str:
    return f"units/{stage}/{digest}{_SUFFIX}"
