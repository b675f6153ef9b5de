"""Blocks of time of about the same number of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from ray_pipeline.panel.time_axis import decode_runs, merge_axes
from ray_pipeline.records import TimeRun

__all__ = ["time_spans"]


def time_spans(
    axes: Mapping[tuple[TimeRun, ...], int], row_bytes: int, block_bytes: int
) -> list[tuple[int, int]]:
    """Cut time so that the rows of all symbols within a span fit into a number of bytes.

    Parameters
    ----------
    axes
        Number of symbols per time axis; those of one market share theirs.
    row_bytes
        Bytes of a row of one symbol.
    block_bytes
        Bytes of a span; a span has at least one timestamp, even if that does not fit.

    Returns
    -------
    list of (start_ns, stop_ns)
        Half-open, in order; every row lies in exactly one. Independent of the order of `axes`.
    """
    axis = merge_axes(axes)
    n_rows = np.zeros(len(axis), dtype=np.int64)
    for runs, n_symbols in axes.items():
        n_rows[np.searchsorted(axis, decode_runs(runs))] += n_symbols
    before = np.cumsum(n_rows * row_bytes) - n_rows * row_bytes
    blocks = before // block_bytes
    starts = np.flatnonzero(np.diff(blocks, prepend=-1))
    edges = [*axis[starts].tolist(), int(axis[-1]) + 1] if len(axis) else []
    return list(pairwise(edges))
