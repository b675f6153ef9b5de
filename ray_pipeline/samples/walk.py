"""One fold at a time: which rows train each target, and what its models predict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import Family, Model, Problem, family_identity, load_family
from ray_pipeline.identity import Identity
from ray_pipeline.records import Task
from ray_pipeline.samples.memo import FoldMemo, digest_of
from ray_pipeline.statistics.folds import Fold, train_rows

__all__ = [
    "MIN_TRAIN_ROWS",
    "FamilySettings",
    "FoldPrediction",
    "fold_problem",
    "is_trainable",
    "make_problem",
    "predict_fold",
    "problem_parts",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_TRAIN_ROWS = 60
"""Labelled rows that a fold needs before a model is worth fitting."""

MIN_CLASS_ROWS = 5
"""Rows of the rarer class that a binary target needs in training."""

MODELS_AT_ONCE = 16
"""Models whose predictions of all training rows are in memory together."""


@dataclass(frozen=True, slots=True)
class FamilySettings:
    """A family by name with the hyperparameters of this stage, as sorted pairs.

    `identity` is that of its code, so that what depends on these settings depends on that too.
    """

    name: str
    hyperparameters: tuple[tuple[str, Any], ...] = ()
    identity: Identity = field(init=False)

    def __post_init__(self) -> None:
        """Look up the identity, where the record is made: a worker gets the driver's."""
        object.__setattr__(self, "identity", family_identity(self.name))

    @classmethod
    def from_config(
        cls, names: Sequence[str], hyperparameters: Mapping[str, Mapping[str, Any]]
    ) -> tuple[FamilySettings, ...]:
        """Pair each family with its section of the config."""
        return tuple(
            cls(name, tuple(sorted(hyperparameters.get(name, {}).items()))) for name in names
        )


@dataclass(frozen=True, slots=True)
class FoldPrediction:
    """Predictions of a fold's test rows, and their percentiles among those of its training rows.

    Both have shape (n_test,); percentiles that were not asked for are NaN. `importances` are those
    of the model, shape (n_features,).
    """

    values: Floats
    centred_percentile: Floats
    importances: Floats


def fold_problem(
    y: Floats, label_ends: Ints, task: Task, fold: Fold, embargo: int, seed: int
) -> Problem | None:
    """Return the purged training rows of a target, or None when they are too few.

    Parameters
    ----------
    y, label_ends
        Of the rows before the test fold, shape (n_before,).
    """
    usable = train_rows(label_ends, fold, embargo) & np.isfinite(y)
    return make_problem(y, usable, task, seed)


def make_problem(y: Floats, usable: NDArray[np.bool_], task: Task, seed: int) -> Problem | None:
    """Return the problem of fitting `y` on the usable rows, or None when they are too few."""
    rows = np.flatnonzero(usable)
    if not is_trainable(y[rows], task):
        return None
    return Problem(y=y, rows=rows, task=task, seed=seed)


def is_trainable(labels: Floats, task: Task) -> bool:
    """Tell whether labels, shape (n_train,), are enough to fit a model to."""
    if len(labels) < MIN_TRAIN_ROWS or labels.min() == labels.max():
        return False
    if task == "binary":
        positive = int(labels.sum())
        return min(positive, len(labels) - positive) >= MIN_CLASS_ROWS
    return True


Key = TypeVar("Key", bound=Hashable)


