"""Problems on one design matrix, each on columns of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.protocol import Family, Model, Problem

__all__ = ["ColumnwiseFamily", "fit_by_columns"]


@runtime_checkable
class ColumnwiseFamily(Protocol):
    """A family that learns some of what it needs column by column."""

    def fit_by_columns(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        columns: Sequence[NDArray[np.int64]],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Fit each problem on columns of its own, those that several have learned once.

        The models are those that `Family.fit` gives for each problem and its columns alone.

        Parameters
        ----------
        X, feature_names, problems, hyperparameters
            As of `Family.fit`.
        columns
            Of each problem, at least one.
        """
        ...


def fit_by_columns(
    family: Family,
    X: NDArray[np.float32],
    feature_names: Sequence[str],
    problems: Sequence[Problem],
    columns: Sequence[NDArray[np.int64]],
    hyperparameters: Mapping[str, Any],
) -> list[Model]:
    """Fit each problem on columns of its own; see `ColumnwiseFamily.fit_by_columns`."""
    if isinstance(family, ColumnwiseFamily):
        return family.fit_by_columns(X, feature_names, problems, columns, hyperparameters)
    models: list[Model] = []
    for problem, some in zip(problems, columns, strict=True):
        names = [feature_names[j] for j in some]
        models += family.fit(X.take(some, axis=1), names, [problem], hyperparameters)
    return models
