"""What an import has already read, and the rounds in which it reads the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ray_pipeline.errors import DamagedFileError
from ray_pipeline.importing.chunks import Extent
from ray_pipeline.importing.sources import SourceFile
from ray_pipeline.storage import FileSystem, RunDirectory, is_local
from ray_pipeline.storage.documents import canonical_json

__all__ = ["Ledger", "local_digest", "round_name", "rounds_of"]

_VERSION = 1
_LEDGER = "ledger.json"
_ROUND_BYTES = 8 << 30


@dataclass(slots=True)
class Ledger:
    """The sources in a panel, as of when they were read.

    Attributes
    ----------
    interval
        Of the panel.
    sources
        What was known about each file, by address: size, version, the time from which its rows were
        read (None: all), how they were read, and the digest of a file on a disk.
    """

    interval: str
    sources: dict[str, list[Any]]

    @classmethod
    def read(cls, books: RunDirectory, interval: str) -> Ledger:
        """Read a ledger; an empty one if nothing was imported yet.

        Raises
        ------
        DamagedFileError
            When it cannot be used, or comes from a later version.
        StorageError
            When the storage fails.
        """
        if books.find_bytes(_LEDGER) is None:
            return cls(interval, {})
        document = books.read_document(_LEDGER)
        found = document if isinstance(document, dict) else {}
        sources = found.get("sources", {}).get(interval, {}) if found.get("sources") else {}
        if found.get("version") != _VERSION or not isinstance(sources, dict):
            raise DamagedFileError(
                f"{books.uri}/{_LEDGER} is not of this version ({found.get('version')!r}, "
                f"{_VERSION} is needed). Import into another folder."
            )
        return cls(interval, sources)

    def write(self, books: RunDirectory) -> None:
        """Write it; the same panel's ledgers of other intervals stay."""
        others = {}
        if books.find_bytes(_LEDGER) is not None:
            others = books.read_document(_LEDGER)["sources"]
        document = {"version": _VERSION, "sources": others | {self.interval: self.sources}}
        books.write_json(_LEDGER, document)

    def has(
        self,
        address: str,
        source: SourceFile,
        since_ns: int | None,
        digest: Callable[[SourceFile], str | None],
    ) -> bool:
        """Whether a file in its current state has been imported from that time on.

        A file with another date and the same content, such as a copy, is the same: if it were read
        again, its rows would override later corrections.
        """
        known, file = self.sources.get(address), source.file
        if known is None or known[0] != file.size_bytes:
            return False
        is_same = known[1] == file.version
        if not is_same and len(known) > 4 and known[4] is not None:
            is_same = digest(source) == known[4]
        if not is_same:
            return False
        return known[2] is None or (since_ns is not None and known[2] <= since_ns)

    def read_otherwise(self, address: str, how: Sequence[str]) -> str | None:
        """Return how a file of the panel was read, if that was different."""
        known = self.sources.get(address, [])
        before = list(known[3]) if len(known) > 3 else list(how)
        return None if before == list(how) else " ".join(before) or "no such option"

    def note(
        self,
        address: str,
        source: SourceFile,
        since_ns: int | None,
        how: Sequence[str],
        digest: str | None,
    ) -> None:
        """Record a file that is now in the panel."""
        file = source.file
        self.sources[address] = [file.size_bytes, file.version, since_ns, list(how), digest]


def local_digest(fs: FileSystem, source: SourceFile) -> str | None:
    """Return the SHA-256 of a file on a disk; None in a store, whose versions identify it."""
    if not is_local(fs):
        return None
    with fs.open(source.file.path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rounds_of(
    files: Sequence[SourceFile], extents: Sequence[Extent], round_bytes: int = _ROUND_BYTES
) -> Iterator[tuple[tuple[SourceFile, ...], tuple[Extent, ...]]]:
    """Split the sources, in order, into rounds that each fit on the nodes' disks."""
    first, size = 0, 0
    for i, extent in enumerate(extents):
        n_bytes = sum(extent.groups)
        if i > first and size + n_bytes > round_bytes:
            yield tuple(files[first:i]), tuple(extents[first:i])
            first, size = i, 0
        size += n_bytes
    if files[first:]:
        yield tuple(files[first:]), tuple(extents[first:])


def round_name(interval: str, files: Sequence[SourceFile], settings: Any) -> str:
    """Name a round by everything that affects its output, to find an interrupted one again."""
    named = [[each.name, each.file.size_bytes, each.file.version, each.symbol] for each in files]
    text = canonical_json([interval, named, settings])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
