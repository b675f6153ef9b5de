"""Walks over the folds with some features late, left out, or as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import Model, Problem, load_family
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.evidence import Evidence, PredictedRows, evidence_of
from ray_pipeline.samples.walk import FamilySettings, fold_problem
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.skill import centred_percentile, outcome

__all__ = ["Late", "Question", "measure_late", "shares_of"]

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]

TRAINING_ROWS = 30_000
"""Rows of a training range that models are fitted on, whole timestamps, evenly spaced: a skill that
is in doubt needs no more to show."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one design.

    Attributes
    ----------
    family
        The one whose skill is in doubt.
    names
        What the seeds are derived from.
    """

    target: TargetSpec
    frame: PanelFrame
    family: FamilySettings
    min_cs: int
    names: tuple[str, ...]

    def problem(self, design: Design, fold: Fold) -> tuple[NDArray[np.int64], Problem | None]:
        """Return the rows before a test fold that are kept, and the training problem on them."""
        start, _ = design.split(fold)
        kept = _thinned(design.positions[:start])
        seed = derive_seed(self.frame.seed, "doubt", *self.names, f"fold {fold.index}")
        problem = fold_problem(
            design.y[kept],
            design.label_ends[kept],
            self.target.task,
            fold,
            self.frame.embargo,
            seed,
        )
        return kept, problem

    def fit(self, X: Matrix, names: Sequence[str], problem: Problem) -> Model:
        """Fit one model."""
        hyperparameters: dict[str, Any] = dict(self.family.hyperparameters)
        (model,) = load_family(self.family.name).fit(X, names, [problem], hyperparameters)
        return model


@dataclass(frozen=True, slots=True)
class Late:
    """Columns of some features as they were earlier, all of shape (n_rows, n_late).

    Attributes
    ----------
    columns
        Places of the features in the design, shape (n_late,).
    bar, horizon
        Their values one bar and one horizon before, NaN where there are none.
    """

    columns: tuple[int, ...]
    bar: Matrix
    horizon: Matrix


def shares_of(design: Design, question: Question) -> Floats:
    """Return how much of the models' importance each feature has, shape (n_features,).

    The mean over folds of the shares within a model; zeros where nothing could be fitted.
    """
    shares = []
    for fold in question.frame.folds:
        kept, problem = question.problem(design, fold)
        if problem is not None:
            found = question.fit(design.X[kept], design.feature_names, problem).importances
            shares.append(found / total if (total := float(found.sum())) > 0 else 0.0 * found)
    return np.mean(shares, axis=0) if shares else np.zeros(len(design.feature_names))


def measure_late(design: Design, question: Question, late: Late) -> dict[str, Any]:
    """Measure the skill with features as they are, late and left out.

    Returns
    -------
    dict
        Records of `Evidence`: ``skill`` as they are; ``bar``, ``horizon`` and ``without`` for all
        of `late` together; and the first two for each of them alone, by its place in the design.
    """
    names = list(design.feature_names)
    together: dict[str, Any] = {
        "skill": _skill(design, question, design.X, names),
        "bar": _skill(design, question, _replaced(design.X, late.columns, late.bar), names),
        "horizon": _skill(design, question, _replaced(design.X, late.columns, late.horizon), names),
    }
    left = [j for j in range(len(names)) if j not in late.columns]
    nothing = Evidence.none().to_record()
    kept = [names[j] for j in left]
    together["without"] = _skill(design, question, design.X[:, left], kept) if left else nothing
    alone = {
        str(column): {
            when: _skill(design, question, _replaced(design.X, (column,), values[:, [j]]), names)
            for when, values in (("bar", late.bar), ("horizon", late.horizon))
        }
        for j, column in enumerate(late.columns)
        if len(late.columns) > 1
    }
    return {"together": together, "alone": alone}


def _replaced(X: Matrix, columns: Sequence[int], values: Matrix) -> Matrix:
    replaced = X.copy()
    replaced[:, list(columns)] = values
    return replaced


def _skill(
    design: Design, question: Question, X: Matrix, names: Sequence[str]
) -> Mapping[str, Any]:
    pieces = list(_walk(design, question, X, names))
    if not pieces:
        return Evidence.none().to_record()
    rows, prediction, percentile, outcomes = map(np.concatenate, zip(*pieces, strict=True))
    known = np.isfinite(prediction) & np.isfinite(design.y[rows])
    predicted = PredictedRows(
        prediction[known],
        design.y[rows][known],
        design.positions[rows][known],
        percentile[known],
        outcomes[known],
    )
    measure = design.measure(question.target.task, question.min_cs)
    return evidence_of(measure, predicted).to_record()


def _walk(
    design: Design, question: Question, X: Matrix, names: Sequence[str]
) -> Iterator[tuple[NDArray[np.int64], Floats, Floats, Floats]]:
    """Yield a fold's test rows, their predictions, and both as the skill over time needs them."""
    for fold in question.frame.folds:
        start, end = design.split(fold)
        kept, problem = question.problem(design, fold)
        if problem is None or start == end:
            continue
        model = question.fit(X[kept], names, problem)
        prediction = model.predict(X[start:end])
        percentile = outcomes = np.full(end - start, np.nan)
        if design.view == "symbol_specific":
            labels = problem.y[problem.rows]
            known = model.predict(X[kept][problem.rows])
            percentile = centred_percentile(prediction, known)
            outcomes = outcome(design.y[start:end], labels, problem.task)
        yield np.arange(start, end), prediction, percentile, outcomes


def _thinned(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of evenly spaced timestamps, whole ones, so that few enough are left."""
    timestamps = np.unique(positions)
    if len(positions) <= TRAINING_ROWS or len(timestamps) == 0:
        return np.arange(len(positions))
    n_kept = max(1, len(timestamps) * TRAINING_ROWS // len(positions))
    places = np.linspace(0, len(timestamps) - 1, n_kept).astype(np.int64)
    return np.flatnonzero(np.isin(positions, timestamps[places]))
