"""Feature selection of one target on one design, nested in the folds (unit functions)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import SymbolPartition, TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.pool import Pool
from ray_pipeline.samples.walk import FamilySettings, fold_problem
from ray_pipeline.selection.consensus import (
    FoldChoice,
    choose_in_fold,
    chosen_kinds,
    consensus_of_folds,
    find_twins,
)
from ray_pipeline.selection.methods import ScoringRows, families_of, score_features
from ray_pipeline.selection.shadows import shift_within_symbols
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.stability import selection_stability

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

__all__ = ["SelectionSettings", "SelectionSpec", "select_pooled", "select_symbol"]

INNER_FRACTION = 0.75
"""Share of a training range that fits the model whose permutation importance the rest measures."""

TRAINING_ROWS = 30_000
"""Rows of the pooled training range that features are scored on, by whole timestamps, evenly
spaced: labels of successive rows overlap, so that thinning costs little, and scoring is dear."""

OWN_TRAINING_ROWS = 10_000
"""The same for a symbol's own models: there are as many of them as symbols."""

TWIN_ROWS = 20_000
"""Rows that redundancy is measured on, evenly spaced."""


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """The config's section, with the hyperparameters of the families that the methods use."""

    methods: tuple[str, ...]
    top_m: int
    min_stability: float
    redundancy: float
    families: tuple[FamilySettings, ...]

    @classmethod
    def from_config(cls, config: ExperimentConfig) -> SelectionSettings:
        """Take what the config says; the families of the methods are fitted as in the ranking."""
        section = config.feature_selection
        return cls(
            methods=section.methods,
            top_m=section.top_m_features,
            min_stability=section.min_stability,
            redundancy=section.redundancy,
            families=FamilySettings.from_config(
                families_of(section.methods), config.target_ranking.hyperparameters
            ),
        )


@dataclass(frozen=True, slots=True)
class SelectionSpec:
    """Targets to select features for.

    Exactly one of `partition` and `pool` is given: a symbol's own rows, or the slices that the
    pool was made of.
    """

    frame: PanelFrame
    targets: tuple[str, ...]
    settings: SelectionSettings
    partition: SymbolPartition | None = None
    pool: tuple[str, ...] = ()


def select_symbol(reader: PanelReader, spec: SelectionSpec) -> dict[str, Any]:
    """Select features for a symbol's own models."""
    if spec.partition is None:
        raise DataError("select_symbol needs a partition")
    rows = reader.rows(spec.partition, spec.frame)
    symbol = spec.partition.symbol
    return {
        "targets": {
            target.name: _select(Design.of_symbol(rows, target, spec.frame), target, spec, symbol)
            for target in spec.frame.targets
            if target.name in spec.targets
        }
    }


def select_pooled(reader: PanelReader, spec: SelectionSpec, pool: Pool) -> dict[str, Any]:
    """Select features for the pooled models."""
    return {
        "targets": {
            target.name: _select(Design.of_pool(pool, target, spec.frame), target, spec, "")
            for target in spec.frame.targets
            if target.name in spec.targets
        }
    }


def _select(design: Design, target: TargetSpec, spec: SelectionSpec, symbol: str) -> dict[str, Any]:
    settings = spec.settings
    hyperparameters = {f.name: dict(f.hyperparameters) for f in settings.families}
    scores: dict[int, dict[str, NDArray[np.float64]]] = {}
    for fold in spec.frame.folds:
        data = _training_rows(design, target, spec.frame, fold, symbol)
        if data is not None:
            scores[fold.index] = score_features(data, settings.methods, hyperparameters)
    if not scores:
        return {"features": [], "folds": {}, "set_stability": None}
    # Redundancy is a property of the features alone; it is measured before the first test row.
    before, _ = design.split(spec.frame.folds[min(scores)])
    sample = design.X[_thinned(design.positions[:before], TWIN_ROWS)]
    choices = {
        index: choose_in_fold(of_fold, settings.top_m, sample, settings.redundancy)
        for index, of_fold in sorted(scores.items())
    }
    folds = list(choices.values())
    twins = find_twins(_by_consensus(folds), sample, settings.redundancy)
    names = design.feature_names
    rows = consensus_of_folds(names, folds, twins, settings.top_m, settings.min_stability)
    agreement = selection_stability(chosen_kinds(folds, twins, len(names)))
    return {
        "features": [asdict(row) for row in rows],
        "folds": {
            str(index): _fold_features(choice, sample, settings, names)
            for index, choice in choices.items()
        },
        "set_stability": None if np.isnan(agreement) else agreement,
    }


def _fold_features(
    choice: FoldChoice,
    sample: NDArray[np.float32],
    settings: SelectionSettings,
    names: tuple[str, ...],
) -> list[str]:
    """Features that the fold's own model is fitted on: no other fold has a say."""
    ranked = choice.chosen or np.argsort(-choice.consensus, kind="stable").tolist()
    twins = find_twins(ranked, sample, settings.redundancy)
    return [names[j] for j in ranked if j not in twins][: settings.top_m]


def _by_consensus(folds: list[FoldChoice]) -> list[int]:
    score = np.mean([fold.consensus for fold in folds], axis=0)
    return [int(j) for j in np.argsort(-score, kind="stable")]


def _thinned(positions: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Rows of evenly spaced timestamps, whole ones: every symbol as often as any other."""
    timestamps = np.unique(positions)
    n_kept = max(1, min(len(timestamps), len(timestamps) * most // max(len(positions), 1)))
    kept = timestamps[_evenly(len(timestamps), n_kept)] if len(timestamps) else timestamps
    return np.flatnonzero(np.isin(positions, kept))


def _evenly(n_rows: int, most: int) -> NDArray[np.int64]:
    return np.linspace(0, n_rows - 1, min(n_rows, most)).astype(np.int64)


def _training_rows(
    design: Design, target: TargetSpec, frame: PanelFrame, fold: Fold, symbol: str
) -> ScoringRows | None:
    """Return a fold's training rows with shadows beside the features, or None if too few."""
    start, _ = design.split(fold)
    seed = derive_seed(frame.seed, "feature_selection", target.name, symbol, f"fold {fold.index}")
    most = TRAINING_ROWS if design.view == "cross_sectional" else OWN_TRAINING_ROWS
    sampled = _thinned(design.positions[:start], most)
    y, ends, positions = design.y[sampled], design.label_ends[sampled], design.positions[sampled]
    whole = fold_problem(y, ends, target.task, fold, frame.embargo, seed)
    if whole is None:
        return None
    cut = int(positions[whole.rows[int(len(whole.rows) * INNER_FRACTION)]])
    inner = fold_problem(y, ends, target.task, Fold(0, cut, cut), frame.embargo, seed)
    if inner is None:
        return None
    share = 0.25 + 0.5 * np.random.default_rng(seed).random()
    shadow = shift_within_symbols(design.symbol_index[:start], float(share))
    return ScoringRows(
        X=np.hstack([design.X[sampled], design.X[shadow[sampled]]]),
        y=y,
        rows=whole.rows,
        inner=inner.rows,
        validation=whole.rows[positions[whole.rows] >= cut],
        task=target.task,
        seed=seed,
    )
