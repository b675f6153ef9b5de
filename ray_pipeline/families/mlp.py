"""A small neural network: trained by PyTorch, saved as arrays, predicting with NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.hyperparameters import (
    EARLY_STOPPING,
    MOST_PENALTY,
    MOST_ROUNDS,
    Number,
    check_hyperparameters,
    check_installed,
    without_stopping,
)
from ray_pipeline.families.labels import LabelScale, clipped_labels, weights_of
from ray_pipeline.families.mlp_training import Examples, NetworkSettings, train_network
from ray_pipeline.families.model_files import pack_arrays, reading, unpack_arrays
from ray_pipeline.families.protocol import Model, Problem, predict_each
from ray_pipeline.families.searching import SearchDimension, with_defaults
from ray_pipeline.statistics.scaling import FeatureScaling, fit_feature_scaling

__all__ = ["MLPFamily", "MLPModel"]

_ALLOWED: Mapping[str, Number] = {
    "hidden_units": Number(1, 4096, whole=True),
    "hidden_layers": Number(1, 8, whole=True),
    "n_epochs": Number(1, MOST_ROUNDS, whole=True),
    "batch_size": Number(1, 10**9, whole=True),
    "learning_rate": Number(1e-8, 10),
    "weight_decay": Number(0, MOST_PENALTY),
    "dropout": Number(0.0, 0.9),
    **EARLY_STOPPING,
}
_FILE = "model.npz"

ROWS_AT_ONCE = 4_096
"""Rows whose hidden layers are held together: they stay in a processor's cache."""

_SEARCHED = {
    "hidden_units": SearchDimension("int", 8, 128, log=True),
    "n_epochs": SearchDimension("int", 5, 60, log=True),
    "learning_rate": SearchDimension("float", 3e-4, 2e-2, log=True),
    "weight_decay": SearchDimension("float", 0.1, 30.0, log=True),
    "dropout": SearchDimension("float", 0.0, 0.5),
}


@dataclass(frozen=True, slots=True)
class MLPModel:
    """Layers of rectified linear units on scaled features, and a linear output.

    Attributes
    ----------
    layers
        Weights (n_out, n_in) and offsets (n_out,) of each layer; the last has one output.
    scaling
        Of the features; missing becomes 0, the mean.
    label_scale
        Gives predictions in the units of the labels.
    importances
        Mean absolute change of the output with each scaled feature, over the training rows.
    n_rounds
        Epochs.
    trained_with
        Library and kind of device: their bits differ.
    """

    layers: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]
    scaling: FeatureScaling
    label_scale: LabelScale
    importances: NDArray[np.float64]
    n_rounds: int
    trained_with: str

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict each row, of binary labels the log-odds; a row's bits are its own."""
        predictions = np.empty(len(X))
        for start in range(0, len(X), ROWS_AT_ONCE):
            block = slice(start, start + ROWS_AT_ONCE)
            columns = np.ascontiguousarray(self.scaling.transform(X[block]).T)
            for depth, (weights, offsets) in enumerate(self.layers):
                if depth:
                    np.maximum(columns, 0.0, out=columns)
                # BLAS picks its kernel by shape, which changes the last bit of a row.
                sums = np.repeat(offsets[:, np.newaxis], columns.shape[1], axis=1)
                for j, column in enumerate(columns):
                    sums += weights[:, j, np.newaxis] * column
                columns = sums
            predictions[block] = columns[0]
        return self.label_scale.undo(predictions)

    def to_files(self) -> dict[str, bytes]:
        """One archive of arrays."""
        arrays: dict[str, NDArray[Any]] = {
            "low": self.scaling.low,
            "high": self.scaling.high,
            "mean": self.scaling.mean,
            "scale": self.scaling.scale,
            "label_scale": np.array([self.label_scale.mean, self.label_scale.deviation]),
            "importances": self.importances,
            "n_rounds": np.array(self.n_rounds),
            "trained_with": np.array(self.trained_with),
            "n_layers": np.array(len(self.layers)),
        }
        for depth, (weights, offsets) in enumerate(self.layers):
            # Trained in single precision, so that nothing is lost.
            arrays[f"weights_{depth}"] = weights.astype(np.float32)
            arrays[f"offsets_{depth}"] = offsets.astype(np.float32)
        return {_FILE: pack_arrays("mlp", arrays)}


class MLPFamily:
    """A multilayer perceptron, fitted by AdamW on the GPU when there is one.

    PyTorch trains it; the saved model needs NumPy alone.
    """

    name = "mlp"
    libraries = ("numpy",)

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Scale the matrix once, then train a network for each problem; see `Family.fit`."""
        check_installed(self.name, "torch", "torch")
        given, patience = without_stopping(hyperparameters)
        settings = NetworkSettings(**given)
        scaling = fit_feature_scaling(X)
        Z = scaling.transform(X).astype(np.float32)
        return [_fit(Z, scaling, problem, settings, patience) for problem in problems]

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict by each model; see `Family.predict`."""
        return predict_each(models, X)

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Search how large and how cautious the network is; see `Searchable`."""
        return with_defaults(_SEARCHED, asdict(NetworkSettings()))

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Accept the shape of the network and how it is trained."""
        check_installed(self.name, "torch", "torch")
        check_hyperparameters(self.name, hyperparameters, _ALLOWED)

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild a model from ``model.npz``."""
        arrays = unpack_arrays(self.name, files, _FILE)
        with reading(self.name, _FILE):
            layers = tuple(
                (
                    arrays[f"weights_{depth}"].astype(np.float64),
                    arrays[f"offsets_{depth}"].astype(np.float64),
                )
                for depth in range(int(arrays["n_layers"]))
            )
            mean, deviation = arrays["label_scale"].tolist()
            model = MLPModel(
                layers=layers,
                scaling=FeatureScaling(*(arrays[key] for key in ("low", "high", "mean", "scale"))),
                label_scale=LabelScale(mean, deviation),
                importances=arrays["importances"],
                n_rounds=int(arrays["n_rounds"]),
                trained_with=str(arrays["trained_with"]),
            )
            model.predict(np.zeros((1, len(model.importances)), np.float32))  # do the shapes fit?
            return model


def _fit(
    Z: NDArray[np.float32],
    scaling: FeatureScaling,
    problem: Problem,
    settings: NetworkSettings,
    patience: int | None,
) -> MLPModel:
    labels = clipped_labels(problem)
    scale = LabelScale.of(problem, labels)
    scaled = scale.apply(labels)

    def examples(rows: NDArray[np.int64]) -> Examples:
        weights = weights_of(problem, rows)
        return Examples(Z[rows], scaled[rows], np.ones(len(rows)) if weights is None else weights)

    def train(fitted: Examples, n_epochs: int, watched: Examples | None = None) -> Any:
        is_binary = problem.task == "binary"
        return train_network(fitted, settings, is_binary, problem.seed, n_epochs, watched, patience)

    n_epochs = settings.n_epochs
    stopping = problem.stopping
    if patience is not None and stopping is not None:
        n_epochs = train(examples(stopping.fitted), n_epochs, examples(stopping.watched)).n_epochs
    network = train(examples(problem.rows), n_epochs)
    return MLPModel(
        layers=network.layers,
        scaling=scaling,
        label_scale=scale,
        # A constant feature's weights are what they began as, and meet nothing but 0.
        importances=np.where(np.isinf(scaling.scale), 0.0, network.sensitivity),
        n_rounds=network.n_epochs,
        trained_with=network.trained_with,
    )
