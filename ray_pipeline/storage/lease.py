"""One driver at a time: who works on a run directory, and what shows that it is alive."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal, Self

from ray_pipeline.errors import RunInUseError, RunTakenOverError, StorageError
from ray_pipeline.storage import RunDirectory
from ray_pipeline.storage.documents import check_document, parse_json
from ray_pipeline.storage.process import is_gone, machine_id, start_ticks

__all__ = ["LEASE", "DriverLease", "Holder"]

LEASE = "driver.json"

_BEAT_S = 5.0

_SILENT_S = 30.0
"""Without a heartbeat for so long, as seen by the one who waits, a driver of another machine is
taken for dead. Clocks of two machines are never compared."""

_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Holder:
    """A driver at work, as ``driver.json`` names it.

    Attributes
    ----------
    token
        Tells it from every other driver that ever was.
    host, pid
        Where it runs.
    machine, ticks
        What a driver on the same machine knows by whether it still runs, where the system says.
    started_at, beat_at
        Start and last heartbeat by its own clock, ISO 8601.
    n_beats
        Heartbeats so far: that it changes shows life.
    """

    token: str
    host: str
    pid: int
    machine: str | None
    ticks: int | None
    started_at: str
    beat_at: str
    n_beats: int = 0

    @classmethod
    def of_this_process(cls) -> Self:
        """Name this process as holder."""
        now, pid = _now(), os.getpid()
        return cls(
            uuid.uuid4().hex, socket.gethostname(), pid, machine_id(), start_ticks(pid), now, now
        )

    @classmethod
    def read(cls, content: bytes | None) -> Self | None:
        """Read a holder; None when there is no file, or it holds something else."""
        if content is None:
            return None
        try:
            written = parse_json(content)
            check_document(written)
            found = cls(**written)
        except (ValueError, TypeError):
            return None
        return found if found._is_plausible() else None

    def _is_plausible(self) -> bool:
        texts = (self.token, self.host, self.started_at, self.beat_at, self.machine or "")
        numbers = (self.pid, self.n_beats, self.ticks or 0)
        return all(isinstance(each, str) for each in texts) and all(
            type(each) is int for each in numbers
        )

    def written(self) -> bytes:
        """Return the content of the file."""
        return json.dumps(asdict(self), indent=2).encode()

    def beaten(self) -> Self:
        """Return it a heartbeat later."""
        return replace(self, n_beats=self.n_beats + 1, beat_at=_now())

    @property
    def life(self) -> Literal["alive", "gone", "unknown"]:
        """What this machine knows of the process: of another machine's it knows nothing."""
        if is_gone(self.machine, self.pid, self.ticks):
            return "gone"
        return "alive" if self.machine is not None and self.machine == machine_id() else "unknown"

    def __str__(self) -> str:
        """Name it in a message."""
        return (
            f"process {self.pid} on {self.host} (started {self.started_at}, last heartbeat "
            f"{self.beat_at})"
        )


class DriverLease:
    """The right to work on a run directory, kept alive by a thread.

    Parameters
    ----------
    run
        The directory.
    say
        Told, in a sentence, what is being waited for.
    option
        Of the command line: what gives it another directory; None: nothing does.
    """

    def __init__(
        self, run: RunDirectory, say: Callable[[str], None], option: str | None = "--run-dir"
    ) -> None:
        self._run = run
        self._say = say
        self._option = option
        self._mine = Holder.of_this_process()
        self._taken_by: Holder | None = None
        self._is_over = threading.Event()

    @contextmanager
    def held(self) -> Iterator[Self]:
        """Hold the lease inside the block.

        Raises
        ------
        RunInUseError
            When another driver works on the directory.
        """
        self._acquire()
        beating = threading.Thread(target=self._beat, name="driver-heartbeat", daemon=True)
        beating.start()
        try:
            yield self
        finally:
            self._is_over.set()
            beating.join()
            if not self.is_lost and self._run.find_bytes(LEASE) == self._mine.written():
                self._run.remove(LEASE)

    @property
    def is_lost(self) -> bool:
        """Whether another driver has taken the directory over."""
        return self._taken_by is not None

    def check(self) -> None:
        """Go on only while the lease is held.

        Raises
        ------
        RunTakenOverError
            When another driver has taken it over, because this one was silent for too long.
        """
        if self._taken_by is not None:
            raise RunTakenOverError(
                f"{self._run.uri} was taken over by {self._taken_by}, while this process showed no "
                "heartbeat. It goes on there; nothing that was finished is lost."
            )

    def _acquire(self) -> None:
        while True:
            seen = self._run.find_bytes(LEASE)
            if seen is not None:
                self._wait_for_end(seen)
            if self._run.swap_bytes(LEASE, seen, self._mine.written()):
                return

    def _wait_for_end(self, seen: bytes) -> None:
        """Return when the holder is known to be dead."""
        holder = Holder.read(seen)
        if holder is not None and holder.life == "gone":
            self._say(f"taking over from {holder}, which has ended")
            return
        if holder is not None and holder.life == "alive":
            raise self._in_use(holder)
        named = holder or f"somebody who left {LEASE}"
        self._say(f"waiting {_SILENT_S:.0f} s for a sign of life from {named}")
        deadline = time.monotonic() + _SILENT_S
        while time.monotonic() < deadline:
            time.sleep(_POLL_S)
            now = self._run.find_bytes(LEASE)
            if now is None:
                return
            if now != seen and (holder := Holder.read(now)) is not None:
                raise self._in_use(holder)
        self._say("there was none: taking over")

    def _in_use(self, holder: Holder) -> RunInUseError:
        way_out = "Wait until that one has ended, or stop it."
        if self._option is not None:
            way_out = (
                "Wait until that run has ended, stop it, or give this one another directory with "
                f"{self._option}."
            )
        return RunInUseError(f"{self._run.uri} is in use by {holder}. {way_out}")

    def _beat(self) -> None:
        while not self._is_over.wait(_BEAT_S) and not self.is_lost:
            before, after = self._mine.written(), self._mine.beaten()
            try:
                if self._run.swap_bytes(LEASE, before, after.written()):
                    self._mine = after
                else:
                    self._look()
            except StorageError:
                # The store may be back for the next one; the units speak of it if it is not.
                continue

    def _look(self) -> None:
        """Find out why the file is not as it was left: taken over, or only removed."""
        seen = self._run.find_bytes(LEASE)
        holder = Holder.read(seen)
        if holder is not None and holder.token != self._mine.token:
            self._taken_by = holder
        else:
            self._run.swap_bytes(LEASE, seen, self._mine.written())


def _now() -> str:
    return datetime.now(tz=UTC).isoformat(timespec="seconds")
