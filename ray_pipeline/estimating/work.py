"""The work of each stage of a run, in seconds of a CPU on the reference machine (pure).

What only ranking tells (how many targets are predictable, how many symbols have models of their
own, how large trees become) is a `Course` of the run: one where nothing is found, a likely one,
and one where everything is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ray_pipeline.estimating.costs import FitCost, Models
from ray_pipeline.estimating.shape import RunShape
from ray_pipeline.selection.methods import INFORMATION_ROWS
from ray_pipeline.selection.proving import MIN_PROVEN
from ray_pipeline.selection.sample import OWN_ROWS, POOLED_ROWS

__all__ = [
    "LEAST",
    "LIKELY",
    "MOST",
    "Course",
    "Part",
    "StageWork",
    "course_of",
    "evaluated_rows",
    "n_models",
    "work_of",
]

INSPECT_SYMBOL_S, INSPECT_CELL_S, INSPECT_BAR_S = 8.0e-3, 2.5e-8, 1.5e-6
COMPARE_SYMBOL_S, COMPARE_CELL_S = 1.0e-2, 1.0e-7
SCREEN_SYMBOL_S, SCREEN_CELL_S = 2.0e-2, 3.7e-7
"""Per symbol; per row × column, per row of bars, of leaks per row × feature × target."""

POOL_SYMBOL_S, COMPUTED_CELL_S, READ_CELL_S = 1.0e-2, 4.0e-8, 1.0e-8
"""Per row × (feature or target) of a symbol's table, computed of bars or read."""

JUDGE_ROW_S, JUDGE_MODEL_S = 4.0e-7, 2.0e-3
"""Of a model's skill over a symbol's time or across symbols: per tested row, and per model."""

SCORE_S, SCORE_CELL_S, SCORE_SQUARE_S = 1.5e-2, 3.0e-8, 3.0e-10
"""Of feature selection, of a fold and target: in all, per row × feature, and row × feature²."""

INFORMATION_CELL_S = 2.0e-7
"""Of mutual information, besides."""

SELECTED_SHARE = 0.8
"""Of the features that trained models have, which keep all where selected ones do worse."""

PROVEN_SHARE = 0.6
"""Of the features that the models of a proof have."""

WRITE_ROW_S = 2.0e-6
"""Of a trained model: per out-of-sample row, written, joined and hashed."""

EVALUATE_ROW_S, EVALUATE_MODEL_S = 3.0e-6, 1.0e-2
CALIBRATE_ROW_S, CALIBRATE_TIME_S = 3.0e-6, 4.0e-4
"""Per out-of-sample row of a model, and per model."""

SHIFTED_SHARE = 0.6
"""Of a ranking, that one more of rolled labels takes: bins and scales are shared."""

LEAST_LEAVES, MOST_LEAVES = 4.0, 31.0

CourseName = Literal["least", "likely", "most"]
LEAST: CourseName = "least"
LIKELY: CourseName = "likely"
MOST: CourseName = "most"


