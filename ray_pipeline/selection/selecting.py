"""Feature selection: pooled per target, and per symbol where its own models show evidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.subject import current_subject
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.ranking.decide import is_hinted
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.records import SymbolPartition, View
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.selection.units import (
    SelectionSettings,
    SelectionSpec,
    select_pooled,
    select_symbol,
)
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.stages.writing import nulls
from ray_pipeline.statistics.stability import selection_stability

__all__ = [
    "FEATURES",
    "SELECTION",
    "SelectedFeatures",
    "Selection",
    "features_table",
    "select_features",
]

FEATURES = "feature_selection/features.parquet"


@dataclass(frozen=True, slots=True)
class SelectedFeatures:
    """The choice for one (target, view, symbol).

    Attributes
    ----------
    rows
        Records of `FeatureRow`, best first.
    folds
        Features that each fold chose for itself, by fold.
    set_stability
        How much the folds' choices agree beyond chance; see `selection_stability`. None where
        there is nothing to compare.
    """

    rows: tuple[Mapping[str, Any], ...]
    folds: Mapping[int, tuple[str, ...]]
    set_stability: float | None = None

    @property
    def final(self) -> tuple[str, ...]:
        """Selected features, best first."""
        return tuple(row["feature"] for row in self.rows if row["selected"])


@dataclass(frozen=True, slots=True)
class Selection:
    """Choices by (target, symbol); the symbol is None for the pooled models."""

    choices: Mapping[tuple[str, str | None], SelectedFeatures]

    def table_rows(self) -> list[dict[str, Any]]:
        """Rows of ``feature_selection/features.parquet``."""
        across = {target: self._across_symbols(target) for target, _ in self.choices}
        rows = []
        for (target, symbol), choice in self.choices.items():
            frequency, agreement = across[target] if symbol is not None else ({}, None)
            view: View = "cross_sectional" if symbol is None else "symbol_specific"
            for row in choice.rows:
                plain = {key: value for key, value in row.items() if key != "methods"}
                key = {"target": target, "view": view, "symbol": symbol}
                stability = {
                    "set_stability": choice.set_stability,
                    "symbol_frequency": frequency.get(row["feature"]),
                    "symbols_stability": agreement,
                }
                rows.append(key | plain | dict(row["methods"]) | stability)
        return rows

    def _across_symbols(self, target: str) -> tuple[dict[str, float], float | None]:
        """Share of a target's own models that use each feature, and how much they agree."""
        own = [c for (name, symbol), c in self.choices.items() if name == target and symbol]
        own = [choice for choice in own if choice.rows]
        if not own:
            return {}, None
        names = sorted(row["feature"] for row in own[0].rows)
        place = {name: j for j, name in enumerate(names)}
        chosen = np.zeros((len(own), len(names)), dtype=bool)
        for i, choice in enumerate(own):
            chosen[i, [place[name] for name in choice.final]] = True
        agreement = selection_stability(chosen)
        frequency = dict(zip(names, chosen.mean(axis=0).tolist(), strict=True))
        return frequency, None if math.isnan(agreement) else agreement


def select_features(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    pool: PooledPanel | None,
    ranking: Ranking,
    config: ExperimentConfig,
) -> Selection:
    """Select features for the chosen targets.

    The pooled models of every target that is predictable in the cross-sectional view; a
    symbol's own models where they show evidence even before the multiplicity correction, since
    without it no route leads to them.
    """
    settings = SelectionSettings.from_config(config)
    choices: dict[tuple[str, str | None], SelectedFeatures] = {}
    if pool is not None:
        units = _pooled_units(frame, pool, ranking, settings)
        for target, record in runner.run_required(units, [pool.value]).items():
            choices[target, None] = _choice(record["targets"][target])
    units = _symbol_units(frame, partitions, ranking, settings, config.symbol_alpha)
    for symbol, record in runner.run(units).items():
        for target, found in record["targets"].items():
            choices[target, symbol] = _choice(found)
    ordered = sorted(choices, key=lambda key: (ranking.chosen.index(key[0]), key[1] or ""))
    return Selection({key: choices[key] for key in ordered})


def _pooled_units(
    frame: PanelFrame, pool: PooledPanel, ranking: Ranking, settings: SelectionSettings
) -> list[Unit]:
    pooled = {
        row.target for row in ranking.targets if row.view == "cross_sectional" and row.predictable
    }
    return [
        Unit(
            "select_pooled",
            target,
            select_pooled,
            SelectionSpec(frame, (target,), settings, pool=pool.tables),
        )
        for target in ranking.chosen
        if target in pooled
    ]


def _symbol_units(
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    ranking: Ranking,
    settings: SelectionSettings,
    alpha: float,
) -> list[Unit]:
    hopeful: dict[str, list[str]] = {}
    for row in ranking.symbols:
        hinted = is_hinted(row.skill, row.p_value, alpha) and not row.doubtful
        if row.view == "symbol_specific" and hinted and row.target in ranking.chosen:
            hopeful.setdefault(row.symbol, []).append(row.target)
    return [
        Unit(
            "select_symbol",
            symbol,
            select_symbol,
            SelectionSpec(frame, tuple(sorted(targets)), settings, partition=partitions[symbol]),
        )
        for symbol, targets in sorted(hopeful.items())
    ]


def _choice(record: Mapping[str, Any]) -> SelectedFeatures:
    return SelectedFeatures(
        rows=tuple(record["features"]),
        folds={int(index): tuple(names) for index, names in record["folds"].items()},
        set_stability=record["set_stability"],
    )


def features_table(rows: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> pa.Table:
    """Return the table of feature selection: one column per method."""
    schema = pa.schema(
        [
            ("target", pa.string()),
            ("view", pa.string()),
            ("symbol", pa.string()),
            ("feature", pa.string()),
            ("score", pa.float64()),
            *((method, pa.float64()) for method in methods),
            ("stability", pa.float64()),
            ("set_stability", pa.float64()),
            ("symbol_frequency", pa.float64()),
            ("symbols_stability", pa.float64()),
            ("rank", pa.int64()),
            ("selected", pa.bool_()),
            ("reason", pa.string()),
            ("verdict", pa.string()),
        ]
    )
    return pa.Table.from_pylist([nulls(row) for row in rows], schema=schema)


def _select(context: StageContext) -> None:
    """Choose the features that carry the chosen targets."""
    subject, pool = current_subject(context), context.find(PooledPanel)
    selection = select_features(
        context.runner,
        subject.frame,
        subject.partitions,
        pool,
        context.get(Ranking),
        context.config,
    )
    context.put(selection)
    methods = context.config.feature_selection.methods
    context.write.table(FEATURES, features_table(selection.table_rows(), methods))


SELECTION = Stage(
    name="feature_selection",
    run=_select,
    units=(
        UnitKind("select_pooled", "selecting, pooled"),
        UnitKind("select_symbol", "selecting, per symbol"),
    ),
    sections=("feature_selection", "target_ranking", "routing"),
    tables=(FEATURES,),
    needs=("target_ranking",),
)
