"""What a fold's models are given does not depend on anything from its test rows on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from frames import MemoryReader, make_frame, make_table, partition_of, pool_of
from recording import RecordingFamily, recorded
from unit_calls import call

from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.ranking.own import walk_symbol
from ray_pipeline.ranking.pooled import PooledFoldSpec, rank_pooled_fold
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.ranking.shifted_own import ShiftedSymbolSpec, rank_symbol_shifted
from ray_pipeline.ranking.shifted_pooled import ShiftedPoolSpec, rank_pool_shifted
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.learned import LabelComparison
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.statistics.folds import Fold

FAMILIES = (FamilySettings("ridge"),)
TARGETS = (
    TargetSpec("y1", 1, "regression"),
    TargetSpec("y9", 9, "regression"),
    TargetSpec("b9", 9, "binary"),
)
COMPARISON = LabelComparison("z_score", 3)
N_TIMESTAMPS = 260
EMBARGO = 2


def _tables(seed: int = 0) -> list[SymbolTable]:
    """Three symbols: one complete, one listed late, one with holes."""
    random = np.random.default_rng(seed)
    everywhere = np.arange(N_TIMESTAMPS)
    tables = []
    for symbol, positions in (
        ("A", everywhere),
        ("B", everywhere[30:]),
        ("C", everywhere[random.random(N_TIMESTAMPS) < 0.8]),
    ):
        noise = random.standard_normal((len(positions), 4))
        targets = {"y1": noise[:, 0], "y9": noise[:, 1], "b9": (noise[:, 2] > 0).astype(float)}
        tables.append(make_table(symbol, noise, targets, positions))
    return tables


def _with_another_future(table: SymbolTable, fold: Fold, embargo: int) -> SymbolTable:
    """Change all rows of the fold and later, and all labels that saw one of them (or nearly)."""
    features, targets = table.features.copy(), table.targets.copy()
    random = np.random.default_rng(99)
    future = table.time_ns >= fold.test_start
    features[future] = random.standard_normal(features[future].shape)
    for j, target in enumerate(TARGETS):
        for row in range(table.n_rows):
            seen = table.time_ns[row + 1 : row + 1 + target.horizon_bars]
            # Bars that the table does not have come after its last one.
            reaches = len(seen) < target.horizon_bars or seen[-1] >= fold.test_start - embargo
            if future[row] or reaches:
                targets[row, j] = random.integers(2) if target.task == "binary" else 1e6
    return SymbolTable(
        table.symbol,
        table.time_ns,
        features,
        table.feature_names,
        targets,
        table.target_names,
    )


def _with_another_past(table: SymbolTable, first: int, with_labels: bool) -> SymbolTable:
    """Change all rows before a position."""
    features, targets = table.features.copy(), table.targets.copy()
    random = np.random.default_rng(98)
    past = table.time_ns < first
    features[past] = random.standard_normal(features[past].shape)
    if with_labels:
        targets[past] = random.integers(2, size=targets[past].shape)
    return replace(table, features=features, targets=targets)


def _own(tables: list[SymbolTable], frame: PanelFrame) -> RecordingFamily:
    reader = MemoryReader(tables)
    with recorded() as family:
        for symbol in sorted(reader.tables):
            walk_symbol(reader.rows(partition_of(symbol), frame), frame, FAMILIES)[0]
    return family


def _pooled(tables: list[SymbolTable], frame: PanelFrame) -> RecordingFamily:
    reader = MemoryReader(tables)
    pool, names = pool_of(reader, frame)
    state: Any = reader
    with recorded("offsets") as family:
        for fold in frame.folds:
            call(
                rank_pooled_fold,
                state,
                PooledFoldSpec(frame, names, fold.index, FAMILIES, COMPARISON),
                pool,
            )
    return family


def _shifted(tables: list[SymbolTable], frame: PanelFrame) -> RecordingFamily:
    reader = MemoryReader(tables)
    pool, names = pool_of(reader, frame)
    state: Any = reader
    settings = RankingSettings(FAMILIES, COMPARISON.min_labels, COMPARISON)
    with recorded("offsets") as family:
        call(rank_pool_shifted, state, ShiftedPoolSpec(frame, names, settings, (40,)), pool)
        for symbol in sorted(reader.tables):
            spec = ShiftedSymbolSpec(partition_of(symbol), frame, FAMILIES, 20, (40,))
            call(rank_symbol_shifted, state, spec)
    return family


Walk = Callable[[list[SymbolTable], PanelFrame], RecordingFamily]


def _fits_of_fold(walk: Walk, tables: list[SymbolTable], frame: PanelFrame, fold: int) -> Any:
    """Fits of one fold: of each symbol in turn, or of the pool."""
    return walk(tables, frame).fits[fold :: len(frame.folds)]


@pytest.mark.parametrize("walk", [_own, _pooled])
@pytest.mark.parametrize("fold", [0, 1, 2])
def test_another_future_changes_nothing_that_a_fold_is_trained_on(walk: Walk, fold: int) -> None:
    """Features, rows, labels, weights and seeds are the same bits when the future is replaced.

    Of the pooled models both kinds are fitted: labels compared with those of symbols with holes,
    which end later, and labels as they are.
    """
    tables = _tables()
    frame = make_frame(N_TIMESTAMPS, TARGETS, ("x0", "x1", "x2", "x3"), embargo=EMBARGO)
    changed = [_with_another_future(table, frame.folds[fold], EMBARGO) for table in tables]
    before = _fits_of_fold(walk, tables, frame, fold)
    after = _fits_of_fold(walk, changed, frame, fold)
    assert len(before) == len(after) == (3 if walk is _own else 1)
    for (X, problems), (X_changed, changed_problems) in zip(before, after, strict=True):
        assert np.array_equal(X, X_changed)
        n_questions = 1 if walk is _own else 2
        assert len(problems) == len(changed_problems) == n_questions * len(TARGETS)
        for problem, other in zip(problems, changed_problems, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(problem, other, strict=True))


@pytest.mark.parametrize("walk", [_own, _pooled])
def test_the_past_does_change_what_a_fold_is_trained_on(walk: Walk) -> None:
    """The comparison above would notice: other rows before the fold give other fits."""
    frame = make_frame(N_TIMESTAMPS, TARGETS, ("x0", "x1", "x2", "x3"), embargo=EMBARGO)
    (X, _), *_ = _fits_of_fold(walk, _tables(0), frame, 1)
    (X_other, _), *_ = _fits_of_fold(walk, _tables(1), frame, 1)
    assert X.shape[1] == X_other.shape[1]
    assert not np.array_equal(X[:50], X_other[:50])


@pytest.mark.parametrize("walk", [_own, _pooled, _shifted])
def test_rows_before_a_rolling_window_are_not_there(walk: Walk) -> None:
    """Other rows before the window of the last fold change nothing that it is given.

    Labels that are rolled come from anywhere; the rows that learn them do not.
    """
    tables = _tables()
    frame = make_frame(N_TIMESTAMPS, TARGETS, ("x0", "x1", "x2", "x3"), embargo=EMBARGO)
    folds = tuple(replace(fold, train_start=fold.test_start - 90) for fold in frame.folds)
    rolling = replace(frame, folds=folds, final_start=N_TIMESTAMPS - 90)
    first = folds[-1].train_start
    changed = [_with_another_past(table, first, walk is not _shifted) for table in tables]
    before = _fits_of_fold(walk, tables, rolling, 2)
    after = _fits_of_fold(walk, changed, rolling, 2)
    assert len(before) == len(after) > 0
    for (X, problems), (X_changed, changed_problems) in zip(before, after, strict=True):
        assert len(X) <= 90 * len(tables)
        assert np.array_equal(X, X_changed, equal_nan=True)
        assert len(problems) == len(changed_problems) > 0
        for problem, other in zip(problems, changed_problems, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(problem, other, strict=True))
    # The same change is seen where windows expand.
    (X, _), *_ = _fits_of_fold(walk, tables, frame, 2)
    (X_changed, _), *_ = _fits_of_fold(walk, changed, frame, 2)
    assert not np.array_equal(X, X_changed, equal_nan=True)


@pytest.mark.parametrize("walk", [_own, _pooled])
def test_every_row_that_could_be_kept_is_trained_on(walk: Walk) -> None:
    """On a complete symbol: all rows before the fold less the horizon and the embargo."""
    tables = _tables()[:1]
    frame = make_frame(N_TIMESTAMPS, TARGETS, ("x0", "x1", "x2", "x3"), embargo=EMBARGO)
    fits = walk(tables, frame).fits
    for fold, (X, problems) in zip(frame.folds, fits, strict=True):
        assert len(X) == fold.test_start
        for target, (rows, *_) in zip(TARGETS, problems, strict=True):
            assert np.array_equal(rows, np.arange(fold.test_start - target.horizon_bars - EMBARGO))


def test_seeds_come_from_names_not_from_the_order_of_work() -> None:
    """A symbol walked alone is given the seeds that it has in company."""
    tables = _tables()
    frame = make_frame(N_TIMESTAMPS, TARGETS, ("x0", "x1", "x2", "x3"))
    together, alone = _own(tables, frame).fits[3:6], _own(tables[1:2], frame).fits
    seeds = [[problem[3] for problem in problems] for _, problems in together]
    assert seeds == [[problem[3] for problem in problems] for _, problems in alone]
    assert len({seed for fold in seeds for seed in fold}) == 9
