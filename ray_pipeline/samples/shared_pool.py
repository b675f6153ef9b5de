"""The pooled panel: every symbol's sampled rows, written once and shared with all workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import SharedValue, UnitRunner
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import SymbolPartition
from ray_pipeline.samples.pool import PoolSpec, SliceSpec, assemble_pool, count_samples, write_slice

__all__ = ["PooledPanel", "build_pool"]


@dataclass(frozen=True, slots=True)
class PooledPanel:
    """The shared pool and the tables it was made of, which name it in specs.

    `spacing` counts panel positions per sampled timestamp.
    """

    value: SharedValue
    tables: tuple[str, ...]
    spacing: float = 1.0


def build_pool(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    rows_per_position: NDArray[np.int64],
    max_cs_rows: int,
) -> PooledPanel:
    """Have every symbol write its sampled rows, and describe the pool made of them."""
    n_sampled = count_samples(rows_per_position, max_cs_rows, frame.seed)
    specs = {
        symbol: SliceSpec(partition, frame, n_sampled) for symbol, partition in partitions.items()
    }
    records = runner.run(
        [Unit("pool_slice", symbol, write_slice, spec) for symbol, spec in specs.items()]
    )
    tables = tuple(record["table"] for record in records.values())
    spec = PoolSpec(tuple(records), tables, frame, n_sampled)
    spacing = frame.n_timestamps / min(n_sampled, frame.n_timestamps)
    return PooledPanel(SharedValue(Unit("pool", "pool", assemble_pool, spec)), tables, spacing)
