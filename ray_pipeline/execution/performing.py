"""What a worker does with one unit: the same code in the serial executor and in a Ray actor."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from ray_pipeline.display import capped
from ray_pipeline.errors import DataError, ExecutionError, StorageError
from ray_pipeline.execution.artifacts import working_in
from ray_pipeline.execution.protocol import Unit, UnitStore, code_of
from ray_pipeline.execution.threads import ThreadLimits
from ray_pipeline.identity import installed_version
from ray_pipeline.memory import give_back, own_memory, peak_memory
from ray_pipeline.records import FinishedUnit
from ray_pipeline.traffic import traffic

__all__ = ["MAX_RECORD_BYTES", "Order", "Report", "Worker"]

State = TypeVar("State")

OwnFailure = Literal["data", "application", "storage"]
"""The kinds of failure that a unit itself can tell."""

_KEPT_BYTES = 32 * 2**20
"""What a process may hold more than after the last time that it gave memory back, before it does so
again: small units do not pay for it."""

_MAX_TRACEBACK = 40_000

MAX_RECORD_BYTES = 4 * 2**20
"""Records pass through the driver, whose memory must not grow with the rows. The largest honest
ones describe an irregular time axis; anything bigger is a table for the run directory."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker needs of a unit; `shared` travels beside it, resolved.

    Digest, code and libraries are as the driver has them: a worker with others would compute
    something else under the same name.
    """

    stage: str
    key: str
    digest: str
    folder: str
    function: Callable[..., Any]
    spec: Any
    code_sha256: str
    libraries: Mapping[str, str]

    @classmethod
    def of(cls, unit: Unit) -> Order:
        """Take a unit's order."""
        return cls(
            stage=unit.stage,
            key=unit.key,
            digest=unit.digest,
            folder=unit.folder,
            function=unit.function,
            spec=unit.spec,
            code_sha256=unit.code.sha256,
            libraries=unit.libraries,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """How a unit ended in its worker: with a record, or (`kind` is set) with an exception.

    `memory_bytes` is what the process holds for itself afterwards, and `peak_bytes` the most that
    it has ever held, 0 where that is not known; `n_requests` counts those of the process to object
    stores since its last report.
    """

    seconds: float
    record: dict[str, Any] | None = None
    kind: OwnFailure | None = None
    error_type: str = ""
    message: str = ""
    traceback: str = ""
    memory_bytes: int = 0
    peak_bytes: int = 0
    n_requests: int = 0


class Worker(Generic[State]):
    """One worker: its state, its store and its thread limits.

    Parameters
    ----------
    make_state
        Builds what the worker keeps from unit to unit; called once, by `start`.
    store
        Where records are written.
    cpus
        Threads that OpenMP and Arrow may use.
    """

    def __init__(self, make_state: Callable[[], State], store: UnitStore, cpus: int) -> None:
        self._make_state = make_state
        self._store = store
        self._limits = ThreadLimits(cpus)
        self._state: State | None = None
        self._held_bytes = 0
        self._n_told = 0

    def start(self) -> None:
        """Build the state.

        Raises
        ------
        ExecutionError
            When `make_state` raises: no worker will do better, so the run cannot go on.
        """
        try:
            with self._limits.applied():
                self._state = self._make_state()
        except Exception as error:
            raise ExecutionError(
                f"The state of a worker could not be built: {type(error).__name__}: {error}\n"
                f"{traceback.format_exc()}"
            ) from error

    def perform(self, order: Order, *shared: object) -> Report:
        """Compute a unit's record and write it to the store."""

        def perform_and_write() -> dict[str, Any]:
            with self._store.collecting() as files:
                start = time.perf_counter()
                value = self._call(order, shared)
                seconds = time.perf_counter() - start
            record = _as_record(order, value)
            finished = FinishedUnit(order.key, record, seconds, order.libraries)
            self._store.write(order.stage, order.digest, finished, files)
            return record

        return self._weighed(_reported(perform_and_write)[0])

    def keep(self, order: Order, *shared: object) -> tuple[Report, Any]:
        """Compute a value for other units; nothing is written, and the report has no record."""
        return _reported(lambda: self._call(order, shared), is_record=False)

    def confirm(self, report: Report, value: object) -> Report:
        """Return the report of `keep`, called with both of its results.

        That this can be called at all shows that the value could be stored: one that cannot be
        pickled fails only after `keep` has returned.
        """
        del value
        return self._weighed(report)

    def _weighed(self, report: Report) -> Report:
        """Add what the process holds, once it has given back what the unit left unused."""
        held = own_memory()
        if held > self._held_bytes + _KEPT_BYTES:
            give_back()
            held = self._held_bytes = own_memory()
        n_requests = traffic().n_requests
        report = replace(
            report,
            memory_bytes=held,
            peak_bytes=peak_memory(),
            n_requests=n_requests - self._n_told,
        )
        self._n_told = n_requests
        return report

    def _call(self, order: Order, shared: tuple[object, ...]) -> Any:
        _require_same_code(order)
        with self._limits.applied(), working_in(order.folder):
            return order.function(self._state, order.spec, *shared)


def _require_same_code(order: Order) -> None:
    """Raise ExecutionError where this worker would compute something else than the driver means."""
    others = [
        f"{name} is {installed_version(name)} here and {at} with the driver"
        for name, at in order.libraries.items()
        if installed_version(name) != at
    ]
    if code_of(order.function).sha256 != order.code_sha256:
        others.insert(0, f"the source that {order.function.__module__} reaches is another")
    if others:
        raise ExecutionError(
            f"{order.stage}/{order.key}: this worker's code is not the driver's: "
            f"{'; '.join(others)}. Install the same versions on every node; if a file was edited "
            "while this program ran, start the program again."
        )


def _reported(work: Callable[[], Any], *, is_record: bool = True) -> tuple[Report, Any]:
    start = time.perf_counter()
    try:
        value = work()
    # The one place that catches broadly: whatever a unit raises is its own outcome, not the end
    # of the run. SystemExit too, since in an actor it would look like a lost worker.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        report = Report(
            seconds=time.perf_counter() - start,
            kind=_kind_of(error),
            error_type=type(error).__name__,
            message=capped(str(error)),
            traceback=capped(traceback.format_exc(), _MAX_TRACEBACK),
        )
        return report, None
    seconds = time.perf_counter() - start
    return Report(seconds, record=value if is_record else None), value


