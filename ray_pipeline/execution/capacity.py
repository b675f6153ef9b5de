"""How many workers the nodes of a cluster can hold, and with how much memory; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ray_pipeline.wording import plural

__all__ = [
    "Node",
    "WorkerShape",
    "first_lane",
    "gib",
    "lane_memory",
    "memory_share",
    "misfit",
    "n_workers_that_fit",
]


@dataclass(frozen=True, slots=True)
class Node:
    """Resources of one node, in total rather than those that happen to be free."""

    cpus: float
    memory_bytes: float


@dataclass(frozen=True, slots=True)
class WorkerShape:
    """What one worker asks of its node; no memory request when `memory_bytes` is None."""

    cpus: int
    memory_bytes: int | None = None

    def __str__(self) -> str:
        """Return what a worker asks for, as messages name it."""
        cpus = f"{self.cpus} CPU{'s' if self.cpus != 1 else ''}"
        return cpus if self.memory_bytes is None else f"{cpus} and {gib(self.memory_bytes)}"


def n_workers_that_fit(nodes: Sequence[Node], shape: WorkerShape) -> int:
    """Count the workers of one shape that all nodes together hold."""
    return sum(_n_on(node, shape) for node in nodes)


def misfit(nodes: Sequence[Node], shape: WorkerShape) -> str | None:
    """Say why no node can ever hold a worker of this shape, or None when one can."""
    if any(_n_on(node, shape) for node in nodes):
        return None
    if not nodes:
        return f"A worker asks for {shape}, and the cluster has no node at all."
    cpus = max(node.cpus for node in nodes)
    memory = max(node.memory_bytes for node in nodes)
    return (
        f"A worker asks for {shape}, and none of {plural(len(nodes), 'node')} has that: "
        f"at most {cpus:g} CPUs and {gib(memory)} on one node. Lower execution.cpus_per_worker or "
        "the memory per worker, or use larger nodes."
    )


def memory_share(nodes: Sequence[Node], shape: WorkerShape) -> int | None:
    """Return the memory that each worker has when a node is full of them, on the worst node.

    Nodes that hold no worker do not count; None when none holds one.
    """
    shares = [node.memory_bytes / _n_on(node, shape) for node in nodes if _n_on(node, shape)]
    return math.floor(min(shares)) if shares else None


def lane_memory(lane: int, nodes: Sequence[Node], shape: WorkerShape) -> int | None:
    """Memory request of the workers of a lane, in bytes.

    Lane 0 is the ordinary worker. Each further lane asks for twice as much as the one before, up
    to all the memory of the largest node: a unit that ran out of memory goes one lane up.

    Parameters
    ----------
    lane
        0, 1, 2, …
    nodes
        Nodes of the cluster as it is.
    shape
        The ordinary worker. Without a memory request of its own, its fair share of the largest
        node is what gets doubled.
    """
    if lane == 0:
        return shape.memory_bytes
    share, ceiling = _share_and_ceiling(nodes, shape)
    return None if share is None else min(math.floor(share * 2**lane), math.floor(ceiling))


def first_lane(memory_bytes: int | None, nodes: Sequence[Node], shape: WorkerShape) -> int:
    """Lane in which a unit of known memory need starts."""
    share, ceiling = _share_and_ceiling(nodes, shape)
    if memory_bytes is None or share is None:
        return 0
    return max(0, math.ceil(math.log2(max(min(memory_bytes, ceiling), 1) / share)))


def _share_and_ceiling(nodes: Sequence[Node], shape: WorkerShape) -> tuple[float | None, float]:
    largest = max(nodes, key=lambda node: node.memory_bytes, default=Node(0, 0))
    if shape.memory_bytes is not None:
        return shape.memory_bytes, max(largest.memory_bytes, shape.memory_bytes)
    n_slots = int(largest.cpus // shape.cpus)
    return (largest.memory_bytes / n_slots if n_slots else None), largest.memory_bytes


def _n_on(node: Node, shape: WorkerShape) -> int:
    by_cpu = int(node.cpus // shape.cpus)
    if not shape.memory_bytes:
        return by_cpu
    return min(by_cpu, int(node.memory_bytes // shape.memory_bytes))


def gib(n_bytes: float) -> str:
    """Format bytes as messages have them."""
    return f"{n_bytes / 2**30:.1f} GiB"
