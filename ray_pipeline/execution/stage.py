"""One stage: what is finished is read back, the rest is run."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.protocol import Done, Executor, Failed, Outcome, Unit, UnitStore
from ray_pipeline.records import UnfitUnit
from ray_pipeline.wording import plural

__all__ = ["StageResult", "run_stage", "unfit_sentence"]


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage gave.

    Attributes
    ----------
    records
        Record by unit key, in sorted key order.
    failures
        Units without a record, in sorted key order.
    """

    records: dict[str, dict[str, Any]]
    failures: tuple[Failed, ...]


def run_stage(
    executor: Executor,
    store: UnitStore,
    units: Sequence[Unit],
    on_outcome: Callable[[Outcome, int, int], None] | None = None,
    *,
    prepare: Callable[[Sequence[Unit]], Sequence[Unit]] | None = None,
    on_unfit: Callable[[Sequence[UnfitUnit]], None] | None = None,
) -> StageResult:
    """Run the units of one stage that an earlier run has not finished.

    Parameters
    ----------
    executor
        Runs what is left.
    store
        Where finished units are looked up; the same that the executor's workers write to.
    units
        All units of one stage, with distinct keys.
    on_outcome
        Called with each outcome, how many there are so far, and how many there will be. A unit
        that was finished before is reported first, as `Done` with ``attempts=0``.
    prepare
        Given the units that are left to run, if any; returns them as they are to be run.
    on_unfit
        Given the units whose records cannot be relied on, if any, before they are run again.

    Returns
    -------
    StageResult
        The same, whatever was finished before and in whatever order the rest ended.

    Raises
    ------
    ExecutionError
        When two units have the same key, or the units are not of one stage.
    """
    _check(units)
    records: dict[str, dict[str, Any]] = {}
    failures: list[Failed] = []
    # Closed at once when `on_outcome` raises, and with it the threads that read records.
    with closing(_outcomes(executor, store, units, prepare, on_unfit)) as outcomes:
        for n_done, outcome in enumerate(outcomes, start=1):
            if isinstance(outcome, Done):
                records[outcome.unit.key] = _interned(outcome.record)
            else:
                failures.append(outcome)
            if on_outcome is not None:
                on_outcome(outcome, n_done, len(units))
    return StageResult(
        records=dict(sorted(records.items())),
        failures=tuple(sorted(failures, key=lambda failed: failed.unit.key)),
    )


def _interned(value: Any) -> Any:
    """Return a record with one object for each text that it has in common with others.

    Names of fields, columns and targets are most of what a record holds, and each arrives as an
    object of its own: thousands of symbols would take twice the memory in the driver.
    """
    if isinstance(value, dict):
        return {sys.intern(key): _interned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_interned(item) for item in value]
    return sys.intern(value) if isinstance(value, str) else value


def _outcomes(
    executor: Executor,
    store: UnitStore,
    units: Sequence[Unit],
    prepare: Callable[[Sequence[Unit]], Sequence[Unit]] | None,
    on_unfit: Callable[[Sequence[UnfitUnit]], None] | None,
) -> Generator[Outcome, None, None]:
    if not units:
        return
    left = {unit.digest: unit for unit in units}
    unfit: list[UnfitUnit] = []
    for digest, found in store.recall(units[0].stage, list(left)):
        if isinstance(found, UnfitUnit):
            unfit.append(found)
        else:
            yield Done(left.pop(digest), found.record, attempts=0, seconds=found.seconds)
    if unfit and on_unfit is not None:
        on_unfit(unfit)
    if left:
        waiting = list(left.values())
        yield from executor.run(waiting if prepare is None else prepare(waiting))


def unfit_sentence(stage: str, unfit: Sequence[UnfitUnit]) -> str:
    """Say which finished work has to be done again, and why.

    Examples
    --------
    >>> unfit_sentence("rank_symbol", [UnfitUnit("units/rank_symbol/a1.json", "is empty")])
    'rank_symbol: 1 finished unit is done again: units/rank_symbol/a1.json is empty'
    """
    first = unfit[0]
    units = plural(len(unfit), "finished unit is", "finished units are")
    more = "" if len(unfit) == 1 else ", the first of them"
    return f"{stage}: {units} done again: {first.name} {first.reason}{more}"


def _check(units: Sequence[Unit]) -> None:
    stages = sorted({unit.stage for unit in units})
    if len(stages) > 1:
        raise ExecutionError(f"The units of one stage were expected, found: {', '.join(stages)}.")
    repeated = sorted(key for key, n in Counter(unit.key for unit in units).items() if n > 1)
    if repeated:
        raise ExecutionError(
            f"{stages[0]}: {len(repeated)} keys are given to more than one unit "
            f"({', '.join(repeated[:5])}); a key names one unit of a stage."
        )
