"""The Ray executor over workers that follow a script: exact attempts, memory and messages."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import Done, Failed, Outcome, RayExecutor, RaySettings, ray_pool, sizing
from ray_pipeline.execution.capacity import Node, WorkerShape
from ray_pipeline.execution.performing import Report
from ray_pipeline.execution.policy import Call
from ray_pipeline.execution.ray_workers import Broke, Event, Finished, Ready, SharedLost
from ray_pipeline.execution.sizing import Growth

from .sample_units import FolderStore, by_key, double, no_state, ones, sum_shared, unit

GIB = 2**30


@dataclass
class Script:
    """What happens to each attempt of each key (fine when nothing is written), and what did."""

    attempts: dict[str, list[str]] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=lambda: [Node(4, 8 * GIB)])
    growth: Growth = "fixed"
    memory: dict[str, int] = field(default_factory=dict)
    started: list[WorkerShape] = field(default_factory=list)
    submitted: list[tuple[int, str, tuple[Any, ...]]] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)


SCRIPT = Script()


class ScriptedSession:
    def __init__(self, address: str | None) -> None:
        self.growth = SCRIPT.growth

    def nodes(self) -> list[Node]:
        return SCRIPT.nodes

    def close(self) -> None:
        """Nothing was opened."""


class ScriptedWorkers:
    def __init__(self, make_state: object, store: object, run: str = "") -> None:
        self.alive: dict[int, bool] = {}
        self.pending: deque[tuple[int, Call | None]] = deque()
        self.values = itertools.count()
        self.ids = itertools.count()

    def __len__(self) -> int:
        """Workers that exist."""
        return len(self.alive)

    @property
    def starting(self) -> tuple[int, ...]:
        return tuple(worker for worker, is_ready in self.alive.items() if not is_ready)

    @property
    def ready(self) -> tuple[int, ...]:
        return tuple(worker for worker, is_ready in self.alive.items() if is_ready)

    def start(self, shape: WorkerShape) -> None:
        SCRIPT.started.append(shape)
        worker = next(self.ids)
        self.alive[worker] = False
        self.pending.append((worker, None))

    def submit(self, worker: int, call: Call, shared: Sequence[Any]) -> None:
        SCRIPT.submitted.append((worker, call.unit.key, tuple(shared)))
        self.pending.append((worker, call))

    def wait(self, timeout_s: float) -> list[Event]:
        worker, call = self.pending.popleft()
        if call is None:
            return self._start(worker)
        queue = SCRIPT.attempts.get(call.unit.key, [])
        step = queue.pop(0) if queue else "fine"
        if step == "stalls":
            self.pending.appendleft((worker, call))
            return []
        if step == "shared lost":
            return [SharedLost(worker, call, "gone")]
        if step in ("lost", "memory"):
            self.kill(worker)
            return [Broke(worker, step, f"it was {step}", while_starting=False)]  # type: ignore[arg-type]
        held = SCRIPT.memory.get(call.unit.key, 0)
        report = Report(0.5, record={"key": call.unit.key}, memory_bytes=held)
        return [Finished(worker, call, report, next(self.values) if call.keep else None)]

    def _start(self, worker: int) -> list[Event]:
        step = SCRIPT.starts.pop(0) if SCRIPT.starts else "fine"
        if step == "pending":
            self.pending.append((worker, None))
            return []
        if step == "lost":
            self.kill(worker)
            return [Broke(worker, "lost", "the node went away", while_starting=True)]
        self.alive[worker] = True
        return [Ready(worker)]

    def kill(self, worker: int) -> None:
        SCRIPT.killed.append(worker)
        del self.alive[worker]
        self.pending = deque(item for item in self.pending if item[0] != worker)

    def kill_all(self) -> None:
        for worker in list(self.alive):
            self.kill(worker)


@pytest.fixture(autouse=True)
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    SCRIPT.__init__()  # type: ignore[misc]
    monkeypatch.setattr(ray_pool, "RaySession", ScriptedSession)
    monkeypatch.setattr(ray_pool, "RayWorkers", ScriptedWorkers)
    return SCRIPT


@pytest.fixture
def said() -> list[str]:
    return []


def executor(store: FolderStore, said: list[str], **settings: Any) -> RayExecutor[None]:
    return RayExecutor(no_state, store, RaySettings(on_wait=said.append, **settings))


def attempts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    return {outcome.unit.key: outcome.attempts for outcome in outcomes}


def test_each_attempt_counts_once(store: FolderStore, said: list[str], script: Script) -> None:
    """Done after two losses is three attempts; a fourth is not made."""
    script.attempts = {"A": ["lost", "lost"], "B": ["lost"] * 9}
    outcomes = list(executor(store, said, n_workers=1).run([unit(double, k) for k in "ABC"]))
    assert attempts(outcomes) == {"A": 3, "B": 3, "C": 1}
    failed = by_key(outcomes)["B"]
    assert isinstance(failed, Failed)
    assert failed.kind == "lost"
    assert failed.error == "WorkerLost: it was lost (attempts: lost, lost, lost)"
    assert len(script.started) == 5  # the last that died had nothing left to do


def test_out_of_memory_gets_twice_the_memory_once(
    store: FolderStore, said: list[str], script: Script
) -> None:
    """After all others, on fewer and larger workers; and the second time it has failed."""
    script.attempts = {"A": ["memory"], "B": ["memory", "memory", "fine"]}
    units = [unit(double, key) for key in "ABCDEFGH"]
    outcomes = list(executor(store, said).run(units))
    assert attempts(outcomes) == dict.fromkeys("ACDEFGH", 1) | {"A": 2, "B": 2}
    assert {outcome.unit.key for outcome in outcomes[-2:]} == {"A", "B"}
    failed = by_key(outcomes)["B"]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.error) == (
        "memory",
        "OutOfMemory: it was memory (attempts: memory, memory)",
    )
    # Four workers share 8 GiB: one has 2, the larger lane asks for 4.
    ordinary, larger = WorkerShape(1), WorkerShape(1, 4 * GIB)
    assert script.started == [ordinary] * 6 + [larger] * 2


def test_known_need_starts_in_its_lane(store: FolderStore, said: list[str], script: Script) -> None:
    """A unit that says that it needs more than a worker's share does not fail first."""
    units = [unit(double, "A"), unit(double, "B", memory_bytes=5 * GIB)]
    outcomes = list(executor(store, said).run(units))
    assert attempts(outcomes) == {"A": 1, "B": 1}
    assert script.started == [WorkerShape(1), WorkerShape(1, 8 * GIB)]


