"""``ray-pipeline status``: the state of a run, read from its directory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ray_pipeline.ledger.ledger import last_update
from ray_pipeline.results.documents import ProgressFacts, RunRecord, UnitsRecord
from ray_pipeline.results.opening import open_attempt, open_run
from ray_pipeline.results.reading import Results
from ray_pipeline.results.stages import stage_place, unit_place, unit_title
from ray_pipeline.results.tables import FAILURES, UNITS
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.lease import LEASE, Holder
from ray_pipeline.versions.serving import current_version
from ray_pipeline.wording import plural, time_left_text

__all__ = ["Watch", "run_status", "status_lines", "status_sentence"]

_EXIT_CODES = {"done": 0, "failed": 1, "interrupted": 130}
_STOPPED = 1

_SILENT_S = 60.0
"""A driver on another machine without a heartbeat for this long counts as dead; the next driver
would take over after half of it."""


def run_status(uri: str) -> dict[str, Any]:
    """Return the run's record, its driver, its finished units per stage and its failures.

    ``units`` counts those that the latest of the two uses, so far; the directory may have more,
    from other configs and older data. ``attempt`` is the record of a later run that was to replace
    this result and has not; None where there is none. ``version`` is the one whose models serve,
    ``update`` what the last update did. The driver is None when none is at work; its ``life`` is
    ``gone`` when it was on this machine and died without a record, and ``unknown`` when it is on
    another.
    """
    run, directory, attempt = open_run(uri), RunDirectory(uri), open_attempt(uri)
    current = current_version(directory)
    table = run.table(FAILURES)
    failures = [] if table is None else table.drop_columns(["traceback"]).to_pylist()
    return {
        "run": run.written_record,
        "attempt": None if attempt is None else attempt.written_record,
        "version": None if current is None else current.model_dump(),
        "update": last_update(directory),
        "driver": _driver(directory),
        "units": _units(directory, attempt or run),
        "failures": failures,
    }


def _units(directory: RunDirectory, latest: Results) -> dict[str, int]:
    counted = latest.record.units
    if counted is not None:
        return dict(counted)
    if latest.record.status == "done" and latest.files.exists(UNITS):
        used = latest.document(UNITS, UnitsRecord).units
        return {name: len(digests) for name, digests in used.items()}
    # A version that kept no list: count all that exist.
    found: Counter[str] = Counter()
    for name in directory.list("units"):
        parts = name.split("/")
        if len(parts) == 3 and name.endswith(".json"):
            found[parts[1]] += 1
    return dict(found)


def _driver(run: RunDirectory) -> dict[str, Any] | None:
    holder = Holder.read(run.find_bytes(LEASE))
    if holder is None:
        return None
    return {
        "host": holder.host,
        "pid": holder.pid,
        "started_at": holder.started_at,
        "beat_at": holder.beat_at,
        "life": holder.life,
    }


def status_lines(found: dict[str, Any]) -> list[str]:
    """Format the result of `run_status` for a person."""
    lines = _account(RunRecord.model_validate(found["run"]), found["driver"])
    if found["version"] is not None:
        version = found["version"]
        lines.append(f"version {version['version']} serves since {version['since']}")
    if found["update"] is not None:
        lines.append(_update_line(found["update"]))
    units = sorted(found["units"].items(), key=lambda item: (unit_place(item[0]), item[0]))
    if units:
        lines.append("finished units: " + ", ".join(f"{stage} {n}" for stage, n in units))
    lines.extend(_failure_line(item) for item in found["failures"])
    if found["attempt"] is not None:
        lines.append("a later run has not replaced this result:")
        attempt = _account(RunRecord.model_validate(found["attempt"]), found["driver"])
        lines.extend(f"  {line}" for line in attempt)
    return lines


def status_sentence(found: Mapping[str, Any]) -> str:
    """Describe the state of the latest run in one line, for a log written while it works."""
    record = _latest(found)
    parts = [f"{record.name}: {record.status}"]
    if record.progress is not None:
        parts.append(_progress_line(record.progress))
    if record.error:
        parts.append(record.error)
    return "; ".join(parts)


class Watch:
    """Watches a run until it has ended."""

    def __init__(self) -> None:
        self._beat: str | None = None
        self._since = 0.0

    def ended(self, found: Mapping[str, Any], now: float) -> int | None:
        """Return the exit code of a run that has ended, None while a driver is at work.

        If a later run is replacing the result, that one is watched.

        Parameters
        ----------
        found
            The latest result of `run_status`.
        now
            Seconds of a monotonic clock.
        """
        if self._is_at_work(found["driver"], now):
            return None
        return _EXIT_CODES.get(_latest(found).status, _STOPPED)

    def _is_at_work(self, driver: Mapping[str, Any] | None, now: float) -> bool:
        if driver is None or driver["life"] == "gone":
            return False
        if driver["beat_at"] != self._beat:
            self._beat, self._since = driver["beat_at"], now
        # A process on this machine is known to be alive.
        return driver["life"] == "alive" or now - self._since < _SILENT_S


def _latest(found: Mapping[str, Any]) -> RunRecord:
    return RunRecord.model_validate(found["attempt"] or found["run"])


def _update_line(update: Mapping[str, Any]) -> str:
    n_predictions, alarms = update.get("n_predictions"), update.get("alarms") or ()
    did = update.get("status")
    if n_predictions:
        did = f"{plural(n_predictions, 'prediction')} until {str(update.get('last_ts'))[:16]}"
    told = f"{plural(len(alarms), 'alarm')}, see monitor" if alarms else "no alarm"
    return f"last update: {did}; {told}"


def _failure_line(item: dict[str, Any]) -> str:
    if item["kind"] == "data" and item["symbol"] is not None:
        return f"left out {item['symbol']} (in {item['stage']}): {item['error']}"
    return f"failed {item['unit']}: {item['error']}"


def _account(record: RunRecord, driver: dict[str, Any] | None) -> list[str]:
    lines = [f"{record.name}: {record.status}"]
    if record.status == "running":
        lines.append(_driver_line(driver))
        if record.progress is not None:
            lines.append(_progress_line(record.progress))
    if record.message:
        lines.append(record.message)
    n_doubtful = record.counts.get("doubtful_targets", 0)
    if n_doubtful and not record.message:
        are = "target is" if n_doubtful == 1 else "targets are"
        lines.append(f"{n_doubtful} {are} doubtful so far, see doubt.parquet")
    if record.error:
        lines.append(f"error: {record.error}")
    lines.append(f"started {record.started_at or '-'}, finished {record.finished_at or '-'}")
    timings = sorted(record.timings_s.items(), key=lambda item: (stage_place(item[0]), item[0]))
    lines.extend(f"  {name}: {seconds:.1f} s" for name, seconds in timings)
    return lines


def _progress_line(progress: ProgressFacts) -> str:
    text = f"{unit_title(progress.step)}: {progress.n_done} of {progress.n_total}"
    if progress.left_s is None or progress.left_s < 1:
        return text
    return f"{text}; {time_left_text(progress.left_s)} left of the run"


def _driver_line(driver: dict[str, Any] | None) -> str:
    if driver is None:
        return "no driver is at work; the same command continues the run"
    named = f"process {driver['pid']} on {driver['host']}"
    if driver["life"] == "gone":
        return f"its driver, {named}, has ended; the same command continues the run"
    return f"driver: {named}, last heartbeat {driver['beat_at']}"
