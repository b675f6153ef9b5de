"""What a model family must offer.

A family fits several problems (targets, or refits of one) on one design matrix at a time, so
that it can share what they have in common: bins, scaling, factorisations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.records import Task

__all__ = [
    "Family",
    "IterativeModel",
    "Model",
    "Problem",
    "QuantileModel",
    "Stopping",
    "TunedModel",
    "predict_each",
]


@dataclass(frozen=True, slots=True)
class Stopping:
    """Training rows that tell a family when to stop, all of them older than any test row.

    Attributes
    ----------
    fitted
        Sorted indices of the earlier training rows, shape (n_fitted,), whose labels end before
        the first watched row.
    watched
        Sorted indices of the latest training rows, shape (n_watched,). Training rows between the
        two, whose labels reach into the watched ones, are in neither.
    """

    fitted: NDArray[np.int64]
    watched: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Problem:
    """One target to fit.

    Attributes
    ----------
    y
        Labels of all rows of the design matrix, shape (n_samples,); finite on `rows`.
    rows
        Sorted indices of the training rows, shape (n_train,).
    task
        Kind of the target; binary labels are 0 and 1.
    seed
        For whatever is random in the fit.
    weights
        Weight of each row of the design matrix, shape (n_samples,), finite and above 0 on `rows`;
        None weighs all rows alike.
    stopping
        Where to look for the number of rounds: a family with early stopping fits ``fitted``
        until ``watched`` gets no better, and then all `rows` with the number of rounds that was
        best. None fits all rows to the end.
    offsets
        Log-odds that each row has before the model says anything, shape (n_samples,), finite on
        `rows`; the model adds to them, and its predictions leave them out. Only of binary tasks,
        and only for families that take them; see `ray_pipeline.families.label_forms`.
    groups
        Number of what the label of each row is compared within, a timestamp or a group of its
        symbols, shape (n_samples,): only the order of predictions within it matters. None where
        all rows are compared.
    """

    y: NDArray[np.float64]
    rows: NDArray[np.int64]
    task: Task
    seed: int
    weights: NDArray[np.float64] | None = None
    stopping: Stopping | None = None
    offsets: NDArray[np.float64] | None = None
    groups: NDArray[np.int64] | None = None


class Model(Protocol):
    """A fitted model. Higher predictions mean higher targets; only their order is promised."""

    @property
    def importances(self) -> NDArray[np.float64]:
        """How much each feature carries, non-negative, shape (n_features,)."""
        ...

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row of X, shape (n_samples, n_features), NaN = missing."""
        ...

    def to_files(self) -> dict[str, bytes]:
        """File names and contents in the library's own safe format, never pickle."""
        ...


@runtime_checkable
class QuantileModel(Protocol):
    """A model that predicts several quantiles of the target; `Model.predict` is its median."""

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Ascending, each in (0, 1)."""
        ...

    def predict_quantiles(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict the quantiles of each row, shape (n_quantiles, n_samples), never crossing."""
        ...


@runtime_checkable
class IterativeModel(Protocol):
    """A model that was fitted round by round."""

    @property
    def n_rounds(self) -> int:
        """Trees, iterations or epochs, as they were left by early stopping."""
        ...


@runtime_checkable
class TunedModel(Protocol):
    """A model with hyperparameters that its family set by the training rows."""

    @property
    def chosen(self) -> Mapping[str, float]:
        """What they came to be."""
        ...


def predict_each(models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Predict by models that have nothing to share, shape (n_models, n_samples)."""
    return np.stack([model.predict(X) for model in models])


class Family(Protocol):
    """A kind of model, found by its name.

    Attributes
    ----------
    name
        As the config spells it.
    libraries
        Distributions that a saved model needs to predict, such as ``("lightgbm",)``.
    """

    name: str
    libraries: tuple[str, ...]

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Fit one model per problem.

        Parameters
        ----------
        X
            Design matrix in the order of time, shape (n_samples, n_features), NaN = missing.
            Every row may be used to learn scales and bins, so the caller passes no row of a test
            fold.
        """
        ...

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict by several models of one `fit`: what they have in common is done once.

        Returns
        -------
        ndarray
            Shape (n_models, n_samples), equal to the bit to each model's own `predict`.
        """
        ...

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Raise ConfigError for a hyperparameter that this family does not have."""
        ...

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild a model from what `Model.to_files` gave."""
        ...
