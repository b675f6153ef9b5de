"""What every executor does, whatever it runs on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import Done, Executor, Failed, SerialExecutor, Shared, run_stage
from ray_pipeline.execution.performing import MAX_RECORD_BYTES
from ray_pipeline.traffic import traffic

from .sample_units import (
    FolderStore,
    MakeState,
    ask_a_store,
    broken_state,
    by_key,
    double,
    fail_by_number,
    huge_record,
    leave_the_process,
    meet_a_mood_at_first,
    name_state,
    no_state,
    not_a_dict,
    numpy_record,
    odd_but_legal,
    ones,
    scaled,
    sum_shared,
    thread_counts,
    tuple_key_record,
    unit,
    unpicklable,
    write_into_shared,
)

MakeExecutor = Callable[..., Executor]


@pytest.fixture(params=["serial", pytest.param("ray", marks=pytest.mark.ray)])
def make_executor(request: pytest.FixtureRequest, store: FolderStore) -> Iterator[MakeExecutor]:
    opened: list[Executor] = []

    def make(make_state: Callable[[], Any] = no_state, cpus: int = 1) -> Executor:
        if request.param == "serial":
            opened.append(SerialExecutor(make_state, store, cpus_per_worker=cpus))
        else:
            from ray_pipeline.execution import RayExecutor, RaySettings

            request.getfixturevalue("ray_of_the_tests")
            opened.append(RayExecutor(make_state, store, RaySettings(cpus_per_worker=cpus)))
        return opened[-1]

    yield make
    for executor in opened:
        executor.close()


def test_no_units_give_no_outcomes(make_executor: MakeExecutor) -> None:
    """An empty stage is not an error, and builds no state."""
    assert list(make_executor(broken_state).run([])) == []


def test_what_workers_use_is_counted(make_executor: MakeExecutor) -> None:
    """The most that one of them held, and each request once, in the worker's process or here."""
    executor = make_executor()
    before = traffic().n_requests
    units = [unit(ask_a_store, f"S{n}", {"n_requests": n}) for n in range(1, 6)]
    outcomes = list(executor.run(units))
    executor.share(unit(ask_a_store, "shared", {"n_requests": 7}))
    assert executor.usage.n_requests + traffic().n_requests - before == 15 + 7
    processes = {each.record["process"] for each in outcomes if isinstance(each, Done)}
    assert (executor.usage.n_requests == 0) == (processes == {os.getpid()})
    assert executor.usage.peak_bytes > 10 * 2**20


def test_each_unit_has_one_outcome(make_executor: MakeExecutor, store: FolderStore) -> None:
    """Every unit is done once, and the store holds exactly the records that were returned."""
    units = [unit(double, f"S{x}", {"x": x}) for x in range(25)]
    outcomes = list(make_executor().run(units))
    assert sorted(outcome.unit.key for outcome in outcomes) == sorted(u.key for u in units)
    done = {o.unit.digest: o.record for o in outcomes if isinstance(o, Done)}
    assert {u.digest: {"value": 2 * u.spec["x"]} for u in units} == done
    assert store.finished("rank") == frozenset(done)
    assert all(store.read("rank", digest) == record for digest, record in done.items())
    assert all(isinstance(o, Done) and o.attempts == 1 and o.seconds >= 0 for o in outcomes)


def test_failures_stay_with_their_units(make_executor: MakeExecutor, store: FolderStore) -> None:
    """Bad data and any other exception are told apart, are not retried, and stop nobody else."""
    units = [unit(fail_by_number, f"S{x}", {"x": x}) for x in range(6)]
    outcomes = {outcome.unit.key: outcome for outcome in make_executor().run(units)}
    for x in (1, 4):
        failed = outcomes[f"S{x}"]
        assert isinstance(failed, Failed)
        assert (failed.kind, failed.attempts) == ("data", 1)
        assert failed.error == f"DataError: {x} rows are too few."
        assert "fail_by_number" in failed.traceback
    for x in (2, 5):
        failed = outcomes[f"S{x}"]
        assert isinstance(failed, Failed)
        assert (failed.kind, failed.error) == ("application", "KeyError: 'close'")
    assert all(isinstance(outcomes[f"S{x}"], Done) for x in (0, 3))
    assert len(store.finished("rank")) == 2


