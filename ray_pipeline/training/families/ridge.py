"""The linear family: ridge on robustly scaled features."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import ConfigError
from ray_pipeline.statistics.ridge import solve_ridge, solve_streamed_ridge
from ray_pipeline.statistics.scaling import (
    FeatureScaling,
    fit_feature_scaling,
    winsorise_label,
)
from ray_pipeline.training.families.protocol import Model, Problem
from ray_pipeline.training.families.searching import SearchDimension
from ray_pipeline.training.families.streaming import StreamedProblem

__all__ = ["RidgeFamily", "RidgeModel"]

PENALTY = 0.1
"""Per sample. Labels overlap and features are collinear, so the effective sample is far smaller
than the rows: a penalty that vanishes with n would be ordinary least squares."""

_FILE = "model.json"


@dataclass(frozen=True, slots=True)
class RidgeModel:
    """Coefficients per scaled feature, shape (n_features,), and an intercept."""

    feature_names: tuple[str, ...]
    scaling: FeatureScaling
    coefficients: NDArray[np.float64]
    intercept: float

    @property
    def importances(self) -> NDArray[np.float64]:
        """Absolute coefficients of the scaled features."""
        return np.abs(self.coefficients)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row; equal bits for a row whatever rows surround it."""
        prediction: NDArray[np.float64] = _predict([self], X)[0]
        return prediction

    def to_files(self) -> dict[str, bytes]:
        """One JSON document; a constant feature's infinite scale is written as null."""
        scale = [None if np.isinf(value) else value for value in self.scaling.scale.tolist()]
        document = {
            "family": "ridge",
            "feature_names": list(self.feature_names),
            "low": self.scaling.low.tolist(),
            "high": self.scaling.high.tolist(),
            "mean": self.scaling.mean.tolist(),
            "scale": scale,
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept,
        }
        return {_FILE: json.dumps(document, indent=1).encode()}


class RidgeFamily:
    """Ridge regression, solved in closed form for all problems at once."""

    name = "ridge"
    libraries = ("numpy",)

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Fit all problems on one scaled matrix; see `Family.fit`."""
        scaling = fit_feature_scaling(X)
        Y = np.zeros((len(X), len(problems)))
        for column, problem in enumerate(problems):
            labels = problem.y[problem.rows]
            Y[problem.rows, column] = (
                winsorise_label(labels) if problem.task == "regression" else labels
            )
        coefficients, intercepts = solve_ridge(
            scaling.transform(X),
            Y,
            [problem.rows for problem in problems],
            float(hyperparameters.get("penalty", PENALTY)),
        )
        return [
            RidgeModel(tuple(feature_names), scaling, coefficients[:, k], float(intercepts[k]))
            for k in range(len(problems))
        ]

    def fit_streamed(
        self,
        sample: NDArray[np.float32],
        feature_names: Sequence[str],
        problem: StreamedProblem,
        hyperparameters: Mapping[str, Any],
    ) -> Model:
        """Sum the cross-products as the rows come; see `StreamingFamily.fit_streamed`."""
        scaling = fit_feature_scaling(sample)
        labels = winsorise_label(problem.y) if problem.task == "regression" else problem.y
        coefficients, intercept = solve_streamed_ridge(
            _scaled_blocks(problem, labels, scaling),
            len(feature_names),
            float(hyperparameters.get("penalty", PENALTY)),
        )
        return RidgeModel(tuple(feature_names), scaling, coefficients, intercept)

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scale the rows once for all models; see `Family.predict`."""
        return _predict(cast(Sequence[RidgeModel], models), X)

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Accept ``penalty`` alone, above 0."""
        for name, value in hyperparameters.items():
            if name != "penalty":
                raise ConfigError(f"ridge has no hyperparameter '{name}'; it has 'penalty'.")
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 < value < math.inf:
                raise ConfigError(f"ridge: penalty is {value!r}; a number above 0 is needed.")

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Search the penalty, from next to none to next to no model; see `Searchable`."""
        return {"penalty": SearchDimension("float", 1e-4, 100.0, log=True, default=PENALTY)}

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild a model from ``model.json``."""
        document = json.loads(files[_FILE])
        scale = [np.inf if value is None else value for value in document["scale"]]
        return RidgeModel(
            feature_names=tuple(document["feature_names"]),
            scaling=FeatureScaling(
                low=np.array(document["low"]),
                high=np.array(document["high"]),
                mean=np.array(document["mean"]),
                scale=np.array(scale),
            ),
            coefficients=np.array(document["coefficients"]),
            intercept=float(document["intercept"]),
        )


def _scaled_blocks(
    problem: StreamedProblem, labels: NDArray[np.float64], scaling: FeatureScaling
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    start = 0
    for index, n_rows in enumerate(problem.rows.block_rows):
        part = slice(start, start + n_rows)
        start += n_rows
        weights = np.ones(n_rows) if problem.weights is None else problem.weights[part]
        yield scaling.transform(problem.rows.block(index)), labels[part], weights


def _predict(models: Sequence[RidgeModel], X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Predict by models of one scaling, shape (n_models, n_samples)."""
    columns = np.ascontiguousarray(models[0].scaling.transform(X).T)
    coefficients = np.stack([model.coefficients for model in models])
    predictions = np.tile(np.array([[model.intercept] for model in models]), len(X))
    # BLAS and einsum pick their kernel by shape, which changes the last bit of a row.
    for j, column in enumerate(columns):
        predictions += coefficients[:, j, np.newaxis] * column
    return predictions
