"""An estimate in a sentence, and its comparison with the actual cost (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ray_pipeline.estimating.estimate import Bounds, Estimate
from ray_pipeline.wording import duration_text, plural, some_of

__all__ = [
    "FAR_OFF",
    "Outcome",
    "compare_outcome",
    "estimate_document",
    "estimate_lines",
]

FAR_OFF = 2.0
"""An estimate is off where a figure is so many times its middle, or its middle so many times it."""

BUSY_LOAD = 1.0
"""Processes of others that want a CPU, from which on they are named where a run was slow."""

_DURATIONS = ((90.0, 1.0, "seconds"), (90.0 * 60, 60.0, "minutes"), (48.0 * 3600, 3600.0, "hours"))
_DAY_S = 86_400.0
_MEMORY = ((2**30, 2**20, "MiB"), (2**40, 2**30, "GiB"), (float("inf"), 2**40, "TiB"))
_DISK = (
    (1e6, 1e3, "kB"),
    (1e9, 1e6, "MB"),
    (1e12, 1e9, "GB"),
    (float("inf"), 1e12, "TB"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run took, as far as it was estimated.

    Attributes
    ----------
    wall_s, stages_s
        Seconds in all, and by stage.
    memory_bytes
        The most that one worker held, 0 where that is not known.
    disk_bytes, n_requests
        Bytes that it left; requests to object stores.
    other_load
        Of the machine, by other work at the end of the run: processes that wanted a CPU.
    """

    wall_s: float
    stages_s: Mapping[str, float]
    memory_bytes: int
    disk_bytes: int
    n_requests: int
    other_load: float = 0.0

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "wall_s": round(self.wall_s, 2),
            "memory_bytes": self.memory_bytes or None,
            "disk_bytes": self.disk_bytes,
            "n_requests": self.n_requests,
            "other_load": round(self.other_load, 1),
        }


def estimate_lines(estimate: Estimate, run_dir: str) -> list[str]:
    """Tell an estimate in sentences: what the run will take, and what is not counted."""
    if estimate.wall_s is not None:
        lines = [f"This run will take about {_time(estimate.wall_s)}{_where(estimate)}"]
    else:
        lines = [
            f"This run will take about {_time(estimate.cpu_s)} of CPU time, on as many CPUs as its "
            "cluster has"
        ]
    lines[0] += f", {estimate.longest.replace('_', ' ')} the longest"
    lines[0] += f", {_range(estimate.memory_bytes, _MEMORY)} per worker"
    lines[0] += f", {_range(estimate.disk_bytes, _DISK)} in {run_dir}"
    if estimate.n_requests is not None:
        low, high = (_two_digits(each) for each in _both(estimate.n_requests))
        lines[0] += f", {low} to {high} requests"
    lines[0] += "."
    if estimate.not_counted:
        lines.append(f"Not counted: {some_of(estimate.not_counted, 5)}.")
    return lines


def estimate_document(estimate: Estimate, run_dir: str) -> dict[str, Any]:
    """Return an estimate as documents have it, with its sentences as ``told``."""
    return estimate.to_record() | {"told": estimate_lines(estimate, run_dir)}


def compare_outcome(estimate: Estimate, outcome: Outcome) -> list[str]:
    """Say what a run took beside what was estimated, and where the estimate was off."""
    wall_s = estimate.wall_s
    took = f"took {duration_text(outcome.wall_s)}"
    lines = [took if wall_s is None else f"{took} (estimated {_time(wall_s)})"]
    if outcome.memory_bytes:
        lines[0] += f", {_figure(outcome.memory_bytes, _MEMORY)} in a worker"
        lines[0] += f" ({_range(estimate.memory_bytes, _MEMORY)})"
    lines[0] += f", {_figure(outcome.disk_bytes, _DISK)} of results"
    lines[0] += f" ({_range(estimate.disk_bytes, _DISK)})"
    if estimate.n_requests is not None:
        low, high = (_two_digits(each) for each in _both(estimate.n_requests))
        lines[0] += f", {plural(outcome.n_requests, 'request')} ({low} to {high})"
    if wall_s is not None and _is_off(outcome.wall_s, wall_s):
        lines.append(f"{_off('time')}{_most_off(estimate, outcome)}")
        if outcome.wall_s > wall_s.high and outcome.other_load >= BUSY_LOAD:
            lines.append(
                f"other work kept the machine busy meanwhile: a load of {outcome.other_load:.1f} "
                "beside that of this run"
            )
    for name, bounds, found in (
        ("memory", estimate.memory_bytes, outcome.memory_bytes),
        ("size of the results", estimate.disk_bytes, outcome.disk_bytes),
        ("number of requests", estimate.n_requests, outcome.n_requests),
    ):
        if bounds is not None and found and _is_off(found, bounds):
            lines.append(_off(name))
    return lines


def _off(name: str) -> str:
    return f"the estimate of the {name} was off by more than a factor of {FAR_OFF:g}"


def _most_off(estimate: Estimate, outcome: Outcome) -> str:
    """Name the stage whose time differs most from what was estimated."""
    expected = {name: bounds.middle for name, bounds in estimate.stages.items()}
    found = outcome.stages_s
    names = list(dict.fromkeys((*expected, *found)))
    if not names:
        return ""
    name = max(names, key=lambda each: abs(found.get(each, 0.0) - expected.get(each, 0.0)))
    return (
        f", most of it in {name.replace('_', ' ')}: {duration_text(found.get(name, 0.0))} instead "
        f"of about {duration_text(expected.get(name, 0.0))}"
    )


def _is_off(found: float, bounds: Bounds) -> bool:
    middle = bounds.middle
    return not middle / FAR_OFF <= found <= middle * FAR_OFF


def _where(estimate: Estimate) -> str:
    n_cpus = (estimate.n_workers or 1) * estimate.cpus_per_worker
    return f" on {plural(n_cpus, 'CPU')}"


def _time(bounds: Bounds) -> str:
    low, high = _both(bounds)
    unit_s, unit = next(
        ((unit_s, unit) for most_s, unit_s, unit in _DURATIONS if high < most_s),
        (_DAY_S, "days"),
    )
    return f"{_two_digits(low / unit_s)} to {_two_digits(high / unit_s)} {unit}"


def _range(bounds: Bounds, units: tuple[tuple[float, float, str], ...]) -> str:
    low, high = _both(bounds)
    unit, name = next((unit, name) for most, unit, name in units if high < most)
    return f"{_two_digits(low / unit)} to {_two_digits(high / unit)} {name}"


def _figure(value: float, units: tuple[tuple[float, float, str], ...]) -> str:
    unit, name = next((unit, name) for most, unit, name in units if value < most)
    return f"{_two_digits(value / unit)} {name}"


def _both(bounds: Bounds) -> tuple[float, float]:
    return bounds.low, bounds.high


def _two_digits(value: float) -> str:
    """Round to two digits, since more would be made up.

    >>> _two_digits(3.27), _two_digits(12.6), _two_digits(1_270), _two_digits(0.04)
    ('3.3', '13', '1,300', '0.04')
    """
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"
