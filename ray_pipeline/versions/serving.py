"""Which version of a run's models serves: the pointer, and the journal of who changed it."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from ray_pipeline.errors import ConfigError, DamagedFileError, RunDirectoryError
from ray_pipeline.results.reading import Results
from ray_pipeline.results.version_documents import (
    CurrentVersion,
    DecisionRecord,
    EventKind,
    VersionEvent,
    VersionRecord,
)
from ray_pipeline.storage import RunDirectory
from ray_pipeline.versions.kept import (
    VERSIONS,
    check_files,
    decision_name,
    kept_versions,
    read_version,
    remove_version,
)

__all__ = [
    "CURRENT",
    "JOURNAL",
    "Standing",
    "current_version",
    "finish_change",
    "note_event",
    "promote",
    "read_decision",
    "read_journal",
    "remove_beyond",
    "roll_back",
    "standing_of",
    "standings",
    "versions_beyond",
    "who_is_here",
    "write_decision",
]

CURRENT = f"{VERSIONS}/current.json"
JOURNAL = f"{VERSIONS}/journal"

_CHANGES: tuple[EventKind, ...] = ("promoted", "rolled-back")
_N_THREADS = 16
_FORGET_EVENT = "Restore the file, or remove it: what it says is forgotten then."
_FORGET_DECISION = "Remove the file: it tells what was compared, and nothing depends on it."

Status = Literal["current", "earlier", "challenger", "rejected"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A version, whether it serves, and since when.

    Attributes
    ----------
    status
        ``current``: serves; ``earlier``: has served; ``rejected``: was compared with the serving
        one, and did worse; ``challenger``: waits to be promoted.
    since
        None if nothing has been decided.
    why
        As in the journal, empty if nothing has been decided.
    """

    record: VersionRecord
    status: Status
    since: str | None
    why: str
    decision: DecisionRecord | None


def current_version(run: RunDirectory) -> CurrentVersion | None:
    """Return the version that serves; None if none was ever kept.

    If the file is gone, the journal decides.

    Raises
    ------
    DamagedFileError
        When the file holds something else.
    """
    if run.exists(CURRENT):
        return Results(run).document(CURRENT, CurrentVersion)
    last = _last_change(run)
    return None if last is None else _pointer(_read_event(run, last))


def promote(
    run: RunDirectory, version: str, who: str, why: str, *, is_new: bool = False
) -> CurrentVersion:
    """Make a version serve from now on; the caller holds the lease.

    Nothing is done if it already serves.

    Parameters
    ----------
    is_new
        It was kept just now, so its files need not be read again.

    Raises
    ------
    ConfigError
        When there is no such version.
    ArtifactError
        When it is not whole.
    """
    record = read_version(run, version)
    current = finish_change(run)
    if current is not None and current.version == version:
        return current
    if not is_new:
        check_files(run, record, predictions=True)
    return _change(run, "promoted", record, current, who, why)


def roll_back(run: RunDirectory, who: str, why: str) -> CurrentVersion:
    """Go back to the version that served before; the caller holds the lease.

    Raises
    ------
    ConfigError
        When none has.
    ArtifactError
        When it is not whole.
    """
    current = finish_change(run)
    if current is None or current.previous is None:
        raise ConfigError(
            f"{run.uri}: no other version has served before. `ray-pipeline versions {run.uri} "
            "--promote VERSION` has any version serve that it lists."
        )
    record = read_version(run, current.previous)
    check_files(run, record, predictions=True)
    return _change(run, "rolled-back", record, current, who, why)


def note_event(
    run: RunDirectory, event: EventKind, version: str, over: str | None, who: str, why: str
) -> VersionEvent:
    """Append an entry to the journal, as a separate file.

    Raises
    ------
    RunDirectoryError
        When another process appends at the same time, which the lease should prevent.
    """
    names = run.names_in(JOURNAL)
    number = 1 + max((_number(name) for name in names), default=0)
    entry = VersionEvent(
        number=number, event=event, version=version, over=over, at=_now(), who=who, why=why
    )
    content = entry.model_dump_json(indent=2).encode() + b"\n"
    if not run.swap_bytes(f"{JOURNAL}/{number:06d}-{event}.json", None, content):
        raise RunDirectoryError(
            f"{run.uri}/{JOURNAL}: another process has just written entry {number}. Give the same "
            "command again."
        )
    return entry


def read_journal(run: RunDirectory) -> list[VersionEvent]:
    """Read the journal, oldest entry first."""
    results = Results(run)
    names = [f"{JOURNAL}/{name}" for name in sorted(run.names_in(JOURNAL))]
    with ThreadPoolExecutor(_N_THREADS) as pool:
        return list(
            pool.map(lambda name: results.document(name, VersionEvent, _FORGET_EVENT), names)
        )


