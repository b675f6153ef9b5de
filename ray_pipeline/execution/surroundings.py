"""What this process has around it: CPUs, and perhaps a Ray cluster; told without Ray."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["inside_a_cluster", "inside_a_job", "usable_cpus"]

_JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"  # what `ray job submit` sets for its entrypoint


def usable_cpus() -> int:
    """CPUs that this process may use: its affinity, and the quota of its container (cgroup v2)."""
    if hasattr(os, "sched_getaffinity"):
        n_cpus = len(os.sched_getaffinity(0))
    else:
        n_cpus = os.cpu_count() or 1
    limits = Path("/sys/fs/cgroup/cpu.max")
    quota, _, period = limits.read_text().partition(" ") if limits.exists() else ("max", "", "")
    return n_cpus if quota == "max" else max(1, min(n_cpus, int(quota) // int(period)))


def inside_a_cluster() -> bool:
    """Whether a Ray cluster is named to this process, as it is within a Ray job."""
    return bool(os.environ.get("RAY_ADDRESS") or os.environ.get(_JOB_VARIABLE))


def inside_a_job() -> bool:
    """Whether this process is the entrypoint of a Ray job."""
    return _JOB_VARIABLE in os.environ
