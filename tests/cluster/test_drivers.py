"""Drivers that join a cluster from outside: by its address, and by Ray Client (`ray://`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from execution.sample_units import (
    FolderStore,
    die,
    double,
    fail_by_number,
    no_state,
    ones,
    stall,
    sum_shared,
    unit,
)

from ray_pipeline.execution import Done, Failed, RayExecutor, RaySettings

from .nodes import Cluster, clean_environment, wait_until
from .working_folder import WorkingFolder, ended, run_command

pytestmark = [pytest.mark.ray, pytest.mark.cluster]


def test_run_from_outside(cluster: Cluster, work: WorkingFolder, serial_sha256: str) -> None:
    """The source tree travels to the nodes, and the result is that of a run without Ray."""
    run = work.call(run_command(work.config("outside"), "--address", cluster.head.address))
    assert run.code == 0, run.text
    assert run.stdout.startswith(
        "done: 1 of 1 target predictable (fwd_ret_1d), 10 of 10 models trained\n"
    )
    assert work.record("outside")["content_sha256"] == serial_sha256


@pytest.fixture
def client_executor(cluster: Cluster, tmp_path: Path) -> Iterator[RayExecutor[Any]]:
    """Give an executor whose driver is this process, behind Ray Client."""
    settings = RaySettings(address=cluster.head.client_address, max_attempts=2, unit_timeout_s=3.0)
    executor = RayExecutor(no_state, FolderStore(str(tmp_path)), settings)
    yield executor
    executor.close()
    assert not ray.is_initialized()


def test_units_by_ray_client(client_executor: RayExecutor[Any]) -> None:
    """Records, failures of each kind and shared values are those of any other driver."""
    panel = client_executor.share(unit(ones, "panel", {"n": 300_000}))
    units = [unit(double, f"D{x}", {"x": x}) for x in range(6)]
    units += [unit(fail_by_number, f"F{x}", {"x": x}) for x in (1, 2)]
    units += [unit(sum_shared, f"S{x}", float(x), shared=(panel,)) for x in (1, 2)]
    units += [unit(die, "killer"), unit(stall, "staller")]
    outcomes = {outcome.unit.key: outcome for outcome in client_executor.run(units)}
    done = {key: each.record for key, each in outcomes.items() if isinstance(each, Done)}
    failed = {key: each for key, each in outcomes.items() if isinstance(each, Failed)}
    assert {key: done.get(key) for key in (f"D{x}" for x in range(6))} == {
        f"D{x}": {"value": 2 * x} for x in range(6)
    }
    assert (done["S1"]["sum"], done["S2"]["sum"]) == (600_000.0, 1_200_000.0)
    assert {key: (each.kind, each.attempts) for key, each in failed.items()} == {
        "F1": ("data", 1),
        "F2": ("application", 1),
        "killer": ("lost", 2),
        "staller": ("timeout", 2),
    }


def test_run_by_ray_client(cluster: Cluster, work: WorkingFolder, serial_sha256: str) -> None:
    """One that loses its cluster says so, ends, and continues on the next to the usual result.

    It starts no Ray of its own, as Ray would by itself at the first call without a connection.
    """
    command = run_command(work.config("lost"), "--address", cluster.head.client_address)
    own = work.path / "ray"
    variables = {"RAY_CLIENT_RECONNECT_GRACE_PERIOD": "3", "RAY_TMPDIR": str(own)}
    process = work.start(command, clean_environment(**variables))
    units = work.runs / "lost" / "units"
    wait_until(lambda: any(units.glob("*/*.json")), "the first unit", 60, interval_s=0.02)
    cluster.head.kill()
    lost = ended(process)
    assert lost.code == 1, lost.text
    assert lost.stderr.splitlines()[-1].startswith(
        "ray-pipeline: The connection to the Ray cluster is lost: "
    ), lost.text
    assert lost.stderr.endswith("the same command continues from there.\n")
    # A thread of Ray Client's own may tell of the same loss now and then; nothing of ours does.
    frames = re.findall(r'File "([^"]+)", line', lost.stderr)
    assert not [path for path in frames if "ray_pipeline" in Path(path).parts], lost.text
    assert not own.exists()
    assert work.record("lost")["status"] == "failed"
    cluster.head.restart()
    cluster.wait_for_head()
    again = work.call(command)
    assert again.code == 0, again.text
    assert any("from before" in line for line in again.progress)
    assert work.record("lost")["content_sha256"] == serial_sha256