def test_a_store_that_fails_is_tried_again(make_executor: MakeExecutor, tmp_path: Path) -> None:
    """A failing store is not a unit's fault, whose attempts are still bounded."""
    specs = [{"marker": str(tmp_path / f"S{n}"), "n_times": n} for n in range(4)]
    units = [unit(meet_a_mood_at_first, f"S{n}", spec) for n, spec in enumerate(specs)]
    outcomes = by_key(make_executor().run(units))
    for n in range(3):
        done = outcomes[f"S{n}"]
        assert isinstance(done, Done)
        assert (done.record, done.attempts) == ({"value": n}, n + 1)
    failed = outcomes["S3"]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.attempts) == ("storage", 3)
    assert failed.error == "StorageError: Please reduce your request rate."
    assert "meet_a_mood_at_first" in failed.traceback


def test_exit_is_a_failure_of_the_unit(make_executor: MakeExecutor) -> None:
    """A library that calls sys.exit ends its unit, not the run and not the worker."""
    units = [unit(leave_the_process, "A", 3), unit(double, "B", {"x": 1})]
    outcomes = {outcome.unit.key: outcome for outcome in make_executor().run(units)}
    failed = outcomes["A"]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.error, failed.attempts) == ("application", "SystemExit: 3", 1)
    assert isinstance(outcomes["B"], Done)


def test_state_is_built_once_per_worker(make_executor: MakeExecutor, tmp_path: Path) -> None:
    """Units of two stages find the state that their worker built at its start."""
    executor = make_executor(MakeState(str(tmp_path)))
    records = [
        outcome.record
        for _ in range(2)
        for outcome in executor.run([unit(name_state, f"S{x}") for x in range(12)])
        if isinstance(outcome, Done)
    ]
    built = {path.stem for path in tmp_path.glob("*.state")}
    assert len(records) == 24
    assert {record["state"] for record in records} == built
    assert len({record["pid"] for record in records}) == len(built) <= executor.n_workers


def test_state_that_cannot_be_built_ends_the_run(make_executor: MakeExecutor) -> None:
    """No worker would do better, so it is an error with the cause rather than a loop."""
    executor = make_executor(broken_state)
    with pytest.raises(ExecutionError, match=r"state of a worker .* LookupError: no credentials"):
        list(executor.run([unit(double, spec={"x": 1})]))


def test_record_is_what_a_resumed_run_reads(
    make_executor: MakeExecutor, store: FolderStore
) -> None:
    """Tuples, number keys and NumPy floats come back as JSON has them, already the first time."""
    [done] = make_executor().run([unit(odd_but_legal, spec={"start": 1})])
    assert isinstance(done, Done)
    read = store.read("rank", done.unit.digest)
    assert repr(done.record) == repr(read)
    assert done.record["pair"] == [1, 2]
    assert done.record["3"] is None
    assert type(done.record["score"]) is float


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (not_a_dict, "rank/AAPL: the unit returned a list; its record must be a dict"),
        (numpy_record, r"record\['folds'\]\[1\]\['skill'\] is of type numpy.float32"),
        (tuple_key_record, r"record\['by'\] has a key of type tuple"),
        (huge_record, f"takes 5.0 MiB, more than the {MAX_RECORD_BYTES >> 20} MiB"),
    ],
)
def test_records_that_json_cannot_hold(
    make_executor: MakeExecutor, store: FolderStore, function: Any, message: str
) -> None:
    """A record that could not be resumed from is a failure that says which part is wrong."""
    [failed] = make_executor().run([unit(function)])
    assert isinstance(failed, Failed)
    assert failed.kind == "application"
    with pytest.raises(ExecutionError, match=message):
        raise ExecutionError(failed.error)
    assert store.finished("rank") == frozenset()


