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
def recorded(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[str]]:
    """Collect the symbols that are scored, an ``!`` interrupting there, and the stages of units."""
    symbols: list[str] = []
    stages: list[str] = []

    class Recording(SerialExecutor[Any]):
        def run(self, given: Sequence[Unit]) -> Iterator[Outcome]:
            for unit in given:
                stages.append(unit.stage)
                if unit.stage == "score":
                    if f"!{unit.key}" in symbols:
                        raise KeyboardInterrupt
                    symbols.append(unit.key)
                yield from super().run([unit])

    monkeypatch.setattr(ray_pipeline.driving.workers, "SerialExecutor", Recording)
    return symbols, stages


@pytest.fixture
def scored(recorded: tuple[list[str], list[str]]) -> list[str]:
    """Collect the symbols that are given to the executor to score; an ``!`` interrupts there."""
    return recorded[0]


@pytest.fixture
def stages(recorded: tuple[list[str], list[str]]) -> list[str]:
    """Collect the stages of the units that are given to the executor."""
    return recorded[1]
