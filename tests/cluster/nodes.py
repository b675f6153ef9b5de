"""Real Ray nodes on loopback: a `ray start --block` each, ended politely or killed as machines die.

What a node started is found by its session and its parents, and ended by process id. Nothing here
calls `ray stop`, which would end every Ray on this machine.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Cluster", "Head", "RayNode", "WorkerNode", "clean_environment", "wait_until"]

HOST = "127.0.0.1"
BIN = Path(sys.executable).parent
PLAIN = Path(__file__).resolve().parents[1] / "plain_installation"

_OF_ALL_TESTS = {"RAY_AUTH_MODE", "RAY_USAGE_STATS_ENABLED"}  # see environment.py

PORTS = range(24_100, 32_000)
"""Above those that Ray gives to workers and to the servers of its clients, 10002 to 19999 and
23000 to 24000, and below those that Linux gives to programs that ask for any port."""

OBJECT_STORE_BYTES = 100 * 2**20
START_TIMEOUT_S = 90.0
GRACE_S = 15.0

QUICK_TO_NOTICE = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_failure_threshold": "3",
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "2",
    "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "10",
}
"""A dead node is noticed in two seconds instead of fourteen, one that is asked to end does so in as
many, and a Ray Client server that failed to fork is given up after ten instead of thirty. How long
a node may take to answer stays at Ray's ten seconds: a busy machine is not taken for a dead one."""


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without what it says of a cluster and of imports.

    The running interpreter's `python` and `ray` come first on the PATH. Libraries that are here for
    the tests alone are missing, as for most users: LightGBM, which imports them where they are,
    takes twice the time of a process to start.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _OF_ALL_TESTS or not (name.startswith("RAY_") or name == "PYTHONPATH")
    }
    kept["PATH"] = os.pathsep.join([str(BIN), kept.get("PATH", os.defpath)])
    kept |= variables
    folders = [folder for folder in (str(PLAIN), kept.get("PYTHONPATH")) if folder]
    return kept | {"PYTHONPATH": os.pathsep.join(folders)}


def free_ports(n_ports: int) -> list[int]:
    """Find TCP ports that nobody listens on now, each another.

    They are none of those that others are given in the seconds before a node takes its own.
    """
    candidates = random.sample(PORTS, len(PORTS))
    with ExitStack() as stack:
        found: list[int] = []
        for port in candidates:
            if len(found) == n_ports:
                return found
            with suppress(OSError):
                stack.enter_context(socket.create_server((HOST, port)))
                found.append(port)
    raise RuntimeError(f"{n_ports} of the ports {PORTS.start} to {PORTS.stop - 1} are not free")


