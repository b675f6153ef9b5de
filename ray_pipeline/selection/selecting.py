"""Feature selection: pooled per target, and per symbol where its own models show evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.subject import current_subject
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.ranking.decide import is_hinted
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.records import QUESTIONS, SymbolPartition
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.selection.choosing import SelectionSettings
from ray_pipeline.selection.kept import KeptRow
from ray_pipeline.selection.own import SymbolSelectionSpec, select_symbol
from ray_pipeline.selection.pooled import (
    PooledFoldChoiceSpec,
    PooledSelectionSpec,
    select_pooled,
    select_pooled_fold,
)
from ray_pipeline.selection.proving import Proofs, prove_own_models, prove_pooled_models
from ray_pipeline.selection.selected import SelectedFeatures, Selection
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.stages.writing import nulls
from ray_pipeline.storage import RunDirectory

__all__ = [
    "FEATURES",
    "KEPT",
    "SELECTION",
    "features_table",
    "select_features",
]

FEATURES = "feature_selection/features.parquet"
KEPT = "feature_selection/kept.parquet"


def select_features(
    runner: UnitRunner,
    run: RunDirectory,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    pool: PooledPanel | None,
    ranking: Ranking,
    config: ExperimentConfig,
) -> Selection:
    """Select features for the chosen targets, and measure how much of the skill they keep.

    The pooled models of every target that is predictable in the cross-sectional view; a
    symbol's own models where they show evidence even before the multiplicity correction, since
    without it no route leads to them.
    """
    settings = SelectionSettings.from_config(config)
    choices: dict[tuple[str, str | None], SelectedFeatures] = {}
    proofs: list[Proofs] = []
    pooled = _predictable_pooled(ranking) if pool is not None else ()
    if pool is not None and pooled:
        comparison = RankingSettings.from_config(config).comparison
        found = _select_pooled(runner, frame, pool, ranking, pooled, settings, comparison)
        choices |= {(target, None): choice for target, choice in found.items()}
        proofs.append(prove_pooled_models(runner, frame, pool, ranking, found, config))
    units = _symbol_units(frame, partitions, ranking, settings, config.symbol_alpha)
    for symbol, record in runner.run(units).items():
        for target, found_own in record["targets"].items():
            choices[target, symbol] = SelectedFeatures.from_record(found_own)
    proofs.append(prove_own_models(runner, run, frame, partitions, ranking, choices, config))
    kept = [row for proof in proofs for row in proof.rows]
    accepted = [proof.accepted for proof in proofs if proof.accepted is not None]
    ordered = sorted(choices, key=lambda key: (ranking.chosen.index(key[0]), key[1] or ""))
    return Selection(
        choices={key: choices[key] for key in ordered},
        kept=tuple(sorted(kept, key=lambda row: (ranking.chosen.index(row.target), row.view))),
        every=frame.request.features,
        accepted={key: each[key] for each in accepted for key in each} if accepted else None,
    )


def _predictable_pooled(ranking: Ranking) -> tuple[str, ...]:
    pooled = {
        row.target for row in ranking.targets if row.view == "cross_sectional" and row.predictable
    }
    return tuple(target for target in ranking.chosen if target in pooled)


def _select_pooled(
    runner: UnitRunner,
    frame: PanelFrame,
    pool: PooledPanel,
    ranking: Ranking,
    targets: tuple[str, ...],
    settings: SelectionSettings,
    comparison: LabelComparison | None,
) -> dict[str, SelectedFeatures]:
    units = [
        Unit(
            "select_pooled_fold",
            f"fold {fold.index}",
            select_pooled_fold,
            PooledFoldChoiceSpec(
                frame,
                targets,
                settings,
                pool.tables,
                fold.index,
                record["importances"],
                comparison,
            ),
        )
        for fold, record in zip(frame.folds, ranking.pooled_folds, strict=True)
    ]
    records = runner.run_required(units, [pool.value])
    choices = tuple(records[unit.key]["choices"] for unit in units)
    spec = PooledSelectionSpec(frame, targets, settings, pool.tables, choices, comparison)
    unit = Unit("select_pooled", "all folds", select_pooled, spec)
    found = runner.run_required([unit], [pool.value])[unit.key]["targets"]
    return {target: SelectedFeatures.from_record(found[target]) for target in targets}


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
            SymbolSelectionSpec(
                partitions[symbol],
                frame,
                tuple(sorted(targets)),
                settings,
                ranking.records[symbol]["importances"],
            ),
        )
        for symbol, targets in sorted(hopeful.items())
    ]


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
            ("question", pa.string()),
        ]
    )
    told = [nulls(row) | {"question": QUESTIONS[row["view"]]} for row in rows]
    return pa.Table.from_pylist(told, schema=schema)


def _select(context: StageContext) -> None:
    """Choose the features that carry the chosen targets."""
    subject, pool = current_subject(context), context.find(PooledPanel)
    selection = select_features(
        context.runner,
        context.run,
        subject.frame,
        subject.partitions,
        pool,
        context.get(Ranking),
        context.config,
    )
    context.put(selection)
    methods = context.config.feature_selection.methods
    context.write.table(FEATURES, features_table(selection.table_rows(), methods))
    context.write.rows(KEPT, KeptRow, selection.kept)


SELECTION = Stage(
    name="feature_selection",
    run=_select,
    units=(
        UnitKind("select_pooled_fold", "selecting, pooled"),
        UnitKind("select_pooled", "selecting, pooled"),
        UnitKind("prove_pooled_fold", "proving the selection, pooled"),
        UnitKind("prove_pooled", "proving the selection, pooled"),
        UnitKind("select_symbol", "selecting, per symbol"),
        UnitKind("prove_symbol", "proving the selection, per symbol"),
    ),
    sections=("feature_selection", "target_ranking", "routing"),
    tables=(FEATURES, KEPT),
    needs=("target_ranking",),
)
