"""How much each feature carries, by several methods, on training rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ray_pipeline.records import Task
from ray_pipeline.statistics.skill import grouped_skill
from ray_pipeline.training.families import Model, Problem, load_family

__all__ = ["METHODS", "TrainingRows", "score_features"]

Floats = NDArray[np.float64]

METHODS = ("gain", "permutation", "linear", "univariate")

MAX_VALIDATION_ROWS = 4_000
"""Rows a permutation is scored on, drawn by the seed."""

PERMUTED_ROWS_AT_ONCE = 100_000
"""Bound on the copies that permutation makes."""


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """What a fold may learn from, split for permutation importance.

    Attributes
    ----------
    X
        Features of the rows before the test fold, shape (n_rows, n_features).
    y
        Labels, shape (n_rows,).
    rows
        Purged rows of the whole training range.
    inner
        Its earlier part, purged against `validation`.
    validation
        Its later part.
    task, seed
        Of the target and the fold.
    """

    X: NDArray[np.float32]
    y: Floats
    rows: NDArray[np.int64]
    inner: NDArray[np.int64]
    validation: NDArray[np.int64]
    task: Task
    seed: int


def score_features(
    data: TrainingRows, methods: Sequence[str], hyperparameters: Mapping[str, Mapping[str, Any]]
) -> dict[str, Floats]:
    """Score every feature by every method; higher carries more, 0 carries nothing.

    ``gain``: total split gain of gradient boosting. ``permutation``: skill lost on later rows
    of the training range when the feature is permuted (Breiman 2001). ``linear``: absolute ridge
    coefficient of the scaled feature. ``univariate``: absolute Spearman correlation.

    Parameters
    ----------
    hyperparameters
        Of the lightgbm and ridge families, by family.

    Returns
    -------
    dict
        Scores by method, shape (n_features,).
    """
    scores: dict[str, Floats] = {}
    if "gain" in methods or "permutation" in methods:
        booster = _fit("lightgbm", data, data.inner, hyperparameters)
        gain = booster.importances
        if "gain" in methods:
            scores["gain"] = gain
        if "permutation" in methods:
            scores["permutation"] = _permutation(data, booster, gain)
    if "linear" in methods:
        scores["linear"] = _fit("ridge", data, data.rows, hyperparameters).importances
    if "univariate" in methods:
        scores["univariate"] = _univariate(data)
    return {method: scores[method] for method in methods}


def _fit(
    family: str,
    data: TrainingRows,
    rows: NDArray[np.int64],
    hyperparameters: Mapping[str, Mapping[str, Any]],
) -> Model:
    names = [f"f{j}" for j in range(data.X.shape[1])]
    problem = Problem(y=data.y, rows=rows, task=data.task, seed=data.seed)
    (model,) = load_family(family).fit(data.X, names, [problem], hyperparameters.get(family, {}))
    return model


def _permutation(data: TrainingRows, model: Model, gain: Floats) -> Floats:
    generator = np.random.default_rng(data.seed)
    rows = data.validation
    if len(rows) > MAX_VALIDATION_ROWS:
        # Not every n-th: in a pooled panel these would be the same symbols again and again.
        rows = np.sort(generator.choice(rows, MAX_VALIDATION_ROWS, replace=False))
    X, y = data.X[rows], data.y[rows]
    whole = np.zeros(len(rows), dtype=np.int64)

    def skill(prediction: Floats) -> float:
        measured = grouped_skill(prediction, y, whole, data.task).skills
        return float(measured[0]) if len(measured) else 0.0

    before = skill(model.predict(X))
    order = generator.permutation(len(rows))
    lost = np.zeros(X.shape[1])
    used = np.flatnonzero(gain > 0)
    # One call for many features: on small data a call costs more than its rows.
    at_once = max(1, PERMUTED_ROWS_AT_ONCE // len(rows))
    for start in range(0, len(used), at_once):
        block = used[start : start + at_once]
        copies = np.repeat(X[np.newaxis], len(block), axis=0)
        for place, j in enumerate(block):
            copies[place, :, j] = X[order, j]
        predictions = model.predict(copies.reshape(-1, X.shape[1])).reshape(len(block), -1)
        for place, j in enumerate(block):
            lost[j] = max(before - skill(predictions[place]), 0.0)
    return lost


def _univariate(data: TrainingRows) -> Floats:
    rows = data.rows
    labels = data.y[rows]
    label_ranks = stats.rankdata(labels)
    scores = np.zeros(data.X.shape[1])
    for j in range(data.X.shape[1]):
        column = data.X[rows, j].astype(np.float64)
        present = ~np.isnan(column)
        if present.sum() < 3:
            continue
        x = stats.rankdata(column[present])
        y = label_ranks if present.all() else stats.rankdata(labels[present])
        x, y = x - x.mean(), y - y.mean()
        spread = np.sqrt((x @ x) * (y @ y))
        # Too few present rows make a large correlation by chance: weigh by what is present.
        if spread > 0:
            scores[j] = abs(x @ y) / spread * present.mean()
    return scores
