"""Rows for pooled models beyond the shared pool, written by every symbol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.families import StreamingFamily, load_family
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import SymbolPartition
from ray_pipeline.routing.jobs import Job
from ray_pipeline.samples.pool import SliceSpec, count_samples, write_slice
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.training.pooled_stream import StreamSpec

__all__ = ["stream_rows", "without_stream"]


def stream_rows(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    rows_per_position: NDArray[np.int64],
    pool: PooledPanel,
    jobs: Sequence[Job],
    max_rows: int | None,
) -> StreamSpec | None:
    """Let every symbol of the pool write the rows on which pooled jobs train.

    Only the columns that a job needs are written. Timestamps are sampled whole, as for the pool.

    Parameters
    ----------
    rows_per_position
        Symbols at each panel position, shape (n_timestamps,).
    jobs
        Pooled ones.
    max_rows
        Of all symbols; None: only the rows of the pool.

    Returns
    -------
    StreamSpec or None
        None if the pool already has as many rows as requested.
    """
    if max_rows is None or not jobs:
        return None
    n_sampled = count_samples(rows_per_position, max_rows, frame.seed)
    if n_sampled <= round(frame.n_timestamps / pool.spacing):
        return None
    names = {name for job in jobs for name in _features(job)}
    targets = tuple(
        target for target in frame.targets if target.name in {job.target for job in jobs}
    )
    features = tuple(name for name in frame.request.features if name in names)
    narrow = replace(
        frame,
        request=replace(
            frame.request, features=features, targets=tuple(target.name for target in targets)
        ),
        targets=targets,
    )
    units = [
        Unit(
            "training_slice", symbol, write_slice, SliceSpec(partitions[symbol], narrow, n_sampled)
        )
        for symbol in jobs[0].symbols
    ]
    records = runner.run_required(units)
    return StreamSpec(tuple(record["table"] for record in records.values()), narrow)


def without_stream(jobs: Sequence[Job]) -> list[str]:
    """Say which families of pooled jobs cannot stream and train on the pool's rows."""
    names = dict.fromkeys(job.family for job in jobs)
    others = [name for name in names if not isinstance(load_family(name), StreamingFamily)]
    if not others:
        return []
    return [
        f"training.max_cs_rows: {', '.join(others)} cannot take rows from a stream and train on "
        "those of the ranking's pool (target_ranking.max_cs_rows)"
    ]


def _features(job: Job) -> set[str]:
    return set(job.features).union(*(names for _, names in job.fold_features))
