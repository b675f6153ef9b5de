"""Elastic net on robustly scaled features, by scikit-learn's coordinate descent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.hyperparameters import (
    MOST_PENALTY,
    Number,
    check_hyperparameters,
    check_installed,
)
from ray_pipeline.families.labels import LabelScale, clipped_labels, weights_of
from ray_pipeline.families.linear import LinearModel, load_linear, predict_linear
from ray_pipeline.families.protocol import Model, Problem
from ray_pipeline.families.searching import SearchDimension, with_defaults
from ray_pipeline.statistics.scaling import FeatureScaling, fit_feature_scaling

__all__ = ["ElasticNetFamily"]

_DEFAULTS: dict[str, Any] = {"penalty": 0.02, "l1_ratio": 0.5}
"""In units of the label's deviation: a feature whose correlation with the label is below
``penalty · l1_ratio``, once the others have had their say, is left out."""

_ALLOWED = {
    "penalty": Number(0.0, MOST_PENALTY, above=True),
    "l1_ratio": Number(0.0, 1.0, above=True),
}

MAX_SWEEPS = 5_000
"""Coordinate descent on collinear features is slow; at the tolerance it mostly ends far sooner."""

TOLERANCE = 1e-5

_SEARCHED = {
    "penalty": SearchDimension("float", 1e-4, 0.5, log=True),
    "l1_ratio": SearchDimension("float", 0.05, 1.0),
}


class ElasticNetFamily:
    """Least squares with an L1 and an L2 penalty (Zou & Hastie 2005).

    Binary labels are fitted as the numbers 0 and 1, as ridge does: of a prediction only the order
    counts, and a logistic link does not change the order of a linear score.
    """

    name = "elastic_net"
    libraries = ("numpy",)  # scikit-learn fits; the model is coefficients

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Scale the matrix once, then fit each problem on its own rows; see `Family.fit`."""
        check_installed(self.name, "sklearn", "sklearn")
        settings = {**_DEFAULTS, **hyperparameters}
        scaling = fit_feature_scaling(X)
        Z = scaling.transform(X)
        names = tuple(feature_names)
        return [self._fit(Z, names, scaling, problem, settings) for problem in problems]

    def _fit(
        self,
        Z: NDArray[np.float64],
        names: tuple[str, ...],
        scaling: FeatureScaling,
        problem: Problem,
        settings: Mapping[str, Any],
    ) -> LinearModel:
        from sklearn.linear_model import ElasticNet

        labels = clipped_labels(problem)[problem.rows]
        scale = LabelScale(float(labels.mean()), float(labels.std()) or 1.0)
        # The cross-products once, so that a sweep costs n_features², whatever the rows.
        solver = ElasticNet(
            alpha=float(settings["penalty"]),
            l1_ratio=float(settings["l1_ratio"]),
            precompute=True,
            max_iter=MAX_SWEEPS,
            tol=TOLERANCE,
        )
        solver.fit(
            Z[problem.rows], scale.apply(labels), sample_weight=weights_of(problem, problem.rows)
        )
        return LinearModel(
            self.name,
            names,
            scaling,
            scale.deviation * np.asarray(solver.coef_, dtype=np.float64),
            float(scale.mean + scale.deviation * solver.intercept_),
        )

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scale the rows once for all models; see `Family.predict`."""
        return predict_linear(models, X)

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Search how much is shrunk and how much left out; see `Searchable`."""
        return with_defaults(_SEARCHED, _DEFAULTS)

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Accept ``penalty`` and ``l1_ratio``."""
        check_installed(self.name, "sklearn", "sklearn")
        check_hyperparameters(self.name, hyperparameters, _ALLOWED)

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild a model from ``model.json``."""
        return load_linear(self.name, files)