def wait_until(
    is_true: Callable[[], bool], what: str, timeout_s: float, interval_s: float = 0.1
) -> None:
    """Ask again and again, and raise TimeoutError with what was waited for when it takes long."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(interval_s)


class RayNode:
    """One node: a `ray start --block` with everything that it starts.

    Parameters
    ----------
    name
        Names its log and its folder.
    options
        Of `ray start`.
    folder
        Where its log and Ray's own folder lie. Short: Unix sockets lie below it.
    environment
        Of all its processes.
    """

    def __init__(
        self, name: str, options: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.temp_dir = folder / name
        self._options = list(options)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        """Whether its `ray start` has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; it is not ready when this returns."""
        if self.is_running:
            raise RuntimeError(f"{self.name} runs already")
        command = [str(BIN / "ray"), "start", *self._options]
        command += ["--block", "--disable-usage-stats", f"--temp-dir={self.temp_dir}"]
        command += [f"--node-ip-address={HOST}", f"--object-store-memory={OBJECT_STORE_BYTES}"]
        # Two nodes on one machine must not share Ray's fixed default.
        command += [f"--dashboard-agent-listen-port={free_ports(1)[0]}"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.log.parent,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it as an operator does, with SIGTERM, and kill what is still there after a grace."""
        if self._process is not None:
            members = _Members(self._process.pid)
            members.pids()  # while their parents tell whose they are
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(GRACE_S)
            members.kill()
        self._reap()

    def kill(self) -> None:
        """End it as a machine dies: SIGKILL to all its processes, the drivers of its jobs too."""
        if self._process is not None:
            _Members(self._process.pid).kill()
        self._reap()

    def actor_pids(self) -> list[int]:
        """Find the processes of our workers on it: at work Ray names them after what they do."""
        pids = _Members(self._process.pid).pids() if self._process is not None else set()
        return sorted(
            pid
            for pid in pids
            if _command(pid).startswith(b"ray::") and not _command(pid).startswith(_NOT_OURS)
        )

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait(GRACE_S)
            self._process = None

    def __str__(self) -> str:
        """Return its name and the end of its log, for messages of tests."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"{self.name}: {text[-2000:]}"


class Head(RayNode):
    """A head with GCS, dashboard (jobs) and Ray Client server; its ports survive a restart.

    Parameters
    ----------
    num_cpus
        CPUs that it offers; 0 for a head that takes no unit of work.
    token
        What its dashboard is asked with, where `environment` turns token authentication on.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        num_cpus: int = 2,
        token: str | None = None,
    ) -> None:
        self.port, self.client_port, self.dashboard_port = free_ports(3)
        self._token = token
        options = ["--head", f"--port={self.port}", f"--num-cpus={num_cpus}"]
        options += ["--include-dashboard=true", f"--dashboard-host={HOST}"]
        options += [f"--dashboard-port={self.dashboard_port}"]
        options += [f"--ray-client-server-port={self.client_port}"]
        super().__init__("head", options, folder, environment)

    @property
    def address(self) -> str:
        """Where drivers on this machine and other nodes join."""
        return f"{HOST}:{self.port}"

    @property
    def client_address(self) -> str:
        """Where a driver from outside joins."""
        return f"ray://{HOST}:{self.client_port}"

    @property
    def dashboard_url(self) -> str:
        """Where jobs are submitted."""
        return f"http://{HOST}:{self.dashboard_port}"

    def restart(self) -> None:
        """Start again on the same ports, after `kill` or `stop`: a new cluster that knows nothing.

        Nodes of the cluster before do not join it; kill them and start others.
        """
        self.kill()
        self.start()

    def n_alive(self) -> int:
        """Count the nodes that the cluster holds for alive; 0 while the head does not answer."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        request = urllib.request.Request(f"{self.dashboard_url}/api/v0/nodes", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                answer: dict[str, Any] = json.load(response)
        except (OSError, ValueError):
            return 0
        nodes = answer["data"]["result"]["result"]
        return sum(node["state"] == "ALIVE" for node in nodes)


class WorkerNode(RayNode):
    """A node that takes units of work."""

    def __init__(
        self,
        name: str,
        head: Head,
        folder: Path,
        environment: Mapping[str, str],
        num_cpus: int = 1,
    ) -> None:
        options = [f"--address={head.address}", f"--num-cpus={num_cpus}"]
        options += ["--include-log-monitor=false"]  # one to a machine, and the head has it
        super().__init__(name, options, folder, environment)


class Cluster:
    """A head and the worker nodes that are added to it; all are gone after the `with` block.

    Examples
    --------
    ::

        with Cluster(head_cpus=0) as cluster:
            worker = cluster.add_worker()
            cluster.wait_for_nodes(2)
            worker.kill()
            cluster.head.kill()
            cluster.head.restart()
            cluster.wait_for_head()

    Parameters
    ----------
    head_cpus
        CPUs of the head.
    token
        Turns token authentication on; without it there is none.
    variables
        For the environment of all nodes.
    """

    def __init__(self, head_cpus: int = 2, token: str | None = None, **variables: str) -> None:
        # pytest's folders have names too long for Unix sockets.
        self.folder = Path(tempfile.mkdtemp(prefix="rp-", dir="/tmp"))
        home = self.folder / "home"
        home.mkdir()
        auth = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {}
        self.environment = clean_environment(**QUICK_TO_NOTICE, HOME=str(home), **auth, **variables)
        self.head = Head(self.folder, self.environment, head_cpus, token)
        self.workers: list[WorkerNode] = []

    def __enter__(self) -> Self:
        """Start the head and wait until it takes jobs and clients."""
        try:
            self.head.start()
            self.wait_for_head()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every node and remove their folders."""
        self.close()

    def add_worker(self, num_cpus: int = 1) -> WorkerNode:
        """Start one more worker node; `wait_for_nodes` tells when it is there."""
        name = f"worker-{len(self.workers) + 1}"
        worker = WorkerNode(name, self.head, self.folder, self.environment, num_cpus)
        self.workers.append(worker)
        worker.start()
        return worker

    def wait_for_head(self) -> None:
        """Wait until the head takes jobs and clients, after a start or a restart."""
        self.wait_for_nodes(1)

        def listens() -> bool:
            with socket.socket() as client:
                return client.connect_ex((HOST, self.head.client_port)) == 0

        wait_until(listens, "the Ray Client server", START_TIMEOUT_S)

    def wait_for_nodes(self, n_nodes: int, timeout_s: float = START_TIMEOUT_S) -> None:
        """Wait until as many nodes are alive, head included: after a start, or after a death."""
        try:
            wait_until(lambda: self.head.n_alive() == n_nodes, f"{n_nodes} nodes", timeout_s)
        except TimeoutError as error:
            nodes = "\n".join(str(node) for node in (self.head, *self.workers))
            raise TimeoutError(f"{error}; {self.head.n_alive()} are alive\n{nodes}") from None

    def close(self) -> None:
        """End the worker nodes, then the head, whatever state they are in; remove their folder."""
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            for node in (self.head, *self.workers):
                stack.callback(node.kill)


_NOT_OURS = tuple(
    f"ray::{name}".encode()
    for name in ("IDLE", "SPILL", "RESTORE", "DELETE", "Dashboard", "RuntimeEnv", "JobSupervisor")
)
"""Processes of Ray's own."""


class _Members:
    """The processes of a node, as far as they are alive.

    Those of its session, their children in whatever session (the driver of a job has its own), and
    the rest of these sessions. A session once seen is remembered: when parents are gone, it is
    what still tells whose a process is.
    """

    def __init__(self, leader: int) -> None:
        self._sessions = {leader}

    def kill(self) -> None:
        """Kill all of them, until none is left."""

        def are_gone() -> bool:
            pids = self.pids()
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not pids

        wait_until(are_gone, "killed processes to go", GRACE_S)

    def pids(self) -> set[int]:
        """Find them in /proc."""
        table = _processes()
        found: set[int] = set()
        while True:
            members = {
                process.pid
                for process in table
                if process.session in self._sessions or process.parent in found
            }
            self._sessions |= {each.session for each in table if each.pid in members}
            if members == found:
                return found
            found = members


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    session: int


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # gone meanwhile
        return b""


def _processes() -> list[_Process]:
    """Read all processes that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue  # gone meanwhile
        # pid (name, with anything in it) state parent group session …
        state, parent, _, session = stat.rpartition(")")[2].split()[:4]
        if state not in "ZX":
            found.append(_Process(int(folder.name), int(parent), int(session)))
    return found
