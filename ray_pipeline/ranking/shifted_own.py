"""The symbol-specific view on rolled labels: the skill that luck alone would show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.families import Problem
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.panel.reader import PanelReader, SymbolRows
from ray_pipeline.ranking.own import OutOfSample
from ray_pipeline.ranking.shifts import RolledLabels, roll_rows
from ray_pipeline.records import SymbolPartition, TargetSpec
from ray_pipeline.samples.evidence import (
    Evidence,
    block_sums,
    largest_z_score,
    series_evidence,
    time_evidence,
)
from ray_pipeline.samples.walk import FamilySettings, make_problem, predict_fold
from ray_pipeline.statistics.folds import Fold, test_rows
from ray_pipeline.statistics.skill import centred_percentile, outcome

__all__ = [
    "ShiftedMeanSpec",
    "ShiftedSymbolSpec",
    "rank_symbol_shifted",
    "summarise_symbols_shifted",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ShiftedSymbolSpec:
    """One symbol's own models on labels rolled by a few shifts.

    With fewer than `min_rows` predictions, a shift has no statistic for the single symbol.
    """

    partition: SymbolPartition
    frame: PanelFrame
    families: tuple[FamilySettings, ...]
    min_rows: int
    shifts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShiftedMeanSpec:
    """The mean over symbols; `series` and `errors` name the tables of each symbol, in order."""

    frame: PanelFrame
    families: tuple[str, ...]
    series: tuple[str, ...]
    errors: tuple[str, ...]
    shifts: tuple[int, ...]


def rank_symbol_shifted(reader: PanelReader, spec: ShiftedSymbolSpec) -> dict[str, Any]:
    """Rank a symbol's own models on rolled labels (unit function).

    Returns
    -------
    dict
        By target: the largest z-score of the families for each shift, NaN where none
        could be measured; plus the tables of block series and of standard errors.
    """
    frame = spec.frame
    rows = reader.rows(spec.partition, frame)
    walked = _walk_shifted(rows, spec)
    n_positions = frame.folds[-1].test_end - frame.test_start
    series: dict[str, NDArray[np.float32]] = {}
    errors: dict[str, list[float]] = {}
    z_scores: dict[str, list[float]] = {}
    for index, target in enumerate(frame.targets):
        span = frame.span_of(target, "symbol_specific", rows.table.symbol)
        z_scores[target.name] = []
        for shift in spec.shifts:
            found: list[Evidence] = []
            for family in spec.families:
                sample = walked.get((family.name, target.name, shift))
                if sample is None or len(sample.positions) == 0:
                    continue
                own_series = sample.series(target)
                evidence = time_evidence(own_series, span)
                sums, _ = block_sums(
                    own_series.contributions, sample.positions, frame.test_start, n_positions
                )
                column = _column(family.name, index, shift)
                series[column] = sums.astype(np.float32)
                errors[column] = [evidence.std_error]
                if evidence.n_rows >= spec.min_rows:
                    found.append(evidence)
            z_scores[target.name].append(largest_z_score(found))
    names = {kind: table_name(kind) for kind in ("series", "errors")}
    reader.run.write_table(names["series"], pa.table(series))
    reader.run.write_table(names["errors"], pa.table(errors))
    return {"symbol": rows.table.symbol, "z_scores": z_scores, **names}


def summarise_symbols_shifted(reader: PanelReader, spec: ShiftedMeanSpec) -> dict[str, Any]:
    """Measure the mean skill over symbols for each shift (unit function).

    Returns
    -------
    dict
        By target: the largest z-score of the families for each shift, NaN where none
        could be measured.
    """
    sums: dict[str, Floats] = {}
    errors: dict[str, list[float]] = {}
    tables = map(reader.run.read_tables, (spec.series, spec.errors))
    for series, own_errors in zip(*tables, strict=True):
        for column in series.column_names:
            values = series.column(column).to_numpy().astype(np.float64)
            sums[column] = sums[column] + values if column in sums else values
            errors.setdefault(column, []).extend(own_errors.column(column).to_numpy())
    return {
        "z_scores": {
            target.name: [
                largest_z_score(_mean_of(spec, target, index, shift, sums, errors))
                for shift in spec.shifts
            ]
            for index, target in enumerate(spec.frame.targets)
        }
    }


def _mean_of(
    spec: ShiftedMeanSpec,
    target: TargetSpec,
    index: int,
    shift: int,
    sums: Mapping[str, Floats],
    errors: Mapping[str, list[float]],
) -> list[Evidence]:
    """Evidence of each family that was measured on some symbol."""
    n_positions = spec.frame.folds[-1].test_end - spec.frame.test_start
    found = []
    for family in spec.families:
        column = _column(family, index, shift)
        if column in sums:
            mean = sums[column] / len(errors[column])
            per_block = n_positions / len(mean)
            horizon = spec.frame.span_of(target, "cross_sectional")
            # The number of predictions is for tables, and this figure goes into none.
            found.append(series_evidence(mean, horizon, per_block, 0, errors[column]))
    return found


def _column(family: str, index: int, shift: int) -> str:
    return f"{family}_{index}_{shift}"


def _walk_shifted(
    rows: SymbolRows, spec: ShiftedSymbolSpec
) -> dict[tuple[str, str, int], OutOfSample]:
    """Predict a symbol's rolled test labels with its own models, by (family, target, shift)."""
    frame = spec.frame
    labels = {
        (target.name, shift): rolled
        for shift in spec.shifts
        for target, rolled in _roll_symbol(rows, frame, shift)
    }
    n_rows = len(rows.positions)
    percentiles: dict[tuple[str, str, int], Floats] = {}
    outcomes: dict[tuple[str, int], Floats] = {}
    for fold in frame.folds:
        tested = np.flatnonzero(test_rows(rows.positions, fold))
        first = int(np.searchsorted(rows.positions, fold.train_start))
        if len(tested) == 0 or tested[0] == first:
            continue
        before = slice(first, int(tested[0]))
        problems = _problems(frame, fold, labels, before, int(tested[-1]) + 1)
        for (name, shift), problem in problems.items():
            if problem is not None:
                y = labels[name, shift].y
                known = tested[np.isfinite(y[tested])]
                values = outcome(y[known], problem.y[problem.rows], problem.task)
                outcomes.setdefault((name, shift), np.full(n_rows, np.nan))[known] = values
        for key, values in _fold_percentiles(rows, spec, fold, before, tested, problems).items():
            percentiles.setdefault(key, np.full(n_rows, np.nan))[tested] = values
    return {
        key: OutOfSample.where_known(rows.positions, values, outcomes[key[1:]])
        for key, values in percentiles.items()
    }


