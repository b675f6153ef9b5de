"""One fold at a time: which rows train each target, and what its models predict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import Problem, family_identity, load_family
from ray_pipeline.identity import Identity
from ray_pipeline.records import TargetSpec, Task
from ray_pipeline.statistics.folds import Fold, train_rows

__all__ = [
    "MIN_TRAIN_ROWS",
    "FamilySettings",
    "FoldPrediction",
    "fold_problem",
    "is_trainable",
    "make_problem",
    "predict_fold",
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

    Both have shape (n_test,).
    """

    values: Floats
    centred_percentile: Floats


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


def predict_fold(
    X_before: NDArray[np.float32],
    X_test: NDArray[np.float32],
    feature_names: Sequence[str],
    families: Sequence[FamilySettings],
    targets: Sequence[TargetSpec],
    problem_of: Callable[[TargetSpec, str], Problem | None],
    percentile_of: Callable[[Problem, Floats, Floats], Floats],
) -> dict[str, dict[str, FoldPrediction]]:
    """Fit every family on every target of a fold and predict its test rows.

    Parameters
    ----------
    X_before, X_test
        Rows before and inside the test fold, shape (n, n_features).
    problem_of
        Gives the training problem of a target for a family, or None.
    percentile_of
        Gives the centred percentile of the test predictions from the problem, the model's
        predictions of the training rows, and those of the test rows.

    Returns
    -------
    dict
        Predictions by family and target; a target without a problem is absent.
    """
    predictions: dict[str, dict[str, FoldPrediction]] = {}
    for settings in families:
        problems = {target.name: problem_of(target, settings.name) for target in targets}
        fitted = {name: problem for name, problem in problems.items() if problem is not None}
        if not fitted:
            predictions[settings.name] = {}
            continue
        family = load_family(settings.name)
        models = family.fit(
            X_before, feature_names, list(fitted.values()), dict(settings.hyperparameters)
        )
        predictions[settings.name] = by_target = {}
        for start in range(0, len(models), MODELS_AT_ONCE):
            some = models[start : start + MODELS_AT_ONCE]
            before, tested = family.predict(some, X_before), family.predict(some, X_test)
            for name, known, values in zip(
                list(fitted)[start : start + MODELS_AT_ONCE], before, tested, strict=True
            ):
                problem = fitted[name]
                ranked = percentile_of(problem, known[problem.rows], values)
                by_target[name] = FoldPrediction(values, ranked)
    return predictions
