"""How large the pool is to be, with nodes that come and go by hand."""

from __future__ import annotations

import pytest

from ray_pipeline.execution.capacity import Node, WorkerShape
from ray_pipeline.execution.sizing import Growth, PoolSizing

GIB = 2**30
HEAD = Node(0, 8 * GIB)


def sizing(
    nodes: list[Node], growth: Growth = "by_hand", asked: int | None = None, cpus: int = 1
) -> PoolSizing:
    made = PoolSizing(lambda: list(nodes), growth, asked, WorkerShape(cpus))
    made.update(0.0)
    return made


@pytest.mark.parametrize(
    ("growth", "asked", "n_cpus", "size"),
    [
        ("fixed", None, 4, 4),
        ("fixed", 3, 4, 3),
        ("fixed", 9, 4, 4),
        ("by_hand", None, 4, 4),
        ("by_hand", None, 0, 1),
        ("by_hand", 9, 4, 9),
        ("on_demand", None, 0, 8),
        ("on_demand", None, 3, 8),
        ("on_demand", None, 100, 200),
        ("on_demand", 64, 0, 64),
    ],
)
def test_size(growth: Growth, asked: int | None, n_cpus: int, size: int) -> None:
    """What fits where nothing can be added, what is asked for where it may come."""
    assert sizing([HEAD, Node(n_cpus, 8 * GIB)], growth, asked).size == size


def test_nodes_are_read_again_after_a_while() -> None:
    """A node that joins counts a few seconds later; one that left no longer."""
    nodes = [Node(2, GIB)]
    current = sizing(nodes)
    nodes.append(Node(4, GIB))
    current.update(1.0)
    assert current.n_fit == 2
    current.update(5.0)
    assert current.n_fit == 6
    nodes.pop(0)
    current.update(10.0)
    assert current.n_fit == 4


def test_no_more_workers_than_units() -> None:
    """Whatever there is room for."""
    current = sizing([Node(8, GIB)])
    assert current.n_to_start(n_left=3, n_ready=0, n_starting=0) == 3
    assert current.n_to_start(n_left=3, n_ready=2, n_starting=0) == 1
    assert current.n_to_start(n_left=3, n_ready=2, n_starting=1) == 0
    assert current.n_to_start(n_left=1, n_ready=5, n_starting=0) == 0


def test_pool_doubles_from_wave_to_wave() -> None:
    """A thousand workers do not load their libraries at the same moment."""
    current = sizing([Node(100, GIB)] * 10)
    ready, waves = 0, []
    while ready < 1000:
        waves.append(current.n_to_start(10**6, ready, 0))
        assert current.n_to_start(10**6, ready, waves[-1]) == 0
        ready += waves[-1]
    assert waves == [16, 16, 32, 64, 128, 256, 488]


def test_workers_without_a_node_are_all_asked_for() -> None:
    """They start nowhere, and an autoscaler is to see how much is wanted."""
    assert sizing([HEAD], "on_demand", 500).n_to_start(10**6, 0, 0) == 500
    current = sizing([Node(100, GIB)], "on_demand", 500)
    assert current.n_to_start(10**6, 0, 0) == 400 + 16
    assert current.n_to_start(10**6, 0, 416) == 0
    assert current.n_to_start(10**6, 16, 400) == 16


def test_misfit_is_timed() -> None:
    """From when it was first seen until a node can hold a worker."""
    nodes = [Node(1, GIB)]
    current = sizing(nodes, cpus=2)
    assert current.problem is not None
    assert (current.misfit_s(0.0), current.misfit_s(7.0)) == (0.0, 7.0)
    nodes.append(Node(2, GIB))
    current.update(20.0)
    assert current.problem is None
    assert current.misfit_s(30.0) == 0.0


def test_memory_limit_is_the_share_of_the_smallest_node() -> None:
    """Or what the worker asked for; a head without work says nothing."""
    assert sizing([HEAD, Node(4, 16 * GIB), Node(8, 16 * GIB)]).memory_limit == 2 * GIB
    assert sizing([HEAD]).memory_limit is None
    current = sizing([Node(4, 16 * GIB)])
    current.reshape(WorkerShape(1, 3 * GIB))
    assert current.memory_limit == 3 * GIB
    assert sizing([Node(16, 8 * GIB)]).memory_limit == GIB  # what a full cache needs as well