@dataclass(frozen=True, slots=True)
class Course:
    """What a run may find.

    Attributes
    ----------
    name
        ``least``, ``likely`` or ``most``.
    n_chosen
        Targets that go on to selection and training.
    n_own
        Models of single symbols, each a target and a symbol, before families are counted.
    """

    name: CourseName
    n_chosen: float
    n_own: float

    def leaves(self, n_rows: float, of_chosen: bool = True) -> float:
        """Leaves of trees that set themselves: more rows confirm more of them.

        Parameters
        ----------
        of_chosen
            Whether the targets are those with a signal, or all.
        """
        if self.name == LEAST:
            return LEAST_LEAVES
        if self.name == MOST:
            return MOST_LEAVES
        grown = LEAST_LEAVES * math.pow(n_rows / 1500.0, 0.3 if of_chosen else 0.2)
        return min(max(grown, LEAST_LEAVES), MOST_LEAVES)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stage: its work, and the units that it is cut into; they can run side by side."""

    cost: FitCost
    n_units: int


@dataclass(frozen=True, slots=True)
class StageWork:
    """A stage, and its parts, one after the other."""

    name: str
    parts: tuple[Part, ...]

    @property
    def n_units(self) -> int:
        """Units of all parts."""
        return sum(part.n_units for part in self.parts)


def course_of(shape: RunShape, name: CourseName) -> Course:
    """Return what a run finds: nothing, what is likely, or everything."""
    if name == LEAST:
        return Course(name, 0.0, 0.0)
    most = min(len(shape.hopes), shape.top_n_targets)
    if name == MOST:
        return Course(name, most, most * shape.n_symbols if shape.is_own else 0.0)
    chosen = min(sum(shape.hopes), most)
    # What a symbol's own rows show grows with their number.
    rows = max(shape.n_rows / max(shape.n_symbols, 1), 1.0)
    share = min(max(0.13 + 0.3 * math.log10(rows / 1000.0), 0.05), 0.5)
    return Course(name, chosen, chosen * share * shape.n_symbols if shape.is_own else 0.0)


def work_of(shape: RunShape, course: Course) -> list[StageWork]:
    """Return the work of each stage that the run has, in their order."""
    s = shape
    n_own = min(math.ceil(course.n_own), s.n_symbols)
    n_pooled = math.ceil(course.n_chosen * len(s.training)) if s.is_pooled else 0
    stages = [StageWork("inspect", (Part(_inspect(s), s.n_symbols),))]
    if s.n_compared:
        seconds = s.n_rows * s.n_compared * COMPARE_CELL_S + s.n_symbols * COMPARE_SYMBOL_S
        stages.append(StageWork("cross_section", (Part(FitCost(columns=seconds), s.n_symbols),)))
    if s.n_suspects:
        cells = s.n_rows * s.n_suspects * s.n_targets
        seconds = cells * SCREEN_CELL_S + s.n_symbols * SCREEN_SYMBOL_S
        stages.append(StageWork("leakage", (Part(FitCost(columns=seconds), s.n_symbols),)))
    if s.is_pooled:
        stages.append(StageWork("pool", (Part(_pool(s), s.n_symbols),)))
    times = 1.0 + SHIFTED_SHARE * s.n_shifts
    ranking = (
        Part(_ranking_pooled(s, course) * times, s.n_folds if s.is_pooled else 0),
        Part(_ranking_own(s, course) * times, s.n_symbols),
    )
    stages.append(StageWork("target_ranking", ranking))
    if course.n_chosen:
        selection = (
            Part(_selection_pooled(s, course), s.n_folds if s.is_pooled else 0),
            Part(_selection_own(s, course), n_own),
        )
        stages.append(StageWork("feature_selection", selection))
        if s.search is not None:
            n_units = (n_pooled + n_own) * s.search.n_trials
            stages.append(StageWork("search", (Part(_search(s, course), n_units),)))
        pooled, own = _training(s, course)
        written = FitCost(columns=evaluated_rows(s, course) * WRITE_ROW_S)
        training = (Part(pooled, n_pooled * s.n_folds), Part(own, n_own), Part(written, 1))
        stages.append(StageWork("training", training))
        told = evaluated_rows(s, course) * CALIBRATE_ROW_S
        told += course.n_chosen * _rows(s) * (1.0 - s.min_train_fraction) * CALIBRATE_TIME_S
        calibration = Part(FitCost(columns=told), math.ceil(course.n_chosen))
        stages.append(StageWork("calibration", (calibration,)))
        judged = evaluated_rows(s, course) * EVALUATE_ROW_S
        judged += n_models(s, course) * EVALUATE_MODEL_S
        evaluation = Part(FitCost(columns=judged), n_pooled + n_own)
        stages.append(StageWork("evaluation", (evaluation,)))
        n_models_of_job, is_of_own = s.policies
        if n_models_of_job:
            times = n_models_of_job / (s.n_folds + 1)
            policies = [Part(pooled * times, n_pooled * s.n_folds)]
            if is_of_own:
                policies.append(Part(own * times, n_own))
            stages.append(StageWork("policies", tuple(policies)))
    return stages


def _inspect(s: RunShape) -> FitCost:
    of_row = s.n_columns * INSPECT_CELL_S + (INSPECT_BAR_S if s.is_computed else 0.0)
    return FitCost(columns=s.n_symbols * INSPECT_SYMBOL_S + s.n_rows * of_row)


def _read(s: RunShape) -> float:
    """Seconds of reading or computing all tables once."""
    per_cell = COMPUTED_CELL_S if s.is_computed else READ_CELL_S
    return s.n_rows * (s.n_features + s.n_targets) * per_cell


def _pool(s: RunShape) -> FitCost:
    pooled = s.pool_rows * (s.n_features + s.n_targets) * READ_CELL_S
    return FitCost(columns=s.n_symbols * POOL_SYMBOL_S + _read(s) + pooled)


def _rows(s: RunShape) -> float:
    """Rows of a symbol, on average."""
    return s.n_rows / max(s.n_symbols, 1)


def _ranking_pooled(s: RunShape, course: Course) -> FitCost:
    if not s.is_pooled:
        return FitCost()
    # Labels compared within their timestamp, and as they are for each symbol's own time.
    n_fits = s.n_targets * (2 if s.is_compared and s.is_own else 1)
    total = FitCost(columns=len(s.ranking) * s.pool_rows * n_fits * JUDGE_ROW_S)
    for models in s.ranking:
        total = total + _walk(s, models, s.pool_rows, n_fits, course)
    return total


def _ranking_own(s: RunShape, course: Course) -> FitCost:
    if not s.is_own:
        return FitCost()
    rows = _rows(s)
    judged = s.n_targets * len(s.ranking) * (JUDGE_MODEL_S + rows * JUDGE_ROW_S)
    total = FitCost(columns=judged)
    for models in s.ranking:
        total = total + _walk(s, models, rows, s.n_targets, course)
    return total * s.n_symbols + FitCost(columns=0.0 if s.is_pooled else _read(s))


def _walk(s: RunShape, models: Models, n_rows: float, n_fits: float, course: Course) -> FitCost:
    """Return what models of all folds cost, which share the matrix of a fold."""
    trained = n_rows * _trained_share(s)
    leaves = course.leaves(trained, of_chosen=False)
    of_fold = models.shared_s(trained, s.n_features)
    of_fit = models.fit_s(trained, s.n_features, leaves)
    of_fit += models.predict_s(trained + _tested_rows(s, n_rows), s.n_features, leaves)
    return _of_kind(models, s.n_folds * (of_fold + n_fits * of_fit))


def _proof(s: RunShape, models: Models, n_rows: float, n_fits: float, course: Course) -> FitCost:
    """Return what models on selected features cost, of every third fold, the last among them."""
    features, leaves = s.n_features * PROVEN_SHARE, course.leaves(n_rows)
    of_fold = models.shared_s(n_rows, features)
    of_fit = models.fit_s(n_rows, features, leaves)
    of_fit += models.predict_s(_tested_rows(s, n_rows), features, leaves)
    return _of_kind(models, max(1, s.n_folds // 3) * (of_fold + n_fits * of_fit))


def _tested_rows(s: RunShape, n_rows: float) -> float:
    """Rows of a test fold."""
    return n_rows * (1.0 - s.min_train_fraction) / s.n_folds


def _trained_share(s: RunShape) -> float:
    """Share of the rows that train for a test fold, on average over the folds."""
    if s.windows is not None:
        return s.windows[0]
    m, k = s.min_train_fraction, s.n_folds
    return m + (1.0 - m) * (k - 1) / (2 * k)


def _of_kind(models: Models, seconds: float) -> FitCost:
    is_trees = models.cost.kind == "trees"
    return FitCost(trees=seconds) if is_trees else FitCost(linear=seconds)


def _selection_pooled(s: RunShape, course: Course) -> FitCost:
    if not s.is_pooled:
        return FitCost()
    scored = _scored(s, min(s.pool_rows * _trained_share(s), POOLED_ROWS), course)
    total = scored * (s.n_folds * course.n_chosen)
    for models in s.ranking:
        total = total + _proof(s, models, s.pool_rows, course.n_chosen, course)
    return total


def _selection_own(s: RunShape, course: Course) -> FitCost:
    scored = _scored(s, min(_rows(s) * _trained_share(s), OWN_ROWS), course)
    total = scored * (s.n_folds * course.n_own)
    n_proven = min(course.n_own, MIN_PROVEN * course.n_chosen)
    for models in s.ranking:
        total = total + _proof(s, models, _rows(s), 1.0, course) * n_proven
    return total


def _scored(s: RunShape, n_rows: float, course: Course) -> FitCost:
    """Return what scoring the features of one fold and target costs."""
    f = s.n_features
    seconds = SCORE_S + n_rows * f * (SCORE_CELL_S + SCORE_SQUARE_S * f)
    if "mutual_information" in s.methods:
        seconds += min(n_rows, INFORMATION_ROWS) * f * INFORMATION_CELL_S
    total = FitCost(columns=seconds)
    for models in s.refitted:
        fitted = models.shared_s(n_rows, f) + models.fit_s(n_rows, f, course.leaves(n_rows))
        total = total + _of_kind(models, fitted)
    return total


def _training(s: RunShape, course: Course) -> tuple[FitCost, FitCost]:
    """Return the work of the pooled models, and that of symbols' own."""
    n_pooled, n_own = _trained_models(s, course)
    pooled, own = FitCost(), FitCost()
    for models in s.training:
        pooled = pooled + _jobs(s, models, s.pool_rows, s.trained_rows, course) * n_pooled
        own = own + _jobs(s, models, _rows(s), _rows(s), course) * n_own
    return pooled, own


