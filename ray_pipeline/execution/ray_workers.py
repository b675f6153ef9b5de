"""A pool of Ray actors, and what happens to them as plain events."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import (
    ActorUnschedulableError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    RuntimeEnvSetupError,
)

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.capacity import WorkerShape
from ray_pipeline.execution.performing import Order, Report, Worker
from ray_pipeline.execution.policy import Call, Fault
from ray_pipeline.execution.protocol import UnitStore

__all__ = ["Broke", "Event", "Finished", "RayWorkers", "Ready", "SharedLost"]

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker has built its state."""

    worker: int


@dataclass(frozen=True, slots=True)
class Finished:
    """A worker answered; `value` refers to the kept value of a call with `keep`."""

    worker: int
    call: Call
    report: Report
    value: Any


@dataclass(frozen=True, slots=True)
class SharedLost:
    """A call could not start because a shared value is gone; its worker is well."""

    worker: int
    call: Call
    message: str


@dataclass(frozen=True, slots=True)
class Broke:
    """A worker is gone, and with it all that it had in flight; or it never became ready."""

    worker: int
    fault: Fault
    message: str
    while_starting: bool


Event = Ready | Finished | SharedLost | Broke


@dataclass(frozen=True, slots=True)
class _Pending:
    worker: int
    call: Call | None  # None: the worker is building its state
    value: Any = None


class PipelineWorker(Worker[Any]):
    """A worker as an actor: Ray's dashboard and logs show this name, and that of the run.

    Parameters
    ----------
    run
        Name of the run.
    make_state, store, cpus
        As `Worker`.
    """

    _run = ""  # Ray asks for the name of an actor whose constructor failed, too

    def __init__(
        self, run: str, make_state: Callable[[], Any], store: UnitStore, cpus: int
    ) -> None:
        super().__init__(make_state, store, cpus)
        self._run = run

    def __repr__(self) -> str:
        """Name the run."""
        return f"PipelineWorker of {self._run}" if self._run else "PipelineWorker"


class RayWorkers:
    """The actors that exist, and what each has in flight.

    Parameters
    ----------
    make_state
        Given to each `Worker`; pickled once.
    store
        Likewise.
    run
        Name of the run, for those who look at the cluster.
    """

    def __init__(self, make_state: Callable[[], Any], store: UnitStore, run: str = "") -> None:
        self._actor_class: Any = ray.remote(PipelineWorker)
        self._run = run
        self._make_state = ray.put(make_state)
        self._store = ray.put(store)
        self._handles: dict[int, Any] = {}
        self._starting: set[int] = set()
        self._pending: dict[Any, _Pending] = {}
        self._n_ever = 0

    def __len__(self) -> int:
        """Workers that exist, ready or not."""
        return len(self._handles)

    @property
    def starting(self) -> tuple[int, ...]:
        """Workers that were asked for and are not ready, in the order in which they were."""
        return tuple(worker for worker in self._handles if worker in self._starting)

    @property
    def ready(self) -> tuple[int, ...]:
        """Workers that have their state, in the order in which they were started."""
        return tuple(worker for worker in self._handles if worker not in self._starting)

    def start(self, shape: WorkerShape) -> None:
        """Ask for one more worker; a `Ready` or `Broke` event follows."""
        # max_restarts=0: a restarted actor would have lost its calls without our knowing.
        options: dict[str, Any] = {"num_cpus": shape.cpus, "max_restarts": 0, "max_task_retries": 0}
        if shape.memory_bytes is not None:
            options["memory"] = shape.memory_bytes
        handle = self._actor_class.options(**options).remote(
            self._run, self._make_state, self._store, shape.cpus
        )
        worker = self._n_ever
        self._n_ever += 1
        self._handles[worker] = handle
        self._starting.add(worker)
        self._pending[handle.start.options(name="start of a worker").remote()] = _Pending(
            worker, None
        )

    def submit(self, worker: int, call: Call, shared: Sequence[Any]) -> None:
        """Give a call to a worker; a worker answers its calls in the order given."""
        handle = self._handles[worker]
        order = Order.of(call.unit)
        # Top-level references: Ray resolves them in the worker, without a copy for arrays.
        # The dashboard counts tasks by these names: one for each kind of unit, not for each unit.
        if call.keep:
            name = f"{order.stage}, shared"
            report, value = handle.keep.options(num_returns=2, name=name).remote(order, *shared)
            reply = handle.confirm.options(name=name).remote(report, value)
        else:
            reply, value = handle.perform.options(name=order.stage).remote(order, *shared), None
        self._pending[reply] = _Pending(worker, call, value)

    def wait(self, timeout_s: float) -> list[Event]:
        """Wait for at least one event, and return all that there are; none after `timeout_s`.

        Raises
        ------
        ExecutionError
            When a worker cannot start for a reason that the next one would meet as well.
        """
        replies = list(self._pending)
        ready, _ = ray.wait(replies, num_returns=1, timeout=timeout_s)
        if ready:
            ready, _ = ray.wait(replies, num_returns=len(replies), timeout=0)
        # In the order of submission, so that of several calls of a dead worker the one that was
        # running comes first; the others are no longer pending then.
        return [self._event(reply) for reply in ready if reply in self._pending]

    def kill(self, worker: int) -> None:
        """End a worker at once, with all that it has in flight; one that is gone stays gone."""
        handle = self._handles.pop(worker, None)
        if handle is None:
            return
        self._starting.discard(worker)
        for reply in [reply for reply, item in self._pending.items() if item.worker == worker]:
            del self._pending[reply]
        # Where Ray Client lost its connection, a call would start a Ray of our own on this machine.
        if ray.is_initialized():
            with suppress(ConnectionError):
                ray.kill(handle)

    def kill_all(self) -> None:
        """End all workers."""
        for worker in list(self._handles):
            self.kill(worker)

    def _event(self, reply: Any) -> Event:
        pending = self._pending[reply]
        try:
            report = ray.get(reply)
        except RayTaskError as error:
            return self._after_exception(reply, error)
        except RayError as error:
            if pending.call is None:
                _raise_if_hopeless(error)
            self.kill(pending.worker)
            fault: Fault = "memory" if isinstance(error, OutOfMemoryError) else "lost"
            return Broke(pending.worker, fault, _plain(error), pending.call is None)
        del self._pending[reply]
        if pending.call is None:
            self._starting.discard(pending.worker)
            return Ready(pending.worker)
        return Finished(pending.worker, pending.call, report, pending.value)

    def _after_exception(self, reply: Any, error: RayTaskError) -> Event:
        """Read an exception that `Worker` did not catch: it came before or after the function."""
        pending = self._pending.pop(reply)
        if pending.call is None:
            raise ExecutionError(_cause(error)) from error
        if isinstance(error, ObjectLostError):
            return SharedLost(pending.worker, pending.call, _plain(error))
        report = Report(
            seconds=0.0,
            kind="application",
            error_type=type(error.cause).__name__,
            message=_plain(error.cause),
            traceback=_plain(error),
        )
        return Finished(pending.worker, pending.call, report, None)


def _raise_if_hopeless(error: RayError) -> None:
    failed_in_constructor = isinstance(error, RayActorError) and error.actor_init_failed
    if failed_in_constructor or isinstance(error, RuntimeEnvSetupError | ActorUnschedulableError):
        raise ExecutionError(f"No worker can start: {_plain(error)}") from error


def _cause(error: RayTaskError) -> str:
    cause = error.cause
    if isinstance(cause, ExecutionError):
        return str(cause)
    return f"{type(cause).__name__}: {_plain(cause)}"


def _plain(error: BaseException) -> str:
    return _ANSI.sub("", str(error))
