"""How much each feature carries, by several methods, on training rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import Model, Problem, load_family
from ray_pipeline.records import Task
from ray_pipeline.selection.consensus import find_twins
from ray_pipeline.statistics.skill import grouped_skill
from ray_pipeline.statistics.tails import average_ranks

__all__ = ["ScoringRows", "families_of", "mutual_information", "score_features"]

Floats = NDArray[np.float64]

MAX_VALIDATION_ROWS = 4_000
"""Rows a permutation is scored on, drawn by the seed."""

PERMUTED_ROWS_AT_ONCE = 100_000
"""Bound on the copies that permutation makes."""

CLUSTER_CORRELATION = 0.9
"""|Rank correlation| from which features are permuted together: a tree takes either for the other,
so that permuting one alone shows hardly a loss and both would look dispensable."""

CLUSTER_ROWS = 5_000
"""Training rows that this likeness is measured on, evenly spaced."""

INFORMATION_BINS = 10
"""Equally full bins of a feature and of an ordered label: few enough that a bin's overlapping
labels still hold independent ones, enough for a relation that turns twice."""


@dataclass(frozen=True, slots=True)
class ScoringRows:
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


FITTED_BY = {"gain": "lightgbm", "permutation": "lightgbm", "linear": "ridge"}
"""Families that methods fit; the other methods fit none."""


def families_of(methods: Sequence[str]) -> tuple[str, ...]:
    """Name the families that some methods fit, sorted."""
    return tuple(sorted({FITTED_BY[method] for method in methods if method in FITTED_BY}))


def score_features(
    data: ScoringRows, methods: Sequence[str], hyperparameters: Mapping[str, Mapping[str, Any]]
) -> dict[str, Floats]:
    """Score every feature by every method; higher carries more, 0 carries nothing.

    ``gain``: total split gain of gradient boosting. ``permutation``: skill lost on later rows
    of the training range when the feature is permuted (Breiman 2001), together with those that
    say nearly the same, each of which is credited with the loss of all. ``linear``: absolute ridge
    coefficient of the scaled feature. ``univariate``: absolute Spearman correlation.
    ``mutual_information``: in nats, of feature and label by equally full bins; it sees relations
    that rise and fall.

    Parameters
    ----------
    hyperparameters
        Of the families that the methods fit (`families_of`), by family.

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
    if "univariate" in methods or "mutual_information" in methods:
        scores |= _one_by_one(data)
    return {method: scores[method] for method in methods}


def _fit(
    family: str,
    data: ScoringRows,
    rows: NDArray[np.int64],
    hyperparameters: Mapping[str, Mapping[str, Any]],
) -> Model:
    names = [f"f{j}" for j in range(data.X.shape[1])]
    problem = Problem(y=data.y, rows=rows, task=data.task, seed=data.seed)
    (model,) = load_family(family).fit(data.X, names, [problem], hyperparameters[family])
    return model


def _permutation(data: ScoringRows, model: Model, gain: Floats) -> Floats:
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
    clusters = _clusters(data, gain)
    # One call for many clusters: on small data a call costs more than its rows.
    at_once = max(1, PERMUTED_ROWS_AT_ONCE // len(rows))
    for start in range(0, len(clusters), at_once):
        block = clusters[start : start + at_once]
        copies = np.repeat(X[np.newaxis], len(block), axis=0)
        for place, members in enumerate(block):
            copies[place][:, members] = X[order][:, members]
        predictions = model.predict(copies.reshape(-1, X.shape[1])).reshape(len(block), -1)
        for place, members in enumerate(block):
            lost[members] = max(before - skill(predictions[place]), 0.0)
    return lost


def _clusters(data: ScoringRows, gain: Floats) -> list[list[int]]:
    """Features that the model uses, those nearly alike together, by the training rows."""
    used = [int(j) for j in np.argsort(-gain, kind="stable") if gain[j] > 0]
    n_kept = min(len(data.inner), CLUSTER_ROWS)
    rows = data.inner[np.linspace(0, len(data.inner) - 1, n_kept).astype(np.int64)]
    leader = find_twins(used, data.X[rows], CLUSTER_CORRELATION)
    clusters: dict[int, list[int]] = {}
    for j in used:
        clusters.setdefault(leader.get(j, j), []).append(j)
    return list(clusters.values())


def _one_by_one(data: ScoringRows) -> dict[str, Floats]:
    """Score each feature by itself, from one ranking of its rows."""
    rows = data.rows
    labels = data.y[rows]
    label_ranks = average_ranks(labels)
    n_features = data.X.shape[1]
    scores = {name: np.zeros(n_features) for name in ("univariate", "mutual_information")}
    for j in range(n_features):
        column = data.X[rows, j].astype(np.float64)
        present = ~np.isnan(column)
        if present.sum() < 3:
            continue
        x = average_ranks(column[present])
        y = label_ranks if present.all() else average_ranks(labels[present])
        # Too few present rows make a strong relation by chance: weigh by what is present.
        weight = float(present.mean())
        scores["univariate"][j] = abs(_correlation(x, y)) * weight
        scores["mutual_information"][j] = mutual_information(_bins(x), _bins(y)) * weight
    return scores


def _correlation(x: Floats, y: Floats) -> float:
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / spread if spread > 0 else 0.0


def _bins(ranks: Floats) -> NDArray[np.int64]:
    """Equally full bins of average ranks; equal values share one, so that classes stay whole."""
    return ((ranks - 0.5) * INFORMATION_BINS / len(ranks)).astype(np.int64)


def mutual_information(x: NDArray[np.int64], y: NDArray[np.int64]) -> float:
    """Estimate the mutual information of two binned variables, in nats, at least 0.

    The plug-in estimate less its bias by Miller & Madow, ``(K_xy − K_x − K_y + 1) / 2n`` with K
    the numbers of bins that are not empty (Paninski 2003, "Estimation of Entropy and Mutual
    Information", Neural Computation 15).

    Parameters
    ----------
    x, y
        Bin of each row, 0 or above, shape (n_rows,).
    """
    n_rows = len(x)
    width = int(y.max()) + 1
    joint = np.bincount(x * width + y, minlength=(int(x.max()) + 1) * width)
    table = joint.reshape(-1, width)
    counts = [joint[joint > 0], *(table.sum(axis=axis) for axis in (0, 1))]
    entropies = []
    for count in counts:
        share = count[count > 0] / n_rows
        entropies.append(float(-(share * np.log(share)).sum()) + (len(share) - 1) / (2 * n_rows))
    both, of_y, of_x = entropies
    return max(of_x + of_y - both, 0.0)