def predict_fold(
    X_before: NDArray[np.float32],
    X_test: NDArray[np.float32],
    feature_names: Sequence[str],
    families: Sequence[FamilySettings],
    asked: Sequence[Key],
    problem_of: Callable[[Key, str], Problem | None],
    percentile_of: Callable[[Problem, Floats, Floats], Floats],
    unranked: Collection[Key] = (),
    memo: FoldMemo | None = None,
    ranked_by: Sequence[object] = (),
) -> dict[str, dict[Key, FoldPrediction]]:
    """Fit every family on every problem of a fold and predict its test rows.

    Parameters
    ----------
    X_before, X_test
        Rows before and inside the test fold, shape (n, n_features).
    asked
        What names the problems: targets, or labels of theirs. Neighbours that train on the same
        rows share more than others.
    problem_of
        Gives the training problem of a name for a family, or None.
    percentile_of
        Gives the centred percentile of the test predictions from the problem, the model's
        predictions of the training rows, and those of the test rows.
    unranked
        Names whose percentile nobody reads: the training rows are not predicted for it.
    memo
        Where the predictions may be known of an earlier panel.
    ranked_by
        What `percentile_of` looks at besides what it is given.

    Returns
    -------
    dict
        Predictions by family and name; a name without a problem is absent.
    """
    memo = FoldMemo() if memo is None else memo
    rows = (digest_of(X_before, X_test, tuple(feature_names), *ranked_by),) if memo.code else ()
    predictions: dict[str, dict[Key, FoldPrediction]] = {}
    for settings in families:
        problems = {name: problem_of(name, settings.name) for name in asked}
        fitted = {name: problem for name, problem in problems.items() if problem is not None}
        if not fitted:
            predictions[settings.name] = {}
            continue
        compute = partial(
            _fit_and_predict,
            settings,
            X_before,
            X_test,
            feature_names,
            fitted,
            percentile_of,
            unranked,
        )
        parts = chain(
            (settings, *rows, [repr(name) for name in (*fitted, *unranked)], len(fitted)),
            *(problem_parts(problem) for problem in fitted.values()),
        )
        found = memo.recall(parts, compute)
        predictions[settings.name] = {
            name: FoldPrediction(*(found[f"{place}_{kind}"] for kind in _KINDS))
            for place, name in enumerate(fitted)
        }
    return predictions


_KINDS = ("values", "centred_percentile", "importances")


def problem_parts(problem: Problem) -> tuple[object, ...]:
    """Return what a fit takes of a problem: its labels on the rows that it is fitted to."""
    rows = problem.rows
    of_rows = (problem.y, problem.weights, problem.offsets, problem.groups)
    stopping = problem.stopping
    return (
        *(None if each is None else each[rows] for each in of_rows),
        *((rows, problem.task, problem.seed)),
        *((None, None) if stopping is None else (stopping.fitted, stopping.watched)),
    )


def _fit_and_predict(
    settings: FamilySettings,
    X_before: NDArray[np.float32],
    X_test: NDArray[np.float32],
    feature_names: Sequence[str],
    fitted: Mapping[Key, Problem],
    percentile_of: Callable[[Problem, Floats, Floats], Floats],
    unranked: Collection[Key],
) -> dict[str, NDArray[Any]]:
    """Fit a family to problems and predict: what `FoldPrediction` has, by place and kind."""
    family = load_family(settings.name)
    models = family.fit(
        X_before, feature_names, list(fitted.values()), dict(settings.hyperparameters)
    )
    by_name = dict(zip(fitted, models, strict=True))
    found = {}
    for name, values in _predicted(family, by_name, X_test):
        unknown = np.full(len(values), np.nan)
        found[name] = FoldPrediction(values, unknown, by_name[name].importances)
    ranked = {name: model for name, model in by_name.items() if name not in unranked}
    for name, known in _predicted(family, ranked, X_before):
        problem, values = fitted[name], found[name].values
        percentile = percentile_of(problem, known[problem.rows], values)
        found[name] = replace(found[name], centred_percentile=percentile)
    return {
        f"{place}_{kind}": getattr(prediction, kind)
        for place, prediction in enumerate(found.values())
        for kind in _KINDS
    }


def _predicted(
    family: Family, models: Mapping[Key, Model], X: NDArray[np.float32]
) -> Iterator[tuple[Key, Floats]]:
    """Predict rows by each model, a few of them at a time."""
    names = list(models)
    for start in range(0, len(names), MODELS_AT_ONCE):
        some = names[start : start + MODELS_AT_ONCE]
        yield from zip(some, family.predict([models[name] for name in some], X), strict=True)
