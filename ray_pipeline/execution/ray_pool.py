"""Units on Ray: drives the actors by the policy until every unit has its outcome."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.capacity import WorkerShape, first_lane, gib, lane_memory
from ray_pipeline.execution.performing import Report
from ray_pipeline.execution.policy import Call, Round, Silence, give_up
from ray_pipeline.execution.protocol import Done, Failed, Outcome, Shared, Unit, UnitStore, Usage
from ray_pipeline.execution.ray_metrics import UnitMetrics
from ray_pipeline.execution.ray_session import NODE_WAIT_S, RaySession, RaySettings
from ray_pipeline.execution.ray_workers import (
    Broke,
    Event,
    Finished,
    RayWorkers,
    Ready,
    SharedLost,
)
from ray_pipeline.execution.sizing import PoolSizing
from ray_pipeline.wording import agreeing, plural

__all__ = ["RayExecutor", "RaySettings"]

State = TypeVar("State")

_SILENCE_S = 30.0
"""Silence before `on_wait` is told; doubled each time."""

_WAKE_S = 1.0
"""Longest wait inside Ray, which bounds how late a silence, or a change of nodes, is noticed."""


class RayExecutor(Generic[State]):
    """Runs units on a pool of Ray actors.

    Actors live from stage to stage, each with its state, so that a symbol's next stage finds its
    data in memory. They are started when there is work, and replaced when they die.

    Parameters
    ----------
    make_state
        Builds a worker's state, inside the worker; it has to be importable there.
    store
        Where the workers write records; pickled to them.
    settings
        Where and how; see `RaySettings`.

    Raises
    ------
    ExecutionError
        When there is no Ray to use, or none of its nodes could ever hold one worker.
    """

    def __init__(
        self,
        make_state: Callable[[], State],
        store: UnitStore,
        settings: RaySettings | None = None,
    ) -> None:
        self._settings = settings if settings is not None else RaySettings()
        self._shape = WorkerShape(
            self._settings.cpus_per_worker, self._settings.memory_per_worker_bytes
        )
        self._values: WeakKeyDictionary[Shared, Any] = WeakKeyDictionary()
        self._homes: dict[str, int] = {}
        self._n_replaced = 0
        self._usage = Usage()
        self._session = RaySession(self._settings.address)
        self._sizing = PoolSizing(
            self._session.nodes, self._session.growth, self._settings.n_workers, self._shape
        )
        wait_s = self._settings.node_wait_s
        self._node_wait_s = NODE_WAIT_S[self._session.growth] if wait_s is None else wait_s
        try:
            self._sizing.update(time.monotonic())
            self._check_fit()
            self._check_number()
            self._workers: RayWorkers | None = RayWorkers(make_state, store, self._settings.name)
            self._metrics = UnitMetrics(self._settings.name)
        except BaseException:
            self._session.close()
            raise

    @property
    def n_workers(self) -> int:
        """Workers that a stage with enough units gets on the nodes as they are."""
        return self._sizing.size if self._settings.n_workers else self._sizing.n_expected

    @property
    def usage(self) -> Usage:
        """What the workers have used so far, those that are gone among them."""
        return self._usage

    def run(self, units: Sequence[Unit]) -> Iterator[Outcome]:
        """Yield one outcome per unit in completion order; see `Executor.run`."""
        if not units:
            return
        calls = [Call(unit, lane=self._first_lane(unit)) for unit in units]
        for outcome, _ in self._rounds(calls):
            self._metrics.ended(outcome)
            yield outcome

    def share(self, unit: Unit) -> Shared:
        """Compute a value in a worker and leave it in the object store; see `Executor.share`.

        A value that is lost later, with its node, is computed again when a unit misses it.
        """
        shared = Shared(unit)
        self._values[shared] = self._kept(unit)
        return shared

    def close(self) -> None:
        """Kill the workers, drop the shared values, and end the Ray that was started for them."""
        if self._workers is not None:
            self._workers.kill_all()
            self._workers = None
            self._metrics.workers(0, 0)
            self._values.clear()
        self._session.close()

    def _kept(self, unit: Unit) -> Any:
        [(outcome, value)] = self._rounds([Call(unit, keep=True, lane=self._first_lane(unit))])
        if isinstance(outcome, Failed):
            raise ExecutionError(
                f"{unit.stage}/{unit.key} could not be computed for the other units: "
                f"{outcome.error}\n{outcome.traceback}"
            )
        return value

    def _first_lane(self, unit: Unit) -> int:
        return first_lane(unit.memory_bytes, self._sizing.nodes, self._shape)

    def _rounds(self, calls: list[Call]) -> Iterator[tuple[Outcome, Any]]:
        """Run calls lane by lane; what is put aside comes back in a later round."""
        try:
            while calls:
                lane = min(call.lane for call in calls)
                later = [call for call in calls if call.lane != lane]
                current = self._begin([call for call in calls if call.lane == lane], lane)
                yield from self._drive(current, calls[0].unit.stage, len(later))
                for shared in _missed(current.aside):
                    self._values[shared] = self._kept(shared.unit)
                for call in current.aside:
                    call.misses_input = False
                calls = later + current.aside
        except ConnectionError as error:  # from Ray Client; other drivers end with their node
            raise ExecutionError(
                f"The connection to the Ray cluster is lost: {' '.join(str(error).split())} "
                "What was finished is kept: the same command continues from there."
            ) from error

    def _begin(self, calls: list[Call], lane: int) -> Round:
        workers = self._open()
        memory = lane_memory(lane, self._sizing.nodes, self._shape)
        shape = replace(self._shape, memory_bytes=memory)
        if shape != self._sizing.shape:
            workers.kill_all()
            self._sizing.reshape(shape)
        self._check_fit()
        return Round(
            calls,
            self._homes,
            workers.ready,
            n_expected=self._sizing.n_expected,
            max_attempts=self._settings.max_attempts,
            unit_timeout_s=self._settings.unit_timeout_s,
        )

    def _drive(self, current: Round, stage: str, n_later: int) -> Iterator[tuple[Outcome, Any]]:
        """Keep the workers busy until nothing of a round is left."""
        workers, sizing = self._open(), self._sizing
        starts = _StartWatch(limit=sizing.n_expected * self._settings.max_attempts)
        silence = Silence(time.monotonic(), _SILENCE_S)
        try:
            while current.n_left:
                asked = time.monotonic()
                sizing.update(asked)
                self._check_wait(asked)
                current.n_expected = sizing.n_expected
                n_ready, n_starting = len(workers.ready), len(workers.starting)
                for _ in range(sizing.n_to_start(current.n_left, n_ready, n_starting)):
                    workers.start(sizing.shape)
                for worker, call in current.assign(asked):
                    workers.submit(worker, call, self._resolved(call.unit))
                n_running = len(current.busy)
                self._metrics.queue(stage, n_running, current.n_left - n_running + n_later)
                self._metrics.workers(len(workers.ready), len(workers.starting))
                for event in workers.wait(current.patience(asked, _WAKE_S)):
                    silence.broken(time.monotonic())
                    starts.saw(event)
                    yield from self._after(current, event)
                # As of before the wait: the consumer of outcomes may be slow, and a worker that
                # answered meanwhile is not late.
                for worker in current.overdue(asked):
                    workers.kill(worker)
                    message = f"no result within {self._settings.unit_timeout_s} s"
                    yield from self._given_up(current.broke(worker, "timeout"), message)
                if silence.is_due(time.monotonic()):
                    self._speak(current, time.monotonic() - silence.since)
        finally:
            self._metrics.queue(stage, 0, 0)
            # Left early (Ctrl-C, an error, a consumer that stopped): no call may linger in an
            # actor that the next round takes for idle.
            for worker in current.busy:
                workers.kill(worker)
            # Workers that wait for a node keep an autoscaler ordering them; the next round may want
            # fewer.
            for worker in workers.starting[max(0, sizing.n_fit - len(workers.ready)) :]:
                workers.kill(worker)

    def _after(self, current: Round, event: Event) -> Iterator[tuple[Outcome, Any]]:
        now = time.monotonic()
        match event:
            case Ready(worker):
                current.worker_ready(worker)
            case Broke(worker, fault, message):
                yield from self._given_up(current.broke(worker, fault), message)
            case SharedLost(worker, call, message):
                yield from self._given_up(current.shared_lost(worker, call, now), message)
            case Finished(worker, call, report, value):
                is_over = True
                self._usage = self._usage.with_more(report.peak_bytes, report.n_requests)
                if report.kind == "storage":
                    is_over = not current.store_failed(worker, call, now)
                else:
                    current.finished(worker, call, now)
                self._bound_memory(current, worker, report.memory_bytes)
                if is_over:
                    yield _outcome(call, report), value

    def _given_up(self, call: Call | None, message: str) -> Iterator[tuple[Outcome, Any]]:
        if call is not None:
            yield give_up(call, message), None

    def _resolved(self, unit: Unit) -> list[Any]:
        if any(shared not in self._values for shared in unit.shared):
            raise ExecutionError(
                f"{unit.stage}/{unit.key}: one of its shared values belongs to another executor, "
                "or to one that was closed. Share it again with the executor that runs the unit."
            )
        return [self._values[shared] for shared in unit.shared]

    def _open(self) -> RayWorkers:
        if self._workers is None:
            raise ExecutionError("This executor is closed; make a new one to run more units.")
        return self._workers

    def _bound_memory(self, current: Round, worker: int, memory_bytes: int) -> None:
        """Replace a worker that holds more than its share, once nothing is in flight there.

        Allocators keep what libraries leave behind; only the end of the process gives it back.
        """
        limit = self._settings.max_worker_memory_bytes or self._sizing.memory_limit or math.inf
        if memory_bytes > limit:
            current.retire(worker)
        if not current.is_spent(worker):
            return
        self._open().kill(worker)
        current.broke(worker, "memory")
        self._n_replaced += 1
        if math.log10(self._n_replaced).is_integer():
            n_workers = "worker was" if self._n_replaced == 1 else "workers were"
            self._say(
                f"{self._n_replaced} {n_workers} replaced for holding more than {gib(limit)} "
                f"after a unit (execution.max_worker_memory_bytes); now {gib(memory_bytes)}."
            )

    def _check_fit(self) -> None:
        problem = self._sizing.problem
        if problem is not None and not self._sizing.can_grow:
            raise ExecutionError(problem)
        if problem is not None:
            self._say(f"{problem} Waiting {self._node_wait_s:.0f} s for such a node.")

    def _check_wait(self, now: float) -> None:
        waited_s = self._sizing.misfit_s(now)
        if waited_s > self._node_wait_s:
            raise ExecutionError(
                f"{self._sizing.problem} No such node was added in {waited_s:.0f} s "
                "(execution.node_wait_s)."
            )

    def _check_number(self) -> None:
        asked, n_workers = self._settings.n_workers, self.n_workers
        if asked is not None and n_workers < asked:
            self._say(
                f"{asked} workers of {self._shape} were asked for; "
                f"{n_workers} {agreeing(n_workers, 'fits', 'fit')}."
            )

    def _speak(self, current: Round, silent_s: float) -> None:
        workers = self._open()
        n_starting = len(workers.starting)
        starting = f", {n_starting} wait for {self._sizing.shape} or are starting"
        self._say(
            f"No unit ended for {silent_s:.0f} s: {current.describe(time.monotonic())}. "
            f"{plural(len(workers.ready), 'worker is', 'workers are')} ready"
            f"{starting if n_starting else ''}. {self._sizing.problem or ''}".rstrip()
        )

    def _say(self, sentence: str) -> None:
        if self._settings.on_wait is not None:
            self._settings.on_wait(sentence)


class _StartWatch:
    """Ends the run when workers die while they start, again and again."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._n_failed = 0

    def saw(self, event: Event) -> None:
        if isinstance(event, Ready):
            self._n_failed = 0
        elif isinstance(event, Broke) and event.while_starting:
            self._n_failed += 1
            if self._n_failed >= self._limit:
                raise ExecutionError(
                    f"{plural(self._n_failed, 'worker')} in a row died while they started; "
                    f"the last: {event.message}"
                )


def _outcome(call: Call, report: Report) -> Outcome:
    if report.kind is None:
        return Done(call.unit, report.record or {}, call.n_started, report.seconds)
    attempts = len(call.faults) if report.kind == "storage" else call.n_started
    return Failed(
        call.unit, report.error_type, report.message, report.kind, report.traceback, attempts
    )


def _missed(calls: Sequence[Call]) -> list[Shared]:
    """Shared values of the calls that were put aside because one was missing, each once."""
    lost = [call for call in calls if call.misses_input]
    return list(dict.fromkeys(shared for call in lost for shared in call.unit.shared))
