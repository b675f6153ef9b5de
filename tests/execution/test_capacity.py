"""What nodes can hold, by hand."""

from __future__ import annotations

import pytest

from ray_pipeline.execution.capacity import (
    Node,
    WorkerShape,
    first_lane,
    lane_memory,
    misfit,
    n_workers_that_fit,
)

GIB = 2**30
HEAD = Node(0, 8 * GIB)
SMALL = Node(4, 8 * GIB)
LARGE = Node(16, 64 * GIB)


@pytest.mark.parametrize(
    ("shape", "n_workers"),
    [
        (WorkerShape(1), 20),
        (WorkerShape(3), 1 + 5),
        (WorkerShape(8), 2),
        (WorkerShape(1, 3 * GIB), 2 + 16),
        (WorkerShape(1, 16 * GIB), 4),
        (WorkerShape(17), 0),
    ],
)
def test_workers_are_counted_per_node(shape: WorkerShape, n_workers: int) -> None:
    """A worker lies on one node: what two nodes have left over adds up to nothing."""
    assert n_workers_that_fit([HEAD, SMALL, LARGE], shape) == n_workers


def test_fit_has_no_problem() -> None:
    """One node that holds one worker is enough."""
    assert misfit([HEAD, LARGE], WorkerShape(16, 64 * GIB)) is None


def test_misfit_says_what_was_asked_and_what_there_is() -> None:
    """The message has both sides in numbers, and what to change."""
    assert misfit([HEAD, SMALL], WorkerShape(8)) == (
        "A worker asks for 8 CPUs, and none of 2 nodes has that: at most 4 CPUs and 8.0 GiB on "
        "one node. Lower execution.cpus_per_worker or the memory per worker, or use larger nodes."
    )
    assert "asks for 1 CPU and 9.0 GiB" in str(misfit([SMALL], WorkerShape(1, 9 * GIB)))
    assert "no node at all" in str(misfit([], WorkerShape(1)))


def test_cpus_and_memory_must_be_on_one_node() -> None:
    """Enough CPUs here and enough memory there is not enough."""
    assert misfit([Node(16, GIB), Node(1, 64 * GIB)], WorkerShape(2, 2 * GIB)) is not None


@pytest.mark.parametrize(
    ("shape", "memory"),
    [
        (WorkerShape(1, 5 * GIB), [5 * GIB, 10 * GIB, 20 * GIB, 40 * GIB, 64 * GIB, 64 * GIB]),
        # No request: the fair share of 64 GiB among 16 single-CPU workers is 4 GiB.
        (WorkerShape(1), [None, 8 * GIB, 16 * GIB, 32 * GIB, 64 * GIB, 64 * GIB]),
        (WorkerShape(16), [None, 64 * GIB]),
    ],
)
def test_each_lane_has_twice_the_memory(shape: WorkerShape, memory: list[int | None]) -> None:
    """Doubling ends at the memory of the largest node."""
    lanes = range(len(memory))
    assert [lane_memory(lane, [SMALL, LARGE], shape) for lane in lanes] == memory


@pytest.mark.parametrize(
    ("memory_bytes", "lane"),
    [(None, 0), (0, 0), (4 * GIB, 0), (4 * GIB + 1, 1), (8 * GIB, 1), (9 * GIB, 2), (10**15, 4)],
)
def test_units_start_in_the_lane_that_holds_them(memory_bytes: int | None, lane: int) -> None:
    """What is known to need more starts with more; what no node holds, with the most there is."""
    assert first_lane(memory_bytes, [SMALL, LARGE], WorkerShape(1)) == lane


def test_cluster_without_a_worker_node() -> None:
    """Before the first node is there nothing is known, and nothing is asked for."""
    assert first_lane(5 * GIB, [HEAD], WorkerShape(1)) == 0
    assert lane_memory(1, [HEAD], WorkerShape(1)) is None
