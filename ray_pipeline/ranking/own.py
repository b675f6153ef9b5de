"""The symbol-specific view: a symbol's own models over its time, compared with the pooled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.families import Problem
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.panel.reader import PanelReader, SymbolRows
from ray_pipeline.ranking.pooled import PooledPredictions
from ray_pipeline.records import SymbolPartition, TargetSpec
from ray_pipeline.samples.evidence import (
    SkillSeries,
    block_sums,
    paired_evidence,
    time_evidence,
)
from ray_pipeline.samples.memo import FoldMemo
from ray_pipeline.samples.walk import FamilySettings, fold_problem, predict_fold
from ray_pipeline.statistics.folds import Fold, test_rows
from ray_pipeline.statistics.skill import centred_percentile, outcome

__all__ = ["OutOfSample", "SymbolRankingSpec", "outcomes_of", "rank_symbol", "walk_symbol"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SymbolRankingSpec:
    """One symbol's ranking; `pooled` names the source of the pooled predictions.

    Without `families`, only the pooled model is measured on the symbol.
    """

    partition: SymbolPartition
    frame: PanelFrame
    families: tuple[FamilySettings, ...]
    pooled: tuple[str, ...]
    pooled_families: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutOfSample:
    """One model over a symbol's test rows, in time order.

    All arrays have shape (n_rows,); rows without a label or a prediction are left out.

    Attributes
    ----------
    positions
        On the panel's time axis.
    centred_percentile
        Of the predictions among those of the model's training rows.
    outcome
        Of the labels, compared with the symbol's labels of the training rows.
    """

    positions: Ints
    centred_percentile: Floats
    outcome: Floats

    @classmethod
    def where_known(
        cls, positions: Ints, centred_percentile: Floats, outcome: Floats
    ) -> OutOfSample:
        """Keep the rows that have both a prediction and a label."""
        known = np.isfinite(centred_percentile) & np.isfinite(outcome)
        return cls(positions[known], centred_percentile[known], outcome[known])

    def at(self, positions: Ints) -> OutOfSample:
        """Return the rows at these positions."""
        kept = np.isin(self.positions, positions, assume_unique=True)
        return OutOfSample(self.positions[kept], self.centred_percentile[kept], self.outcome[kept])

    def series(self, target: TargetSpec) -> SkillSeries:
        """Row products whose mean is the skill, and those that test it."""
        return SkillSeries.over_time(self.centred_percentile, self.outcome, target.task)


def walk_symbol(
    rows: SymbolRows,
    frame: PanelFrame,
    families: tuple[FamilySettings, ...],
    memo: FoldMemo | None = None,
) -> tuple[dict[tuple[str, str], OutOfSample], dict[str, Floats]]:
    """Predict a symbol's test rows with its own models, by (family, target).

    Returns
    -------
    tuple
        The predictions, and the models' importances by family, place of the target and fold,
        joined by underscores.
    """
    importances: dict[str, Floats] = {}
    place = {target.name: index for index, target in enumerate(frame.targets)}
    X, n_rows = rows.table.features, len(rows.positions)
    keys = [(family.name, target.name) for family in families for target in frame.targets]
    percentiles = {key: np.full(n_rows, np.nan) for key in keys}
    for fold in frame.folds:
        tested = np.flatnonzero(test_rows(rows.positions, fold))
        before = _before(rows, fold)
        if len(tested) == 0 or before.start == before.stop:
            continue
        predictions = predict_fold(
            X[before],
            X[tested],
            rows.table.feature_names,
            families,
            frame.targets,
            partial(_problem, rows, frame, fold, before),
            lambda problem, known, values: centred_percentile(values, known),
            memo=memo,
        )
        for family, by_target in predictions.items():
            for target, prediction in by_target.items():
                percentiles[family, target.name][tested] = prediction.centred_percentile
                name = f"{family}_{place[target.name]}_{fold.index}"
                importances[name] = prediction.importances
    outcomes = outcomes_of(rows, frame)
    return {
        key: OutOfSample.where_known(rows.positions, values, outcomes[key[1]])
        for key, values in percentiles.items()
    }, importances


def outcomes_of(rows: SymbolRows, frame: PanelFrame) -> dict[str, Floats]:
    """Compare a symbol's labels with those of each fold's training rows, by target.

    Returns
    -------
    dict
        Shape (n_rows,); NaN where there is no label, no fold, or too short a history.
    """
    outcomes = {target.name: np.full(len(rows.positions), np.nan) for target in frame.targets}
    for fold in frame.folds:
        tested = test_rows(rows.positions, fold)
        before = _before(rows, fold)
        for target in frame.targets:
            problem = _problem(rows, frame, fold, before, target, "")
            if problem is not None:
                y = rows.target(target.name)
                labelled = tested & np.isfinite(y)
                reference = problem.y[problem.rows]
                outcomes[target.name][labelled] = outcome(y[labelled], reference, target.task)
    return outcomes


def _before(rows: SymbolRows, fold: Fold) -> slice:
    """Return a symbol's rows that may be used to train for a test fold."""
    edges = np.searchsorted(rows.positions, [fold.train_start, fold.test_start])
    return slice(*edges.tolist())


