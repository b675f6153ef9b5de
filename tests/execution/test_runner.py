"""What the stages run their units through: shared values, required units, failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import Failed, Outcome, SerialExecutor, Shared, Unit
from ray_pipeline.execution.runner import SharedValue, UnitRunner
from ray_pipeline.records import FinishedUnit, UnfitUnit

from .sample_units import FolderStore, double, fail_by_number, no_state, ones, sum_shared, unit


class Counting(SerialExecutor[None]):
    """Counts the values that it is asked to keep."""

    def __init__(self, store: FolderStore) -> None:
        super().__init__(no_state, store)
        self.shared: list[str] = []

    def share(self, unit: Unit) -> Shared:
        self.shared.append(unit.key)
        return super().share(unit)


class Stage:
    """A runner on a serial executor, with all that it tells."""

    def __init__(self, store: FolderStore) -> None:
        self.executor = Counting(store)
        self.outcomes: list[tuple[str, int, int]] = []
        self.failures: list[tuple[str, ...]] = []
        self.said: list[str] = []
        self.runner = UnitRunner(
            self.executor, store, self._outcome, self._failures, self.said.append
        )

    def _outcome(self, outcome: Outcome, n_done: int, n_total: int) -> None:
        self.outcomes.append((outcome.unit.key, n_done, n_total))

    def _failures(self, failures: Sequence[Failed]) -> None:
        self.failures.append(tuple(failed.unit.key for failed in failures))


def _panel() -> SharedValue:
    return SharedValue(Unit("pool", "panel", ones, {"n": 3}))


def test_records_by_key_and_all_is_told(store: FolderStore) -> None:
    """Records come sorted by key; every outcome, and the stage's failures, are told."""
    stage = Stage(store)
    units = [unit(fail_by_number, f"S{x}", {"x": x}) for x in (3, 1, 0)]
    assert stage.runner.run(units) == {"S0": {"value": 0}, "S3": {"value": 3}}
    assert stage.outcomes == [("S3", 1, 3), ("S1", 2, 3), ("S0", 3, 3)]
    assert stage.failures == [("S1",)]


def test_no_units_no_stage(store: FolderStore) -> None:
    """Nothing to do is nothing to tell, and no value is computed for it."""
    stage = Stage(store)
    assert stage.runner.run([], [_panel()]) == {}
    assert (stage.outcomes, stage.failures, stage.executor.shared) == ([], [], [])


def test_shared_value_is_computed_once(store: FolderStore) -> None:
    """Units of several stages get the same value."""
    stage, panel = Stage(store), _panel()
    first = stage.runner.run([unit(sum_shared, f"S{x}", float(x)) for x in (1, 2)], [panel])
    second = stage.runner.run([Unit("route", "S1", sum_shared, 3.0)], [panel])
    assert [first["S1"]["sum"], first["S2"]["sum"], second["S1"]["sum"]] == [6.0, 12.0, 18.0]
    assert stage.executor.shared == ["panel"]


def test_needed_values_come_first(store: FolderStore) -> None:
    """A value that is made from another one waits for it."""
    stage, panel = Stage(store), _panel()
    total = SharedValue(Unit("sum", "total", sum_shared, 1.0), [panel])
    stage.runner.run([unit(read_total, "A", None)], [total])
    assert stage.executor.shared == ["panel", "total"]


def read_total(_: object, __: object, total: dict[str, float]) -> dict[str, float]:
    return {"total": total["sum"]}


def test_finished_units_need_no_shared_value(store: FolderStore) -> None:
    """A stage that an earlier run finished computes nothing again, large values included."""
    units = [unit(sum_shared, "S1", 2.0)]
    before = Stage(store).runner.run(units, [_panel()])
    stage = Stage(store)
    assert stage.runner.run(units, [_panel()]) == before
    assert stage.executor.shared == []
    assert stage.outcomes == [("S1", 1, 1)]


