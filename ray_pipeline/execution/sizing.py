"""How large a pool is to be while nodes come and go; time is an argument, Ray is not needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from ray_pipeline.execution.capacity import (
    Node,
    WorkerShape,
    memory_share,
    misfit,
    n_workers_that_fit,
)

__all__ = ["Growth", "PoolSizing"]

Growth = Literal["fixed", "by_hand", "on_demand"]
"""Whether nodes may be added while a run lasts: never, by somebody, or by an autoscaler that is
shown what is asked for."""

_REFRESH_S = 5.0
"""Age at which the list of nodes is read again; a call to the head, however many nodes."""

_FIRST_WAVE = 16
"""Workers that start at the same time at first. Each loads its libraries and opens the store: a
thousand at once would be slow together, and are not needed to find that none can start."""

_LEAST_LIMIT_BYTES = 2**30
"""A worker with its libraries and a full cache of tables holds less. On a laptop of many CPUs and
little memory every unit would end its worker otherwise."""

_FIRST_DEMAND = 8
"""Workers to ask an autoscaler for where no node holds one yet."""


class PoolSizing:
    """How many workers to aim for, and how many of them to start now.

    Parameters
    ----------
    list_nodes
        Returns the nodes that are alive.
    growth
        See `Growth`.
    asked
        Workers that the user asks for, or None for as many as there is room for.
    shape
        What one worker takes.

    Attributes
    ----------
    nodes
        As of the last look at them.
    n_fit
        Workers that they hold.
    problem
        Why none of them could hold a worker, or None when one could.
    memory_limit
        Bytes above which a worker takes more than its share of a node, or None if unknown.
    """

    def __init__(
        self,
        list_nodes: Callable[[], Sequence[Node]],
        growth: Growth,
        asked: int | None,
        shape: WorkerShape,
    ) -> None:
        self.nodes: Sequence[Node] = ()
        self._list_nodes = list_nodes
        self._growth = growth
        self._asked = asked
        self._read_at = -math.inf
        self._misfit_since: float | None = None
        self.reshape(shape)

    def reshape(self, shape: WorkerShape) -> None:
        """Aim for workers of another shape, and measure the nodes by it."""
        self.shape = shape
        self.n_fit = n_workers_that_fit(self.nodes, shape)
        self.problem = misfit(self.nodes, shape)
        share = shape.memory_bytes or memory_share(self.nodes, shape)
        self.memory_limit = None if share is None else max(share, _LEAST_LIMIT_BYTES)

    def update(self, now: float) -> None:
        """Look at the nodes again, unless that was done a moment ago."""
        if now - self._read_at >= _REFRESH_S:
            self.nodes = self._list_nodes()
            self._read_at = now
            self.reshape(self.shape)
        if self.problem is None:
            self._misfit_since = None
        elif self._misfit_since is None:
            self._misfit_since = now

    @property
    def size(self) -> int:
        """Workers to aim for, at least 1.

        An autoscaler adds nodes for workers that wait for one: without a number to grow to, as
        many again are asked for as there is room for, until it adds no more.
        """
        if self._asked is not None:
            return max(1, min(self._asked, self.n_fit)) if self._growth == "fixed" else self._asked
        if self._growth == "on_demand":
            return max(_FIRST_DEMAND, 2 * self.n_fit)
        return max(1, self.n_fit)

    @property
    def n_expected(self) -> int:
        """Workers that the present nodes will hold, at least 1."""
        return max(1, min(self.size, self.n_fit))

    @property
    def can_grow(self) -> bool:
        """Whether a node that is missing may yet come."""
        return self._growth != "fixed"

    def misfit_s(self, now: float) -> float:
        """Return for how many seconds no node could hold a worker, 0 when one can."""
        return 0.0 if self._misfit_since is None else now - self._misfit_since

    def n_to_start(self, n_left: int, n_ready: int, n_starting: int) -> int:
        """Return how many workers to start now.

        As many start at a time as are ready already, at least `_FIRST_WAVE`: the pool doubles
        from wave to wave. Workers for which there is no node yet start nowhere. They only say
        what is wanted, and all of them do so at once.

        Parameters
        ----------
        n_left
            Units that wait or run: no more workers than these.
        n_ready, n_starting
            Workers that work, and those that were asked for and do not work yet.
        """
        missing = min(self.size, n_left) - n_ready - n_starting
        room = max(0, self.n_fit - n_ready)
        without_node = max(0, self.size - self.n_fit)
        may_start = min(room, max(_FIRST_WAVE, n_ready)) + without_node
        return max(0, min(missing, may_start - n_starting))
