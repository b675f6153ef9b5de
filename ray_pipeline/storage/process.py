"""Which process this is, and whether one named by another driver still lives."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["is_gone", "machine_id", "start_ticks"]


def machine_id() -> str | None:
    """Return what tells this machine and its process numbers from all others since its start.

    None where the system does not say; then nobody can tell from outside whether a process lives.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Containers share the boot, not the numbers.
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def start_ticks(pid: int) -> int | None:
    """Return when a process of this machine started, in ticks since the boot; None if it is gone.

    Numbers are given again: a process is named by its number and its start.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program in brackets, which may hold anything. A zombie has ended.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


def is_gone(machine: str | None, pid: int, ticks: int | None) -> bool:
    """Whether a process was one of this machine and has ended."""
    return machine is not None and machine == machine_id() and start_ticks(pid) != ticks
