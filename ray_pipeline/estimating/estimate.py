"""The estimate of a run: ranges of its time, memory, disk and requests (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ray_pipeline.estimating.costs import Speed
from ray_pipeline.estimating.shape import RunShape
from ray_pipeline.estimating.sizes import disk_bytes, memory_bytes, n_requests
from ray_pipeline.estimating.work import (
    LEAST,
    LIKELY,
    MOST,
    Course,
    StageWork,
    course_of,
    work_of,
)

__all__ = ["Bounds", "Estimate", "estimate_run"]

MOST_APART = 2.0
"""A bound is at most this many times from what is likely: a wider range would tell nothing."""

LEAST_APART = 1.3
"""And at least so many times: no measurement is closer."""

UNIT_OVERHEAD_S = 2e-3
"""Of the driver, per unit."""

BEGIN_S, END_S = 0.8, 0.4
"""Of the driver: discovery and what it imports; hashing, page and journal."""

RAY_START_S, RAY_CPU_S = 9.0, 8.0
"""Until Ray and its first workers are there, one for each core; CPU time of both."""

THREADS_GAIN = 0.6
"""A worker of n threads is n to this power times as fast as one of one thread."""

REQUESTS_AT_ONCE = 2.0
"""Requests that a worker has under way, where it waits for them."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A range of what is to be expected."""

    low: float
    high: float

    @classmethod
    def of(cls, least: float, likely: float, most: float) -> Bounds:
        """Return the range from least to most, not too far and not too near of what is likely.

        Examples
        --------
        >>> Bounds.of(1.0, 10.0, 100.0)
        Bounds(low=5.0, high=20.0)
        """
        return cls(
            min(max(least, likely / MOST_APART), likely / LEAST_APART),
            max(min(most, likely * MOST_APART), likely * LEAST_APART),
        )

    @property
    def middle(self) -> float:
        """What is as many times above the lower bound as below the higher."""
        return math.sqrt(self.low * self.high)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take.

    Attributes
    ----------
    wall_s
        Seconds until it is done; None where nobody knows how many workers there will be.
    cpu_s
        Seconds of all its workers' CPUs.
    n_workers, cpus_per_worker
        Where it runs.
    memory_bytes
        The most that one worker holds.
    disk_bytes
        Of the results.
    n_requests
        To object stores; None where neither data nor results are in one.
    stages
        Seconds by stage: until it is done, else of CPUs.
    not_counted
        What comes besides.
    """

    wall_s: Bounds | None
    cpu_s: Bounds
    n_workers: int | None
    cpus_per_worker: int
    memory_bytes: Bounds
    disk_bytes: Bounds
    n_requests: Bounds | None
    stages: Mapping[str, Bounds]
    not_counted: tuple[str, ...] = ()

    @property
    def longest(self) -> str:
        """The stage that takes longest."""
        return max(self.stages, key=lambda name: self.stages[name].middle)

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values; ranges are ``[low, high]``."""
        return {
            "wall_s": _seconds(self.wall_s),
            "cpu_s": _seconds(self.cpu_s),
            "n_workers": self.n_workers,
            "cpus_per_worker": self.cpus_per_worker,
            "memory_bytes": _whole(self.memory_bytes),
            "disk_bytes": _whole(self.disk_bytes),
            "n_requests": _whole(self.n_requests),
            "stages_s": {name: _seconds(each) for name, each in self.stages.items()},
            "longest": self.longest,
            "not_counted": list(self.not_counted),
        }


def estimate_run(shape: RunShape, speed: Speed, latency_s: float = 0.0) -> Estimate:
    """Estimate a run.

    Parameters
    ----------
    shape
        How large it is.
    speed
        This machine beside the reference: seconds here per second there.
    latency_s
        Of a request to the object store, on average.
    """
    least, likely, most = (
        _Figures.of(shape, course_of(shape, name), speed, latency_s)
        for name in (LEAST, LIKELY, MOST)
    )

    def bounds(figure: Callable[[_Figures], float]) -> Bounds:
        return Bounds.of(figure(least), figure(likely), figure(most))

    def of_stage(name: str) -> Bounds:
        return bounds(lambda each: each.stages_s.get(name, 0.0))

    memory = memory_bytes(shape)
    return Estimate(
        wall_s=None if shape.n_workers is None else bounds(lambda each: each.wall_s),
        cpu_s=bounds(lambda each: each.cpu_s),
        n_workers=shape.n_workers,
        cpus_per_worker=shape.cpus_per_worker,
        memory_bytes=Bounds.of(0.8 * memory, memory, 1.5 * memory),
        disk_bytes=bounds(lambda each: each.disk_bytes),
        n_requests=bounds(lambda each: each.n_requests) if likely.n_requests else None,
        stages={name: of_stage(name) for name in likely.stages_s},
        not_counted=shape.not_counted,
    )


@dataclass(frozen=True, slots=True)
class _Figures:
    """What a run takes if it finds what a course says."""

    cpu_s: float
    stages_s: Mapping[str, float]
    wall_s: float
    disk_bytes: float
    n_requests: float

    @classmethod
    def of(cls, shape: RunShape, course: Course, speed: Speed, latency_s: float) -> _Figures:
        work = work_of(shape, course)
        n_workers = shape.n_workers or 1
        around_s = BEGIN_S + END_S
        cpu_s = around_s * speed.columns
        cpu_s += sum(speed.seconds(part.cost) for stage in work for part in stage.parts)
        if not shape.is_serial:
            around_s += RAY_START_S
            cpu_s += RAY_CPU_S * speed.columns
        stages_s = {stage.name: _wall_s(shape, stage, speed) for stage in work}
        wall_s = around_s * speed.columns + sum(stages_s.values())
        asked = n_requests(shape, work, wall_s)
        waiting_s = asked * latency_s / (n_workers * REQUESTS_AT_ONCE)
        n_units = max(sum(stage.n_units for stage in work), 1)
        for stage in work:
            stages_s[stage.name] += waiting_s * stage.n_units / n_units
        return cls(cpu_s, stages_s, wall_s + waiting_s, disk_bytes(shape, course), asked)


def _wall_s(shape: RunShape, stage: StageWork, speed: Speed) -> float:
    """Return the seconds of a stage on all workers that there are."""
    n_workers = shape.n_workers or 1
    seconds = stage.n_units * UNIT_OVERHEAD_S
    for part in stage.parts:
        # The last units of a part leave workers without any.
        share = math.ceil(part.n_units / n_workers) / part.n_units if part.n_units else 1.0
        seconds += speed.seconds(part.cost) * share / shape.cpus_per_worker**THREADS_GAIN
    return seconds


def _seconds(bounds: Bounds | None) -> list[float] | None:
    return None if bounds is None else [round(bounds.low, 2), round(bounds.high, 2)]


def _whole(bounds: Bounds | None) -> list[int] | None:
    return None if bounds is None else [round(bounds.low), round(bounds.high)]
