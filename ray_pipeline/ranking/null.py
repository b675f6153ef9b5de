"""The circular-shift null: both views are ranked again for every shift, fanned out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import SharedValue, UnitRunner
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.ranking.shifted_own import (
    ShiftedMeanSpec,
    ShiftedSymbolSpec,
    rank_symbol_shifted,
    summarise_symbols_shifted,
)
from ray_pipeline.ranking.shifted_pooled import ShiftedPoolSpec, rank_pool_shifted
from ray_pipeline.ranking.shifts import draw_shifts
from ray_pipeline.records import SymbolPartition
from ray_pipeline.samples.walk import FamilySettings

__all__ = ["BLOCK_SHIFTS", "OwnNull", "Statistics", "draw_null", "own_null", "pooled_null"]

BLOCK_SHIFTS = 10
"""Shifts of one unit. Their fits share scaling, bins and factorisations, so more would be
cheaper still; but a unit is also the work that a lost worker loses and an idle one can take
over."""

Statistics = Mapping[str, NDArray[np.float64]]
"""By target: the statistic of each shift, shape (n_shifts,), NaN where nothing was measured."""


@dataclass(frozen=True, slots=True)
class OwnNull:
    """Statistics of the mean over symbols, and of each symbol."""

    mean: Statistics
    symbols: Mapping[str, Statistics]


def draw_null(config: ExperimentConfig, frame: PanelFrame, spacing: float) -> tuple[int, ...]:
    """Draw the shifts that the config asks for; none for the analytic null.

    Raises
    ------
    DataError
        When the panel is too short for them.
    """
    if config.target_ranking.null == "analytic":
        return ()
    return draw_shifts(
        frame.n_timestamps,
        config.target_ranking.n_shifts,
        max(frame.span_of(target, "cross_sectional") for target in frame.targets),
        derive_seed(frame.seed, "target_ranking", "circular shifts"),
        spacing,
    )


def pooled_null(
    runner: UnitRunner,
    frame: PanelFrame,
    pool: SharedValue,
    tables: tuple[str, ...],
    settings: RankingSettings,
    shifts: tuple[int, ...],
) -> Statistics:
    """Rank the pooled models on labels rolled by every shift.

    Parameters
    ----------
    pool, tables
        The shared pool and its source tables.
    """
    units = [
        Unit(
            "rank_pool_shifted",
            _key(block),
            rank_pool_shifted,
            ShiftedPoolSpec(frame, tables, settings, block),
        )
        for block in _blocks(shifts)
    ]
    records = runner.run_required(units, [pool])
    return _joined([records[unit.key] for unit in units])


def own_null(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    families: tuple[FamilySettings, ...],
    min_rows: int,
    shifts: tuple[int, ...],
) -> OwnNull:
    """Rank the symbols' own models on labels rolled by every shift.

    A symbol with a failed unit is left out of the mean of every shift, and of `symbols`.
    """
    blocks = _blocks(shifts)
    units = {
        (symbol, block): Unit(
            "rank_symbol_shifted",
            f"{symbol} {_key(block)}",
            rank_symbol_shifted,
            ShiftedSymbolSpec(partition, frame, families, min_rows, block),
        )
        for symbol, partition in partitions.items()
        for block in blocks
    }
    done = runner.run(list(units.values()))
    records = {
        symbol: [done[units[symbol, block].key] for block in blocks]
        for symbol in sorted(partitions)
        if all(units[symbol, block].key in done for block in blocks)
    }
    means = [
        Unit(
            "rank_symbols_shifted",
            _key(block),
            summarise_symbols_shifted,
            ShiftedMeanSpec(
                frame,
                tuple(family.name for family in families),
                tuple(of_symbol[place]["series"] for of_symbol in records.values()),
                tuple(of_symbol[place]["errors"] for of_symbol in records.values()),
                block,
            ),
        )
        for place, block in enumerate(blocks)
    ]
    found = runner.run_required(means)
    return OwnNull(
        mean=_joined([found[unit.key] for unit in means]),
        symbols={symbol: _joined(of_symbol) for symbol, of_symbol in records.items()},
    )


def _blocks(shifts: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [shifts[i : i + BLOCK_SHIFTS] for i in range(0, len(shifts), BLOCK_SHIFTS)]


def _key(block: Sequence[int]) -> str:
    return f"shifts {block[0]}-{block[-1]}"


def _joined(records: Sequence[Mapping[str, Any]]) -> Statistics:
    return {
        target: np.concatenate([record["z_scores"][target] for record in records])
        for target in records[0]["z_scores"]
    }
