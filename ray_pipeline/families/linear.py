"""The linear model that ridge and elastic net have in common, saved as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.model_files import reading, unpack_document
from ray_pipeline.families.protocol import Model
from ray_pipeline.statistics.scaling import FeatureScaling

__all__ = ["LinearModel", "load_linear", "predict_linear"]

_FILE = "model.json"


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Coefficients per scaled feature, shape (n_features,), and an intercept.

    `penalty` is what ridge shrank them by; None where it is not known.
    """

    family: str
    feature_names: tuple[str, ...]
    scaling: FeatureScaling
    coefficients: NDArray[np.float64]
    intercept: float
    penalty: float | None = None

    @property
    def chosen(self) -> Mapping[str, float]:
        """The penalty, where it is known; see `TunedModel`."""
        return {} if self.penalty is None else {"penalty": self.penalty}

    @property
    def importances(self) -> NDArray[np.float64]:
        """Absolute coefficients of the scaled features."""
        return np.abs(self.coefficients)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row; equal bits for a row whatever rows surround it."""
        prediction: NDArray[np.float64] = predict_linear([self], X)[0]
        return prediction

    def to_files(self) -> dict[str, bytes]:
        """One JSON document; a constant feature's infinite scale is written as null."""
        scale = [None if np.isinf(value) else value for value in self.scaling.scale.tolist()]
        document = {
            "family": self.family,
            "feature_names": list(self.feature_names),
            "low": self.scaling.low.tolist(),
            "high": self.scaling.high.tolist(),
            "mean": self.scaling.mean.tolist(),
            "scale": scale,
            "coefficients": self.coefficients.tolist(),
            "intercept": self.intercept,
        }
        if self.penalty is not None:
            document["penalty"] = self.penalty
        return {_FILE: json.dumps(document, indent=1).encode()}


def load_linear(family: str, files: Mapping[str, bytes]) -> LinearModel:
    """Rebuild a model from ``model.json``.

    Raises
    ------
    ArtifactError
        When the document is missing, damaged, or of another family.
    """
    document = unpack_document(family, files, _FILE)
    with reading(family, _FILE):
        names = tuple(str(name) for name in document["feature_names"])
        penalty = document.get("penalty")
        scale = [np.inf if value is None else value for value in document["scale"]]
        columns = [
            np.array(values, dtype=np.float64).reshape(len(names))
            for values in (
                document["low"],
                document["high"],
                document["mean"],
                scale,
                document["coefficients"],
            )
        ]
        return LinearModel(
            family=family,
            feature_names=names,
            scaling=FeatureScaling(*columns[:4]),
            coefficients=columns[4],
            intercept=float(document["intercept"]),
            penalty=None if penalty is None else float(penalty),
        )


def predict_linear(models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Predict by linear models of one scaling, shape (n_models, n_samples)."""
    linear = cast(Sequence[LinearModel], models)
    columns = np.ascontiguousarray(linear[0].scaling.transform(X).T)
    coefficients = np.stack([model.coefficients for model in linear])
    predictions = np.tile(np.array([[model.intercept] for model in linear]), len(X))
    # BLAS and einsum pick their kernel by shape, which changes the last bit of a row.
    for j, column in enumerate(columns):
        predictions += coefficients[:, j, np.newaxis] * column
    return predictions
