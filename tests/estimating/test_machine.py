"""How fast this machine is: samples of the work, each measured."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from ray_pipeline.estimating import machine
from ray_pipeline.estimating.machine import REFERENCE, measure_speed


def test_each_sample_is_measured() -> None:
    """Some time each: none is 0, which would make a run of it free."""
    speed = measure_speed()
    assert min(speed.trees, speed.linear, speed.columns) > 0.0


def test_what_a_run_does_not_do_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is its library loaded."""
    loaded: list[str] = []
    load_family: Callable[[str], object] = machine.load_family

    def load(name: str) -> object:
        loaded.append(name)
        return load_family(name)

    monkeypatch.setattr(machine, "load_family", load)
    speed = measure_speed({"linear"})
    assert (speed.trees, loaded) == (REFERENCE.trees, ["ridge"])


def test_the_least_of_some_tries_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other work on the machine adds to one of them does not."""
    clock = iter([0.0, 5.0, 10.0, 11.0, 20.0, 23.0])
    monkeypatch.setattr(machine.time, "thread_time", lambda: next(clock))
    assert machine._least(lambda: sys.maxsize) == 1.0
