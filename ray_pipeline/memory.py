"""Measuring a process's memory, and returning unused memory to the system."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

import pyarrow as pa

__all__ = ["give_back", "own_memory", "peak_memory"]

_STATM = Path("/proc/self/statm")
_STATUS = Path("/proc/self/status")

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only in glibc


def own_memory() -> int:
    """Return the resident bytes of this process, excluding shared ones like Ray's object store.

    0 if unknown (on systems other than Linux).
    """
    try:
        _, resident, shared, *_ = _STATM.read_text().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * resource.getpagesize()


def peak_memory() -> int:
    """Return the peak resident bytes of this process, including shared ones.

    0 if unknown (on systems other than Linux).
    """
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def give_back() -> None:
    """Return freed memory to the system: the C library's and Arrow's; 1 to 3 ms.

    Both keep freed memory for later. After a unit on a long symbol, that is twice what the process
    uses, and each of a node's workers keeps it from the others.
    """
    pa.default_memory_pool().release_unused()
    if _trim is not None:
        _trim(0)
