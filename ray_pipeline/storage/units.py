"""Finished units of work: one small object each, written last, named by what it depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ray_pipeline.errors import StorageError
from ray_pipeline.storage.documents import record_json

if TYPE_CHECKING:
    from ray_pipeline.storage.run_directory import RunDirectory

__all__ = ["UnitRecords"]

_N_THREADS = 16
_SUFFIX = ".json"


class UnitRecords:
    """The records of finished units, at ``units/<stage>/<digest>.json`` of a run directory.

    Tables that a unit leaves for later ones lie beside its record, at
    ``units/<stage>/<digest>/<name>.parquet``, and are written before it: a record is there only
    when all that it speaks of is.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run

    def finished(self, stage: str) -> frozenset[str]:
        """Return the digests of the units of a stage that are done."""
        names = self._run.names_in(f"units/{stage}")
        return frozenset(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))

    def read(self, stage: str, digest: str) -> dict[str, Any]:
        """Return the record of a finished unit."""
        name = _name(stage, digest)
        record = self._run.read_json(name)
        if not isinstance(record, dict):
            raise StorageError(f"{self._run.uri}/{name} holds no record; remove it and run again.")
        return record

    def read_many(self, stage: str, digests: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the records of finished units by digest, reading several at a time."""
        wanted = list(digests)
        with ThreadPoolExecutor(_N_THREADS) as pool:
            records = pool.map(lambda digest: self.read(stage, digest), wanted)
            return dict(zip(wanted, records, strict=True))

    def write(self, stage: str, digest: str, record: Mapping[str, object]) -> None:
        """Write the record of a unit that is done; NaN and infinities survive."""
        self._run.write_text(_name(stage, digest), record_json(record))


def _name(stage: str, digest: str) -> str:
    return f"units/{stage}/{digest}{_SUFFIX}"