def test_lost_shared_value_is_computed_again(
    store: FolderStore, said: list[str], script: Script
) -> None:
    """Once for all units that miss it, which then get the new one."""
    script.attempts = {"A": ["shared lost"], "B": ["shared lost"]}
    ray = executor(store, said, n_workers=1)
    panel = ray.share(unit(ones, "panel"))
    units = [unit(sum_shared, key, shared=(panel,)) for key in "ABC"]
    outcomes = list(ray.run(units))
    assert attempts(outcomes) == {"A": 1, "B": 1, "C": 1}  # none started without it
    assert [(key, shared) for _, key, shared in script.submitted] == [
        ("panel", ()),
        *((key, (0,)) for key in "ABC"),
        ("panel", ()),
        *((key, (1,)) for key in "AB"),
    ]


def test_value_that_stays_lost(store: FolderStore, said: list[str], script: Script) -> None:
    """Computing a value again is bounded by the attempts that a unit may have."""
    script.attempts = {"A": ["shared lost"] * 9}
    ray = executor(store, said, max_attempts=2)
    panel = ray.share(unit(ones, "panel"))
    [failed] = ray.run([unit(sum_shared, "A", shared=(panel,))])
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.attempts) == ("lost", 1)
    assert [key for _, key, _ in script.submitted].count("panel") == 2


