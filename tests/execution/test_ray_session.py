"""A Ray of our own, in programs of their own: what it starts, finds and leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import ray

from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution import ray_session
from ray_pipeline.execution.ray_session import RaySession, import_paths
from ray_pipeline.execution.surroundings import usable_cpus

ROOT = Path(__file__).resolve().parents[2]
TESTS = Path(__file__).resolve().parent.parent

PREAMBLE = f"""
import os, sys
sys.path[:0] = [{str(ROOT)!r}, {str(TESTS)!r}]
from execution.sample_units import *
from ray_pipeline.execution import *
store = FolderStore("units")
"""


def start(program: str, folder: Path, **variables: str) -> subprocess.Popen[str]:
    """Start a program outside of the source tree, with an environment that says nothing of Ray."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RAY_") and name != "PYTHONPATH"
    }
    script = folder / "program.py"
    script.write_text(PREAMBLE + program)
    return subprocess.Popen(
        [sys.executable, str(script)],
        cwd=folder,
        env=clean | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a process group, as a terminal makes one
    )


@pytest.mark.ray
def test_own_ray(tmp_path: Path) -> None:
    """Workers import what the program does; at the end Ray is gone and nothing is left changed."""
    home = tmp_path / "home"
    home.mkdir()
    program = """
import signal
signal.signal(signal.SIGTERM, lambda *_: None)
handler = signal.getsignal(signal.SIGTERM)
before = dict(os.environ)
settings = RaySettings(n_workers=1)
executor = RayExecutor(no_state, store, settings)
result = run_stage(executor, store, [unit(double, f"S{x}", {"x": x}) for x in range(3)])
print([record["value"] for record in result.records.values()])
import ray
print(ray.cluster_resources()["CPU"] == len(os.sched_getaffinity(0)))
print(signal.getsignal(signal.SIGTERM) is handler)
executor.close()
print(ray.is_initialized())
changed = {k for k in before.keys() | os.environ.keys() if before.get(k) != os.environ.get(k)}
print(sorted(changed & {"PYTHONPATH", "RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED"}))
"""
    process = start(program, tmp_path, HOME=str(home))
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert stdout.splitlines() == ["[0, 2, 4]", "True", "True", "False", "[]"]
    # Ray's own token, where authentication is on; nothing of ours.
    assert {path.name for path in home.iterdir()} <= {".ray"}


@pytest.mark.ray
def test_two_authentication_modes_in_one_process(tmp_path: Path) -> None:
    """What Ray turns on by itself works; a mode that it cannot change to is a sentence."""
    program = """
from ray_pipeline.errors import ExecutionError
def say_why(mode):
    os.environ["RAY_AUTH_MODE"] = mode
    try:
        RayExecutor(no_state, store, RaySettings(address="local"))
    except ExecutionError as error:
        print(error)
    del os.environ["RAY_AUTH_MODE"]
say_why("token")
executor = RayExecutor(no_state, store, RaySettings(address="local", n_workers=1))
result = run_stage(executor, store, [unit(double, "S", {"x": 1})])
print([record["value"] for record in result.records.values()])
executor.close()
say_why("disabled")
"""
    process = start(program, tmp_path, HOME=str(tmp_path))
    stdout, stderr = process.communicate(timeout=180)
    assert process.returncode == 0, stderr
    to_token, done, from_token = stdout.splitlines()
    assert done == "[2]"
    assert to_token == (
        "No Ray could be started on this machine: RAY_AUTH_MODE is token now, but Ray works in "
        "the mode disabled in this process, and cannot change it. Set RAY_AUTH_MODE=disabled, or "
        "start a new process with RAY_AUTH_MODE=token."
    )
    assert "is disabled now, but Ray works in the mode token in this process" in from_token


