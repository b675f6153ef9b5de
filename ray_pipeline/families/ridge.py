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
from ray_pipeline.statistics.within_groups import GroupMeans, subtract_group_means

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
        """Fit all problems on one scaled matrix; see `Family.fit`.

        Features of labels that are compared within their timestamp, or a group of it, are taken
        less the mean of that.
        """
        scaling = fit_feature_scaling(X)
        models: dict[int, LinearModel] = {}
        for members in _solved_together(problems):
            group = [problems[k] for k in members]
            solution = _solve(X, scaling, group, _penalty(hyperparameters))
            for place, k in enumerate(members):
                models[k] = self._model(feature_names, scaling, solution, place)
        return [models[k] for k in range(len(problems))]

    def fit_by_columns(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        columns: Sequence[NDArray[np.int64]],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Learn each column's scale once; see `ColumnwiseFamily.fit_by_columns`."""
        needed = np.unique(np.concatenate(columns))
        scaling = fit_feature_scaling(X.take(needed, axis=1))
        models: list[Model] = []
        for problem, some in zip(problems, columns, strict=True):
            part = scaling.of(np.searchsorted(needed, some))
            names = [feature_names[j] for j in some]
            solution = _solve(X.take(some, axis=1), part, [problem], _penalty(hyperparameters))
            models.append(self._model(names, part, solution, 0))
        return models

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
        blocks = _scaled_blocks(problem, labels, scaling, _means(problem, scaling))
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


def _solved_together(problems: Sequence[Problem]) -> list[list[int]]:
    """Group the indices of problems that share a scaled matrix, in the order of their first.

    Those whose labels are as they are share that of all rows. What a timestamp has in common is a
    matter of the rows that train.
    """
    found: dict[bytes | None, list[int]] = {}
    for k, problem in enumerate(problems):
        key = None if problem.groups is None else problem.rows.tobytes()
        found.setdefault(key, []).append(k)
    return list(found.values())


def _solve(
    X: NDArray[np.float32],
    scaling: FeatureScaling,
    problems: Sequence[Problem],
    penalty: float | None,
) -> RidgeSolution:
    """Solve problems of one scaled matrix; see `_solved_together`."""
    labels = np.stack([clipped_labels(problem) for problem in problems], axis=1)
    first = problems[0]
    if first.groups is None:
        rows, weights = [p.rows for p in problems], [p.weights for p in problems]
        return solve_ridge(scaling.transform(X), labels, rows, penalty, weights)
    Z = scaling.transform(X[first.rows])
    subtract_group_means(Z, first.groups[first.rows])
    return solve_ridge(
        Z,
        labels[first.rows],
        [np.arange(len(Z))] * len(problems),
        penalty,
        [None if p.weights is None else p.weights[p.rows] for p in problems],
    )


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


def _means(problem: StreamedProblem, scaling: FeatureScaling) -> GroupMeans | None:
    """Average the features of each timestamp, where labels are compared within it."""
    if problem.groups is None:
        return None
    means = GroupMeans(problem.groups, len(scaling.mean))
    for index, part in enumerate(_parts_of_blocks(problem)):
        means.add(scaling.transform(problem.rows.block(index)), problem.groups[part])
    return means


def _parts_of_blocks(problem: StreamedProblem) -> Iterator[slice]:
    start = 0
    for n_rows in problem.rows.block_rows:
        yield slice(start, start + n_rows)
        start += n_rows


def _scaled_blocks(
    problem: StreamedProblem,
    labels: NDArray[np.float64],
    scaling: FeatureScaling,
    means: GroupMeans | None,
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    for index, part in enumerate(_parts_of_blocks(problem)):
        Z = scaling.transform(problem.rows.block(index))
        if means is not None and problem.groups is not None:
            means.subtract(Z, problem.groups[part])
        weights = np.ones(len(Z)) if problem.weights is None else problem.weights[part]
        yield Z, labels[part], weights
