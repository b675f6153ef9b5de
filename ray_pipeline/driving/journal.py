"""The run's journal: ``run.json`` and ``symbols.json``, kept up to date as stages end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal

from ray_pipeline.errors import ConfigError, StorageError
from ray_pipeline.identity import MISSING, installed_version, package_sha256
from ray_pipeline.results.documents import FORMAT_VERSION
from ray_pipeline.results.tables import RECORD, RESULTS
from ray_pipeline.storage import RunDirectory
from ray_pipeline.version import __version__

__all__ = ["Journal", "Status", "refuse_foreign"]

_SHOWN_DIGITS = 12

_PROGRESS_S = 10.0
"""Maximum age of the record of a working run: fresh enough to watch, at one small write."""

Status = Literal["running", "done", "failed", "interrupted"]

_LIBRARIES = ("lightgbm", "numpy", "pyarrow", "ray", "scipy")
_OF_FAMILIES = ("catboost", "scikit-learn", "torch", "xgboost")


class Journal:
    """What is known about a run so far; every change of state is written at once.

    Parameters
    ----------
    run
        Where the journal is written.
    facts
        Name, seed, config hash and similar facts, written unchanged.
    check
        Called before anything is written; raises where this driver may not write.
    before
        Record of an earlier run of the same config on the same data, whose work this one continues:
        timings describe the work, not the last command.
    sources
        Hash of the source of each user-defined stage, by its name.
    """

    def __init__(
        self,
        run: RunDirectory,
        facts: Mapping[str, Any],
        check: Callable[[], None] | None = None,
        before: Mapping[str, Any] | None = None,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        self._run = run
        self._check = check
        self._started = self._written = time.monotonic()
        self._before = before or {}
        self._n_computed = 0
        self._record: dict[str, Any] = {
            "status": "running",
            "message": None,
            "error": None,
            "content_sha256": None,
            "input_fingerprint": None,
            "started_at": _now(),
            "finished_at": None,
            "wall_s": None,
            "timings_s": {},
            "counts": {},
            "warnings": [],
            "units": {},
            "progress": None,
            "data": {},
            "folds": [],
            "versions": _versions() | _sources(sources or {}),
            **facts,
            "format_version": FORMAT_VERSION,
        }

    def write(self) -> None:
        """Write ``run.json``."""
        if self._check is not None:
            self._check()
        self._written = time.monotonic()
        self._run.write_json(RECORD, self._record)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; the time is recorded even if the stage fails.

        A stage that computed nothing, because earlier commands had done its work, keeps their time.
        """
        start, n_before = time.monotonic(), self._n_computed
        try:
            yield
        finally:
            earlier = self._before.get("timings_s", {}).get(name)
            seconds = time.monotonic() - start
            if earlier is not None:
                seconds = earlier + seconds if self._n_computed > n_before else earlier
            self._record["timings_s"][name] = round(seconds, 3)
            self.write()

    def computed(self) -> None:
        """Count a unit of work that this command computed."""
        self._n_computed += 1

    def count(self, **counts: int) -> None:
        """Record counts by name."""
        self._record["counts"].update(counts)

    def progress(
        self, units: Mapping[str, int], step: str, n_done: int, n_total: int, left_s: float | None
    ) -> None:
        """Record the progress for `status`; written from time to time, and with the next change.

        Parameters
        ----------
        units
            Units that the result uses so far, by their names.
        step, n_done, n_total
            The step at work, its finished units and all of them.
        left_s
            Seconds until the run is done, where that is known.
        """
        self._record["units"] = dict(units)
        self._record["progress"] = {
            "step": step,
            "n_done": n_done,
            "n_total": n_total,
            "left_s": None if left_s is None else round(left_s, 1),
        }
        if time.monotonic() - self._written < _PROGRESS_S:
            return
        # The store may have recovered when the stage ends and its record has to be written.
        with suppress(StorageError):
            self.write()

    def note(self, **facts: Any) -> None:
        """Record facts by name."""
        self._record.update(facts)

    def warn(self, warnings: Sequence[str]) -> None:
        """Record warnings, each once."""
        known = self._record["warnings"]
        known.extend(text for text in warnings if text not in known)

    @property
    def changed_versions(self) -> list[str]:
        """Packages whose installed version differs from when the continued work was begun.

        Ray does not count: it transports units, but computes nothing.
        """
        before, now = self._before.get("versions"), self._record["versions"]
        if not isinstance(before, dict):
            return []
        return [
            f"{name} {before[name]} → {at}"
            for name, at in now.items()
            if name != "ray" and before.get(name, at) != at
        ]

    @property
    def elapsed_s(self) -> float:
        """Seconds since this command began."""
        return time.monotonic() - self._started

    @property
    def record(self) -> Mapping[str, Any]:
        """What ``run.json`` holds."""
        return self._record

    def finish(self, status: Status, message: str, error: str | None = None) -> None:
        """Record how the run ended."""
        seconds = time.monotonic() - self._started
        earlier = self._before.get("wall_s")
        if earlier is not None:
            seconds = earlier + seconds if self._n_computed else earlier
        self._record.update(
            status=status,
            message=message,
            error=error,
            progress=None,
            finished_at=_now(),
            wall_s=round(seconds, 3),
        )
        self.write()


def refuse_foreign(
    run: RunDirectory,
    setting: str = "output.run_dir",
    kind: str = "run directory",
    record: str = RECORD,
    results: Sequence[str] = (*RESULTS, "units"),
) -> None:
    """Raise ConfigError when a directory holds files that cannot be ours.

    A user who names one of their own folders must not lose its models/ or reports.

    Parameters
    ----------
    setting, kind, record
        The setting that names the directory, what it should be, and the file that every such
        directory has.
    results
        Files and folders that would be written there.
    """
    if run.exists(record):
        return
    foreign = [name for name in results if run.list(name)]
    if foreign:
        raise ConfigError(
            f"{setting}: {run.uri} is not a {kind} (it has no {record}), yet it holds "
            f"{', '.join(foreign)}, which would be replaced. Give a new or an empty folder."
        )


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


def _sources(stages: Mapping[str, str]) -> dict[str, str]:
    """Identify the code in addition to its version: an edit changes it."""
    named = {f"stage {name}, source": sha256 for name, sha256 in stages.items()}
    found = {"ray_pipeline, source": package_sha256(), **named}
    return {name: sha256[:_SHOWN_DIGITS] for name, sha256 in found.items()}


def _versions() -> dict[str, str]:
    found = {name: installed_version(name) for name in (*_LIBRARIES, *_OF_FAMILIES)}
    there = {name: at for name, at in found.items() if name in _LIBRARIES or at != MISSING}
    return {"ray_pipeline": __version__, "python": installed_version("python"), **there}
