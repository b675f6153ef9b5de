"""The cross-sectional view: models over all symbols, tested on how they order them.

There are two questions about a target, and each has its model. Who beats whom at a timestamp:
labels are compared within their timestamp, and skill is measured across symbols. What a symbol does
over its own time: raw labels, with skill over each symbol's time, next to that of its own models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.families import Problem, label_form
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.samples.evidence import PredictedRows, SkillMeasure, evidence_of
from ray_pipeline.samples.learned import LabelComparison, LearnedLabels
from ray_pipeline.samples.memo import FoldMemo
from ray_pipeline.samples.pool import Pool
from ray_pipeline.samples.walk import FamilySettings, FoldPrediction, predict_fold
from ray_pipeline.statistics.skill import centred_percentile

__all__ = [
    "PooledFoldSpec",
    "PooledPredictions",
    "PooledSpec",
    "assemble_predictions",
    "centred_percentile_by_symbol",
    "rank_pooled_fold",
    "summarise_pooled",
]


Floats = NDArray[np.float64]
Symbols = NDArray[np.int32]

MIN_REFERENCE = 60
"""Minimum training rows of a symbol among which its predictions are ranked."""


@dataclass(frozen=True, slots=True)
class PooledFoldSpec:
    """One fold of the pooled models; `pool` names the pool's slices.

    Attributes
    ----------
    comparison
        How labels are compared for the question across symbols; None: one model of raw labels
        answers both.
    over_time
        Whether skill over a symbol's own time is needed.
    """

    frame: PanelFrame
    pool: tuple[str, ...]
    fold: int
    families: tuple[FamilySettings, ...]
    comparison: LabelComparison | None
    over_time: bool = True


@dataclass(frozen=True, slots=True)
class PooledSpec:
    """The folds' predictions, joined; `tables` is one name per fold."""

    frame: PanelFrame
    pool: tuple[str, ...]
    tables: tuple[str, ...]
    settings: RankingSettings


@dataclass(frozen=True, slots=True)
class PooledPredictions:
    """Out-of-sample predictions of the pooled models, sorted by symbol and then by position.

    Attributes
    ----------
    symbols
        Symbol names; symbol i has the rows ``offsets[i]:offsets[i + 1]``.
    offsets
        Shape (n_symbols + 1,).
    positions
        Shape (n_rows,).
    percentiles
        Centred percentile of each prediction over the symbol's time among those of the symbol's
        training rows, by (family, target), float32, shape (n_rows,); NaN where no model could be
        fitted.
    spacing
        Panel positions per sampled timestamp.
    """

    symbols: tuple[str, ...]
    offsets: NDArray[np.int64]
    positions: NDArray[np.int64]
    percentiles: dict[tuple[str, str], NDArray[np.float32]]
    spacing: float

    def rows_of(self, symbol: str) -> slice:
        """Rows of one symbol."""
        index = self.symbols.index(symbol)
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))


Asked = tuple[str, Literal["compared", "raw"]]
"""A target by name, and the labels that a model of it learns."""


def rank_pooled_fold(reader: PanelReader, spec: PooledFoldSpec, pool: Pool) -> dict[str, Any]:
    """Fit all families and targets on a fold and write their predictions (unit function).

    The table has, by family and target, the predictions of the model that is judged across
    symbols, and the centred percentiles of the one that is judged over each symbol's time. Another
    one has the importances of the first.
    """
    fold = spec.frame.folds[spec.fold]
    # The pool is sorted by position: both sides of the split are views, not copies.
    edges = [fold.train_start, fold.test_start, fold.test_end]
    first_row, start, end = np.searchsorted(pool.positions, edges).tolist()
    before = slice(first_row, start)
    columns: dict[str, Any] = {"row": np.arange(start, end)}
    importances: dict[str, Any] = {}
    nothing = np.full(end - start, np.nan)
    with FoldMemo.kept(
        reader.run, spec.frame, __name__, "rank_pooled_fold", str(spec.fold)
    ) as memo:
        predicted = [
            (settings, *_predict_family(spec, pool, before, end, settings, memo))
            for settings in spec.families
        ]
    for settings, across, found in predicted:
        for index, target in enumerate(spec.frame.targets):
            first, second = found.get((target.name, across)), found.get((target.name, "raw"))
            values = nothing if first is None else first.values
            percentiles = nothing if second is None else second.centred_percentile
            columns[f"{settings.name}_{index}"] = values.astype(np.float32)
            columns[f"{settings.name}_{index}_percentile"] = percentiles.astype(np.float32)
            if first is not None:
                importances[f"{settings.name}_{index}"] = first.importances
    name, carried = table_name("predictions"), table_name("importances")
    reader.run.write_table(name, pa.table(columns))
    reader.run.write_table(carried, pa.table(importances))
    return {"table": name, "importances": carried, "n_rows": end - start}


