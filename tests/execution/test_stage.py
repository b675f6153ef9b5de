"""One stage on any executor: resuming, order and what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import (
    Done,
    Executor,
    Failed,
    Outcome,
    SerialExecutor,
    Shared,
    Unit,
    run_stage,
)
from ray_pipeline.records import FinishedUnit

from .sample_units import FolderStore, double, fail_by_number, no_state, unit


class Backwards:
    """An executor that ends its units in the opposite order."""

    n_workers = 1

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.n_run = 0

    def run(self, units: Sequence[Unit]) -> Iterator[Outcome]:
        self.n_run += len(units)
        yield from self.executor.run(units[::-1])

    def share(self, unit: Unit) -> Shared:
        return self.executor.share(unit)

    def close(self) -> None:
        self.executor.close()


def test_result_is_sorted_by_key(store: FolderStore) -> None:
    """Records and failures do not show in which order the units ended."""
    executor = Backwards(SerialExecutor(no_state, store))
    units = [unit(fail_by_number, f"S{x}", {"x": x}) for x in (5, 3, 4, 0)]
    result = run_stage(executor, store, units)
    assert list(result.records) == ["S0", "S3"]
    assert [failed.unit.key for failed in result.failures] == ["S4", "S5"]
    assert all(isinstance(failed, Failed) for failed in result.failures)


def test_failed_units_are_tried_by_the_next_run(store: FolderStore) -> None:
    """Only records are kept: a failure is not one."""
    executor = Backwards(SerialExecutor(no_state, store))
    units = [unit(fail_by_number, f"S{x}", {"x": x}) for x in range(6)]
    first = run_stage(executor, store, units)
    assert executor.n_run == 6
    second = run_stage(executor, store, units)
    assert executor.n_run == 6 + 4
    assert (first.records, len(first.failures)) == (second.records, len(second.failures))


def test_changed_spec_is_new_work(store: FolderStore) -> None:
    """A record is found by what it depends on, not by its key."""
    executor = Backwards(SerialExecutor(no_state, store))
    run_stage(executor, store, [unit(double, "A", {"x": 1})])
    result = run_stage(executor, store, [unit(double, "A", {"x": 2})])
    assert (executor.n_run, result.records) == (2, {"A": {"value": 4}})


def test_finished_stage_needs_no_worker(store: FolderStore) -> None:
    """A stage that is finished is read back, in full, without running anything.

    The seconds are those of the work, whenever that was done.
    """
    units = [unit(double, f"S{x:02}", {"x": x}) for x in range(40)]
    run_stage(SerialExecutor(no_state, store), store, units)
    seen: list[Outcome] = []
    executor = Backwards(SerialExecutor(no_state, store))
    result = run_stage(executor, store, units, lambda outcome, *_: seen.append(outcome))
    assert result.records == {f"S{x:02}": {"value": 2 * x} for x in range(40)}
    assert executor.n_run == 0
    assert all(isinstance(o, Done) and (o.attempts, o.seconds) == (0, 0.5) for o in seen)


def test_empty_stage(tmp_path: Path) -> None:
    """No units: no records, no failures."""
    store = FolderStore(str(tmp_path))
    result = run_stage(SerialExecutor(no_state, store), store, [])
    assert (result.records, result.failures) == ({}, ())


def test_two_units_of_one_key(store: FolderStore) -> None:
    """Of two records with one key one would be lost."""
    units = [unit(double, "A", {"x": 1}), unit(double, "A", {"x": 2}), unit(double, "B", {"x": 1})]
    with pytest.raises(ExecutionError, match=r"rank: 1 keys are given to more than one unit \(A\)"):
        run_stage(SerialExecutor(no_state, store), store, units)


def test_units_of_two_stages(store: FolderStore) -> None:
    """A stage is one stage."""
    units = [Unit("rank", "A", double, {"x": 1}), Unit("route", "B", double, {"x": 1})]
    with pytest.raises(ExecutionError, match="one stage were expected, found: rank, route"):
        run_stage(SerialExecutor(no_state, store), store, units)


def test_records_share_their_texts(store: FolderStore) -> None:
    """Names that all records have in common are one object in the driver, not thousands."""
    units = [unit(double, key, {"x": 1}) for key in "AB"]
    for each in units:
        record = {"a name of a field": ["a name of a feature", 0.5]}
        store.write("rank", each.digest, FinishedUnit(each.key, record, 0.1, {}), {})
    records = run_stage(SerialExecutor(no_state, store), store, units).records
    [first], [second] = records["A"].items(), records["B"].items()
    assert first == ("a name of a field", ["a name of a feature", 0.5])
    assert first[0] is second[0]
    assert first[1][0] is second[1][0]