def _jobs(
    s: RunShape, models: Models, n_rows: float, trained_rows: float, course: Course
) -> FitCost:
    """Return what one job costs: a model of each fold, and one of all rows."""
    features = s.n_features * SELECTED_SHARE
    total = 0.0
    for trained, n_fits, n_tested in (
        (trained_rows * _trained_share(s), s.n_folds, _tested_rows(s, n_rows)),
        (trained_rows * (1.0 if s.windows is None else s.windows[1]), 1, 0.0),
    ):
        leaves = course.leaves(trained)
        of_fit = models.shared_s(trained, features)
        of_fit += models.fit_s(trained, features, leaves)
        of_fit += models.predict_s(min(trained, n_rows) + n_tested, features, leaves)
        total += n_fits * of_fit
    return _of_kind(models, total)


def _search(s: RunShape, course: Course) -> FitCost:
    if s.search is None:
        return FitCost()
    n_pooled, n_own = _trained_models(s, course)
    n_places = (n_pooled + n_own) * len(s.training) * (s.n_folds + 1)
    n_trials = n_places * s.search.n_trials
    if s.search.max_trials is not None:
        n_trials = min(n_trials, s.search.max_trials)
    share = n_trials / max(n_places, 1.0)
    rows = _rows(s)
    total = FitCost()
    for models in s.training:
        # An inner fold is trained on about as small a share of the fold's rows as that of all.
        for n_jobs, n_rows in ((n_pooled, s.pool_rows), (n_own, rows)):
            job = _jobs(s, models, n_rows * _trained_share(s), n_rows * _trained_share(s), course)
            total = total + job * (n_jobs * share * s.search.n_splits)
    return total


def _trained_models(s: RunShape, course: Course) -> tuple[float, float]:
    """Return pooled and own models of a family, no more than the plan may have."""
    n_pooled = course.n_chosen if s.is_pooled else 0.0
    n_own = course.n_own
    n_families = len(s.training)
    if s.max_jobs is not None and n_families:
        most = s.max_jobs / n_families
        n_pooled = min(n_pooled, most)
        n_own = min(n_own, most - n_pooled)
    return n_pooled, n_own


def n_models(s: RunShape, course: Course) -> float:
    """Models of all families that are trained, averages among them."""
    n_pooled, n_own = _trained_models(s, course)
    return (n_pooled + n_own) * (len(s.training) + s.has_average)


def evaluated_rows(s: RunShape, course: Course) -> float:
    """Out-of-sample rows of all models."""
    n_pooled, n_own = _trained_models(s, course)
    rows = _rows(s)
    tested = (n_pooled * s.pool_rows + n_own * rows) * (1.0 - s.min_train_fraction)
    return tested * (len(s.training) + s.has_average)
