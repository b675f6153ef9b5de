"""What a stage hands to an executor and what it gets back; nothing here knows Ray."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

from ray_pipeline import __version__
from ray_pipeline.errors import ExecutionError

__all__ = [
    "CODE_VERSION",
    "Done",
    "Executor",
    "Failed",
    "FailureKind",
    "Outcome",
    "Shared",
    "Unit",
    "UnitStore",
]

CODE_VERSION = 2
"""Part of every digest: raised when the same unit would give another record than before, so that
records of older code are not taken for finished work. A release raises the package version."""

FailureKind = Literal["data", "application", "storage", "lost", "timeout", "memory"]

_DIGEST_LENGTH = 32


@dataclass(frozen=True)
class Unit:
    """One piece of work: a symbol, or a block of small ones, in one stage.

    Attributes
    ----------
    stage
        Name of the stage; a folder of the unit store.
    key
        Name of the unit within its stage, unique there. Units of later stages with the same key
        go to the worker that had it when that one is free, which then holds its data.
    function
        A function at the top level of an importable module, called as
        ``function(state, spec, *shared_values)``. It returns a small dict that JSON can hold
        (any value when the unit is given to `Executor.share`), which depends on nothing but
        `spec` and the data that `spec` names.
    spec
        All that the result depends on: nested dicts, lists, strings, numbers and dataclasses.
    shared
        Values kept by `Executor.share`. They are **not** part of the digest, because their
        handles mean nothing after the process: `spec` has to name what they depend on.
    memory_bytes
        Memory that the unit is expected to need, or None when nobody knows.
    """

    stage: str
    key: str
    function: Callable[..., Any]
    spec: Any
    shared: tuple[Shared, ...] = ()
    memory_bytes: int | None = None

    @cached_property
    def digest(self) -> str:
        """The first 32 hex digits of a SHA-256 over all that the record depends on.

        That is: package version, `CODE_VERSION`, stage, key, the function's qualified name and
        `spec`, as JSON with sorted keys.

        Raises
        ------
        ExecutionError
            When the function has no name that another process could import, or `spec` holds
            what JSON cannot.
        """
        parts = [
            __version__,
            CODE_VERSION,
            self.stage,
            self.key,
            _qualified_name(self),
            self.spec,
        ]
        try:
            text = json.dumps(parts, sort_keys=True, default=_as_plain)
        except (TypeError, ValueError) as error:
            raise ExecutionError(
                f"{self.stage}/{self.key}: the unit's spec cannot be written as JSON ({error}). "
                "Build it from dicts, lists, strings, numbers and dataclasses of these."
            ) from error
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]


@dataclass(frozen=True, eq=False)
class Shared:
    """Handle of a large value that the workers reach without copying it.

    It stands for the value that `unit` computed, and is valid with the executor that made it.
    The value is dropped with the last reference to its handle.
    """

    unit: Unit


@dataclass(frozen=True, slots=True)
class Done:
    """A unit that has its record.

    `attempts` counts the times that the unit was started, 0 when an earlier run finished it;
    `seconds` is the time inside the function in the last one.
    """

    unit: Unit
    record: dict[str, Any]
    attempts: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A unit that has no record and will get none in this run.

    Attributes
    ----------
    error
        One line, ``TypeOfError: message``.
    kind
        ``data``: the data cannot be used; ``application``: any other exception of the function;
        ``storage``: the store failed; ``lost``: its worker died or could not be reached;
        ``timeout``: it ran too long; ``memory``: its worker was killed for memory. The first two
        are never tried again.
    traceback
        Of the worker, or Ray's account of the death.
    attempts
        Times that the unit was started.
    """

    unit: Unit
    error: str
    kind: FailureKind
    traceback: str
    attempts: int


Outcome = Done | Failed


class UnitStore(Protocol):
    """Records of finished units; it is pickled to the workers, which write to it."""

    def finished(self, stage: str) -> frozenset[str]:
        """Return the digests of the finished units of a stage."""
        ...

    def read(self, stage: str, digest: str) -> dict[str, Any]:
        """Return the record of a finished unit."""
        ...

    def write(self, stage: str, digest: str, record: dict[str, Any]) -> None:
        """Write the record of a unit, whole or not at all."""
        ...


class Executor(Protocol):
    """Runs units somewhere; the stages know this and nothing of Ray."""

    @property
    def n_workers(self) -> int:
        """Workers that a stage with enough units would keep busy."""
        ...

    def run(self, units: Sequence[Unit]) -> Iterator[Outcome]:
        """Yield exactly one outcome per unit, in the order in which they end."""
        ...

    def share(self, unit: Unit) -> Shared:
        """Compute a large value on a worker and keep it where the workers reach it.

        Its arrays are read-only for the units that get it. No record is written.

        Raises
        ------
        ExecutionError
            When the unit fails, for good or after its last attempt.
        """
        ...

    def close(self) -> None:
        """Let go of the workers and all shared values; a second call does nothing."""
        ...


def _qualified_name(unit: Unit) -> str:
    module = getattr(unit.function, "__module__", None)
    name = getattr(unit.function, "__qualname__", None)
    if module is None or name is None or "<" in name:
        raise ExecutionError(
            f"{unit.stage}/{unit.key}: the unit's function is {unit.function!r}, which has no name "
            "of its own to resume by. Use a function at the top level of an importable module."
        )
    return f"{module}:{name}"


def _as_plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"it holds a {type(value).__name__}")
