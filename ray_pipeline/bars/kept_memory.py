"""Memory that the C library keeps between the blocks of a computation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

__all__ = ["kept_memory"]


@contextmanager
def kept_memory(n_arrays: int, n_rows: int) -> Iterator[None]:
    """Keep room for arrays that are made and dropped again and again.

    glibc gives what is free at the end of its heap back to the system at once, and every page
    that is asked for again costs a fault: over a third of the time of a computation in blocks.
    An array above a stretch of free memory keeps that stretch, until the array itself is gone.
    The stretch is one array, since NumPy asks for huge pages, which fault less, for a large one
    alone, and glibc keeps as much for its heap as was freed in one piece of up to 32 MiB.
    No page is touched that nobody uses, and no result depends on it.

    Parameters
    ----------
    n_arrays, n_rows
        Number of float64 arrays that live at a time, and their length: 32 MiB at most in all.
    """
    stretch = np.empty(n_arrays * n_rows)
    above = np.empty(n_rows)
    del stretch
    try:
        yield
    finally:
        del above
