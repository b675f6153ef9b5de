"""Units on Ray: drives the actors by the policy until every unit has its outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.capacity import (
    WorkerShape,
    first_lane,
    lane_memory,
    misfit,
    n_workers_that_fit,
)
from ray_pipeline.execution.performing import Report
from ray_pipeline.execution.policy import Call, Round, Silence, give_up
from ray_pipeline.execution.protocol import Done, Failed, Outcome, Shared, Unit, UnitStore
from ray_pipeline.execution.ray_session import RaySession, RaySettings
from ray_pipeline.execution.ray_workers import (
    Broke,
    Event,
    Finished,
    RayWorkers,
    Ready,
    SharedLost,
)

__all__ = ["RayExecutor", "RaySettings"]

State = TypeVar("State")

_SILENCE_S = 30.0
"""Silence before `on_wait` is told; doubled each time."""

_GROWTH_S = 600.0
"""An autoscaler has added a node by then, or it has none to add that could hold a worker."""

_WAKE_S = 1.0
"""Longest wait inside Ray, which bounds how late a silence is noticed."""


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
        self._pool_shape = self._shape
        self._values: WeakKeyDictionary[Shared, Any] = WeakKeyDictionary()
        self._homes: dict[str, int] = {}
        self._session = RaySession(self._settings.address)
        try:
            self._check_fit()
            self._check_number()
            self._workers: RayWorkers | None = RayWorkers(make_state, store)
        except BaseException:
            self._session.close()
            raise

    @property
    def n_workers(self) -> int:
        """Workers that a stage with enough units gets."""
        return self._size(self._shape)

    def run(self, units: Sequence[Unit]) -> Iterator[Outcome]:
        """Yield one outcome per unit in completion order; see `Executor.run`."""
        if not units:
            return
        nodes = self._session.nodes()
        calls = [
            Call(unit, lane=first_lane(unit.memory_bytes, nodes, self._shape)) for unit in units
        ]
        for outcome, _ in self._rounds(calls):
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
            self._values.clear()
        self._session.close()

    def _kept(self, unit: Unit) -> Any:
        nodes = self._session.nodes()
        lane = first_lane(unit.memory_bytes, nodes, self._shape)
        [(outcome, value)] = self._rounds([Call(unit, keep=True, lane=lane)])
        if isinstance(outcome, Failed):
            raise ExecutionError(
                f"{unit.stage}/{unit.key} could not be computed for the other units: "
                f"{outcome.error}\n{outcome.traceback}"
            )
        return value

    def _rounds(self, calls: list[Call]) -> Iterator[tuple[Outcome, Any]]:
        """Run calls lane by lane; what is put aside comes back in a later round."""
        try:
            while calls:
                lane = min(call.lane for call in calls)
                later = [call for call in calls if call.lane != lane]
                current = self._begin([call for call in calls if call.lane == lane], lane)
                yield from self._drive(current)
                for shared in _missed(current.aside):
                    self._values[shared] = self._kept(shared.unit)
                calls = later + current.aside
        except ConnectionError as error:  # from Ray Client; other drivers end with their node
            raise ExecutionError(
                f"The connection to the Ray cluster is lost: {' '.join(str(error).split())} "
                "What was finished is kept: the same command continues from there."
            ) from error

    def _begin(self, calls: list[Call], lane: int) -> Round:
        workers = self._open()
        memory = lane_memory(lane, self._session.nodes(), self._shape)
        shape = replace(self._shape, memory_bytes=memory)
        if shape != self._pool_shape:
            workers.kill_all()
            self._pool_shape = shape
        self._check_fit()
        return Round(
            calls,
            self._homes,
            workers.ready,
            pool_size=self._size(shape),
            max_attempts=self._settings.max_attempts,
            unit_timeout_s=self._settings.unit_timeout_s,
        )

    def _drive(self, current: Round) -> Iterator[tuple[Outcome, Any]]:
        """Keep the workers busy until nothing of a round is left."""
        workers = self._open()
        size = self._size(self._pool_shape)
        starts = _StartWatch(limit=size * self._settings.max_attempts)
        silence = Silence(time.monotonic(), _SILENCE_S)
        try:
            while current.n_left:
                for _ in range(min(size, current.n_left) - len(workers)):
                    workers.start(self._pool_shape)
                for worker, call in current.assign(time.monotonic()):
                    workers.submit(worker, call, self._resolved(call.unit))
                asked = time.monotonic()
                for event in workers.wait(current.patience(asked, _WAKE_S)):
                    silence.broken(time.monotonic())
                    starts.saw(event)
                    yield from self._after(current, event)
                # As of before the wait: whoever takes the outcomes may be slow, and a worker that
                # answered meanwhile is not late.
                for worker in current.overdue(asked):
                    workers.kill(worker)
                    message = f"no result within {self._settings.unit_timeout_s} s"
                    yield from self._given_up(current.broke(worker, "timeout"), message)
                if silence.is_due(time.monotonic()):
                    self._speak(current, time.monotonic() - silence.since)
        finally:
            # Left early (Ctrl-C, an error, a consumer that stopped): no call may linger in an
            # actor that the next round takes for idle.
            for worker in current.busy:
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
                current.finished(worker, call, now)
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

    def _size(self, shape: WorkerShape) -> int:
        n_fit = n_workers_that_fit(self._session.nodes(), shape)
        asked = self._settings.n_workers
        if self._session.can_grow:
            return max(1, n_fit) if asked is None else asked
        return n_fit if asked is None else min(asked, n_fit)

    def _check_fit(self) -> None:
        problem = misfit(self._session.nodes(), self._pool_shape)
        if problem is not None and not self._session.can_grow:
            raise ExecutionError(problem)
        if problem is not None:
            self._say(f"{problem} Waiting for the cluster to grow.")

    def _check_number(self) -> None:
        asked, n_workers = self._settings.n_workers, self.n_workers
        if asked is not None and n_workers < asked:
            self._say(f"{asked} workers of {self._shape} were asked for; {n_workers} fit.")

    def _speak(self, current: Round, silent_s: float) -> None:
        workers = self._open()
        problem = misfit(self._session.nodes(), self._pool_shape)
        if problem is not None and not workers.ready and silent_s >= _GROWTH_S:
            raise ExecutionError(f"{problem} No such node was added in {silent_s:.0f} s.")
        starting = f", {workers.n_starting} wait for {self._pool_shape} or are starting"
        self._say(
            f"No unit ended for {silent_s:.0f} s: {current.describe(time.monotonic())}. "
            f"{len(workers.ready)} workers are ready"
            f"{starting if workers.n_starting else ''}. {problem or ''}".rstrip()
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
                    f"{self._n_failed} workers in a row died while they started; the last: "
                    f"{event.message}"
                )


def _outcome(call: Call, report: Report) -> Outcome:
    if report.kind is None:
        return Done(call.unit, report.record or {}, call.n_started, report.seconds)
    return Failed(call.unit, report.error, report.kind, report.traceback, call.n_started)


def _missed(calls: Sequence[Call]) -> list[Shared]:
    """Shared values of the calls that were put aside for want of one, each once."""
    lost = [call for call in calls if call.faults[-1] == "lost"]
    return list(dict.fromkeys(shared for call in lost for shared in call.unit.shared))
