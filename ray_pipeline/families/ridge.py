"""The linear family: ridge on robustly scaled features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.hyperparameters import (
    AUTO,
    MOST_PENALTY,
    Automatic,
    Number,
    check_hyperparameters,
)
from ray_pipeline.families.labels import clipped_labels
from ray_pipeline.families.linear import LinearModel, load_linear, predict_linear
from ray_pipeline.families.protocol import Model, Problem
from ray_pipeline.families.searching import SearchDimension
from ray_pipeline.families.streaming import StreamedProblem
from ray_pipeline.statistics.ridge import (
    RidgeSolution,
    choose_ridge_in_blocks,
    solve_ridge,
    solve_ridge_in_blocks,
)
from ray_pipeline.statistics.ridge_penalty import parts_in_time
from ray_pipeline.statistics.scaling import FeatureScaling, fit_feature_scaling, winsorise_label

__all__ = ["RidgeFamily"]

_ALLOWED = {"penalty": Automatic(Number(0.0, MOST_PENALTY, above=True))}
"""Per sample: labels overlap and features are collinear, so the effective sample is far smaller
than the rows, and a penalty that vanishes with n would be ordinary least squares."""


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
        solution = solve_ridge(
            scaling.transform(X),
            np.stack([clipped_labels(problem) for problem in problems], axis=1),
            [problem.rows for problem in problems],
            _penalty(hyperparameters),
            [problem.weights for problem in problems],
        )
        return [self._model(feature_names, scaling, solution, k) for k in range(len(problems))]

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
        blocks = _scaled_blocks(problem, labels, scaling)
        penalty = _penalty(hyperparameters)
        solution = (
            choose_ridge_in_blocks(blocks, _parts(problem))
            if penalty is None
            else solve_ridge_in_blocks(blocks, len(feature_names), penalty)
        )
        return self._model(feature_names, scaling, solution, 0)

    def _model(
        self, names: Sequence[str], scaling: FeatureScaling, solution: RidgeSolution, target: int
    ) -> LinearModel:
        return LinearModel(
            self.name,
            tuple(names),
            scaling,
            solution.coefficients[:, target],
            float(solution.intercepts[target]),
            float(solution.penalties[target]),
        )

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Search the penalty, from next to none to next to no model; see `Searchable`."""
        return {"penalty": SearchDimension("float", 1e-4, 100.0, log=True)}

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scale the rows once for all models; see `Family.predict`."""
        return predict_linear(models, X)

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Accept ``penalty`` alone: above 0, or auto."""
        check_hyperparameters(self.name, hyperparameters, _ALLOWED)

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild a model from ``model.json``."""
        return load_linear(self.name, files)


def _penalty(hyperparameters: Mapping[str, Any]) -> float | None:
    """Return the penalty that is configured, None where the training rows decide."""
    penalty = hyperparameters.get("penalty", AUTO)
    return None if penalty == AUTO else float(penalty)


def _parts(problem: StreamedProblem) -> NDArray[np.int64]:
    """Return each streamed row's part of the time, in the order in which the rows come."""
    weights = np.ones(len(problem.y)) if problem.weights is None else problem.weights
    order = problem.in_time()
    parts = np.empty(len(order), dtype=np.int64)
    parts[order] = parts_in_time(weights[order])
    return parts


def _scaled_blocks(
    problem: StreamedProblem, labels: NDArray[np.float64], scaling: FeatureScaling
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    start = 0
    for index, n_rows in enumerate(problem.rows.block_rows):
        part = slice(start, start + n_rows)
        start += n_rows
        weights = np.ones(n_rows) if problem.weights is None else problem.weights[part]
        yield scaling.transform(problem.rows.block(index)), labels[part], weights
