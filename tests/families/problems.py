"""Small problems with a planted truth, for tests of model families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from ray_pipeline.families import Model, Problem, load_family
from ray_pipeline.records import Task

BOOSTED = ("catboost", "lightgbm", "lightgbm_quantile", "xgboost")
FORESTS = ("extra_trees", "random_forest")
LINEAR = ("elastic_net", "ridge")
NEEDS = {
    "catboost": "catboost",
    "elastic_net": "sklearn",
    "mlp": "torch",
    "xgboost": "xgboost",
}
"""Libraries of families that are installed as extras."""

FAMILIES = tuple(
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name in NEEDS and find_spec(NEEDS[name]) is None,
            reason=f"needs {NEEDS.get(name)}",
        ),
    )
    for name in sorted((*BOOSTED, *FORESTS, *LINEAR, "mlp"))
)
INSTALLED = tuple(
    name
    for name in sorted((*BOOSTED, *FORESTS, *LINEAR, "mlp"))
    if name not in NEEDS or find_spec(NEEDS[name]) is not None
)
QUICK: dict[str, dict[str, Any]] = {
    **{name: {"n_estimators": 20, "learning_rate": 0.1} for name in BOOSTED},
    **{name: {"n_estimators": 20} for name in FORESTS},
    "mlp": {"n_epochs": 15, "hidden_units": 8, "learning_rate": 0.02, "weight_decay": 0.05},
}


def noise_features(n_rows: int, n_features: int, seed: int = 0) -> NDArray[np.float32]:
    """Return independent standard normal features."""
    random = np.random.default_rng([seed, n_rows, n_features])
    return random.standard_normal((n_rows, n_features)).astype(np.float32)


def problem(
    y: NDArray[np.float64],
    task: Task = "regression",
    rows: NDArray[np.int64] | None = None,
    seed: int = 3,
) -> Problem:
    """Return the problem of fitting all rows, or some."""
    return Problem(y=y, rows=np.arange(len(y)) if rows is None else rows, task=task, seed=seed)


def fit_all(family: str, X: NDArray[np.float32], problems: Sequence[Problem]) -> list[Model]:
    """Fit a family with few rounds on features named f0, f1 and so on."""
    names = [f"f{j}" for j in range(X.shape[1])]
    return load_family(family).fit(X, names, problems, QUICK.get(family, {}))


def fit_one(
    family: str,
    X: NDArray[np.float32],
    given: Problem,
    hyperparameters: Mapping[str, Any] | None = None,
) -> Model:
    """Fit one problem."""
    names = [f"f{j}" for j in range(X.shape[1])]
    settings = QUICK.get(family, {}) if hyperparameters is None else hyperparameters
    (model,) = load_family(family).fit(X, names, [given], settings)
    return model


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation."""
    return float(stats.spearmanr(a, b).statistic)
