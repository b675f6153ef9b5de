"""Units in this process, one after the other: for debugging, small data and tests."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.performing import Order, Report, Worker
from ray_pipeline.execution.protocol import Done, Failed, Outcome, Shared, Unit, UnitStore, Usage
from ray_pipeline.memory import peak_memory

__all__ = ["SerialExecutor"]

State = TypeVar("State")


class SerialExecutor(Generic[State]):
    """Runs each unit in this process, in the given order; again only when the store fails.

    Parameters
    ----------
    make_state
        Builds the worker's state, when the first unit needs it.
    store
        Where records are written.
    cpus_per_worker
        Threads for OpenMP and Arrow.
    max_attempts
        Attempts per unit, at least 1.
    """

    n_workers = 1

    def __init__(
        self,
        make_state: Callable[[], State],
        store: UnitStore,
        cpus_per_worker: int = 1,
        max_attempts: int = 3,
    ) -> None:
        self._worker: Worker[State] | None = Worker(make_state, store, cpus_per_worker)
        self._max_attempts = max_attempts
        self._is_started = False
        self._values: WeakKeyDictionary[Shared, Any] = WeakKeyDictionary()

    @property
    def usage(self) -> Usage:
        """What this process has held; its requests are its own."""
        return Usage(peak_bytes=peak_memory())

    def run(self, units: Sequence[Unit]) -> Iterator[Outcome]:
        """Yield one outcome per unit, in the given order."""
        for unit in units:
            attempts = 0
            report = Report(seconds=0.0, kind="storage")
            while report.kind == "storage" and attempts < self._max_attempts:
                report = self._started().perform(Order.of(unit), *self._resolved(unit))
                attempts += 1
            if report.record is None:
                yield _failed(unit, report, attempts)
            else:
                yield Done(unit, report.record, attempts, report.seconds)

    def share(self, unit: Unit) -> Shared:
        """Compute a value and keep it; arrays in it become read-only, as they are on Ray."""
        report, value = self._started().keep(Order.of(unit), *self._resolved(unit))
        if report.kind is not None:
            raise ExecutionError(
                f"{unit.stage}/{unit.key} could not be computed for the other units: "
                f"{report.error_type}: {report.message}\n{report.traceback}"
            )
        shared = Shared(unit)
        self._values[shared] = _read_only(unit, value)
        return shared

    def close(self) -> None:
        """Drop the state and the shared values."""
        self._worker = None
        self._values.clear()

    def _started(self) -> Worker[State]:
        if self._worker is None:
            raise ExecutionError("This executor is closed; make a new one to run more units.")
        if not self._is_started:
            self._worker.start()
            self._is_started = True
        return self._worker

    def _resolved(self, unit: Unit) -> list[Any]:
        if any(shared not in self._values for shared in unit.shared):
            raise ExecutionError(
                f"{unit.stage}/{unit.key}: one of its shared values belongs to another executor, "
                "or to one that was closed. Share it again with the executor that runs the unit."
            )
        return [self._values[shared] for shared in unit.shared]


def _failed(unit: Unit, report: Report, attempts: int) -> Failed:
    kind = report.kind or "application"
    return Failed(unit, report.error_type, report.message, kind, report.traceback, attempts)


def _read_only(unit: Unit, value: Any) -> Any:
    """Return the value with its buffers (NumPy, Arrow, pandas) read-only, without copying them.

    Unpickling over read-only out-of-band buffers (PEP 574) is what Ray does as well, so that a
    unit that writes into a shared array, or shares what cannot be pickled, fails here too.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise ExecutionError(
            f"{unit.stage}/{unit.key}: its value cannot be shared, because it cannot be pickled: "
            f"{type(error).__name__}: {error}"
        ) from error
    views = [buffer.raw().toreadonly() for buffer in buffers]
    return pickle.loads(data, buffers=views)
