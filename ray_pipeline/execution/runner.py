"""What the stages run their units through: resuming, shared values, failures, progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray_pipeline.errors import DataError, ExecutionError
from ray_pipeline.execution.protocol import Executor, Failed, Outcome, Shared, Unit, UnitStore
from ray_pipeline.execution.stage import run_stage, unfit_sentence
from ray_pipeline.wording import plural

__all__ = ["SharedValue", "UnitRunner"]


class SharedValue:
    """A large value that workers will need, computed when the first unit needs it.

    A stage whose units were all finished by an earlier run never builds it.
    """

    def __init__(self, unit: Unit, needs: Sequence[SharedValue] = ()) -> None:
        self.unit = unit
        self.needs = tuple(needs)
        self._handle: Shared | None = None

    def handle(self, executor: Executor) -> Shared:
        """Return the executor's handle, computing the value first if need be."""
        if self._handle is None:
            needed = tuple(value.handle(executor) for value in self.needs)
            self._handle = executor.share(self.unit.with_shared(needed))
        return self._handle


class UnitRunner:
    """Runs the stages of one run.

    Parameters
    ----------
    executor, store
        Where units run, and where finished ones are found.
    on_outcome
        Called with each outcome, how many are done, and how many there are.
    on_failures
        Called after a stage with its failures; raises to end the run.
    say
        Told which finished work cannot be relied on and is done again.
    """

    def __init__(
        self,
        executor: Executor,
        store: UnitStore,
        on_outcome: Callable[[Outcome, int, int], None],
        on_failures: Callable[[Sequence[Failed]], None],
        say: Callable[[str], None],
    ) -> None:
        self._executor = executor
        self._store = store
        self._on_outcome = on_outcome
        self._on_failures = on_failures
        self._say = say

    def run(
        self, units: Sequence[Unit], shared: Sequence[SharedValue] = ()
    ) -> dict[str, dict[str, Any]]:
        """Run units of one stage and return their records by key, in key order.

        Units that failed are missing from the result; `on_failures` has seen them.
        """
        if not units:
            return {}
        stage = units[0].stage

        def prepared(left: Sequence[Unit]) -> Sequence[Unit]:
            handles = tuple(value.handle(self._executor) for value in shared)
            return [unit.with_shared(handles) for unit in left]

        result = run_stage(
            self._executor,
            self._store,
            units,
            self._on_outcome,
            prepare=prepared if shared else None,
            on_unfit=lambda unfit: self._say(unfit_sentence(stage, unfit)),
        )
        self._on_failures(result.failures)
        return result.records

    def leave_out(self, units: Mapping[str, Unit], reasons: Mapping[str, str]) -> None:
        """Count finished units as failed for what only a look at all of their records shows.

        Parameters
        ----------
        units
            Units by key.
        reasons
            By key, why its data cannot be used.
        """
        self._on_failures(
            [
                Failed(units[key], DataError.__name__, reason, "data", "", attempts=1)
                for key, reason in sorted(reasons.items())
            ]
        )

    def run_required(
        self, units: Sequence[Unit], shared: Sequence[SharedValue] = ()
    ) -> dict[str, dict[str, Any]]:
        """Run units that the run cannot do without: those of the pooled panel.

        Raises
        ------
        ExecutionError
            When one failed, with its error.
        """
        records = self.run(units, shared)
        missing = [unit.key for unit in units if unit.key not in records]
        if missing:
            raise ExecutionError(
                f"{units[0].stage}: {len(missing)} of {plural(len(units), 'unit')} failed "
                f"({', '.join(missing[:5])}) and the run cannot go on without them; "
                "failures.parquet has their errors."
            )
        return records