def test_shared_value_is_seen_and_read_only(
    make_executor: MakeExecutor, store: FolderStore
) -> None:
    """Units see the value that another computed, and cannot change it for each other."""
    executor = make_executor()
    panel = executor.share(unit(ones, "panel", {"n": 100_000}))
    assert isinstance(panel, Shared)
    assert store.finished("rank") == frozenset()
    units = [unit(sum_shared, f"S{x}", float(x), shared=(panel,)) for x in range(4)]
    units.append(unit(write_into_shared, "W", shared=(panel,)))
    outcomes = {outcome.unit.key: outcome for outcome in executor.run(units)}
    for x in range(4):
        done = outcomes[f"S{x}"]
        assert isinstance(done, Done)
        assert done.record == {"sum": 200_000.0 * x, "writeable": False}
    failed = outcomes["W"]
    assert isinstance(failed, Failed)
    assert failed.error == "ValueError: assignment destination is read-only"


def test_shared_value_may_rest_on_another(make_executor: MakeExecutor) -> None:
    """A unit that is shared gets shared values like any other."""
    executor = make_executor()
    panel = executor.share(unit(ones, "panel", {"n": 10}))
    scaled_panel = executor.share(unit(scaled, "scaled", 3.0, shared=(panel,)))
    [done] = executor.run([unit(sum_shared, "S", 1.0, shared=(scaled_panel,))])
    assert isinstance(done, Done)
    assert done.record["sum"] == 60.0


@pytest.mark.parametrize(
    ("function", "spec", "message"),
    [
        (fail_by_number, {"x": 1}, "rank/panel could not be computed .* DataError: 1 rows"),
        (unpicklable, None, "rank/panel.*generator"),
    ],
)
def test_sharing_that_fails(
    make_executor: MakeExecutor, function: Any, spec: Any, message: str
) -> None:
    """A value that could not be computed, or cannot travel, is an error for the whole stage."""
    with pytest.raises(ExecutionError, match=f"(?s){message}"):
        make_executor().share(unit(function, "panel", spec))


def test_foreign_shared_value(make_executor: MakeExecutor) -> None:
    """A handle of another executor is named as what it is."""
    stranger = Shared(unit(ones, "panel", {"n": 10}))
    with pytest.raises(ExecutionError, match="rank/S: one of its shared values belongs to another"):
        list(make_executor().run([unit(sum_shared, "S", 1.0, shared=(stranger,))]))


def test_threads_equal_the_cpus(make_executor: MakeExecutor) -> None:
    """OpenMP and Arrow get the worker's CPUs; BLAS one, so that bits do not depend on them."""
    [done] = make_executor(cpus=2).run([unit(thread_counts)])
    assert isinstance(done, Done)
    counts = done.record["counts"]
    assert set(counts["blas"]) == {1}
    assert set(counts["openmp"]) == {2}
    assert (done.record["arrow"], done.record["omp"]) == (2, "2")


def test_finished_units_are_not_run_again(
    make_executor: MakeExecutor, store: FolderStore, tmp_path: Path
) -> None:
    """The second time a stage reads what the first left, and runs only what is new."""
    executor = make_executor(MakeState(str(tmp_path)))
    units = [unit(fail_by_number, f"S{x}", {"x": 3 * x}) for x in range(5)]
    first = run_stage(executor, store, units[:3])
    seen: list[tuple[str, int, int, int]] = []
    second = run_stage(
        executor,
        store,
        units,
        lambda outcome, n, total: seen.append((outcome.unit.key, outcome.attempts, n, total)),
    )
    assert list(second.records) == [f"S{x}" for x in range(5)]
    assert first.records.items() <= second.records.items()
    assert [attempts for _, attempts, _, _ in seen] == [0, 0, 0, 1, 1]
    assert [(n, total) for _, _, n, total in seen] == [(n, 5) for n in range(1, 6)]


def test_closed_executor(make_executor: MakeExecutor) -> None:
    """Closing twice is harmless; running afterwards is an error."""
    executor = make_executor()
    executor.close()
    executor.close()
    with pytest.raises(ExecutionError, match="This executor is closed"):
        list(executor.run([unit(double, spec={"x": 1})]))