@pytest.mark.ray
def test_interrupt_ends_a_run(tmp_path: Path) -> None:
    """Ctrl-C reaches all processes: the program ends, and what was finished is kept."""
    program = """
import signal
# A shell's background jobs ignore it, and so would what they start: the tests may be one.
signal.signal(signal.SIGINT, signal.default_int_handler)
units = [unit(double, "A", {"x": 1}), unit(stall, "B")]
executor = RayExecutor(no_state, store, RaySettings(n_workers=2))
try:
    run_stage(executor, store, units, lambda *_: print("one", flush=True))
finally:
    executor.close()
"""
    process = start(program, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "one\n"
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in stderr
    assert len(list((tmp_path / "units" / "rank").glob("*.json"))) == 1


@pytest.mark.ray
def test_shared_value_lost_with_its_node(tmp_path: Path) -> None:
    """When the node dies that held the shared value, it is computed again on another."""
    program = """
import ray
from ray.cluster_utils import Cluster
small = {"include_dashboard": False, "object_store_memory": 100 * 2**20}
quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300,
         "health_check_failure_threshold": 3}
cluster = Cluster(True, head_node_args={"num_cpus": 0, "_system_config": quick, **small})
doomed = cluster.add_node(num_cpus=1, object_store_memory=small["object_store_memory"])
ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
executor = RayExecutor(no_state, store, RaySettings(address="auto", n_workers=1))
panel = executor.share(unit(ones, "panel", {"n": 300_000}))
cluster.add_node(num_cpus=1, object_store_memory=small["object_store_memory"])
cluster.remove_node(doomed, allow_graceful=False)
units = [unit(sum_shared, f"S{x}", float(x), shared=(panel,)) for x in (1, 2)]
print(sorted((outcome.unit.key, outcome.record["sum"]) for outcome in executor.run(units)))
executor.close()
ray.shutdown()
cluster.shutdown()
"""
    paths = os.pathsep.join([str(ROOT), str(TESTS)])
    process = start(program, tmp_path, RAY_AUTH_MODE="disabled", PYTHONPATH=paths)
    stdout, stderr = process.communicate(timeout=180)
    assert process.returncode == 0, stderr
    assert "[('S1', 600000.0), ('S2', 1200000.0)]" in stdout.splitlines(), stderr


def test_program_folders_come_before_installed_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Folders that exist, once each; what Python itself has needs no mention."""
    (tmp_path / "plugins").mkdir()
    monkeypatch.chdir(tmp_path)
    entries = ["", "plugins", str(tmp_path), str(tmp_path / "missing.zip"), sys.prefix, os.__file__]
    monkeypatch.setattr(sys, "path", entries)
    assert import_paths() == [str(tmp_path), str(tmp_path / "plugins")]


def test_usable_cpus_are_those_of_the_process() -> None:
    """No more than the machine has, and at least one."""
    assert 1 <= usable_cpus() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("address", "variables", "expected"),
    [
        (None, {}, "own"),
        ("local", {"RAY_ADDRESS": "10.0.0.1:6379"}, "own"),
        (None, {"RAY_ADDRESS": "10.0.0.1:6379"}, None),
        (None, {"RAY_JOB_CONFIG_JSON_ENV_VAR": "{}"}, None),
        ("auto", {}, "auto"),
        ("ray://head:10001", {}, "ray://head:10001"),
    ],
)
def test_which_ray_is_used(
    monkeypatch: pytest.MonkeyPatch,
    address: str | None,
    variables: dict[str, str],
    expected: str | None,
) -> None:
    """Our own unless a cluster is named, or the process runs inside one."""
    for name in ("RAY_ADDRESS", "RAY_JOB_CONFIG_JSON_ENV_VAR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    used: list[str | None] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray_session, "_start_own", lambda _: used.append("own"))
    monkeypatch.setattr(ray_session, "_join", used.append)
    monkeypatch.setattr(ray_session, "grows_on_demand", lambda: False)
    monkeypatch.setattr(ray_session, "_watch_head", lambda: None)
    session = RaySession(address)
    assert used == [expected]
    assert session.growth == ("fixed" if expected == "own" else "by_hand")


@pytest.mark.parametrize(("is_autoscaled", "growth"), [(True, "on_demand"), (False, "by_hand")])
def test_growth_of_a_cluster(
    monkeypatch: pytest.MonkeyPatch, is_autoscaled: bool, growth: str
) -> None:
    """Nodes may be added to any cluster that is joined; an autoscaler adds them by itself."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray_session, "_join", lambda _: None)
    monkeypatch.setattr(ray_session, "_watch_head", lambda: None)
    monkeypatch.setattr(ray_session, "grows_on_demand", lambda: is_autoscaled)
    assert RaySession("auto").growth == growth


def test_source_tree_travels_to_a_cluster_but_not_in_a_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job's working directory has the code already, and must not meet a second environment."""
    given: list[dict[str, object]] = []
    monkeypatch.setattr(ray_session, "_init", lambda _, options: given.append(options))
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    package = ROOT / "ray_pipeline"
    monkeypatch.setattr("ray_pipeline.__file__", str(package / "__init__.py"))
    ray_session._join("auto")
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    ray_session._join(None)
    assert given == [{"address": "auto", "runtime_env": {"py_modules": [str(package)]}}, {}]
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR")
    monkeypatch.setattr("ray_pipeline.__file__", "/venv/site-packages/ray_pipeline/__init__.py")
    ray_session._join("auto")
    assert given[2] == {"address": "auto"}


@pytest.mark.parametrize(
    ("root", "folder"), [("/tmp", None), ("/scratch/users/somebody/jobs/123456", "/tmp/ray")]
)
def test_own_ray_has_short_socket_paths(
    monkeypatch: pytest.MonkeyPatch, root: str, folder: str | None
) -> None:
    """Under a long temporary folder Ray's sockets would have names that are too long."""
    given: list[dict[str, object]] = []
    monkeypatch.setattr(ray_session, "_init", lambda _, options: given.append(options))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", root)
    ray_session._start_own(2**30)
    assert given[0].get("_temp_dir") == folder
    assert (given[0]["address"], given[0]["num_cpus"]) == ("local", usable_cpus())


def test_cluster_that_cannot_be_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the address, and what to set instead."""

    def refuse(**_: object) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(
        ExecutionError,
        match=r"The Ray cluster auto could not be joined: ConnectionError: nobody answers\. "
        "Set execution.address",
    ):
        ray_session._join("auto")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ExecutionError, match="No Ray could be started on this machine: Connection"):
        RaySession("local")


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_address_where_nobody_listens(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Ray, which would try for minutes, is not even asked."""
    monkeypatch.setattr(ray, "init", pytest.fail)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = address.format(server.getsockname()[1])
    with pytest.raises(
        ExecutionError, match=f"Ray cluster {free} could not be .* ConnectionRefuse"
    ):
        RaySession(free)
    monkeypatch.setenv("RAY_ADDRESS", free)
    with pytest.raises(
        ExecutionError, match=f"Ray cluster {free} could not be .* ConnectionRefuse"
    ):
        RaySession("auto")
