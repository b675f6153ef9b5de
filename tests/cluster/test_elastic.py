"""What the pool makes of the nodes' limits: memory that runs out, nodes that come, and none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from execution.sample_units import FolderStore, by_key, double, hog, no_state, unit, where

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import Done, Failed, RayExecutor, RaySettings

from .conftest import TESTS, check_that_no_ray_is_ours
from .nodes import Cluster

pytestmark = [pytest.mark.ray, pytest.mark.cluster]

MIB = 2**20
BLOCK_BYTES = 128 * MIB
ROOM_BYTES = 2560 * MIB
N_BLOCKS = 60  # three times the room

MakeExecutor = Callable[..., RayExecutor[Any]]


def memory_of_this_machine() -> tuple[int, int]:
    """Return the bytes that are in use, and all of them."""
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    n_bytes = {name: 1024 * int(value.split()[0]) for name, value in lines.items()}
    return n_bytes["MemTotal"] - n_bytes["MemAvailable"], n_bytes["MemTotal"]


@pytest.fixture
def make_executor(tmp_path: Path) -> Iterator[MakeExecutor]:
    opened: list[RayExecutor[Any]] = []

    def make(cluster: Cluster, **settings: Any) -> RayExecutor[Any]:
        address = cluster.head.address
        store = FolderStore(str(tmp_path / "units"))
        opened.append(RayExecutor(no_state, store, RaySettings(address=address, **settings)))
        return opened[-1]

    yield make
    for executor in opened:
        executor.close()


def test_out_of_memory(make_executor: MakeExecutor, tmp_path: Path) -> None:
    """A worker that Ray kills for memory costs its unit one more attempt, and not a third.

    Ray's own monitor is at work, with its limit a little above what the machine uses now.
    """
    check_that_no_ray_is_ours()
    used, total = memory_of_this_machine()
    if total - used < 2 * ROOM_BYTES:
        pytest.skip("needs 5 GiB of free memory")
    threshold = (used + ROOM_BYTES) / total
    limits = {
        "RAY_memory_usage_threshold": f"{threshold:.3f}",
        "RAY_memory_monitor_refresh_ms": "100",
    }
    hungry = {"n_blocks": N_BLOCKS}
    once = hungry | {"marker": str(tmp_path / "marker"), "x": 7}
    units = [unit(double, f"D{x}", {"x": x}) for x in range(4)]
    units += [unit(hog, "once", once), unit(hog, "always", hungry)]
    with Cluster(head_cpus=1, PYTHONPATH=str(TESTS), **limits) as cluster:
        outcomes = by_key(make_executor(cluster, max_attempts=5).run(units))
    done, failed = outcomes.pop("once"), outcomes.pop("always")
    assert isinstance(done, Done)
    assert (done.record, done.attempts) == ({"value": 7}, 2)
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.attempts) == ("memory", 2)
    assert failed.error.startswith("OutOfMemory: 1 worker(s) were killed due to the node running")
    assert all(isinstance(each, Done) and each.attempts == 1 for each in outcomes.values())


def test_nodes_that_come(make_executor: MakeExecutor) -> None:
    """Without a node that could hold a worker the run ends in seconds; with a new one it grows."""
    check_that_no_ray_is_ours()
    with Cluster(head_cpus=0, PYTHONPATH=str(TESTS)) as cluster:
        said: list[str] = []
        executor = make_executor(cluster, node_wait_s=2.0, on_wait=said.append)
        with pytest.raises(
            ExecutionError,
            match=r"A worker asks for 1 CPU, and none of 1 node has that: at most 0 CPUs and .* "
            r"No such node was added in \d s \(execution\.node_wait_s\)",
        ):
            list(executor.run([unit(double, "A", {"x": 1})]))
        assert said[0].endswith("use larger nodes. Waiting 2 s for such a node.")
        executor.close()

        cluster.add_worker()
        executor = make_executor(cluster, node_wait_s=60.0)
        outcomes = executor.run([unit(where, f"S{x}") for x in range(400)])
        done = [next(outcomes)]
        cluster.add_worker()
        done += list(outcomes)
        pids = [each.record["pid"] for each in done if isinstance(each, Done)]
        assert len(pids) == 400
        assert (len(set(pids[:4])), len(set(pids))) == (1, 2)
        executor.close()
