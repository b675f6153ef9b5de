"""Gradient boosting with CatBoost (the only home of catboost)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
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
from ray_pipeline.families.model_files import only_file, reading, unpack_document
from ray_pipeline.families.protocol import Model, Problem, Stopping, predict_each
from ray_pipeline.families.searching import SearchDimension, with_defaults

__all__ = ["CatBoostFamily", "CatBoostModel"]

_DEFAULTS: dict[str, Any] = {
    "n_estimators": 100,
    "learning_rate": 0.05,
    "depth": 4,
    "border_count": 64,
    "l2_leaf_reg": 3.0,
    "rsm": 0.7,
}
_ALLOWED: Mapping[str, Number] = {
    "n_estimators": Number(1, MOST_ROUNDS, whole=True),
    "learning_rate": Number(1e-6, 10),
    "depth": Number(1, 10, whole=True),
    "border_count": Number(1, 255, whole=True),
    "l2_leaf_reg": Number(0, MOST_PENALTY),
    "rsm": Number(1e-3, 1.0),
    "subsample": Number(1e-3, 1.0),
    "random_strength": Number(0, MOST_PENALTY),
    **EARLY_STOPPING,
}

_DETERMINISTIC: dict[str, Any] = {
    "thread_count": 1,
    "boosting_type": "Plain",  # chosen by the number of rows otherwise
    "bootstrap_type": "MVS",
    "allow_writing_files": False,
    "logging_level": "Silent",
}
_FILE = "model.cbm"
_CONSTANT = "constant.json"

_SEARCHED = {
    "n_estimators": SearchDimension("int", 30, 600, log=True),
    "learning_rate": SearchDimension("float", 0.01, 0.2, log=True),
    "depth": SearchDimension("int", 2, 8),
    "rsm": SearchDimension("float", 0.3, 1.0),
    "l2_leaf_reg": SearchDimension("float", 0.3, 100.0, log=True),
}


@dataclass(frozen=True)
class CatBoostModel:
    """A model, kept as CatBoost's own binary format."""

    content: bytes

    @cached_property
    def _model(self) -> Any:
        import catboost

        model = catboost.CatBoost()
        model.load_model(blob=self.content)
        return model

    def __getstate__(self) -> dict[str, bytes]:
        """Travel as bytes alone."""
        return {"content": self.content}

    @property
    def importances(self) -> NDArray[np.float64]:
        """How much predictions change with each feature, in percent of all."""
        values = self._model.get_feature_importance(type="PredictionValuesChange", thread_count=1)
        return np.asarray(values, dtype=np.float64)

    @property
    def n_rounds(self) -> int:
        """Trees."""
        return int(self._model.tree_count_)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Raw scores: for binary targets the log-odds, in the order of the probabilities."""
        raw = self._model.predict(
            np.ascontiguousarray(X), prediction_type="RawFormulaVal", thread_count=1
        )
        return np.asarray(raw, dtype=np.float64)

    def to_files(self) -> dict[str, bytes]:
        """CatBoost's binary format."""
        return {_FILE: self.content}


