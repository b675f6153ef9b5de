"""However many workers, whatever is killed and whenever: the same command, the same content.

A real cluster of a head without work and two nodes of two CPUs each. In every run processes are
killed at random points, one after the other, as `kill -9` or a lost machine would: the process of
a worker, a whole node, the driver, or the head with everything that it knows.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from panels import planted_panel, quick_config, symbol_names, write_config, write_panel

from ray_pipeline.driving.progress import Silent
from ray_pipeline.pipeline import run_pipeline

from .nodes import Cluster, WorkerNode, clean_environment, wait_until

pytestmark = [pytest.mark.ray, pytest.mark.cluster]

ROOT = Path(__file__).resolve().parents[2]
UNITS = "units/*/*.json"

RUN_S = 240.0

N_SYMBOLS = 8
N_BARS = 1500
SECTIONS = {
    "target_ranking": {"families": ["ridge", "lightgbm"]},
    "validation": {"n_splits": 3},
}

N_RUNS = 8
N_KILLS = {"worker": 8, "node": 6, "driver": 6, "head": 4}
"""Of all runs: the first four lose one of each, the others fewer; in an order of its own each."""


@dataclass(frozen=True)
class Left:
    """What a finished run leaves behind: its content, and its finished units."""

    content_sha256: str
    units: tuple[str, ...]


def units_of(run_dir: Path) -> tuple[str, ...]:
    """Name the finished units: ``stage/digest``, each once unless it was done under two names."""
    return tuple(sorted(f"{path.parent.name}/{path.stem}" for path in run_dir.glob(UNITS)))


def left_by(run_dir: Path) -> Left:
    record = json.loads((run_dir / "run.json").read_text())
    assert record["status"] == "done"
    assert (record["counts"]["failed_units"], record["counts"]["quarantined"]) == (0, 0)
    return Left(record["content_sha256"], units_of(run_dir))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a panel whose run takes a few seconds on two workers."""
    root = tmp_path_factory.mktemp("chaos")
    return write_panel(root / "data", planted_panel(symbol_names(N_SYMBOLS), n_bars=N_BARS))


@pytest.fixture(scope="module")
def undisturbed(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Run it in this process, without Ray."""
    run_dir = tmp_path_factory.mktemp("undisturbed") / "run"
    run_pipeline(quick_config(data_dir, run_dir, **SECTIONS), Silent())
    return left_by(run_dir)


class Bed:
    """A head without work and two nodes of two CPUs each, brought back after each death."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.nodes: list[WorkerNode] = []

    def repair(self) -> None:
        """Start what is missing. A new head takes none of the nodes of the one before."""
        if not self.cluster.head.is_running:
            for node in self.nodes:
                node.kill()
            self.cluster.head.restart()
        self.nodes = [node for node in self.nodes if node.is_running]
        while len(self.nodes) < 2:
            self.nodes.append(self.cluster.add_worker(num_cpus=2))

    def wait(self) -> None:
        """Wait until all of it is there."""
        self.repair()
        self.cluster.wait_for_nodes(3)

    def worker_pids(self) -> list[int]:
        return [pid for node in self.nodes for pid in node.actor_pids()]


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with Cluster(head_cpus=0) as cluster:
        yield Bed(cluster)


@dataclass(frozen=True)
class Command:
    """The command that is given, and given again."""

    config: Path
    run_dir: Path
    log: Path

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "ray_pipeline", "run", str(self.config)],
                cwd=self.config.parent,
                env=clean_environment(PYTHONPATH=str(ROOT)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def note(self, text: str) -> None:
        """Write a line between those of its drivers."""
        with self.log.open("a") as log:
            log.write(f"-- {text}\n")

    def wait_for_units(self, n_units: int, driver: subprocess.Popen[bytes]) -> None:
        """Wait until so many are finished, or the driver has ended."""

        def is_there() -> bool:
            return driver.poll() is not None or len(units_of(self.run_dir)) >= n_units

        wait_until(is_there, f"{n_units} units", RUN_S, interval_s=0.01)


@pytest.fixture
def make_command(bed: Bed, data_dir: Path, tmp_path: Path) -> Callable[[int], Command]:
    """Return what makes the command for a number of workers, on a whole cluster."""
    bed.wait()

    def make(n_workers: int) -> Command:
        address = bed.cluster.head.address
        execution = {"executor": "ray", "address": address, "n_workers": n_workers}
        config, run_dir = tmp_path / "run.yaml", tmp_path / "run"
        write_config(config, data_dir, run_dir, execution=execution, **SECTIONS)
        return Command(config, run_dir, tmp_path / "driver.log")

    return make


@pytest.mark.parametrize("n_workers", [1, 2, 4])
def test_any_number_of_workers(
    n_workers: int, make_command: Callable[[int], Command], undisturbed: Left
) -> None:
    """One, two or four, on one node or two: the content of the serial run."""
    command = make_command(n_workers)
    assert command.start().wait(RUN_S) == 0, command.log.read_text()
    assert left_by(command.run_dir) == undisturbed


def kill(what: str, bed: Bed, driver: subprocess.Popen[bytes], chance: random.Random) -> None:
    """Kill it as `kill -9` or a machine that is lost would."""
    match what:
        case "worker":
            with suppress(ProcessLookupError):  # it was replaced this very moment
                os.kill(chance.choice(bed.worker_pids()), signal.SIGKILL)
        case "node":
            chance.choice(bed.nodes).kill()
        case "driver":
            driver.kill()
        case "head":
            bed.cluster.head.kill()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(N_RUNS))
def test_killed_at_random(
    number: int, bed: Bed, make_command: Callable[[int], Command], undisturbed: Left
) -> None:
    """The content is that of a run that nobody disturbed, and each unit is there once.

    A run whose worker or node died goes on by itself; where the driver or the head died, the same
    command is given again.
    """
    command, chance = make_command(2), random.Random(f"run {number}")
    losses = [what for what, n_runs in N_KILLS.items() if number < n_runs]
    chance.shuffle(losses)
    n_all = len(undisturbed.units)
    n_before = 0
    driver = command.start()
    try:
        for what, n_units in zip(losses, points(n_all, len(losses), chance), strict=True):
            # Past a unit since the last loss, so that there is a worker again.
            command.wait_for_units(max(n_units, n_before + 1), driver)
            assert driver.poll() is None, command.log.read_text()
            kill(what, bed, driver, chance)
            # The new node of a run that goes on is not waited for: the run may be done before.
            bed.repair()
            if what in ("driver", "head"):
                assert driver.wait(RUN_S) != 0, command.log.read_text()
            n_before = len(units_of(command.run_dir))
            command.note(f"{what} killed; {n_before} of {n_all} units are finished")
            if what in ("driver", "head"):
                bed.wait()
                driver = command.start()
        assert driver.wait(RUN_S) == 0, command.log.read_text()
    finally:
        driver.kill()
        driver.wait()
    assert left_by(command.run_dir) == undisturbed, command.log.read_text()


def points(n_units: int, n_points: int, chance: random.Random) -> list[int]:
    """Draw numbers of finished units, one of each equal part of a run, before its last unit."""
    edges = [1 + (n_units - 2) * i // n_points for i in range(n_points + 1)]
    return [chance.randrange(*part) for part in pairwise(edges)]
