"""The memory that a process holds, and what it returns."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest
from execution.sample_units import FolderStore, no_state, unit

from ray_pipeline.execution.performing import Order, Worker
from ray_pipeline.memory import give_back, own_memory, peak_memory

MIB = 2**20

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells"),
    pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc"),
]


def leave_holes() -> np.ndarray:
    """Free 200 MiB below one array that stays, so that the C library keeps them."""
    blocks = [np.ones(100_000, dtype=np.uint8) for _ in range(2_000)]
    return blocks[-1]


def test_memory_in_use_is_counted() -> None:
    """An array counts while it is there."""
    before = own_memory()
    held = np.ones(64 * MIB, dtype=np.uint8)
    assert own_memory() - before > 60 * MIB
    del held
    assert own_memory() - before < 4 * MIB


def test_the_peak_stays() -> None:
    """What was held once counts, though it is freed."""
    before = peak_memory()
    held = np.ones(before + 64 * MIB - own_memory(), dtype=np.uint8)
    del held
    assert peak_memory() - before > 32 * MIB


def test_freed_memory_is_given_back() -> None:
    """What the C library keeps for later is the system's again."""
    give_back()
    kept = leave_holes()
    before = own_memory()
    give_back()
    assert before - own_memory() > 100 * MIB
    assert kept.all()


LEFT: list[np.ndarray] = []


def unit_with_holes(_: object, __: object) -> dict[str, int]:
    LEFT.append(leave_holes())
    return {}


def test_unit_leaves_a_process_that_holds_little(tmp_path: Path) -> None:
    """The report tells what is in use, not what the unit needed on its way."""
    worker: Worker[None] = Worker(no_state, FolderStore(str(tmp_path)), 1)
    worker.start()
    before = own_memory()
    report = worker.perform(Order.of(unit(unit_with_holes)))
    assert report.record == {}
    assert 0 < report.memory_bytes < before + 60 * MIB
    assert report.peak_bytes > report.memory_bytes + 100 * MIB
