"""Who does what next, and what follows a failure: decisions without Ray and without a clock.

Time is seconds on any clock that never goes back, and always an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ray_pipeline.execution.protocol import Failed, Unit

__all__ = ["IN_FLIGHT_PER_WORKER", "Call", "Fault", "Round", "Silence", "after_fault", "give_up"]

IN_FLIGHT_PER_WORKER = 2
"""One that runs and one that waits behind it, which hides the way to the driver and back."""

_PLENTY = 4
"""Waiting calls per worker above which second calls are handed out. They save a millisecond each;
near the end of a round one could be stuck behind a long unit while other workers are idle."""

Fault = Literal["lost", "storage", "timeout", "memory"]
NextStep = Literal["again", "with_more_memory", "give_up"]

_FAULT_NAMES: dict[Fault, str] = {
    "lost": "WorkerLost",
    "storage": "StorageError",
    "timeout": "UnitTimeout",
    "memory": "OutOfMemory",
}
_LONGEST_ERROR = 300  # characters; a failure is one row of a table


@dataclass(eq=False)
class Call:
    """A unit on its way through its attempts.

    Attributes
    ----------
    unit
        The work.
    keep
        Whether its value stays in the object store (`Executor.share`) instead of being a record.
    lane
        Memory lane that it runs in (`capacity.lane_memory`).
    faults
        What ended its attempts so far, none of them by its own doing as far as one can tell.
    n_inputs_lost
        Times that it could not start because a shared value was missing.
    misses_input
        Whether it waits for one to be computed again.
    """

    unit: Unit
    keep: bool = False
    lane: int = 0
    faults: list[Fault] = field(default_factory=list)
    n_inputs_lost: int = 0
    misses_input: bool = False

    @property
    def n_started(self) -> int:
        """Attempts including the one under way."""
        return len(self.faults) + 1


def after_fault(faults: Sequence[Fault], max_attempts: int) -> NextStep:
    """Decide what to do with a unit whose attempts ended in these faults.

    A lost worker or a timeout may be the node's fault, the store may be throttling: again, while
    attempts are left. Running out of memory is answered once, with twice the memory; the second
    time it is the unit. Other exceptions of the unit's own never come here: they would only
    repeat themselves.
    """
    if len(faults) >= max_attempts or faults.count("memory") > 1:
        return "give_up"
    return "with_more_memory" if faults[-1] == "memory" else "again"


def give_up(call: Call, message: str) -> Failed:
    """Turn a call that has no attempts left into the failure of its unit.

    Parameters
    ----------
    call
        With at least one fault.
    message
        What is known of the last fault. Ray's account of a death goes on for pages: the error
        gets its beginning, the traceback all of it.
    """
    fault = call.faults[-1]
    line = " ".join(message.split())
    start = line if len(line) <= _LONGEST_ERROR else f"{line[:_LONGEST_ERROR]}…"
    said = f"{start} (attempts: {', '.join(call.faults)})"
    return Failed(call.unit, _FAULT_NAMES[fault], said, fault, message, attempts=len(call.faults))


class Round:
    """Calls of one memory lane, from the first to the last outcome.

    Parameters
    ----------
    calls
        What is to be done, in order of preference.
    homes
        Unit key → worker that had it last; kept up to date, and handed on to later rounds.
    workers
        Workers that are ready at the start.
    n_expected
        Workers that there will be in a while, at least 1; may be changed as nodes come and go.
    max_attempts
        Attempts per unit, at least 1.
    unit_timeout_s
        Longest that a unit may run, or None.

    Attributes
    ----------
    aside
        Calls that need something first: more memory (their lane is one up), or a shared value
        that was lost. They belong to a later round.
    """

    def __init__(
        self,
        calls: Iterable[Call],
        homes: dict[str, int],
        workers: Iterable[int],
        n_expected: int,
        max_attempts: int,
        unit_timeout_s: float | None,
    ) -> None:
        self.aside: list[Call] = []
        self.n_expected = n_expected
        self._homes = homes
        self._max_attempts = max_attempts
        self._timeout_s = unit_timeout_s
        self._in_flight: dict[int, deque[Call]] = {worker: deque() for worker in workers}
        self._head_since: dict[int, float] = {}
        self._retired: set[int] = set()
        self._backlog = _Backlog()
        for call in calls:
            self._backlog.push(call, self._home(call))

    @property
    def n_left(self) -> int:
        """Calls that wait or run."""
        return len(self._backlog) + sum(map(len, self._in_flight.values()))

    @property
    def busy(self) -> tuple[int, ...]:
        """Workers with a call in flight."""
        return tuple(worker for worker, calls in self._in_flight.items() if calls)

    def worker_ready(self, worker: int) -> None:
        """Count on a worker from now on."""
        self._in_flight[worker] = deque()

    def assign(self, now: float) -> list[tuple[int, Call]]:
        """Hand out calls: (worker, call) pairs to submit in this order.

        An idle worker gets a call that it has the data for, else one that nobody has, else it
        steals from the longest queue of another. Second calls are handed out only while plenty
        wait.
        """
        given: list[tuple[int, Call]] = []
        for may_steal in (False, True):
            for worker, calls in self._at_work():
                if not calls and (call := self._backlog.take(worker, may_steal=may_steal)):
                    given.append((worker, call))
                    self._give(worker, call, now)
        for worker, calls in self._at_work():
            is_plenty = len(self._backlog) > _PLENTY * self.n_expected
            room = is_plenty and len(calls) < IN_FLIGHT_PER_WORKER
            if room and (call := self._backlog.take(worker, may_steal=False)):
                given.append((worker, call))
                self._give(worker, call, now)
        return given

    def finished(self, worker: int, call: Call, now: float) -> None:
        """Take note that a worker answered; its next call runs from now on."""
        self._in_flight[worker].remove(call)
        self._head_since[worker] = now

    def store_failed(self, worker: int, call: Call, now: float) -> bool:
        """Take note that the store failed a call; return whether it will be tried again."""
        self.finished(worker, call, now)
        return self._blame(call, "storage") is None

    def retire(self, worker: int) -> None:
        """Give a worker nothing more; what it has in flight it may finish."""
        self._retired.add(worker)

    def is_spent(self, worker: int) -> bool:
        """Whether a worker was retired and has answered all that it had."""
        return worker in self._retired and not self._in_flight[worker]

    def broke(self, worker: int, fault: Fault) -> Call | None:
        """Take note that a worker is gone; return the call that is given up, if one is.

        The call at its head is blamed and waits at the end of the queue, so that one that kills
        its workers does not do so again before the others had theirs. Calls behind it are
        innocent and come first.
        """
        calls = self._in_flight.pop(worker, deque())
        self._head_since.pop(worker, None)
        self._retired.discard(worker)
        self._backlog.forget(worker)
        head = calls.popleft() if calls else None
        for call in reversed(calls):
            self._backlog.push(call, None, first=True)
        return None if head is None else self._blame(head, fault)

    def shared_lost(self, worker: int, call: Call, now: float) -> Call | None:
        """Put a call aside whose shared value is gone; return it when it is given up.

        It never started: that is none of its attempts, and as many such losses are borne besides.
        """
        self.finished(worker, call, now)
        call.n_inputs_lost += 1
        if call.n_inputs_lost >= self._max_attempts:
            call.faults.append("lost")
            return call
        call.misses_input = True
        self.aside.append(call)
        return None

    def overdue(self, now: float) -> tuple[int, ...]:
        """Workers whose running call is past its time."""
        if self._timeout_s is None:
            return ()
        late = now - self._timeout_s
        return tuple(worker for worker in self.busy if self._head_since[worker] <= late)

    def patience(self, now: float, longest_s: float) -> float:
        """Seconds to wait for news before something may be overdue, at most `longest_s`."""
        if self._timeout_s is None or not self.busy:
            return longest_s
        first = min(self._head_since[worker] for worker in self.busy)
        return min(longest_s, max(0.0, first + self._timeout_s - now))

    def describe(self, now: float, n_named: int = 3) -> str:
        """Say what is running, the oldest first, and how much waits."""
        oldest = sorted(self.busy, key=self._head_since.__getitem__)
        named = [
            f"{self._in_flight[worker][0].unit.key} for {now - self._head_since[worker]:.0f} s"
            for worker in oldest[:n_named]
        ]
        more = f" and {len(oldest) - n_named} more" if len(oldest) > n_named else ""
        running = f"{len(oldest)} running ({', '.join(named)}{more})" if oldest else "none running"
        return f"{running}, {self.n_left - len(oldest)} waiting"

    def _at_work(self) -> list[tuple[int, deque[Call]]]:
        return [item for item in self._in_flight.items() if item[0] not in self._retired]

    def _give(self, worker: int, call: Call, now: float) -> None:
        if not self._in_flight[worker]:
            self._head_since[worker] = now
        self._in_flight[worker].append(call)
        self._homes[call.unit.key] = worker

    def _home(self, call: Call) -> int | None:
        home = self._homes.get(call.unit.key)
        return home if home in self._in_flight else None

    def _blame(self, call: Call, fault: Fault) -> Call | None:
        call.faults.append(fault)
        step = after_fault(call.faults, self._max_attempts)
        if step == "give_up":
            return call
        if step == "with_more_memory":
            call.lane += 1
            self.aside.append(call)
        else:
            self._backlog.push(call, None)
        return None


class Silence:
    """Says when to speak up because nothing happens: after `first_s`, then ever more rarely."""

    def __init__(self, now: float, first_s: float) -> None:
        self._first_s = first_s
        self.broken(now)

    def broken(self, now: float) -> None:
        """Take note that something happened."""
        self.since = now
        self._next_s = self._first_s

    def is_due(self, now: float) -> bool:
        """Whether to speak now; a yes counts as having spoken."""
        if now - self.since < self._next_s:
            return False
        self._next_s *= 2
        return True


class _Backlog:
    """Calls that wait, by the worker that holds their data (None: nobody does)."""

    def __init__(self) -> None:
        self._queues: dict[int | None, deque[Call]] = {None: deque()}
        self._n_calls = 0

    def __len__(self) -> int:
        return self._n_calls

    def push(self, call: Call, home: int | None, *, first: bool = False) -> None:
        self._n_calls += 1
        queue = self._queues.setdefault(home, deque())
        if first:
            queue.appendleft(call)
        else:
            queue.append(call)

    def take(self, worker: int, *, may_steal: bool) -> Call | None:
        queue = self._queues.get(worker) or self._queues[None]
        if not queue and may_steal and self._n_calls:
            longest = max(self._queues.values(), key=len)
            self._n_calls -= 1
            return longest.pop()
        if not queue:
            return None
        self._n_calls -= 1
        return queue.popleft()

    def forget(self, worker: int) -> None:
        """Free the calls that waited for a worker that is gone."""
        self._queues[None].extend(self._queues.pop(worker, ()))
