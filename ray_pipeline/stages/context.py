"""The context of a stage: config, batch, runner, earlier results, and the account."""

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
    """Records what happens in a run, and tells the user."""

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
        """Warn the user, and keep the warning for the report."""
        ...


class StageContext:
    """One run, as seen by its stages.

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
        Failures so far, and the symbols lost to them.
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
        """Return the result of a type; None if no stage has added one."""
        found: T | None = self._results.get(kind)
        return found

    def get(self, kind: type[T]) -> T:
        """Return the result of a type.

        Raises
        ------
        ExecutionError
            When no earlier stage has added one: the list of stages is in the wrong order.
        """
        found = self.find(kind)
        if found is None:
            raise ExecutionError(
                f"no stage before this one has left a {kind.__name__}. State the stage that does "
                "in `needs`, and put it before this one in the list of stages."
            )
        return found

    def healthy(self, by_symbol: Mapping[str, T]) -> dict[str, T]:
        """Return the entries of symbols not lost to failures; see `FailureLedger`."""
        return self.ledger.healthy(by_symbol)