def _predict_family(
    spec: PooledFoldSpec,
    pool: Pool,
    before: slice,
    end: int,
    settings: FamilySettings,
    memo: FoldMemo,
) -> tuple[Literal["compared", "raw"], dict[Asked, FoldPrediction]]:
    """Fit a family for each question; return which labels answer the one across symbols."""
    frame, fold, comparison = spec.frame, spec.frame.folds[spec.fold], spec.comparison
    form = label_form(settings.name)
    targets = {target.name: target for target in frame.targets}
    across: Literal["compared", "raw"] = (
        "raw" if comparison is None or form == "as_they_are" else "compared"
    )
    # Problems of one kind come first, because neighbours share rows and weights.
    kinds = dict.fromkeys((across, "raw") if spec.over_time else (across,))
    asked: list[Asked] = [(name, kind) for kind in kinds for name in targets]

    def problem_of(asked: Asked, family: str) -> Problem | None:
        target = targets[asked[0]]
        y, ends = pool.target(target.name)[before], pool.ends(target.horizon)[before]
        if asked[1] == "raw" or comparison is None:
            learned = LearnedLabels.as_they_are(y, ends, target.task)
        else:
            learned = LearnedLabels.compared(
                y,
                pool.positions[before],
                pool.cells[before],
                ends,
                target.task,
                comparison,
                form,
            )
        names = ("target_ranking", family, target.name, f"fold {fold.index}")
        return learned.fold_problem(fold, frame.embargo, derive_seed(frame.seed, *names))

    predictions = predict_fold(
        pool.X[before],
        pool.X[before.stop : end],
        pool.feature_names,
        [settings],
        asked,
        problem_of,
        lambda problem, known, values: centred_percentile_by_symbol(
            values,
            pool.symbol_index[before.stop : end],
            known,
            pool.symbol_index[before][problem.rows],
        ),
        unranked=[each for each in asked if each[1] == "compared" or not spec.over_time],
        memo=memo,
        ranked_by=[pool.symbol_index[before.start : end]],
    )
    return across, predictions[settings.name]


def centred_percentile_by_symbol(
    values: Floats, symbols: Symbols, reference: Floats, reference_symbols: Symbols
) -> Floats:
    """Rank predictions among the same model's training predictions for the same symbol.

    A late symbol with fewer than `MIN_REFERENCE` training rows is ranked among those of all
    symbols.

    Parameters
    ----------
    values, symbols
        Predictions of the test rows and their symbols, shape (n_test,).
    reference, reference_symbols
        The same of the training rows, shape (n_train,).
    """
    ranked = centred_percentile(values, reference)
    by_symbol = np.argsort(reference_symbols, kind="stable")
    known = reference_symbols[by_symbol]
    for symbol in np.unique(symbols).tolist():
        first, last = np.searchsorted(known, [symbol, symbol + 1]).tolist()
        if last - first >= MIN_REFERENCE:
            rows = symbols == symbol
            ranked[rows] = centred_percentile(values[rows], reference[by_symbol[first:last]])
    return ranked


def assemble_predictions(reader: PanelReader, spec: PooledSpec, pool: Pool) -> PooledPredictions:
    """Join the folds' predictions, sorted by symbol (shared unit)."""
    tables = list(reader.run.read_tables(spec.tables))
    rows = np.concatenate([table.column("row").to_numpy() for table in tables])
    order = np.lexsort((pool.positions[rows], pool.symbol_index[rows]))
    percentiles = {
        (family, target.name): np.concatenate(
            [table.column(f"{family}_{index}_percentile").to_numpy() for table in tables]
        )[order]
        for family in spec.settings.family_names
        for index, target in enumerate(spec.frame.targets)
    }
    counts = np.bincount(pool.symbol_index[rows], minlength=len(pool.symbols))
    return PooledPredictions(
        symbols=pool.symbols,
        offsets=np.r_[0, np.cumsum(counts)],
        positions=pool.positions[rows][order],
        percentiles=percentiles,
        spacing=pool.spacing,
    )


def summarise_pooled(reader: PanelReader, spec: PooledSpec, pool: Pool) -> dict[str, Any]:
    """Measure each pooled model's skill across symbols (unit function).

    Returns
    -------
    dict
        By target: evidence per family, symbols and rows tested.
    """
    tables = list(reader.run.read_tables(spec.tables))
    rows = np.concatenate([table.column("row").to_numpy() for table in tables])
    positions, cells = pool.positions[rows], pool.cells[rows]
    symbols = pool.symbol_index[rows]
    has_others = np.ones(len(rows), dtype=bool)
    if pool.groups is not None:
        has_others = pool.groups.codes[rows] >= 0
    summary: dict[str, Any] = {}
    for index, target in enumerate(spec.frame.targets):
        actual = pool.target(target.name)[rows]
        span = spec.frame.span_of(target, "cross_sectional")
        measure = SkillMeasure(
            "cross_sectional", target.task, span, pool.spacing, spec.settings.min_cs
        )
        families: dict[str, Any] = {}
        tested = np.zeros(len(rows), dtype=bool)
        for family in spec.settings.family_names:
            prediction = np.concatenate(
                [table.column(f"{family}_{index}").to_numpy() for table in tables]
            ).astype(np.float64)
            usable = np.isfinite(prediction) & np.isfinite(actual)
            tested |= usable & has_others
            predicted = PredictedRows(
                prediction[usable], actual[usable], positions[usable], cells[usable]
            )
            families[family] = evidence_of(measure, predicted).to_record()
        summary[target.name] = {
            "families": families,
            "n_symbols": len(np.unique(symbols[tested])),
            "n_rows": int(tested.sum()),
        }
    return {"targets": summary}
