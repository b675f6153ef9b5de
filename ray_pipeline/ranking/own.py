"""The symbol-specific view: a symbol's own models over its own time, paired with the pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.execution.artifacts import artifact_name
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.panel.reader import PanelReader, SymbolRows
from ray_pipeline.ranking.evidence import (
    block_sums,
    paired_evidence,
    time_contributions,
    time_evidence,
)
from ray_pipeline.ranking.pooled import PooledPredictions
from ray_pipeline.ranking.walk import FamilySettings, fold_problem, predict_fold
from ray_pipeline.records import SymbolPartition, TargetSpec
from ray_pipeline.statistics.folds import Fold, test_rows
from ray_pipeline.training.families import Problem

__all__ = ["OutOfSample", "SymbolRankingSpec", "rank_symbol", "walk_symbol"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SymbolRankingSpec:
    """One symbol's ranking; `pooled` names what the pooled predictions were made of.

    With no `families` only the pooled model is measured on the symbol.
    """

    partition: SymbolPartition
    frame: PanelFrame
    families: tuple[FamilySettings, ...]
    pooled: tuple[str, ...]
    pooled_families: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutOfSample:
    """Predictions of one model over a symbol's test rows, in time order.

    All arrays have shape (n_rows,); rows without a label or a prediction are left out.
    """

    positions: Ints
    folds: Ints
    prediction: Floats
    actual: Floats

    @classmethod
    def from_parts(
        cls, positions: Ints, folds: Ints, prediction: Floats, actual: Floats
    ) -> OutOfSample:
        """Keep the rows that have both a prediction and a label."""
        usable = np.isfinite(prediction) & np.isfinite(actual)
        return cls(positions[usable], folds[usable], prediction[usable], actual[usable])

    def at(self, positions: Ints) -> OutOfSample:
        """Return the rows at these positions."""
        kept = np.isin(self.positions, positions, assume_unique=True)
        return OutOfSample(
            self.positions[kept], self.folds[kept], self.prediction[kept], self.actual[kept]
        )

    def contributions(self, target: TargetSpec) -> Floats:
        """Row products whose mean is the skill."""
        return time_contributions(self.prediction, self.actual, self.folds, target.task)


def walk_symbol(
    rows: SymbolRows, frame: PanelFrame, families: tuple[FamilySettings, ...]
) -> dict[tuple[str, str], OutOfSample]:
    """Predict a symbol's test rows by models of its own, by (family, target)."""
    symbol, X = rows.table.symbol, rows.table.features
    parts: dict[tuple[str, str], list[tuple[Ints, Floats]]] = {}
    fold_of = np.full(len(rows.positions), -1)
    for fold in frame.folds:
        tested = np.flatnonzero(test_rows(rows.positions, fold))
        n_before = int(np.searchsorted(rows.positions, fold.test_start))
        if len(tested) == 0 or n_before == 0:
            continue
        fold_of[tested] = fold.index
        predictions = predict_fold(
            X[:n_before], X[tested], rows.table.feature_names, families, frame.targets,
            _problems(rows, frame, fold, n_before, symbol),
        )  # fmt: skip
        for family, by_target in predictions.items():
            for target, values in by_target.items():
                parts.setdefault((family, target), []).append((tested, values))
    walked: dict[tuple[str, str], OutOfSample] = {}
    for key, pieces in parts.items():
        index = np.concatenate([piece[0] for piece in pieces])
        values = np.concatenate([piece[1] for piece in pieces])
        actual = rows.target(key[1])[index]
        walked[key] = OutOfSample.from_parts(rows.positions[index], fold_of[index], values, actual)
    return walked


def _problems(rows: SymbolRows, frame: PanelFrame, fold: Fold, n_before: int, symbol: str) -> Any:
    def problem_of(target: TargetSpec, family: str) -> Problem | None:
        names = ("target_ranking", family, target.name, symbol, f"fold {fold.index}")
        return fold_problem(
            rows.target(target.name)[:n_before],
            rows.label_ends(target.horizon_bars)[:n_before],
            target.task,
            fold,
            frame.embargo,
            derive_seed(frame.seed, *names),
        )

    return problem_of


def rank_symbol(
    reader: PanelReader, spec: SymbolRankingSpec, pooled: PooledPredictions | None = None
) -> dict[str, Any]:
    """Measure a symbol's own models, the pooled ones on it, and their difference (unit function).

    Returns
    -------
    dict
        By target: evidence of each own family, of each pooled family over this symbol's time,
        and of own − pooled on the same rows; plus the table of block series.
    """
    frame, symbol = spec.frame, spec.partition.symbol
    rows = reader.rows(spec.partition, frame)
    own = walk_symbol(rows, frame, spec.families)
    shared = {} if pooled is None else _pooled_on_symbol(rows, spec, pooled)
    spacing = 1.0 if pooled is None else pooled.spacing
    n_positions = frame.folds[-1].test_end - frame.test_start
    targets: dict[str, Any] = {}
    series: dict[str, Floats] = {}
    for index, target in enumerate(frame.targets):
        horizon = target.horizon_bars
        record: dict[str, Any] = {"own": {}, "pooled": {}, "paired": {}}
        for settings in spec.families:
            sample = own.get((settings.name, target.name))
            if sample is None or len(sample.positions) == 0:
                continue
            contributions = sample.contributions(target)
            record["own"][settings.name] = time_evidence(contributions, horizon).to_record()
            series[f"{settings.name}_{index}"], _ = block_sums(
                contributions, sample.positions, frame.test_start, n_positions
            )
        for family in spec.pooled_families:
            sample = shared.get((family, target.name))
            if sample is None or len(sample.positions) == 0:
                continue
            evidence = time_evidence(sample.contributions(target), horizon, spacing)
            record["pooled"][family] = evidence.to_record()
            record["paired"][family] = {
                settings.name: _paired(own[settings.name, target.name], sample, target, spacing)
                for settings in spec.families
                if (settings.name, target.name) in own
            }
        targets[target.name] = record
    name = artifact_name("rank_symbol", spec, "series")
    reader.run.write_table(name, pa.table(series))
    return {
        "symbol": symbol,
        "own_families": [settings.name for settings in spec.families],
        "targets": targets,
        "series": name,
    }


def _pooled_on_symbol(
    rows: SymbolRows, spec: SymbolRankingSpec, pooled: PooledPredictions
) -> dict[tuple[str, str], OutOfSample]:
    where = pooled.rows_of(rows.table.symbol)
    positions = pooled.positions[where]
    index = np.searchsorted(rows.positions, positions)
    return {
        (family, target.name): OutOfSample.from_parts(
            positions,
            pooled.folds[where],
            pooled.values[family, target.name][where].astype(np.float64),
            rows.target(target.name)[index],
        )
        for family in spec.pooled_families
        for target in spec.frame.targets
    }


def _paired(
    own: OutOfSample, pooled: OutOfSample, target: TargetSpec, spacing: float
) -> dict[str, Any]:
    both_own, both_pooled = own.at(pooled.positions), pooled.at(own.positions)
    return paired_evidence(
        both_own.contributions(target),
        both_pooled.contributions(target),
        target.horizon_bars,
        spacing,
    ).to_record()