def test_one_unfinished_unit_needs_it(store: FolderStore) -> None:
    """One new unit is reason enough to compute the value."""
    Stage(store).runner.run([unit(sum_shared, "S1", 2.0)], [_panel()])
    stage = Stage(store)
    units = [unit(sum_shared, "S1", 2.0), unit(sum_shared, "S2", 1.0)]
    assert {key: record["sum"] for key, record in stage.runner.run(units, [_panel()]).items()} == {
        "S1": 12.0,
        "S2": 6.0,
    }
    assert stage.executor.shared == ["panel"]


def test_required_units(store: FolderStore) -> None:
    """Units that the run cannot do without give all their records, or an error that names them."""
    stage = Stage(store)
    assert stage.runner.run_required([unit(double, "A", {"x": 2})]) == {"A": {"value": 4}}
    units = [unit(fail_by_number, f"S{x}", {"x": x}) for x in range(6)]
    with pytest.raises(
        ExecutionError,
        match=r"^rank: 4 of 6 units failed \(S1, S2, S4, S5\) and the run cannot go on without "
        r"them; failures\.parquet has their errors\.$",
    ):
        stage.runner.run_required(units)
    assert stage.failures[-1] == ("S1", "S2", "S4", "S5")


def test_failures_can_end_the_run(store: FolderStore) -> None:
    """What `on_failures` raises goes through, after every unit of the stage has ended."""

    def too_many(failures: Sequence[Failed]) -> None:
        raise ExecutionError(f"{len(failures)} failed")

    executor = SerialExecutor(no_state, store)
    runner = UnitRunner(executor, store, lambda *_: None, too_many, print)
    units = [unit(fail_by_number, f"S{x}", {"x": x}) for x in range(4)]
    with pytest.raises(ExecutionError, match="2 failed"):
        runner.run(units)
    assert len(store.finished("rank")) == 2


def test_value_that_cannot_be_computed(store: FolderStore) -> None:
    """Without the value no unit can run: the error says which value and why."""
    stage = Stage(store)
    broken = SharedValue(Unit("pool", "panel", fail_by_number, {"x": 2}))
    with pytest.raises(ExecutionError, match=r"pool/panel could not be computed for the other"):
        stage.runner.run([unit(sum_shared, "S1", 2.0)], [broken])


def test_units_left_out_are_failures(store: FolderStore) -> None:
    """What only all records together show is told as a failure is, in key order."""
    stage = Stage(store)
    units = {key: unit(double, key, {"x": 1}) for key in ("S1", "S0", "S2")}
    stage.runner.run(list(units.values()))
    stage.runner.leave_out(units, {"S1": "it is odd.", "S0": "so is it."})
    assert stage.failures == [(), ("S0", "S1")]


class Damaged(FolderStore):
    """Finds one of its records unfit."""

    def recall(
        self, stage: str, digests: Sequence[str]
    ) -> Iterator[tuple[str, FinishedUnit | UnfitUnit]]:
        for n, (digest, found) in enumerate(super().recall(stage, digests)):
            yield digest, found if n else UnfitUnit(f"units/{stage}/{digest}.json", "is empty")


def test_unfit_work_is_told_and_done_again(store: FolderStore) -> None:
    """A record that cannot be relied on is work like any other, and the user hears of it."""
    units = [unit(double, f"S{x}", {"x": x}) for x in range(3)]
    assert Stage(store).runner.run(units) == Stage(Damaged(store.folder)).runner.run(units)
    stage = Stage(Damaged(store.folder))
    stage.runner.run(units)
    assert stage.outcomes == [("S1", 1, 3), ("S2", 2, 3), ("S0", 3, 3)]
    name = f"units/rank/{units[0].digest}.json"
    assert stage.said == [f"rank: 1 finished unit is done again: {name} is empty"]


def test_finished_units_are_looked_up_once(store: FolderStore) -> None:
    """One listing a stage, whether or not its units need shared values."""

    class Counted(FolderStore):
        def recall(
            self, stage: str, digests: Sequence[str]
        ) -> Iterator[tuple[str, FinishedUnit | UnfitUnit]]:
            asked.append(len(digests))
            return super().recall(stage, digests)

    asked: list[int] = []
    Stage(Counted(store.folder)).runner.run([unit(sum_shared, "S1", 2.0)], [_panel()])
    assert asked == [1]
