"""What a stage works with: config, batch, runner, earlier results, and the account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import Batch
from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.stages.failures import FailureLedger
from ray_pipeline.stages.writing import ResultWriter
from ray_pipeline.storage import RunDirectory

__all__ = ["Account", "StageContext"]

T = TypeVar("T")


class Account(Protocol):
    """Where a run records what happens, and tells the user."""

    def stage(self, name: str) -> AbstractContextManager[None]:
        """Time what happens inside, under a name."""
        ...

    def count(self, **counts: int) -> None:
        """Record counts by name."""
        ...

    def note(self, **facts: Any) -> None:
        """Record facts by name."""
        ...

    def say(self, text: str) -> None:
        """Tell the user a sentence."""
        ...

    def warn(self, warnings: Sequence[str]) -> None:
        """Tell the user, and keep it for the report."""
        ...


class StageContext:
    """One run as its stages see it.

    Attributes
    ----------
    config, batch
        As resolved; the symbols that the run started with.
    run
        The run directory, where units leave their tables.
    runner
        Runs units of work.
    write
        Writes the results of a stage.
    account
        Records counts, facts and warnings.
    ledger
        Failures so far, and the symbols that they cost.
    input_fingerprint
        Hash of the names, sizes and versions of all input files.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        batch: Batch,
        run: RunDirectory,
        runner: UnitRunner,
        write: ResultWriter,
        account: Account,
        ledger: FailureLedger,
        input_fingerprint: str,
    ) -> None:
        self.config, self.batch, self.run, self.runner = config, batch, run, runner
        self.write, self.account, self.ledger = write, account, ledger
        self.input_fingerprint = input_fingerprint
        self._results: dict[type[Any], Any] = {}

    def put(self, result: object) -> None:
        """Keep a stage's result for later stages, by its type; it replaces an earlier one."""
        self._results[type(result)] = result

    def find(self, kind: type[T]) -> T | None:
        """Return the result of a type; None where no stage has put one."""
        found: T | None = self._results.get(kind)
        return found

    def get(self, kind: type[T]) -> T:
        """Return the result of a type.

        Raises
        ------
        ExecutionError
            When no earlier stage has put one: the list of stages is in the wrong order.
        """
        found = self.find(kind)
        if found is None:
            raise ExecutionError(
                f"no stage before this one has left a {kind.__name__}. State the stage that does "
                "in `needs`, and put it before this one in the list of stages."
            )
        return found

    def healthy(self, by_symbol: Mapping[str, T]) -> dict[str, T]:
        """Return the entries of the symbols that no failure has cost; see `FailureLedger`."""
        return self.ledger.healthy(by_symbol)