def test_shared_unit_that_fails(store: FolderStore, said: list[str], script: Script) -> None:
    """A shared value is tried as often as a unit, and then ends the stage."""
    script.attempts = {"panel": ["lost"] * 9}
    with pytest.raises(ExecutionError, match=r"rank/panel could not be computed .* WorkerLost: it"):
        executor(store, said).share(unit(ones, "panel"))
    assert len(script.submitted) == 3


def test_next_stage_goes_to_the_worker_with_the_data(
    store: FolderStore, said: list[str], script: Script
) -> None:
    """The second stage has each unit on the worker that had it in the first."""
    ray = executor(store, said, n_workers=3)
    list(ray.run([unit(double, key) for key in "ABC"]))
    first = {key: worker for worker, key, _ in script.submitted}
    list(ray.run([unit(double, key) for key in "CBA"]))
    assert {key: worker for worker, key, _ in script.submitted[3:]} == first
    assert len(set(first.values())) == 3


def test_no_more_workers_than_units(store: FolderStore, said: list[str], script: Script) -> None:
    """Workers are started when there is work for them."""
    ray = executor(store, said)
    assert (ray.n_workers, script.started) == (4, [])
    list(ray.run([unit(double, "A"), unit(double, "B")]))
    assert len(script.started) == 2
    list(ray.run([unit(double, key) for key in "ABCDEFG"]))
    assert len(script.started) == 4


def test_run_that_is_left_early(store: FolderStore, said: list[str], script: Script) -> None:
    """Workers that were busy are killed, so that the next stage waits for none of it."""
    ray = executor(store, said, n_workers=2)
    outcomes = ray.run([unit(double, key) for key in "ABCDEFG"])
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert script.killed == [1]  # the other one had answered
    assert attempts(list(ray.run([unit(double, "A")]))) == {"A": 1}


def test_request_that_nothing_can_hold(store: FolderStore, said: list[str]) -> None:
    """A cluster of fixed size says at once that it will never have such a worker."""
    with pytest.raises(ExecutionError, match="asks for 5 CPUs, and none of 1 node has that"):
        executor(store, said, cpus_per_worker=5)
    with pytest.raises(ExecutionError, match=r"asks for 1 CPU and 9\.0 GiB, and none"):
        executor(store, said, memory_per_worker_bytes=9 * GIB)
    assert said == []


def test_more_workers_than_fit(store: FolderStore, said: list[str]) -> None:
    """Fewer workers than were asked for is said, not hidden."""
    assert executor(store, said, n_workers=9, cpus_per_worker=2).n_workers == 2
    assert said == ["9 workers of 2 CPUs were asked for; 2 fit."]