def _problem(
    rows: SymbolRows, frame: PanelFrame, fold: Fold, before: slice, target: TargetSpec, family: str
) -> Problem | None:
    names = ("target_ranking", family, target.name, rows.table.symbol, f"fold {fold.index}")
    return fold_problem(
        rows.target(target.name)[before],
        rows.label_ends(target.horizon)[before],
        target.task,
        fold,
        frame.embargo,
        derive_seed(frame.seed, *names),
    )


def rank_symbol(
    reader: PanelReader, spec: SymbolRankingSpec, pooled: PooledPredictions | None = None
) -> dict[str, Any]:
    """Measure a symbol's own models, the pooled ones on it, and their difference (unit function).

    Returns
    -------
    dict
        By target: evidence of each own family, of each pooled family over this symbol's time,
        and of own − pooled on the same rows; plus tables of block series, of the models'
        importances, and of their centred percentiles on the rows from the first test on.
    """
    frame, symbol = spec.frame, spec.partition.symbol
    rows = reader.rows(spec.partition, frame)
    with FoldMemo.kept(reader.run, frame, __name__, "rank_symbol", symbol) as memo:
        own, importances = walk_symbol(rows, frame, spec.families, memo)
    shared = {} if pooled is None else _pooled_on_symbol(rows, spec, pooled)
    spacing = 1.0 if pooled is None else pooled.spacing
    n_positions = frame.folds[-1].test_end - frame.test_start
    targets: dict[str, Any] = {}
    series: dict[str, Floats] = {}
    predictions: dict[str, NDArray[np.float32]] = {}
    n_before = int(np.searchsorted(rows.positions, frame.test_start))
    for index, target in enumerate(frame.targets):
        span = frame.span_of(target, "symbol_specific", rows.table.symbol)
        record: dict[str, Any] = {"own": {}, "pooled": {}, "paired": {}}
        for settings in spec.families:
            sample = own[settings.name, target.name]
            if len(sample.positions) == 0:
                continue
            own_series = sample.series(target)
            record["own"][settings.name] = time_evidence(own_series, span).to_record()
            series[f"{settings.name}_{index}"], _ = block_sums(
                own_series.contributions, sample.positions, frame.test_start, n_positions
            )
            known = np.full(len(rows.positions), np.nan, dtype=np.float32)
            known[np.searchsorted(rows.positions, sample.positions)] = sample.centred_percentile
            predictions[f"{settings.name}_{index}"] = known[n_before:]
        for family in spec.pooled_families:
            if (family, target.name) not in shared:
                continue
            sample = shared[family, target.name]
            if len(sample.positions) == 0:
                continue
            evidence = time_evidence(sample.series(target), span, spacing)
            record["pooled"][family] = evidence.to_record()
            record["paired"][family] = {
                settings.name: _paired(own[settings.name, target.name], sample, target, spacing)
                for settings in spec.families
                if len(own[settings.name, target.name].positions)
            }
        targets[target.name] = record
    name, carried, predicted = map(table_name, ("series", "importances", "predictions"))
    reader.run.write_table(name, pa.table(series))
    reader.run.write_table(carried, pa.table(importances))
    reader.run.write_table(predicted, pa.table(predictions))
    return {
        "symbol": symbol,
        "own_families": [settings.name for settings in spec.families],
        "targets": targets,
        "series": name,
        "importances": carried,
        "predictions": predicted,
    }


def _pooled_on_symbol(
    rows: SymbolRows, spec: SymbolRankingSpec, pooled: PooledPredictions
) -> dict[tuple[str, str], OutOfSample]:
    where = pooled.rows_of(rows.table.symbol)
    positions = pooled.positions[where]
    index = np.searchsorted(rows.positions, positions)
    outcomes = outcomes_of(rows, spec.frame)
    return {
        (family, target.name): OutOfSample.where_known(
            positions,
            pooled.percentiles[family, target.name][where].astype(np.float64),
            outcomes[target.name][index],
        )
        for family in spec.pooled_families
        for target in spec.frame.targets
    }


def _paired(
    own: OutOfSample, pooled: OutOfSample, target: TargetSpec, spacing: float
) -> dict[str, Any]:
    both_own, both_pooled = own.at(pooled.positions), pooled.at(own.positions)
    return paired_evidence(
        both_own.series(target),
        both_pooled.series(target),
        target.horizon_bars,
        spacing,
    ).to_record()
