"""Joining a Ray or starting one of our own, and what its nodes hold."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import AuthenticationError, RayError

import ray_pipeline
from ray_pipeline.errors import ExecutionError
from ray_pipeline.execution.capacity import Node
from ray_pipeline.execution.environment import environment_variables
from ray_pipeline.execution.ray_auth_mode import OF_THIS_PROCESS
from ray_pipeline.execution.ray_head import HeadWatch
from ray_pipeline.execution.ray_private import (
    grows_on_demand,
    is_ray_client,
    without_sigterm_handlers,
)
from ray_pipeline.execution.ray_token import TOKEN_CURE, cluster_id, refusal
from ray_pipeline.execution.sizing import Growth
from ray_pipeline.execution.surroundings import inside_a_cluster, inside_a_job, usable_cpus

__all__ = ["NODE_WAIT_S", "RaySession", "RaySettings", "import_paths"]

_LONGEST_TEMP_ROOT = 32
"""Ray's sockets lie up to 72 characters below it, and a Unix socket path holds 103 on macOS and
107 on Linux."""

_OBJECT_STORE_BYTES = 2 * 2**30
"""Of our own Ray: room for a pooled panel. Ray's default, 30 % of the memory, is kept where that
is less; what does not fit is spilled to disk."""

_CONNECT_TIMEOUT_S = 10.0

NODE_WAIT_S: dict[Growth, float] = {"fixed": 0.0, "by_hand": 20.0, "on_demand": 600.0}
"""Time for a node to come that can hold a worker: a machine that was ordered takes minutes, while
by hand none comes that is not on its way already, such as those of a head that was restarted."""

_AUTH_VARIABLE = "RAY_AUTH_MODE"

_HEAD_TIMEOUT_S = 2.0

_CLIENT_TRIES = 3
"""A Ray Client server forks a process per driver, which now and then hangs or dies before it says a
word, and Ray gives up after 30 s (https://github.com/ray-project/ray/issues/63202)."""


@dataclass(frozen=True, slots=True)
class RaySettings:
    """How to use Ray.

    Attributes
    ----------
    address
        None: the cluster that this process runs in (``RAY_ADDRESS``, a Ray job, a Ray that is
        initialised already), else a Ray of our own on this machine; ``local``: always our own;
        ``auto``, ``host:port`` or ``ray://host:port``: that cluster.
    n_workers
        Workers to ask for; None: as many as the nodes hold, more when nodes are added, and on a
        cluster that grows on demand as many as it will grow to.
    cpus_per_worker
        CPUs, and threads, of each.
    max_attempts
        Times that a unit is started when its worker is lost, times out or runs out of memory.
    unit_timeout_s
        Longest that one unit may run, or None.
    memory_per_worker_bytes
        Memory that Ray sets aside for each worker, or None for no request.
    max_worker_memory_bytes
        A worker that holds more than this after a unit is replaced by a fresh one; None: its
        share of the smallest node, at least 1 GiB.
    node_wait_s
        Longest wait for a node that can hold a worker, where nodes may be added; None: see
        `NODE_WAIT_S`.
    name
        Of the run, in Ray's dashboard and metrics.
    on_wait
        Told, in a sentence, when nothing happens for long and what is being waited for.
    """

    address: str | None = None
    n_workers: int | None = None
    cpus_per_worker: int = 1
    max_attempts: int = 3
    unit_timeout_s: float | None = None
    memory_per_worker_bytes: int | None = None
    max_worker_memory_bytes: int | None = None
    node_wait_s: float | None = None
    name: str = ""
    on_wait: Callable[[str], None] | None = None


class RaySession:
    """A connection to Ray, and what is to be undone at its end.

    Parameters
    ----------
    address
        As in `RaySettings`.
    object_store_bytes
        Of a Ray of our own, where this is less than Ray's default.

    Attributes
    ----------
    is_own
        Whether this session started the Ray that it uses; its size is then fixed.
    growth
        Whether nodes may be added while we wait.
    """

    growth: Growth

    def __init__(self, address: str | None, object_store_bytes: int = _OBJECT_STORE_BYTES) -> None:
        self._opened_here = not ray.is_initialized()
        self._auth_mode = os.environ.get(_AUTH_VARIABLE)
        self.is_own = False
        if not self._opened_here:
            OF_THIS_PROCESS.remember()
            self.growth = "fixed" if address is None else _growth_of_cluster()
        elif address == "local" or (address is None and not inside_a_cluster()):
            self.is_own = True
            self.growth = "fixed"
            _start_own(object_store_bytes)
        else:
            _join(address)
            self.growth = _growth_of_cluster()
        self._head = _watch_head()
        self._nodes: list[Node] = []

    def nodes(self) -> list[Node]:
        """Resources of the nodes that are alive; of those that were while the head is silent.

        Raises
        ------
        ExecutionError
            When the head is lost.
        """
        if self._head is None or self._head.answers(time.monotonic()):
            list_nodes: Callable[[], list[dict[str, Any]]] = ray.nodes
            alive = [node["Resources"] for node in list_nodes() if node["Alive"]]
            self._nodes = [Node(each.get("CPU", 0.0), each.get("memory", 0.0)) for each in alive]
        return self._nodes

    def close(self) -> None:
        """End our own Ray, or leave the one that we joined; one that was there before stays."""
        if self._opened_here and ray.is_initialized():
            ray.shutdown()
            # Starting Ray sets it, and a later one that is joined may want another.
            if self._auth_mode is None:
                os.environ.pop(_AUTH_VARIABLE, None)
        self._opened_here = False


def import_paths() -> list[str]:
    """Folders that this process imports from, other than those of the Python installation.

    A worker that has them imports what the driver does, also when it was started with
    ``python -m`` in a source tree or by a test runner.
    """
    installed = tuple(str(Path(prefix).resolve()) for prefix in (sys.prefix, sys.base_prefix))
    folders = [Path(entry or ".").resolve() for entry in sys.path]
    found = [str(folder) for folder in folders if folder.is_dir()]
    return [path for path in dict.fromkeys(found) if not path.startswith(installed)]


def _growth_of_cluster() -> Growth:
    return "on_demand" if grows_on_demand() else "by_hand"


def _watch_head() -> HeadWatch | None:
    """Watch the head; a Ray Client has a connection that breaks, and often no way to the head."""
    if is_ray_client():
        return None
    address: str = ray.get_runtime_context().gcs_address
    return HeadWatch(address, partial(cluster_id, address, _HEAD_TIMEOUT_S))


def _start_own(object_store_bytes: int) -> None:
    variables = {
        "PYTHONPATH": os.pathsep.join(import_paths()),
        "RAY_USAGE_STATS_ENABLED": os.environ.get("RAY_USAGE_STATS_ENABLED", "0"),
    }
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    options: dict[str, Any] = {
        # Without "local", init would join whatever Ray runs on this machine.
        "address": "local",
        "num_cpus": usable_cpus(),
        "include_dashboard": False,
        "object_store_memory": min(object_store_bytes, int(0.3 * physical)),
    }
    root = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    if len(root) > _LONGEST_TEMP_ROOT:
        options["_temp_dir"] = "/tmp/ray"
    with environment_variables(variables):
        _init("No Ray could be started on this machine", options)


def _join(address: str | None) -> None:
    options: dict[str, Any] = {} if address is None else {"address": address}
    package = Path(ray_pipeline.__file__).resolve().parent
    is_installed = package.parent.name in ("site-packages", "dist-packages")
    if not inside_a_job() and not is_installed:
        # A source tree travels to the nodes. Inside a job its working directory has done so, and
        # a second runtime environment would conflict with the job's.
        options["runtime_env"] = {"py_modules": [str(package)]}
    named = address if address not in (None, "auto") else os.environ.get("RAY_ADDRESS", address)
    problem = f"The Ray cluster {named or 'of this job'} could not be joined"
    _check_that_it_lets_us_in(problem, named or "")
    _init(problem, options)


def _check_that_it_lets_us_in(problem: str, address: str) -> None:
    """Ask once: Ray itself tries an address where nobody listens for more than three minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return  # "auto": Ray finds the address, and the token of this machine
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise _not_joined(problem, error) from error
    if (reason := refusal(address)) is not None:
        raise ExecutionError(f"{problem}: {reason}")


def _init(problem: str, options: dict[str, Any]) -> None:
    if (conflict := OF_THIS_PROCESS.conflict()) is not None:
        raise ExecutionError(f"{problem}: {conflict}")
    # A program that handles SIGTERM does so while Ray starts as well.
    is_handled = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    try:
        with without_sigterm_handlers() if is_handled else nullcontext():
            _init_client_patiently(log_to_driver=False, logging_level=logging.ERROR, **options)
    except AuthenticationError as error:
        reason = "RAY_AUTH_MODE is token, and no token was found"
        raise ExecutionError(f"{problem}: {reason}. {TOKEN_CURE}") from error
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise _not_joined(problem, error) from error
    OF_THIS_PROCESS.remember()


def _init_client_patiently(**options: Any) -> None:
    for _ in range(_CLIENT_TRIES - 1):
        try:
            ray.init(**options)
        except ConnectionAbortedError:  # of Ray Client alone
            continue
        return
    ray.init(**options)


def _not_joined(problem: str, error: Exception) -> ExecutionError:
    return ExecutionError(
        f"{problem}: {type(error).__name__}: {error}. Set execution.address to a running "
        "cluster, or to local for a Ray of our own on this machine."
    )
