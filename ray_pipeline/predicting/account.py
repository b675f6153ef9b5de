"""The folder of predictions: its contents, its origin, and which files are still valid."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ray_pipeline.driving.journal import refuse_foreign
from ray_pipeline.errors import ConfigError, RayPipelineError
from ray_pipeline.execution.protocol import Failed, Unit
from ray_pipeline.results.reading import read_predictions_record
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.lease import LEASE, DriverLease

__all__ = ["RECORD", "STAGE", "PredictionsFolder", "open_predictions", "require_same_options"]

RECORD = "predictions.json"
STAGE = "predict"

_OPTIONS = {
    "since": "--since",
    "symbols_asked": "--symbols",
    "history": "--history",
    "in_sample": "--in-sample",
}
_N_THREADS = 16
_N_SHOWN = 5


@contextmanager
def open_predictions(
    out: RunDirectory, facts: Mapping[str, Any], say: Callable[[str], None]
) -> Iterator[PredictionsFolder]:
    """Lock a folder of predictions, and record how the block ends, whatever ends it.

    Parameters
    ----------
    facts
        The initial content of ``predictions.json``.
    say
        Receives what is being waited for.

    Raises
    ------
    ConfigError
        When the folder holds something else.
    RunInUseError
        When another process is writing to it.
    """
    if not out.exists(RECORD):
        held = sorted({name.partition("/")[0] for name in out.list()} - {LEASE})
        refuse_foreign(out, "--out", "folder of predictions", RECORD, held[:_N_SHOWN])
    with DriverLease(out, say, "--out").held() as lease:
        folder = PredictionsFolder(out, lease, facts)
        # At once, because a folder with units but without this file would look like someone else's.
        folder.write()
        with folder.recorded():
            yield folder


def require_same_options(out: RunDirectory, facts: Mapping[str, Any]) -> None:
    """Refuse to overwrite finished predictions that were made with other options.

    New data, or another run, replace their earlier results; fewer rows or symbols would leave old
    files next to new ones, or silently remove rows.

    Raises
    ------
    ConfigError
        With the options that differ.
    """
    if not out.exists(RECORD):
        return
    found = read_predictions_record(out, RECORD)
    if found.status != "done":
        return
    before = found.model_dump(include=found.model_fields_set)
    differing = [
        f"{option} {before[key] or 'none'} there and {facts[key] or 'none'} here"
        for key, option in _OPTIONS.items()
        if key in before and before[key] != facts[key]
    ]
    if differing:
        raise ConfigError(
            f"--out {out.uri} holds predictions of other options: {'; '.join(differing)}. Give "
            "another folder, or --replace to put these in their place."
        )


class PredictionsFolder:
    """A folder of predictions while it is written.

    Attributes
    ----------
    record
        What ``predictions.json`` holds.
    """

    def __init__(self, out: RunDirectory, lease: DriverLease, facts: Mapping[str, Any]) -> None:
        self._out, self._lease = out, lease
        self.check = lease.check
        self.record: dict[str, Any] = {
            "status": "running",
            "error": None,
            "started_at": _now(),
            "finished_at": None,
            "failures": [],
            "files": self._earlier_files(),
            **facts,
        }

    def begin(self, units: Sequence[Unit], before: Mapping[str, Collection[str]]) -> None:
        """Forget earlier predictions that these will not produce again.

        A finished unit counts only while its file exists, and a file only while its unit is
        finished, so results of other inputs are never mistaken for these.

        Parameters
        ----------
        units
            The units to run; each spec names its file.
        before
            Digests of the units that they need, by stage: leftovers of other units of these stages
            are removed.
        """
        names = {unit.digest: str(unit.spec.name) for unit in units}
        there = frozenset(self._out.list())
        good: set[str] = set()
        stale: list[str] = []
        for name in there:
            folder, _, file = name.rpartition("/")
            parts = name.split("/")
            if len(parts) > 2 and parts[0] == "units" and parts[1] in before:
                if parts[2].removesuffix(".json") not in before[parts[1]]:
                    stale.append(name)
            elif folder == f"units/{STAGE}":
                written = names.get(file.removesuffix(".json"))
                if written in there:
                    good.add(str(written))
                else:
                    stale.append(name)
        stale += [name for name in self.record["files"] if name in there and name not in good]
        with ThreadPoolExecutor(_N_THREADS) as pool:
            list(pool.map(self._out.remove, stale))
        self.record["files"] = sorted(names.values())
        self.write()

    def add_failures(self, failures: Sequence[Failed]) -> None:
        """Note the units that failed."""
        self.record["failures"] += [
            {"symbol": each.unit.key, "error": each.reason, "attempts": each.attempts}
            for each in failures
        ]

    def write(self) -> None:
        """Write ``predictions.json``."""
        self._lease.check()
        self._out.write_json(RECORD, self.record)

    def finish(self, status: str, error: str | None = None) -> None:
        """Record how it ended."""
        self.record |= {"status": status, "error": error, "finished_at": _now()}
        self.write()

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record an interruption or a failure."""
        try:
            yield
        except KeyboardInterrupt:
            self._end("interrupted", "interrupted; the same command continues from here")
            raise
        except RayPipelineError as error:
            self._end("failed", str(error))
            raise

    def _end(self, status: str, error: str) -> None:
        if not self._lease.is_lost:
            self.finish(status, error)

    def _earlier_files(self) -> list[str]:
        if not self._out.exists(RECORD):
            return []
        return list(read_predictions_record(self._out, RECORD).files)


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds")
