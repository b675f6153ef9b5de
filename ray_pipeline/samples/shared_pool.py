"""The pooled panel: every symbol's sampled rows, written once and shared with all workers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import ConfigError
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import SharedValue, UnitRunner
from ray_pipeline.inspecting.subject import current_subject
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import SymbolPartition
from ray_pipeline.samples.pool import (
    PoolSpec,
    SliceSpec,
    assemble_pool,
    count_samples,
    growing_positions,
    stretch_of_samples,
    write_slice,
)
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.wording import plural

if TYPE_CHECKING:
    from ray_pipeline.config.stage_sections import TargetRankingConfig

__all__ = ["POOL", "PooledPanel", "build_pool", "too_few_to_pool"]


@dataclass(frozen=True, slots=True)
class PooledPanel:
    """The shared pool and the tables it was made of, which name it in specs.

    Attributes
    ----------
    symbols
        Symbols that have rows in it.
    spacing
        Panel positions per sampled timestamp.
    """

    value: SharedValue
    tables: tuple[str, ...]
    symbols: tuple[str, ...] = ()
    spacing: float = 1.0


def build_pool(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    rows_per_position: NDArray[np.int64],
    max_cs_rows: int,
) -> PooledPanel:
    """Have every symbol write its sampled rows, and describe the pool made of them."""
    stretch = None
    if not frame.grows:
        n_sampled = count_samples(rows_per_position, max_cs_rows, frame.seed)
        spacing = frame.n_timestamps / min(n_sampled, frame.n_timestamps)
    else:
        stretch = spacing = stretch_of_samples(rows_per_position, max_cs_rows, frame.seed)
        n_sampled = len(growing_positions(frame.n_timestamps, stretch, frame.seed))
    specs = {
        symbol: SliceSpec(partition, frame, n_sampled, stretch)
        for symbol, partition in partitions.items()
    }
    records = runner.run(
        [Unit("pool_slice", symbol, write_slice, spec) for symbol, spec in specs.items()]
    )
    tables = tuple(record["table"] for record in records.values())
    spec = PoolSpec(tuple(records), tables, frame, n_sampled, stretch)
    value = SharedValue(Unit("pool", "pool", assemble_pool, spec))
    return PooledPanel(value, tables, tuple(records), spacing)


def too_few_to_pool(n_symbols: int, settings: TargetRankingConfig) -> str | None:
    """Say that so few symbols have no cross-sectional view, None where there are enough.

    Raises
    ------
    ConfigError
        When no other view is asked for.
    """
    if "cross_sectional" not in settings.views or n_symbols >= settings.min_cs:
        return None
    missing = (
        f"{plural(n_symbols, 'symbol is', 'symbols are')} too few for the cross-sectional view: "
        f"target_ranking.min_cs needs {settings.min_cs}."
    )
    if settings.views == ("cross_sectional",):
        raise ConfigError(f"{missing} Add symbols, or the view symbol_specific.")
    return f"{missing} Only the symbol-specific view is ranked."


def _is_asked_for(context: StageContext) -> bool:
    return "cross_sectional" in context.config.target_ranking.views


def _pool(context: StageContext) -> None:
    """Build the pooled panel, if there are symbols enough for the cross-sectional view."""
    settings = context.config.target_ranking
    subject = current_subject(context)
    missing = too_few_to_pool(len(subject.partitions), settings)
    if missing is not None:
        context.account.warn([missing])
        return
    context.put(
        build_pool(
            context.runner,
            subject.frame,
            subject.partitions,
            subject.rows_per_position,
            settings.max_cs_rows,
        )
    )


POOL = Stage(
    name="pool",
    run=_pool,
    units=(UnitKind("pool_slice", "pooling"),),
    sections=("target_ranking",),
    needs=("inspect",),
    applies=_is_asked_for,
)
