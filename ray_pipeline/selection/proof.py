"""The share of skill that the chosen features keep, from models fitted on the folds' choices.

A fold's model is fitted on the features that the fold chose, as ranking fitted it on all, and
predicts the fold's test rows. No test row influences what its own fold chose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import Model, Problem, fit_by_columns, label_form, load_family
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.samples.memo import FoldMemo
from ray_pipeline.samples.walk import FamilySettings, problem_parts
from ray_pipeline.selection.choosing import Designs
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.skill import centred_percentile

__all__ = [
    "FittedAnew",
    "fit_on_chosen",
    "on_proven_folds",
    "predict_on_chosen",
    "proven_folds",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def proven_folds(frame: PanelFrame) -> tuple[Fold, ...]:
    """Take every third fold, counted from the last, and at least one, to limit the cost of a proof.

    The difference of two models on the same rows is known far better than the skill of either, so
    that few rows do; and the last folds train on what is most like the final model's rows. Of a
    panel that grows by whole folds it is every third from the second on, so that a fold once
    proven stays so.
    """
    folds = frame.folds
    if frame.grows:
        return folds[1::3]
    n_proven = max(1, len(folds) // 3)
    return folds[::-3][:n_proven][::-1]


def on_proven_folds(frame: PanelFrame, positions: Ints) -> tuple[Ints, int]:
    """Map positions to the concatenated time of the proven folds.

    Returns
    -------
    tuple
        The place of each position, −1 outside those folds, shape (n_rows,); and places in all.
    """
    places = np.full(len(positions), -1, dtype=np.int64)
    n_places = 0
    for fold in proven_folds(frame):
        inside = (positions >= fold.test_start) & (positions < fold.test_end)
        places[inside] = positions[inside] - fold.test_start + n_places
        n_places += fold.test_end - fold.test_start
    return places, n_places


@dataclass(frozen=True, slots=True)
class FittedAnew:
    """A fold's model on the features that the fold chose.

    Attributes
    ----------
    X
        Rows that may train and those of the test fold, all features, shape (n_rows, n_features).
    n_before
        Rows of X before the test fold.
    columns
        Features of the model.
    rows
        Its training rows.
    """

    model: Model
    X: NDArray[np.float32]
    n_before: int
    columns: Ints
    rows: Ints

    def predict_test(self) -> Floats:
        """Predict the fold's test rows, shape (n_test,)."""
        return self.model.predict(self.X[self.n_before :].take(self.columns, axis=1))

    def predict_training(self) -> Floats:
        """Predict the rows that the model was trained on, shape (n_train,)."""
        return self.model.predict(self.X[np.ix_(self.rows, self.columns)])


def fit_on_chosen(
    designs: Designs,
    fold: Fold,
    chosen: Mapping[str, Sequence[str]],
    family: FamilySettings,
    frame: PanelFrame,
    symbol: str | None = None,
) -> dict[str, FittedAnew]:
    """Fit a fold's models as ranking did, but only on some features.

    Parameters
    ----------
    chosen
        Features by target; targets share their rows.
    symbol
        For own models, whose seeds ranking derives from it.

    Returns
    -------
    dict
        By target; one that ranking had no model of is absent.
    """
    own = () if symbol is None else (symbol,)
    problems: dict[str, Problem] = {}
    columns: dict[str, Ints] = {}
    for target, features in chosen.items():
        design = designs.of(target)
        _, start, end = design.split(fold)
        seed = derive_seed(
            frame.seed, "target_ranking", family.name, target, *own, f"fold {fold.index}"
        )
        problem = designs.problem(target, fold, label_form(family.name), seed)
        if problem is not None and start < end:
            # In the panel's order, because the order by strength would give another model of trees.
            asked = frozenset(features)
            places = [j for j, name in enumerate(design.feature_names) if name in asked]
            problems[target], columns[target] = problem, np.array(places, dtype=np.int64)
    if not problems:
        return {}
    design = designs.of(next(iter(problems)))
    first, start, end = design.split(fold)
    models = fit_by_columns(
        load_family(family.name),
        design.X[first:start],
        design.feature_names,
        list(problems.values()),
        list(columns.values()),
        dict(family.hyperparameters),
    )
    return {
        target: FittedAnew(
            model, design.X[first:end], start - first, columns[target], problems[target].rows
        )
        for target, model in zip(problems, models, strict=True)
    }


def predict_on_chosen(
    designs: Designs,
    fold: Fold,
    chosen: Mapping[str, Sequence[str]],
    family: FamilySettings,
    frame: PanelFrame,
    memo: FoldMemo,
    symbol: str | None = None,
) -> dict[str, Floats]:
    """Predict a fold's test rows with models on the chosen features; see `fit_on_chosen`.

    Returns
    -------
    dict
        By target, shape (n_test,). Of the pool the predictions; of a symbol their centred
        percentiles among those of the rows that the model was trained on.
    """

    def told(fitted: FittedAnew) -> Floats:
        predicted = fitted.predict_test()
        if symbol is None:
            return predicted
        return centred_percentile(predicted, fitted.predict_training())

    def compute() -> dict[str, Floats]:
        found = fit_on_chosen(designs, fold, chosen, family, frame, symbol)
        return {target: told(fitted) for target, fitted in found.items()}

    return dict(memo.recall(_parts_of(designs, fold, chosen, family, frame, symbol), compute))


def _parts_of(
    designs: Designs,
    fold: Fold,
    chosen: Mapping[str, Sequence[str]],
    family: FamilySettings,
    frame: PanelFrame,
    symbol: str | None,
) -> Iterator[object]:
    """Describe everything on which a fold's models depend, without fitting them."""
    yield from (family, fold.index, frame.seed, symbol)
    for place, (target, features) in enumerate(chosen.items()):
        design = designs.of(target)
        first, start, end = design.split(fold)
        if place == 0:
            yield from (design.X[first:end], list(design.feature_names), start - first)
        yield from (target, list(features))
        problem = designs.problem(target, fold, label_form(family.name))
        yield from () if problem is None else problem_parts(problem)
