"""Two runs that all tests of scoring share; none of them may write into these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from trained_runs import Trained, bars_run, labeled_run

import ray_pipeline.driving.workers
from ray_pipeline.execution import Outcome, SerialExecutor, Unit


@pytest.fixture(scope="package")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train on labeled tables."""
    return labeled_run(tmp_path_factory.mktemp("labeled"))


@pytest.fixture(scope="package")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train on bars."""
    return bars_run(tmp_path_factory.mktemp("bars"))


@pytest.fixture(params=["labeled", "bars"])
def trained(request: pytest.FixtureRequest) -> Trained:
    """Give each run in turn."""
    run: Trained = request.getfixturevalue(request.param)
    return run


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the keys of the units that are given to the executor; an ``!`` interrupts there."""
    keys: list[str] = []

    class Recording(SerialExecutor[Any]):
        def run(self, given: Sequence[Unit]) -> Iterator[Outcome]:
            for unit in given:
                if f"!{unit.key}" in keys:
                    raise KeyboardInterrupt
                keys.append(unit.key)
                yield from super().run([unit])

    monkeypatch.setattr(ray_pipeline.driving.workers, "SerialExecutor", Recording)
    return keys