def _roll_symbol(
    rows: SymbolRows, frame: PanelFrame, shift: int
) -> list[tuple[TargetSpec, RolledLabels]]:
    symbols = np.zeros(len(rows.positions), dtype=np.int32)
    roll = roll_rows(rows.positions, symbols, frame.n_timestamps, shift)
    return [
        (
            target,
            RolledLabels.of(
                roll,
                rows.target(target.name),
                rows.positions,
                rows.label_ends(target.horizon),
                frame.n_timestamps,
            ),
        )
        for target in frame.targets
    ]


def _problems(
    frame: PanelFrame,
    fold: Fold,
    labels: Mapping[tuple[str, int], RolledLabels],
    before: slice,
    end: int,
) -> dict[tuple[str, int], Problem | None]:
    tasks = {target.name: target.task for target in frame.targets}
    return {
        (name, shift): make_problem(
            rolled.y[before],
            rolled.training_rows(
                rolled.ends[before], before, end, fold.test_start + shift, frame.embargo
            ),
            tasks[name],
            0,
        )
        for (name, shift), rolled in labels.items()
    }


def _fold_percentiles(
    rows: SymbolRows,
    spec: ShiftedSymbolSpec,
    fold: Fold,
    before: slice,
    tested: NDArray[np.int64],
    problems: Mapping[tuple[str, int], Problem | None],
) -> dict[tuple[str, str, int], Floats]:
    """Centred percentile of each test row's prediction among those of the training rows."""

    def problem_of(asked: tuple[str, int], family: str) -> Problem | None:
        problem = problems[asked]
        names = (family, asked[0], rows.table.symbol, f"fold {fold.index}")
        seed = derive_seed(spec.frame.seed, "target_ranking", *names)
        return None if problem is None else replace(problem, seed=seed)

    X = rows.table.features
    predictions = predict_fold(
        X[before],
        X[tested],
        rows.table.feature_names,
        spec.families,
        list(problems),
        problem_of,
        lambda problem, known, values: centred_percentile(values, known),
    )
    return {
        (family, *asked): found.centred_percentile
        for family, by_label in predictions.items()
        for asked, found in by_label.items()
    }