def finish_change(run: RunDirectory) -> CurrentVersion | None:
    """Return the version that serves, after finishing an interrupted change.

    The entry in the journal is written first and decides: a pointer older than the last change is
    updated, and a damaged one is rewritten.
    """
    last = _last_change(run)
    if run.exists(CURRENT):
        try:
            current = Results(run).document(CURRENT, CurrentVersion)
            if last is None or current.event >= _number(last):
                return current
        except DamagedFileError:
            if last is None:
                raise
    return None if last is None else _point(run, _read_event(run, last))


def read_decision(run: RunDirectory, version: str) -> DecisionRecord | None:
    """Read the comparison of a version; None if there is none."""
    name = decision_name(version)
    if not run.exists(name):
        return None
    return Results(run).document(name, DecisionRecord, _FORGET_DECISION)


def write_decision(run: RunDirectory, version: str, decision: DecisionRecord) -> None:
    """Write the comparison of a version."""
    run.write_text(decision_name(version), decision.model_dump_json(indent=2) + "\n")


def remove_beyond(run: RunDirectory, n_kept: int, who: str) -> list[str]:
    """Remove the oldest versions beyond a number; return their names.

    Never the one that serves, nor the one that served before it.
    """
    gone = versions_beyond(run, n_kept)
    for version in gone:
        remove_version(run, version)
        note_event(run, "removed", version, None, who, f"beyond the {n_kept} that are kept")
    return gone


def versions_beyond(run: RunDirectory, n_kept: int) -> list[str]:
    """Name the oldest versions beyond a number, those of the oldest data first."""
    current = current_version(run)
    spared = set() if current is None else {current.version, current.previous}
    names = [record.version for record in kept_versions(run)]
    n_gone = max(0, len(names) - n_kept)
    return [name for name in names if name not in spared][:n_gone]


def standings(run: RunDirectory) -> list[Standing]:
    """Return the state of every version of a run directory, newest data first."""
    current, journal = current_version(run), read_journal(run)
    found = []
    for record in reversed(kept_versions(run)):
        status, event = standing_of(record.version, current, journal)
        found.append(
            Standing(
                record=record,
                status=status,
                since=None if event is None else event.at,
                why="" if event is None else event.why,
                decision=read_decision(run, record.version),
            )
        )
    return found


def who_is_here() -> str:
    """Name the user and the machine, for the journal."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may only have a number
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def standing_of(
    version: str, current: CurrentVersion | None, journal: Sequence[VersionEvent]
) -> tuple[Status, VersionEvent | None]:
    """Return a version's status, and the entry of the journal that gave it."""
    own = [event for event in journal if event.version == version]
    if current is not None and current.version == version:
        return "current", next((each for each in own if each.number == current.event), None)
    served = [event for event in own if event.event in _CHANGES]
    last = own[-1] if own else None
    if served:
        return "earlier", served[-1]
    if last is not None and last.event == "rejected":
        return "rejected", last
    return "challenger", last


def _change(
    run: RunDirectory,
    kind: EventKind,
    record: VersionRecord,
    current: CurrentVersion | None,
    who: str,
    why: str,
) -> CurrentVersion:
    over = None if current is None else current.version
    return _point(run, note_event(run, kind, record.version, over, who, why))


def _point(run: RunDirectory, event: VersionEvent) -> CurrentVersion:
    """Write the pointer that an entry of the journal requires."""
    current = _pointer(event)
    run.write_text(CURRENT, current.model_dump_json(indent=2) + "\n")
    return current


def _pointer(event: VersionEvent) -> CurrentVersion:
    return CurrentVersion(
        version=event.version, previous=event.over, event=event.number, since=event.at
    )


def _last_change(run: RunDirectory) -> str | None:
    """Name the journal's last change of the serving version; None: there is none."""
    changes = [name for name in run.names_in(JOURNAL) if name.endswith(_endings())]
    return max(changes, key=_number, default=None)


def _read_event(run: RunDirectory, name: str) -> VersionEvent:
    return Results(run).document(f"{JOURNAL}/{name}", VersionEvent, _FORGET_EVENT)


def _endings() -> tuple[str, ...]:
    return tuple(f"-{kind}.json" for kind in _CHANGES)


def _number(name: str) -> int:
    head = name.partition("-")[0]
    if not head.isdigit():
        raise ConfigError(
            f"{JOURNAL}/{name} is not an entry of the journal of versions. Remove it: entries are "
            "called by their number and what happened."
        )
    return int(head)


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds")
