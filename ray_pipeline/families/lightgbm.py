"""Gradient boosting with LightGBM (the only home of lightgbm)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import ArtifactError
from ray_pipeline.families.hyperparameters import (
    AUTO,
    EARLY_STOPPING,
    MOST_PENALTY,
    MOST_ROUNDS,
    Automatic,
    Flag,
    Number,
    check_hyperparameters,
    without_stopping,
)
from ray_pipeline.families.label_forms import LabelForm
from ray_pipeline.families.labels import clipped_labels, weights_of
from ray_pipeline.families.lightgbm_capacity import (
    ADAPTIVE,
    LabelledRows,
    left_open,
    settled,
)
from ray_pipeline.families.lightgbm_columns import BinnedColumns
from ray_pipeline.families.lightgbm_streaming import binned_stream
from ray_pipeline.families.lightgbm_text import has_whole_trees
from ray_pipeline.families.model_files import only_file, reading
from ray_pipeline.families.protocol import Model, Problem, Stopping, predict_each
from ray_pipeline.families.searching import SearchDimension, with_defaults
from ray_pipeline.families.streaming import StreamedProblem
from ray_pipeline.families.watching import log_loss, pinball_loss, squared_error
from ray_pipeline.records import Task
from ray_pipeline.statistics.scaling import winsorise_label

__all__ = [
    "ALLOWED",
    "DEFAULTS",
    "SEARCHED",
    "Boosting",
    "LightGBMFamily",
    "LightGBMModel",
    "load_booster",
]

DEFAULTS: dict[str, Any] = {
    "n_estimators": 100,
    "learning_rate": 0.05,
    "num_leaves": 15,
    "max_bin": 63,
    "feature_fraction": 0.7,
    "lambda_l2": 1.0,
}
"""Of whatever is boosted here; the family lightgbm leaves `ADAPTIVE` to the training rows."""

_SHARE = Number(1e-3, 1.0)
ALLOWED: Mapping[str, Number | Flag | Automatic] = {
    "n_estimators": Number(1, MOST_ROUNDS, whole=True),
    "learning_rate": Automatic(Number(1e-6, 10)),
    "num_leaves": Automatic(Number(2, 131_072, whole=True)),
    "max_bin": Number(2, 65_535, whole=True),
    "feature_fraction": _SHARE,
    "feature_fraction_bynode": _SHARE,
    "bagging_fraction": _SHARE,
    "bagging_freq": Number(0, MOST_ROUNDS, whole=True),
    "max_depth": Number(-1, 1_000, whole=True),
    "min_data_in_leaf": Number(0, 10**9, whole=True),
    "min_gain_to_split": Number(0, MOST_PENALTY),
    "lambda_l1": Number(0, MOST_PENALTY),
    "lambda_l2": Number(0, MOST_PENALTY),
    "extra_trees": Flag(),
    "path_smooth": Number(0, MOST_PENALTY),
    **EARLY_STOPPING,
}
"""What changes a model; what would change its reproducibility (threads, seeds) is not allowed."""

SEARCHED: Mapping[str, SearchDimension] = {
    "n_estimators": SearchDimension("int", 30, 600, log=True),
    "learning_rate": SearchDimension("float", 0.01, 0.2, log=True),
    "num_leaves": SearchDimension("int", 4, 63, log=True),
    "feature_fraction": SearchDimension("float", 0.3, 1.0),
    "lambda_l2": SearchDimension("float", 0.1, 100.0, log=True),
}
"""Size of the model and what holds it back. The rows of a leaf are not among them: what they
should be goes by the rows there are, and `Boosting.fit` sees to it."""

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

    @property
    def n_rounds(self) -> int:
        """Trees."""
        return int(self._booster.num_trees())

    @property
    def chosen(self) -> Mapping[str, float]:
        """Leaves and learning rate, configured or not; see `TunedModel`."""
        found = dict(
            re.findall(r"^\[(learning_rate|num_leaves): (\S+)\]$", self.text, re.MULTILINE)
        )
        kinds = {"learning_rate": float, "num_leaves": int}
        return {name: kind(found[name]) for name, kind in kinds.items() if name in found}

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Raw scores: for binary targets the log-odds, in the order of the probabilities."""
        return np.asarray(self._booster.predict(X, raw_score=True), dtype=np.float64)

    def predict_response(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict in the unit of the labels; a forest's raw scores are sums over its trees."""
        return np.asarray(self._booster.predict(X), dtype=np.float64)

    def to_files(self) -> dict[str, bytes]:
        """LightGBM's text format."""
        return {_FILE: self.text.encode()}


class Boosting:
    """LightGBM on one design matrix: binned once, boosted for each objective on its own rows.

    `binned` is the binned `lightgbm.Dataset` of X, where there is one.
    """

    def __init__(
        self, X: NDArray[np.float32], hyperparameters: Mapping[str, Any], binned: Any = None
    ) -> None:
        settings, self._patience = without_stopping({**DEFAULTS, **hyperparameters})
        self._n_rounds = int(settings.pop("n_estimators"))
        self._settings = settings
        self._binning = _binning(settings)
        # Names of users' columns may hold what LightGBM's text format cannot; metadata.json
        # keeps the real ones in order.
        columns = [f"f{j}" for j in range(X.shape[1])]
        if binned is None:
            given: dict[str, Any] = {"params": self._binning, "free_raw_data": False}
            binned = lgb.Dataset(X, feature_name=columns, **given)
        self._data = binned.construct()
        self._n_rows = len(X)
        self._subset: tuple[bytes, Any] | None = None

    def fit(
        self,
        problem: Problem,
        quantile: float | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> LightGBMModel:
        """Boost on the problem's rows, for as many rounds as early stopping finds best.

        Parameters
        ----------
        quantile
            To predict; None predicts the mean, of binary labels as log-odds.
        settings
            Of this problem alone, over those of all.
        """
        labels = clipped_labels(problem)
        n_rows = len(problem.rows)
        settings = self._settings | dict(settings or {})
        if quantile is not None:
            settings |= {name: DEFAULTS[name] for name in left_open(settings)}

        def params_by(settings: Mapping[str, Any]) -> dict[str, Any]:
            return self._binning | _objective(settings, problem.task, problem.seed, n_rows)

        rows = LabelledRows(problem.rows, labels, problem.task, problem.weights, problem.offsets)
        stops_early = self._patience is not None and problem.stopping is not None
        params = params_by(
            settled(settings, self._data, params_by, rows, self._n_rounds, stops_early)
        )
        if quantile is not None:
            params |= {"objective": "quantile", "alpha": quantile}
        n_rounds = self._n_rounds
        if self._patience is not None and problem.stopping is not None:
            n_rounds = self._best_rounds(
                problem, problem.stopping, self._patience, labels, params, quantile
            )
        return _trained(params, self._labelled(problem, problem.rows, labels), n_rounds)

    def _best_rounds(
        self,
        problem: Problem,
        stopping: Stopping,
        patience: int,
        labels: NDArray[np.float64],
        params: dict[str, Any],
        quantile: float | None,
    ) -> int:
        actual = labels[stopping.watched]
        weights = weights_of(problem, stopping.watched)

        def loss(predictions: NDArray[np.float64], _: Any) -> tuple[str, float, bool]:
            if quantile is not None:
                return "loss", pinball_loss(actual, predictions, quantile, weights), False
            if problem.task == "binary":  # LightGBM gives probabilities
                log_odds = np.log(predictions) - np.log1p(-predictions)
                return "loss", log_loss(actual, log_odds, weights), False
            return "loss", squared_error(actual, predictions, weights), False

        watched = self._data.subset(stopping.watched.tolist(), params=self._binning)
        watched.construct().set_label(actual.astype(np.float32))
        if problem.offsets is not None:
            watched.set_init_score(problem.offsets[stopping.watched])
        booster = lgb.train(
            params | {"metric": "None"},
            self._labelled(problem, stopping.fitted, labels),
            self._n_rounds,
            valid_sets=[watched],
            feval=loss,
            callbacks=[lgb.early_stopping(patience, verbose=False)],
            keep_training_booster=True,
        )
        return int(booster.best_iteration) or self._n_rounds

    def _labelled(
        self, problem: Problem, rows: NDArray[np.int64], labels: NDArray[np.float64]
    ) -> Any:
        key = rows.tobytes()
        if self._subset is None or self._subset[0] != key:
            self._subset = key, self._rows(rows)
        data = self._subset[1].set_label(labels[rows].astype(np.float32))
        # A dataset keeps what the last problem set; None takes it off again.
        weights = weights_of(problem, rows)
        if weights is not None and (weights == 1.0).all():
            weights = None  # as LightGBM has it: weighted quantiles are others in the last place
        data.set_field("weight", None if weights is None else weights.astype(np.float32))
        data.set_field("init_score", None if problem.offsets is None else problem.offsets[rows])
        return data

    def _rows(self, rows: NDArray[np.int64]) -> Any:
        if len(rows) == self._n_rows:
            return self._data
        subset = self._data.subset(rows.tolist(), params=self._binning)
        subset.construct()
        return subset


def _trained(params: Mapping[str, Any], data: Any, n_rounds: int) -> LightGBMModel:
    """Boost, and make the model's text once: by default LightGBM makes it and parses it as well."""
    booster = lgb.train(dict(params), data, n_rounds, keep_training_booster=True)
    return LightGBMModel(booster.model_to_string())


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


class LightGBMFamily:
    """Gradient-boosted trees; one binning serves all problems on a design matrix."""

    name = "lightgbm"
    libraries = ("lightgbm",)
    label_form: LabelForm = "offsets"

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Bin once, then boost each problem on its own rows; see `Family.fit`."""
        boosting = Boosting(X, {**dict.fromkeys(ADAPTIVE, AUTO), **hyperparameters})
        return [boosting.fit(problem) for problem in problems]

    def fit_by_columns(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        columns: Sequence[NDArray[np.int64]],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Bin each column once, for all that have it; see `ColumnwiseFamily.fit_by_columns`."""
        given = {**dict.fromkeys(ADAPTIVE, AUTO), **hyperparameters}
        binned = BinnedColumns(X, _binning({**DEFAULTS, **given}), columns)
        return [
            Boosting(X, given, binned.joined(some)).fit(problem)
            for problem, some in zip(problems, columns, strict=True)
        ]

    def fit_streamed(
        self,
        sample: NDArray[np.float32],
        feature_names: Sequence[str],
        problem: StreamedProblem,
        hyperparameters: Mapping[str, Any],
    ) -> Model:
        """Bin the rows as they come, then boost; see `StreamingFamily.fit_streamed`."""
        given = {**DEFAULTS, **dict.fromkeys(ADAPTIVE, AUTO), **hyperparameters}
        settings, _ = without_stopping(given)
        n_rounds = int(settings.pop("n_estimators"))
        binning = {**_binning(settings), "force_row_wise": False, "force_col_wise": True}
        data = binned_stream(sample, problem.rows, binning)
        labels = winsorise_label(problem.y) if problem.task == "regression" else problem.y
        data.set_label(labels.astype(np.float32))
        data.set_weight(problem.weights)
        if problem.offsets is not None:
            data.set_init_score(problem.offsets)
        rows = LabelledRows(
            problem.in_time(), labels, problem.task, problem.weights, problem.offsets
        )

        def params_by(settings: Mapping[str, Any]) -> dict[str, Any]:
            return binning | _objective(settings, problem.task, problem.seed, len(problem.y))

        params = params_by(settled(settings, data, params_by, rows, n_rounds, stops_early=False))
        del labels, rows  # of every row, through all of the boosting
        return _trained(params, data, n_rounds)

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Search how large and how cautious the model is; see `Searchable`."""
        known = {name: value for name, value in DEFAULTS.items() if name not in ADAPTIVE}
        return with_defaults(SEARCHED, known)

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict by each model; see `Family.predict`."""
        return predict_each(models, X)

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Accept the names that change a model, not those that would change reproducibility."""
        check_hyperparameters(self.name, hyperparameters, ALLOWED)

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild a model from ``model.txt``."""
        return load_booster(self.name, files, _FILE)


def load_booster(family: str, files: Mapping[str, bytes], name: str) -> LightGBMModel:
    """Rebuild a booster from its text, looked through first.

    LightGBM ends the whole process at a tree that it cannot parse, so that no such text reaches
    it. A digit changed for another is for the checksum of the file to find.

    Raises
    ------
    ArtifactError
        When the text is missing, cut off or damaged.
    """
    content = only_file(family, files, name)
    with reading(family, name, lgb.basic.LightGBMError):
        text = content.decode()
        if not has_whole_trees(text):
            raise ArtifactError(f"{family}: {name} is damaged or no text of a LightGBM model.")
        model = LightGBMModel(text)
        model.importances  # noqa: B018  # parsed now, not at the first prediction
        return model
