"""The Ray executor on a real Ray: processes that die, stall, start and stop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import Done, Failed, RayExecutor, RaySettings
from ray_pipeline.execution.capacity import WorkerShape
from ray_pipeline.execution.ray_workers import RayWorkers

from .sample_units import (
    FolderStore,
    by_key,
    die,
    die_at_first,
    double,
    dying_state,
    hold_memory,
    no_state,
    ones,
    stall,
    stall_at_first,
    sum_shared,
    unit,
    where,
)

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_of_the_tests")]

MakeExecutor = Callable[..., RayExecutor[Any]]


@pytest.fixture
def make_executor(store: FolderStore) -> Iterator[MakeExecutor]:
    opened: list[RayExecutor[Any]] = []

    def make(make_state: Callable[[], Any] = no_state, **settings: Any) -> RayExecutor[Any]:
        opened.append(RayExecutor(make_state, store, RaySettings(**settings)))
        return opened[-1]

    yield make
    for executor in opened:
        executor.close()


def test_worker_that_dies_is_replaced(make_executor: MakeExecutor, tmp_path: Path) -> None:
    """A unit whose first worker died is done by another, and so are those that waited with it."""
    marker = str(tmp_path / "died")
    units = [unit(double, f"S{x}", {"x": x}) for x in range(10)]
    units.insert(3, unit(die_at_first, "P", {"x": 7, "marker": marker}))
    outcomes = by_key(make_executor().run(units))
    done = outcomes.pop("P")
    assert isinstance(done, Done)
    assert (done.record, done.attempts) == ({"value": 7}, 2)
    assert all(isinstance(o, Done) and o.attempts == 1 for o in outcomes.values())
    assert len(outcomes) == 10


def test_unit_that_kills_its_workers_fails(make_executor: MakeExecutor) -> None:
    """It fails after max_attempts, with Ray's account, and takes nobody with it."""
    units = [unit(double, f"S{x}", {"x": x}) for x in range(5)] + [unit(die, "P")]
    outcomes = by_key(make_executor(max_attempts=2).run(units))
    failed = outcomes.pop("P")
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.attempts) == ("lost", 2)
    assert failed.error.startswith("WorkerLost: The actor died unexpectedly")
    assert "Worker exit type: SYSTEM_ERROR" in failed.traceback
    assert all(isinstance(o, Done) for o in outcomes.values())


def test_unit_past_its_time_is_killed(make_executor: MakeExecutor, tmp_path: Path) -> None:
    """One that stalls once is done in its second attempt; one that always stalls fails."""
    executor = make_executor(unit_timeout_s=2.0, max_attempts=2)
    spec = {"x": 1, "marker": str(tmp_path / "stalled")}
    outcomes = by_key(executor.run([unit(stall_at_first, "A", spec), unit(stall, "B")]))
    done, failed = outcomes["A"], outcomes["B"]
    assert isinstance(done, Done)
    assert done.attempts == 2
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.attempts) == ("timeout", 2)
    assert failed.error.startswith("UnitTimeout: no result within 2.0 s")


def test_workers_that_die_as_they_start(make_executor: MakeExecutor) -> None:
    """A state whose making kills the process is an error, not a loop."""
    executor = make_executor(dying_state, n_workers=1, max_attempts=2)
    with pytest.raises(ExecutionError, match="2 workers in a row died while they started"):
        list(executor.run([unit(double, spec={"x": 1})]))


def test_worker_that_leaks_is_replaced(make_executor: MakeExecutor) -> None:
    """A process that holds more than it may after a unit does no other; no unit is lost by it."""
    executor = make_executor(n_workers=1, max_worker_memory_bytes=400 * 2**20)
    units = [unit(hold_memory, f"S{x}", {"bytes": 300 * 2**20}) for x in range(3)]
    done = [outcome for outcome in executor.run(units) if isinstance(outcome, Done)]
    assert [outcome.attempts for outcome in done] == [1, 1, 1]
    assert len({outcome.record["pid"] for outcome in done}) >= 2


def test_workers_outlive_a_stage(make_executor: MakeExecutor) -> None:
    """The next stage finds the same process, with what it holds."""
    executor = make_executor(n_workers=1)
    outcomes = [next(executor.run([unit(where)])) for _ in range(2)]
    pids = {outcome.record["pid"] for outcome in outcomes if isinstance(outcome, Done)}
    assert len(pids) == 1


def test_shared_value_survives_its_worker(make_executor: MakeExecutor) -> None:
    """It lies in the object store, not in the process that computed it."""
    executor = make_executor(max_attempts=1)
    panel = executor.share(unit(ones, "panel", {"n": 200_000}))
    assert isinstance(next(executor.run([unit(die, "P")])), Failed)
    [done] = executor.run([unit(sum_shared, "S", 1.0, shared=(panel,))])
    assert isinstance(done, Done)
    assert done.record["sum"] == 400_000.0


def test_too_large_a_worker_is_refused_at_once(make_executor: MakeExecutor) -> None:
    """What the nodes can never give is an error before anything starts."""
    with pytest.raises(ExecutionError, match=r"asks for 64 CPUs, and none of 1 node .* 2 CPUs"):
        make_executor(cpus_per_worker=64)


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function of a module that exists in this process only."""
    module = ModuleType("only_in_the_driver")
    exec("def function(*_): return {}", module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    function: Callable[..., Any] = module.function
    return function


def test_code_that_workers_do_not_have(
    make_executor: MakeExecutor, stranger: Callable[..., Any]
) -> None:
    """For a unit that is a failure, for the state the end; both name the missing module."""
    [failed] = make_executor().run([unit(stranger)])
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.attempts) == ("application", 1)
    assert "No module named 'only_in_the_driver'" in failed.error
    with pytest.raises(ExecutionError, match=r"(?s)No worker can start: .*'only_in_the_driver'"):
        list(make_executor(stranger).run([unit(double, spec={"x": 1})]))


def test_run_that_is_left_early(make_executor: MakeExecutor) -> None:
    """Whatever was in flight, dead workers included, the next stage starts clean."""
    executor = make_executor(n_workers=2)
    outcomes = executor.run([unit(double, "A", {"x": 1}), unit(die, "P"), unit(stall, "B")])
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    [done] = executor.run([unit(double, "A", {"x": 1})])
    assert isinstance(done, Done)


def test_killing_twice_is_harmless() -> None:
    """A worker whose death was not read yet may be killed again on the way out."""
    workers = RayWorkers(no_state, FolderStore("unused"))
    workers.start(WorkerShape(1))
    workers.kill(0)
    workers.kill(0)
    assert (len(workers), workers.starting, workers.ready) == (0, (), ())


def test_ray_of_others_is_left_alone(make_executor: MakeExecutor) -> None:
    """Closing ends our workers and not a Ray that was there before."""
    import ray

    make_executor().close()
    assert ray.is_initialized()
