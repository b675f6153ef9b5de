"""Who does what next, played through without Ray and without a clock."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from ray_pipeline.execution.policy import (
    IN_FLIGHT_PER_WORKER,
    Call,
    Fault,
    Round,
    Silence,
    after_fault,
    give_up,
)

from .sample_units import double, unit


def calls(*keys: str) -> list[Call]:
    return [Call(unit(double, key)) for key in keys]


def a_round(
    of: Sequence[Call],
    workers: Sequence[int] = (0, 1),
    homes: dict[str, int] | None = None,
    max_attempts: int = 3,
    timeout_s: float | None = None,
    n_expected: int | None = None,
) -> Round:
    size = max(1, len(workers)) if n_expected is None else n_expected
    return Round(of, {} if homes is None else homes, workers, size, max_attempts, timeout_s)


def names(given: list[tuple[int, Call]]) -> list[tuple[int, str]]:
    return [(worker, call.unit.key) for worker, call in given]


@pytest.mark.parametrize(
    ("faults", "max_attempts", "step"),
    [
        (["lost"], 3, "again"),
        (["lost", "timeout"], 3, "again"),
        (["storage", "storage"], 3, "again"),
        (["storage", "lost", "storage"], 3, "give_up"),
        (["lost", "timeout", "lost"], 3, "give_up"),
        (["lost"], 1, "give_up"),
        (["memory"], 3, "with_more_memory"),
        (["memory"], 1, "give_up"),
        (["memory", "lost"], 3, "again"),
        (["memory", "memory"], 5, "give_up"),
        (["memory", "lost", "memory"], 5, "give_up"),
    ],
)
def test_what_follows_a_fault(faults: list[Fault], max_attempts: int, step: str) -> None:
    """Attempts are bounded; memory is doubled once, then it is the unit."""
    assert after_fault(faults, max_attempts) == step


def test_idle_workers_come_first() -> None:
    """Each worker gets a first call before one gets a second, in the order of the calls."""
    current = a_round(calls(*"ABCDEFGHIJKL"))
    assert names(current.assign(0.0)) == [(0, "A"), (1, "B"), (0, "C"), (1, "D")]
    assert names(current.assign(0.0)) == []


def test_no_call_waits_behind_another_at_the_end() -> None:
    """When few calls wait, each goes to the first worker that is free."""
    of = calls("A", "B", "C", "D")
    current = a_round(of)
    assert names(current.assign(0.0)) == [(0, "A"), (1, "B")]
    current.finished(1, of[1], 1.0)
    assert names(current.assign(1.0)) == [(1, "C")]
    current.finished(1, of[2], 2.0)
    assert names(current.assign(2.0)) == [(1, "D")]


def test_calls_go_home() -> None:
    """A unit goes to the worker that has its data, whatever the order; homes are remembered."""
    homes = {"A": 1, "B": 0, "C": 1, "X": 9}
    current = a_round(calls("A", "B", "X"), homes=homes)
    assert names(current.assign(0.0)) == [(0, "B"), (1, "A")]
    assert homes == {"A": 1, "B": 0, "C": 1, "X": 9}


def test_idle_worker_steals_from_the_longest_queue() -> None:
    """Work that is at home elsewhere is taken from its end when there is nothing else to do."""
    homes = dict.fromkeys("ABCDE", 1)
    current = a_round(calls("A", "B", "C", "D", "E"), homes=homes)
    assert names(current.assign(0.0)) == [(1, "A"), (0, "E")]
    assert homes["E"] == 0


def test_only_idle_workers_steal() -> None:
    """A worker that has work leaves the others theirs."""
    homes = dict.fromkeys("ABCDEFGHIJKL", 0)
    current = a_round(calls("X", *homes), homes=homes)
    assert names(current.assign(0.0)) == [(0, "A"), (1, "X"), (0, "B")]


def test_late_worker_joins() -> None:
    """A worker that becomes ready during a round takes part in it."""
    current = a_round(calls("A", "B"), workers=[])
    assert current.assign(0.0) == []
    current.worker_ready(7)
    assert names(current.assign(0.0)) == [(7, "A")]


def test_lost_worker_blames_the_running_call() -> None:
    """The call that ran has an attempt less and goes last; the one behind it lost nothing."""
    of = calls(*"ABCDEF")
    current = a_round(of, workers=[0])
    assert names(current.assign(0.0)) == [(0, "A"), (0, "B")]
    assert current.broke(0, "lost") is None
    assert [call.faults for call in of] == [["lost"], [], [], [], [], []]
    current.worker_ready(1)
    assert played(current) == [*"BCDEF", "A"]


def test_answered_call_is_not_blamed() -> None:
    """A worker that dies after its first answer dies of its second call."""
    of = calls(*"ABCDEF")
    current = a_round(of, workers=[0])
    current.assign(0.0)
    current.finished(0, of[0], 1.0)
    current.broke(0, "lost")
    assert [call.faults for call in of] == [[], ["lost"], [], [], [], []]


def test_worker_lost_while_idle_or_starting() -> None:
    """Nobody is to blame for it, and what waited for its return is free."""
    of = calls("A", "B")
    current = a_round(of, workers=[0, 1], homes={"A": 0, "B": 0})
    assert current.broke(0, "lost") is None
    assert current.broke(5, "lost") is None
    assert played(current) == ["A", "B"]


def test_last_attempt_is_given_up() -> None:
    """A call that ends its worker each time comes back with what ended it, and is left out."""
    [poison] = of = calls("A")
    current = a_round(of, workers=[0], max_attempts=2)
    current.assign(0.0)
    assert current.broke(0, "lost") is None
    current.worker_ready(1)
    current.assign(0.0)
    assert current.broke(1, "timeout") is poison
    assert current.n_left == 0
    failed = give_up(poison, "no result\n  within 5 s")
    assert failed.error == "UnitTimeout: no result within 5 s (attempts: lost, timeout)"
    assert (failed.kind, failed.attempts) == ("timeout", 2)


def test_account_of_a_death_is_cut() -> None:
    """The error is one line of bounded length; the traceback has all of it."""
    [call] = calls("A")
    call.faults.append("memory")
    failed = give_up(call, "out of memory\n" * 100)
    assert failed.error.startswith("OutOfMemory: out of memory out of memory ")
    assert failed.error.endswith("… (attempts: memory)")
    assert (len(failed.error) < 350, len(failed.traceback)) == (True, 1400)


def test_memory_is_answered_in_the_next_lane() -> None:
    """A call that ran out of memory leaves the round, one lane up; the second time it fails."""
    [hungry] = of = calls("A")
    current = a_round(of, workers=[0])
    current.assign(0.0)
    assert current.broke(0, "memory") is None
    assert (current.n_left, current.aside, hungry.lane) == (0, [hungry], 1)
    again = a_round(current.aside, workers=[3])
    again.assign(0.0)
    assert again.broke(3, "memory") is hungry


def test_lost_shared_value_puts_a_call_aside() -> None:
    """Its worker is well and goes on; the call waits for the value, at most max_attempts times."""
    of = calls(*"ABCDEF")
    current = a_round(of, workers=[0], max_attempts=2)
    current.assign(0.0)
    assert current.shared_lost(0, of[0], 1.0) is None
    assert current.aside == [of[0]]
    current.finished(0, of[1], 2.0)
    assert played(current) == [*"CDEF"]
    again = a_round(current.aside, workers=[0], max_attempts=2)
    again.assign(0.0)
    assert again.shared_lost(0, of[0], 1.0) is of[0]


def test_a_shared_value_that_is_lost_is_no_attempt() -> None:
    """A unit whose worker died twice may still start a third time after its input was lost."""
    of = calls("A")
    of[0].faults += ["lost", "lost"]
    current = a_round(of, workers=[0], max_attempts=3)
    current.assign(0.0)
    assert current.shared_lost(0, of[0], 1.0) is None
    assert (current.aside, of[0].n_started, of[0].misses_input) == ([of[0]], 3, True)


def test_only_the_running_call_can_be_late() -> None:
    """The time of a call runs from when the one before it ended."""
    of = calls(*"ABCDEF")
    current = a_round(of, workers=[0], timeout_s=10.0)
    current.assign(100.0)
    assert current.overdue(109.9) == ()
    assert current.patience(104.0, longest_s=60.0) == 6.0
    assert current.patience(104.0, longest_s=1.0) == 1.0
    current.finished(0, of[0], 109.9)
    assert current.overdue(119.8) == ()
    assert current.overdue(119.9) == (0,)
    assert current.patience(130.0, longest_s=1.0) == 0.0
    current.broke(0, "timeout")
    assert [call.faults for call in of] == [[], ["timeout"], [], [], [], []]
    assert (current.overdue(500.0), current.patience(500.0, longest_s=1.0)) == ((), 1.0)


def test_without_a_limit_nothing_is_late() -> None:
    """A unit may run for as long as it takes."""
    current = a_round(calls("A"))
    current.assign(0.0)
    assert (current.overdue(1e9), current.patience(1e9, longest_s=1.0)) == ((), 1.0)


def test_description_names_the_oldest() -> None:
    """What is waited for is said by name, the longest first."""
    current = a_round(calls("A", "B", "C", "D", "E"), workers=[], n_expected=4)
    assert current.describe(0.0) == "none running, 5 waiting"
    for worker in range(4):
        current.worker_ready(worker)
        current.assign(10.0 * worker)
    assert (
        current.describe(60.0)
        == "4 running (A for 60 s, B for 50 s, C for 40 s and 1 more), 1 waiting"
    )


def test_silence_is_spoken_of_ever_more_rarely() -> None:
    """After 30 s, 60 s, 120 s …, and from the start again once something happened."""
    silence = Silence(now=0.0, first_s=30.0)
    spoken = [t for t in range(301) if silence.is_due(float(t))]
    assert spoken == [30, 60, 120, 240]
    silence.broken(301.0)
    assert not silence.is_due(330.0)
    assert silence.is_due(331.0)
    assert silence.since == 301.0


@pytest.mark.parametrize("seed", range(30))
def test_every_call_ends_once(seed: int) -> None:
    """Whatever dies and whenever: each call ends once, within its attempts, and none is lost."""
    rng = random.Random(seed)
    of = calls(*(f"S{i}" for i in range(rng.randint(1, 30))))
    homes = {call.unit.key: rng.randint(0, 4) for call in of if rng.random() < 0.5}
    ended: list[Call] = []
    waiting, n_workers = of, 3
    while waiting:
        current = a_round(waiting, workers=range(n_workers - 3, n_workers), homes=homes)
        in_flight: dict[int, list[Call]] = {w: [] for w in range(n_workers - 3, n_workers)}
        while current.n_left:
            for worker, call in current.assign(0.0):
                in_flight[worker].append(call)
                assert len(in_flight[worker]) <= IN_FLIGHT_PER_WORKER
            worker = rng.choice([w for w, held in in_flight.items() if held])
            if rng.random() < 0.7:
                ended.append(in_flight[worker].pop(0))
                current.finished(worker, ended[-1], 0.0)
                continue
            if rng.random() < 0.3:
                failed = in_flight[worker].pop(0)
                ended += [] if current.store_failed(worker, failed, 0.0) else [failed]
                continue
            given_up = current.broke(worker, rng.choice(("lost", "timeout", "memory")))
            ended += [] if given_up is None else [given_up]
            del in_flight[worker]
            in_flight[n_workers] = []
            current.worker_ready(n_workers)
            n_workers += 1
        waiting = current.aside
    assert Counter(ended) == Counter(of)
    assert all(len(call.faults) <= 3 for call in of)


def played(current: Round) -> list[str]:
    """Let every call succeed at once; return the keys in the order in which they ran."""
    held: dict[int, list[Call]] = {}
    order = []
    while current.n_left:
        for worker, call in current.assign(0.0):
            held.setdefault(worker, []).append(call)
        for worker, behind in held.items():
            if behind:
                order.append(behind[0].unit.key)
                current.finished(worker, behind.pop(0), 0.0)
    return order


def test_retired_worker_finishes_what_it_has() -> None:
    """It gets nothing more, and its symbols are free once it is gone."""
    of = calls(*"ABCDEF")
    current = a_round(of, workers=[0], homes=dict.fromkeys("ABCDEF", 0))
    assert names(current.assign(0.0)) == [(0, "A"), (0, "B")]
    current.retire(0)
    current.finished(0, of[0], 1.0)
    assert not current.is_spent(0)
    assert current.assign(1.0) == []
    current.finished(0, of[1], 2.0)
    assert current.is_spent(0)
    assert current.broke(0, "memory") is None
    assert [call.faults for call in of] == [[]] * 6
    current.worker_ready(1)
    assert played(current) == [*"CDEF"]