def _kind_of(error: BaseException) -> OwnFailure:
    if isinstance(error, DataError):
        return "data"
    return "storage" if isinstance(error, StorageError) else "application"


def _as_record(order: Order, value: object) -> dict[str, Any]:
    """Return the record as a resumed run would read it: plain JSON types, lists for tuples."""
    subject = f"{order.stage}/{order.key}"
    if not isinstance(value, dict):
        raise ExecutionError(
            f"{subject}: the unit returned a {_type_name(value)}; its record must be a dict."
        )
    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ExecutionError(
            f"{subject}: the record cannot be written as JSON: {_offender(value) or error}. "
            "Use dicts with text keys, lists, strings, numbers, booleans and None."
        ) from error
    if len(text) > MAX_RECORD_BYTES:
        raise ExecutionError(
            f"{subject}: the record takes {len(text) / 2**20:.1f} MiB, more than the "
            f"{MAX_RECORD_BYTES / 2**20:.0f} MiB that may pass through the driver. "
            "Write tables to the run directory and return their names."
        )
    plain: dict[str, Any] = json.loads(text)
    return plain


def _offender(value: object, path: str = "record") -> str | None:
    """Say where the first value is that JSON cannot hold, or None when there is none to name."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str | int | float | bool | None):
                return f"{path} has a key of type {_type_name(key)}"
            if (found := _offender(item, f"{path}[{key!r}]")) is not None:
                return found
        return None
    if isinstance(value, list | tuple):
        found_all = (_offender(item, f"{path}[{i}]") for i, item in enumerate(value))
        return next((found for found in found_all if found is not None), None)
    if isinstance(value, str | int | float | bool | None):
        return None
    return f"{path} is of type {_type_name(value)}"


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
