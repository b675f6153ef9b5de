"""What a stage hands to an executor and what it gets back; nothing here knows Ray."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Protocol

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.canonical import canonical
from ray_pipeline.identity import Identity, identity_of
from ray_pipeline.records import FinishedUnit, UnfitUnit, WrittenFile

__all__ = [
    "Done",
    "Executor",
    "Failed",
    "FailureKind",
    "Outcome",
    "Shared",
    "Unit",
    "UnitStore",
    "Usage",
    "code_of",
]

_PERFORMING = "ray_pipeline.execution.performing"
"""What calls every unit's function: it limits the threads and turns the result into a record."""

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

        That is: stage, key, the function's qualified name, the code that it can reach, and `spec`.

        Raises
        ------
        ExecutionError
            When the function has no name that another process could import, or `spec` holds
            what JSON cannot.
        """
        return self._described[0]

    @property
    def folder(self) -> str:
        """Folder of the run directory for the files that the unit leaves for later ones."""
        return f"units/{self.stage}/{self.digest}"

    @property
    def code(self) -> Identity:
        """The code that `function` can reach."""
        return code_of(self.function)

    @property
    def libraries(self) -> Mapping[str, str]:
        """Versions of the libraries that compute, those that `spec` names by an `Identity` too."""
        return dict(self._described[1])

    def with_shared(self, shared: tuple[Shared, ...]) -> Unit:
        """Return the unit with handles of shared values, under the digest that it has."""
        unit = replace(self, shared=shared)
        unit.__dict__["_described"] = self._described
        return unit

    @cached_property
    def _described(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        parts = [self.stage, self.key, _qualified_name(self), self.code, self.spec]
        try:
            found = [canonical(part) for part in parts]
        except (TypeError, RecursionError) as error:
            raise ExecutionError(
                f"{self.stage}/{self.key}: the unit's spec cannot be written as JSON ({error}). "
                "Build it from dicts, lists, strings, numbers and dataclasses of these."
            ) from error
        text = json.dumps([part.text for part in found])
        digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]
        libraries = frozenset[tuple[str, str]]().union(*(part.libraries for part in found))
        return digest, tuple(sorted(libraries))


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
    `seconds` is the time inside the function, in whichever run that was.
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
    error_type, message
        Name of the exception's class, and what it says.
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
    error_type: str
    message: str
    kind: FailureKind
    traceback: str
    attempts: int

    @property
    def error(self) -> str:
        """Both in one line, ``TypeOfError: message``."""
        return f"{self.error_type}: {self.message}"

    @property
    def is_of_data(self) -> bool:
        """Whether the data are at fault, which is a finding about them and no defect of the run."""
        return self.kind == "data"

    @property
    def reason(self) -> str:
        """The error beside the unit's name: bad data need no type and no second name."""
        if not self.is_of_data:
            return self.error
        return self.message.removeprefix(f"symbol {self.unit.key}: ")


Outcome = Done | Failed


class UnitStore(Protocol):
    """Records of finished units; it is pickled to the workers, which write to it."""

    def recall(
        self, stage: str, digests: Sequence[str]
    ) -> Iterator[tuple[str, FinishedUnit | UnfitUnit]]:
        """Yield those of the units of a stage that have a record, each with what it is worth.

        A unit is unfit when its record, or a file that it wrote, is not as it was written.
        """
        ...

    def collecting(self) -> AbstractContextManager[Mapping[str, WrittenFile]]:
        """Give what is written into the run directory while the block lasts, by name."""
        ...

    def write(
        self, stage: str, digest: str, unit: FinishedUnit, files: Mapping[str, WrittenFile]
    ) -> None:
        """Write the record of a unit, whole or not at all."""
        ...


@dataclass(frozen=True, slots=True)
class Usage:
    """What workers have used so far.

    Attributes
    ----------
    peak_bytes
        The most that one of them has held, 0 where that is not known.
    n_requests
        To object stores, of workers that are processes of their own; those of this process are
        in `ray_pipeline.traffic`.
    """

    peak_bytes: int = 0
    n_requests: int = 0

    def with_more(self, peak_bytes: int, n_requests: int) -> Usage:
        """Return the usage after one more unit."""
        return Usage(max(self.peak_bytes, peak_bytes), self.n_requests + n_requests)


class Executor(Protocol):
    """Runs units somewhere; the stages know this and nothing of Ray."""

    @property
    def n_workers(self) -> int:
        """Workers that a stage with enough units would keep busy."""
        ...

    @property
    def usage(self) -> Usage:
        """What the workers have used so far."""
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


def code_of(function: Callable[..., Any]) -> Identity:
    """Return the code that decides what a unit's function returns, with all that it can reach."""
    return identity_of(str(function.__module__), _PERFORMING)


def _qualified_name(unit: Unit) -> str:
    module = getattr(unit.function, "__module__", None)
    name = getattr(unit.function, "__qualname__", None)
    if module is None or name is None or "<" in name:
        raise ExecutionError(
            f"{unit.stage}/{unit.key}: the unit's function is {unit.function!r}, which has no name "
            "of its own to resume by. Use a function at the top level of an importable module."
        )
    return f"{module}:{name}"
