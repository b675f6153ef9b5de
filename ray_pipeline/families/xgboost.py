"""Gradient boosting with XGBoost (the only home of xgboost)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
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
from ray_pipeline.families.model_files import only_file, reading
from ray_pipeline.families.protocol import Model, Problem, Stopping, predict_each
from ray_pipeline.families.searching import SearchDimension, with_defaults

__all__ = ["XGBoostFamily", "XGBoostModel"]

_DEFAULTS: dict[str, Any] = {
    "n_estimators": 100,
    "learning_rate": 0.05,
    "max_depth": 4,
    "max_bin": 64,
    "colsample_bytree": 0.7,
    "reg_lambda": 1.0,
}
_SHARE = Number(1e-3, 1.0)
_ALLOWED: Mapping[str, Number] = {
    "n_estimators": Number(1, MOST_ROUNDS, whole=True),
    "learning_rate": Number(1e-6, 10),
    "max_depth": Number(1, 16, whole=True),
    "max_bin": Number(2, 65_535, whole=True),
    "min_child_weight": Number(0, MOST_PENALTY),
    "gamma": Number(0, MOST_PENALTY),
    "reg_alpha": Number(0, MOST_PENALTY),
    "reg_lambda": Number(0, MOST_PENALTY),
    "subsample": _SHARE,
    "colsample_bytree": _SHARE,
    "colsample_bynode": _SHARE,
    **EARLY_STOPPING,
}

# One thread: with more, sums of gradients take another order and may split at another place.
_DETERMINISTIC: dict[str, Any] = {"tree_method": "hist", "nthread": 1, "verbosity": 0}
_FILE = "model.json"
_MEAN, _DEVIATION = "label_mean", "label_deviation"

_SEARCHED = {
    "n_estimators": SearchDimension("int", 30, 600, log=True),
    "learning_rate": SearchDimension("float", 0.01, 0.2, log=True),
    "max_depth": SearchDimension("int", 2, 8),
    "colsample_bytree": SearchDimension("float", 0.3, 1.0),
    "reg_lambda": SearchDimension("float", 0.1, 100.0, log=True),
}


@dataclass(frozen=True)
class XGBoostModel:
    """A booster, kept as its own JSON; the units of its labels are among its attributes."""

    content: bytes

    @cached_property
    def _booster(self) -> Any:
        import xgboost as xgb

        booster = xgb.Booster()
        booster.load_model(bytearray(self.content))
        booster.set_param({"nthread": 1})
        return booster

    @cached_property
    def _scale(self) -> LabelScale:
        attributes = self._booster.attributes()
        return LabelScale(float(attributes[_MEAN]), float(attributes[_DEVIATION]))

    def __getstate__(self) -> dict[str, bytes]:
        """Travel as bytes alone."""
        return {"content": self.content}

    @property
    def importances(self) -> NDArray[np.float64]:
        """Total gain of the splits on each feature."""
        gains = self._booster.get_score(importance_type="total_gain")
        n_features = self._booster.num_features()
        return np.array([gains.get(f"f{j}", 0.0) for j in range(n_features)], dtype=np.float64)

    @property
    def n_rounds(self) -> int:
        """Trees."""
        return int(self._booster.num_boosted_rounds())

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Raw scores: for binary targets the log-odds, in the order of the probabilities."""
        raw = self._booster.inplace_predict(X, predict_type="margin")
        return self._scale.undo(np.asarray(raw, dtype=np.float64))

    def to_files(self) -> dict[str, bytes]:
        """XGBoost's JSON."""
        return {_FILE: self.content}


class XGBoostFamily:
    """Gradient-boosted trees on histograms."""

    name = "xgboost"

    def __init__(self) -> None:
        self.libraries: tuple[str, ...] = (_distribution(),)

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Boost each problem on its own rows; see `Family.fit`."""
        check_installed(self.name, "xgboost", "xgboost")
        settings, patience = without_stopping({**_DEFAULTS, **hyperparameters})
        n_rounds = int(settings.pop("n_estimators"))
        return [_fit(X, problem, settings, n_rounds, patience) for problem in problems]

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict by each model; see `Family.predict`."""
        return predict_each(models, X)

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Search how large and how cautious the model is; see `Searchable`."""
        return with_defaults(_SEARCHED, _DEFAULTS)

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Accept the names that change a model, not those that would change reproducibility."""
        check_installed(self.name, "xgboost", "xgboost")
        check_hyperparameters(self.name, hyperparameters, _ALLOWED)

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild a model from ``model.json``.

        Read as JSON first, because XGBoost reads beyond the end of what is cut off: that is why
        the format is not its binary one, which only XGBoost itself could look through.
        """
        check_installed(self.name, "xgboost", "xgboost")
        import xgboost as xgb

        content = only_file(self.name, files, _FILE)
        with reading(self.name, _FILE, xgb.core.XGBoostError):
            if not {"learner", "version"} <= json.loads(content).keys():
                raise ValueError("it is not a document of XGBoost's")
            model = XGBoostModel(content)
            model._scale  # noqa: B018  # parsed now, not at the first prediction
            return model


def _distribution() -> str:
    """Return the distribution that provides the module: xgboost-cpu is one without CUDA."""
    try:
        version("xgboost-cpu")
    except PackageNotFoundError:
        return "xgboost"
    return "xgboost-cpu"


def _fit(
    X: NDArray[np.float32],
    problem: Problem,
    settings: Mapping[str, Any],
    n_rounds: int,
    patience: int | None,
) -> XGBoostModel:
    import xgboost as xgb

    labels = clipped_labels(problem)
    scale = LabelScale.of(problem, labels)
    is_binary = problem.task == "binary"
    # A leaf of overlapping labels holds far fewer independent ones than rows. Its weight is the
    # sum of second derivatives: 1 a row, for log-odds p·(1 − p), at most a quarter.
    leaf_rows = max(20, len(problem.rows) // 40)
    params = {
        "min_child_weight": leaf_rows / 4 if is_binary else leaf_rows,
        **settings,
        **_DETERMINISTIC,
        "objective": "binary:logistic" if is_binary else "reg:squarederror",
        "seed": problem.seed % (2**31 - 1),
    }

    def matrix(rows: NDArray[np.int64]) -> Any:
        # Users' column names may hold what XGBoost refuses; metadata.json keeps them in order.
        return xgb.DMatrix(
            X[rows],
            scale.apply(labels[rows]),
            weight=weights_of(problem, rows),
            feature_names=[f"f{j}" for j in range(X.shape[1])],
            nthread=1,
        )

    def best_rounds(stopping: Stopping) -> int:
        watched = matrix(stopping.watched)
        booster = xgb.train(
            params,
            matrix(stopping.fitted),
            n_rounds,
            evals=[(watched, "watched")],
            early_stopping_rounds=patience,
            verbose_eval=False,
        )
        return int(booster.best_iteration) + 1

    if patience is not None and problem.stopping is not None:
        n_rounds = best_rounds(problem.stopping)
    booster = xgb.train(params, matrix(problem.rows), n_rounds)
    booster.set_attr(**{_MEAN: repr(scale.mean), _DEVIATION: repr(scale.deviation)})
    return XGBoostModel(bytes(booster.save_raw("json")))
