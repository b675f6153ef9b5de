"""Fewer rows of a panel, every symbol as often as any other (pure)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["thinned"]

Ints = NDArray[np.int64]


def thinned(positions: Ints, most: int) -> Ints:
    """Rows of evenly spaced timestamps, whole ones: every symbol as often as any other."""
    timestamps = np.unique(positions)
    n_kept = max(1, min(len(timestamps), len(timestamps) * most // max(len(positions), 1)))
    places = np.linspace(0, len(timestamps) - 1, n_kept).astype(np.int64)
    kept = timestamps[places] if len(timestamps) else timestamps
    return np.flatnonzero(np.isin(positions, kept))
