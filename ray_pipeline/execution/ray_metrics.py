"""What the driver counts for people who watch the cluster, through Ray's own metrics."""

from __future__ import annotations

from typing import Any

import ray

from ray_pipeline.execution.protocol import Done, Outcome
from ray_pipeline.execution.ray_private import is_ray_client

__all__ = ["UnitMetrics"]

_BOUNDARIES_S = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0]
"""Half-decades, from what a small symbol takes to the longest pooled fits."""

_TAGS = ("run", "stage")


class UnitMetrics:
    """Units of work by stage: how many ended and how, how long they took, and what waits.

    Ray exports them on every node as ``ray_pipeline_…``, beside its own. A driver that uses Ray
    Client is not a process of the cluster, and exports nothing.

    Parameters
    ----------
    run
        Name of the run, which tells apart what several drivers count on one cluster.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._is_on = ray.is_initialized() and not is_ray_client()
        if not self._is_on:
            return
        from ray.util.metrics import Counter, Gauge, Histogram

        # Ray puts "ray_" before the names, and "_total" behind that of the counter.
        self._units: Any = Counter(
            "pipeline_units", "Units of work that ended.", tag_keys=(*_TAGS, "outcome")
        )
        self._seconds: Any = Histogram(
            "pipeline_unit_seconds",
            "Seconds that a unit of work took inside its worker.",
            boundaries=_BOUNDARIES_S,
            tag_keys=_TAGS,
        )
        self._running: Any = Gauge(
            "pipeline_units_running", "Units of work that workers have begun.", tag_keys=_TAGS
        )
        self._waiting: Any = Gauge(
            "pipeline_units_waiting", "Units of work that no worker has begun.", tag_keys=_TAGS
        )
        self._workers: Any = Gauge(
            "pipeline_workers", "Workers that are ready or starting.", tag_keys=("run", "state")
        )

    def ended(self, outcome: Outcome) -> None:
        """Count a unit that ended; one that failed has no time of its own."""
        if not self._is_on:
            return
        tags = {"run": self._run, "stage": outcome.unit.stage}
        ending = "done" if isinstance(outcome, Done) else "failed"
        self._units.inc(tags=tags | {"outcome": ending})
        if isinstance(outcome, Done):
            self._seconds.observe(outcome.seconds, tags=tags)

    def queue(self, stage: str, n_running: int, n_waiting: int) -> None:
        """Tell how much of a stage is at work and how much waits."""
        if not self._is_on:
            return
        tags = {"run": self._run, "stage": stage}
        self._running.set(n_running, tags=tags)
        self._waiting.set(n_waiting, tags=tags)

    def workers(self, n_ready: int, n_starting: int) -> None:
        """Tell how many workers there are."""
        if not self._is_on:
            return
        self._workers.set(n_ready, tags={"run": self._run, "state": "ready"})
        self._workers.set(n_starting, tags={"run": self._run, "state": "starting"})