@dataclass(frozen=True, slots=True)
class ConstantModel:
    """The same for every row: CatBoost refuses to fit where no feature varies."""

    value: float
    n_features: int

    @property
    def importances(self) -> NDArray[np.float64]:
        """Nothing carries anything."""
        return np.zeros(self.n_features)

    @property
    def n_rounds(self) -> int:
        """There is no tree."""
        return 0

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict the value for each row."""
        return np.full(len(X), self.value)

    def to_files(self) -> dict[str, bytes]:
        """One JSON document."""
        document = {"family": "catboost", "value": self.value, "n_features": self.n_features}
        return {_CONSTANT: json.dumps(document).encode()}


class CatBoostFamily:
    """Gradient-boosted symmetric trees."""

    name = "catboost"
    libraries = ("catboost",)

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Boost each problem on its own rows; see `Family.fit`."""
        check_installed(self.name, "catboost", "catboost")
        settings, patience = without_stopping({**_DEFAULTS, **hyperparameters})
        return [_fit(X, problem, settings, patience) for problem in problems]

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict by each model; see `Family.predict`."""
        return predict_each(models, X)

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Search how large and how cautious the model is; see `Searchable`."""
        return with_defaults(_SEARCHED, _DEFAULTS)

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Accept the names that change a model, not those that would change reproducibility."""
        check_installed(self.name, "catboost", "catboost")
        check_hyperparameters(self.name, hyperparameters, _ALLOWED)

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild a model from ``model.cbm``, or from the document of one without features."""
        if _CONSTANT in files:
            document = unpack_document(self.name, files, _CONSTANT)
            with reading(self.name, _CONSTANT):
                return ConstantModel(float(document["value"]), int(document["n_features"]))
        check_installed(self.name, "catboost", "catboost")
        import catboost

        content = only_file(self.name, files, _FILE)
        with reading(self.name, _FILE, catboost.CatBoostError):
            # Four letters, the size of what follows, and that; a cut at the end may go unnoticed.
            if int.from_bytes(content[4:8], "little") != len(content) - 8:
                raise ValueError("it is not as long as it says")
            model = CatBoostModel(content)
            model._model  # noqa: B018  # parsed now, not at the first prediction
            return model


def _fit(
    X: NDArray[np.float32], problem: Problem, settings: Mapping[str, Any], patience: int | None
) -> Model:
    import catboost

    labels = clipped_labels(problem)
    scale = LabelScale.of(problem, labels)
    is_binary = problem.task == "binary"
    params = {
        **settings,
        **_DETERMINISTIC,
        "loss_function": "Logloss" if is_binary else "RMSE",
        "random_seed": problem.seed % (2**31 - 1),
    }
    if not _varies(X[problem.rows]):
        return ConstantModel(_centre(problem, labels), X.shape[1])

    def pool(rows: NDArray[np.int64]) -> Any:
        # Users' column names may be equal to CatBoost; metadata.json keeps the real ones.
        return catboost.Pool(
            X[rows],
            scale.apply(labels[rows]),
            weight=weights_of(problem, rows),
            feature_names=[f"f{j}" for j in range(X.shape[1])],
            thread_count=1,
        )

    def best_rounds(stopping: Stopping) -> int:
        model = catboost.CatBoost(params | {"od_type": "Iter", "od_wait": patience})
        model.fit(pool(stopping.fitted), eval_set=pool(stopping.watched), use_best_model=True)
        return int(model.tree_count_)

    stopping = problem.stopping
    if patience is not None and stopping is not None and _varies(X[stopping.fitted]):
        params["n_estimators"] = best_rounds(stopping)
    model = catboost.CatBoost(params)
    model.fit(pool(problem.rows))
    model.set_scale_and_bias(*_in_units(model, scale))
    return CatBoostModel(_content(model))


def _varies(X: NDArray[np.float32]) -> bool:
    """Whether any feature has two values among the rows, missing being one."""
    return bool(((X[0] != X) & ~(np.isnan(X[0]) & np.isnan(X))).any())


def _centre(problem: Problem, labels: NDArray[np.float64]) -> float:
    """Mean label, or log-odds of the ones, of the weighted training rows."""
    mean = float(np.average(labels[problem.rows], weights=weights_of(problem, problem.rows)))
    return float(np.log(mean / (1.0 - mean))) if problem.task == "binary" else mean


def _in_units(model: Any, scale: LabelScale) -> tuple[float, float]:
    """Return the model's factor and offset that give predictions in the units of the labels."""
    factor, offset = model.get_scale_and_bias()
    return factor * scale.deviation, scale.mean + scale.deviation * offset


def _content(model: Any) -> bytes:
    """Return the binary format without the time of day and the random name of the fit."""
    metadata = model.get_metadata()
    metadata["model_guid"] = ""
    metadata["train_finish_time"] = ""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _FILE
        model.save_model(str(path), format="cbm")
        return path.read_bytes()