def test_cluster_that_can_grow_is_waited_for(
    store: FolderStore, said: list[str], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No node yet is not an error there, but it is said, with what is asked for."""
    monkeypatch.setattr(ray_pool, "_SILENCE_S", 0.0)
    script.growth, script.nodes, script.starts = "by_hand", [Node(0, GIB)], ["pending", "pending"]
    ray = executor(store, said, n_workers=2)
    assert ray.n_workers == 2
    assert attempts(list(ray.run([unit(double, "A")]))) == {"A": 1}
    assert said[0].endswith("use larger nodes. Waiting 20 s for such a node.")
    waiting = "No unit ended for 0 s: none running, 1 waiting. 0 workers are ready, 1 wait for 1 CP"
    assert any(sentence.startswith(waiting) for sentence in said)


def test_cluster_that_never_grows(
    store: FolderStore, said: list[str], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for a node that could hold a worker has an end."""
    monkeypatch.setattr(ray_pool, "_SILENCE_S", 0.0)
    script.growth, script.nodes, script.starts = "by_hand", [Node(0, GIB)], ["pending"] * 99
    with pytest.raises(ExecutionError, match=r"asks for 1 CPU, .* No such node was added in 0 s"):
        list(executor(store, said, node_wait_s=0.0).run([unit(double, "A")]))


def test_what_is_running_is_said(
    store: FolderStore, said: list[str], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long unit is named while it is waited for."""
    monkeypatch.setattr(ray_pool, "_SILENCE_S", 0.0)
    script.attempts = {"A": ["stalls", "stalls"]}
    list(executor(store, said).run([unit(double, "A")]))
    assert "No unit ended for 0 s: 1 running (A for 0 s), 0 waiting. 1 worker is ready." in said


def test_workers_that_die_while_they_start(
    store: FolderStore, said: list[str], script: Script
) -> None:
    """Some are replaced; all of them, again and again, is an error."""
    script.starts = ["lost", "lost", "fine"]
    ray = executor(store, said, n_workers=1)
    [done] = ray.run([unit(double, "A")])
    assert isinstance(done, Done)
    assert done.attempts == 1
    script.starts = ["lost"] * 99
    ray = executor(store, said, n_workers=1)
    with pytest.raises(
        ExecutionError, match="3 workers in a row died while they started; the last"
    ):
        list(ray.run([unit(double, "A")]))


def test_unit_that_stalls_is_killed(store: FolderStore, said: list[str], script: Script) -> None:
    """Past its time a unit costs its worker an end and itself an attempt."""
    script.attempts = {"A": ["stalls"] * 3}
    ray = executor(store, said, n_workers=1, unit_timeout_s=0.0, max_attempts=2)
    [failed] = ray.run([unit(double, "A")])
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.attempts) == ("timeout", 2)
    assert failed.error == "UnitTimeout: no result within 0.0 s (attempts: timeout, timeout)"
    assert script.killed == [0, 1]


def test_worker_that_holds_too_much_is_replaced(
    store: FolderStore, said: list[str], script: Script
) -> None:
    """Above its share of the node, after the unit and not in it; what waits there is done first."""
    script.memory = {"A": 9 * GIB}
    outcomes = list(executor(store, said, n_workers=1).run([unit(double, k) for k in "ABCDEFG"]))
    assert attempts(outcomes) == dict.fromkeys("ABCDEFG", 1)
    assert [worker for worker, _, _ in script.submitted] == [0, 0, 1, 1, 1, 1, 1]
    assert script.killed == [0]
    assert said == [
        "1 worker was replaced for holding more than 2.0 GiB after a unit "
        "(execution.max_worker_memory_bytes); now 0.0 GiB."
    ]


def test_own_memory_limit(store: FolderStore, said: list[str], script: Script) -> None:
    """The config's limit counts where it is given; how often is said at 1, 10, 100."""
    script.memory = {f"S{x}": GIB for x in range(12)}
    ray = executor(store, said, n_workers=1, max_worker_memory_bytes=GIB - 1)
    list(ray.run([unit(double, key) for key in script.memory]))
    assert len(script.killed) > 6
    assert all(sentence.split()[0] in ("1", "10") for sentence in said)


def test_pool_grows_with_the_cluster(
    store: FolderStore, said: list[str], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that joins in the middle of a stage gets workers, without a number in the config."""
    monkeypatch.setattr(sizing, "_REFRESH_S", 0.0)
    script.growth, script.nodes = "by_hand", [Node(1, GIB)]
    outcomes = executor(store, said).run([unit(double, f"S{x}") for x in range(20)])
    for _ in range(5):
        next(outcomes)
    assert len(script.started) == 1
    script.nodes = [Node(1, GIB), Node(2, GIB)]
    list(outcomes)
    assert len(script.started) == 3
    assert {worker for worker, _, _ in script.submitted} == {0, 1, 2}


def test_workers_without_a_node_do_not_outlive_their_round(
    store: FolderStore, said: list[str], script: Script
) -> None:
    """An autoscaler is not to order nodes for a stage that has ended."""
    script.growth, script.nodes = "on_demand", [Node(1, GIB)]
    script.starts = ["fine", *["pending"] * 99]
    ray = executor(store, said)
    list(ray.run([unit(double, f"S{x}") for x in range(5)]))
    assert len(script.started) == 5
    assert script.killed == [1, 2, 3, 4]
    list(ray.run([unit(double, "A")]))
    assert len(script.started) == 5
