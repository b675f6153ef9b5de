"""Gradient boosting with LightGBM (the only home of lightgbm)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import ConfigError
from ray_pipeline.records import Task
from ray_pipeline.statistics.scaling import winsorise_label
from ray_pipeline.training.families.lightgbm_streaming import binned_stream
from ray_pipeline.training.families.protocol import Model, Problem
from ray_pipeline.training.families.searching import SearchDimension
from ray_pipeline.training.families.streaming import StreamedProblem

__all__ = ["LightGBMFamily", "LightGBMModel"]

_DEFAULTS: dict[str, Any] = {
    "n_estimators": 100,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "max_bin": 63,
    "feature_fraction": 0.7,
    "lambda_l2": 1.0,
}
_ALLOWED = frozenset(_DEFAULTS) | {
    "max_depth",
    "min_data_in_leaf",
    "min_gain_to_split",
    "lambda_l1",
    "bagging_fraction",
    "bagging_freq",
    "extra_trees",
    "feature_fraction_bynode",
    "path_smooth",
}
_LEAST: dict[str, float] = {
    "n_estimators": 1,
    "num_leaves": 2,
    "max_bin": 2,
    "max_depth": -1,
    "learning_rate": 1e-6,
    "feature_fraction": 1e-3,
    "feature_fraction_bynode": 1e-3,
    "bagging_fraction": 1e-3,
}
"""Least values that LightGBM can work with; 0 for the rest."""

_SEARCHED = {
    "n_estimators": SearchDimension("int", 30, 600, log=True),
    "learning_rate": SearchDimension("float", 0.01, 0.2, log=True),
    "num_leaves": SearchDimension("int", 4, 63, log=True),
    "feature_fraction": SearchDimension("float", 0.3, 1.0),
    "lambda_l2": SearchDimension("float", 0.1, 100.0, log=True),
}
"""Size of the model and what holds it back. The rows of a leaf are not among them: what they
should be goes by the rows there are, and `LightGBMFamily.fit` sees to it."""

# Without these a change of thread count changes the trees (LightGBM #3761, #6731). The number of
# threads itself is left to the worker, so that it is not written into the model file.
_DETERMINISTIC: dict[str, Any] = {
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 0,
    "verbosity": -1,
}
_FILE = "model.txt"


@dataclass(frozen=True)
class LightGBMModel:
    """A booster, kept as its own text so that it travels and compares as plain data."""

    text: str

    @classmethod
    def of_booster(cls, booster: Any) -> LightGBMModel:
        """Keep a fitted booster at hand: its text need not be parsed again to predict."""
        model = cls(booster.model_to_string())
        model.__dict__["_booster"] = booster.free_dataset()
        return model

    @cached_property
    def _booster(self) -> Any:
        return lgb.Booster(model_str=self.text)

    def __getstate__(self) -> dict[str, str]:
        """Travel as text alone."""
        return {"text": self.text}

    @property
    def importances(self) -> NDArray[np.float64]:
        """Total gain of the splits on each feature."""
        return np.asarray(self._booster.feature_importance("gain"), dtype=np.float64)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Raw scores: for binary targets the log-odds, in the order of the probabilities."""
        return np.asarray(self._booster.predict(X, raw_score=True), dtype=np.float64)

    def to_files(self) -> dict[str, bytes]:
        """LightGBM's text format."""
        return {_FILE: self.text.encode()}


class LightGBMFamily:
    """Gradient-boosted trees; one binning serves all problems on a design matrix."""

    name = "lightgbm"
    libraries = ("lightgbm",)

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Bin once, then boost each problem on its own rows; see `Family.fit`."""
        settings = {**_DEFAULTS, **hyperparameters}
        n_rounds = int(settings.pop("n_estimators"))
        binning = _binning(settings)
        # Names of users' columns may hold what LightGBM's text format cannot; metadata.json
        # keeps the real ones in order.
        columns = [f"f{j}" for j in range(X.shape[1])]
        data = lgb.Dataset(X, feature_name=columns, params=binning, free_raw_data=False)
        data.construct()
        subsets: dict[bytes, Any] = {}
        models: list[Model] = []
        for problem in problems:
            key = problem.rows.tobytes()
            if key not in subsets:
                subsets = {key: _subset(data, problem.rows, len(X), binning)}
            labels = problem.y[problem.rows]
            if problem.task == "regression":
                labels = winsorise_label(labels)
            subset = subsets[key]
            subset.set_label(labels.astype(np.float32))
            params = {
                **binning,
                **_objective(settings, problem.task, problem.seed, len(problem.rows)),
            }
            booster = lgb.train(params, subset, num_boost_round=n_rounds)
            models.append(LightGBMModel.of_booster(booster))
        return models

    def fit_streamed(
        self,
        sample: NDArray[np.float32],
        feature_names: Sequence[str],
        problem: StreamedProblem,
        hyperparameters: Mapping[str, Any],
    ) -> Model:
        """Bin the rows as they come, then boost; see `StreamingFamily.fit_streamed`."""
        settings = {**_DEFAULTS, **hyperparameters}
        n_rounds = int(settings.pop("n_estimators"))
        binning = {**_binning(settings), "force_row_wise": False, "force_col_wise": True}
        data = binned_stream(sample, problem.rows, binning)
        labels = winsorise_label(problem.y) if problem.task == "regression" else problem.y
        data.set_label(labels.astype(np.float32))
        if problem.weights is not None:
            data.set_weight(problem.weights.astype(np.float32))
        params = {**binning, **_objective(settings, problem.task, problem.seed, len(problem.y))}
        return LightGBMModel.of_booster(lgb.train(params, data, num_boost_round=n_rounds))

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict by each model; see `Family.predict`."""
        return np.stack([model.predict(X) for model in models])

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Accept the names that change a model, not those that would change reproducibility."""
        for name, value in hyperparameters.items():
            if name not in _ALLOWED:
                raise ConfigError(
                    f"lightgbm: hyperparameter '{name}' is not supported; "
                    f"known are {', '.join(sorted(_ALLOWED))}."
                )
            if name == "extra_trees" and isinstance(value, bool):
                continue
            least = _LEAST.get(name, 0)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not least <= value < math.inf:
                raise ConfigError(
                    f"lightgbm: {name} is {value!r}; a number of at least {least:g} is needed."
                )

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Search how large and how cautious the model is; see `Searchable`."""
        return {
            name: replace(dimension, default=_DEFAULTS[name])
            for name, dimension in _SEARCHED.items()
        }

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild a model from ``model.txt``."""
        return LightGBMModel(files[_FILE].decode())


def _binning(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_DETERMINISTIC,
        "max_bin": settings["max_bin"],
        "min_data_in_bin": 3,
        # The bins serve problems of any leaf size, so that none may filter features by its own.
        "feature_pre_filter": False,
    }


def _objective(settings: Mapping[str, Any], task: Task, seed: int, n_rows: int) -> dict[str, Any]:
    return {
        # A leaf of overlapping labels holds far fewer independent ones than rows.
        "min_data_in_leaf": max(20, n_rows // 40),
        **settings,
        "objective": "binary" if task == "binary" else "regression",
        "seed": seed % (2**31 - 1),
    }


def _subset(data: Any, rows: NDArray[np.int64], n_rows: int, params: dict[str, Any]) -> Any:
    if len(rows) == n_rows:
        return data
    subset = data.subset(rows.tolist(), params=params)
    subset.construct()
    return subset
