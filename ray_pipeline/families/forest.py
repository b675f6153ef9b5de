"""What forests of scikit-learn's trees have in common: fitting, and a model of plain arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.hyperparameters import (
    MOST_ROUNDS,
    Number,
    check_hyperparameters,
    check_installed,
)
from ray_pipeline.families.labels import LabelScale, clipped_labels, weights_of
from ray_pipeline.families.model_files import pack_arrays, reading, unpack_arrays
from ray_pipeline.families.protocol import Model, Problem, predict_each
from ray_pipeline.families.searching import SearchDimension, with_defaults
from ray_pipeline.statistics.scaling import fit_feature_scaling

__all__ = ["COMMON", "ForestFamily", "ForestModel"]

COMMON: Mapping[str, Number] = {
    "n_estimators": Number(1, MOST_ROUNDS, whole=True),
    "max_features": Number(0.0, 1.0, above=True),
    "max_depth": Number(1, 1_000, whole=True),
    "min_samples_leaf": Number(1, 10**9, whole=True),
}
_FILE = "model.npz"

NODES_AT_ONCE = 1 << 18
"""Places in trees that are held together while rows walk down: a few megabytes."""

_SEARCHED = {
    "n_estimators": SearchDimension("int", 50, 500, log=True),
    "max_depth": SearchDimension("int", 2, 12),
    "max_features": SearchDimension("float", 0.1, 1.0),
}
"""The rows of a leaf are not among them: what they should be goes by the rows there are."""


@dataclass(frozen=True, slots=True)
class ForestModel:
    """Trees as arrays: no scikit-learn is needed to predict, and none of its versions matters.

    A saved scikit-learn object (skops, ONNX) carries memory addresses or the time of day into its
    bytes, weighs twenty times as much and loads with few versions of the library.

    Attributes
    ----------
    roots
        First node of each tree, shape (n_trees,).
    left, right
        Children of each node, shape (n_nodes,); a leaf is its own child.
    feature, threshold, missing_left
        A row goes left where its feature is at most the threshold, or is missing and that goes
        left, shape (n_nodes,).
    value
        Prediction of each node, shape (n_nodes,).
    importances
        Share of the impurity that splits on each feature take away, shape (n_features,).
    """

    family: str
    roots: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]
    importances: NDArray[np.float64]
    trained_with: str

    @classmethod
    def of_forest(cls, family: str, forest: Any, scale: LabelScale) -> ForestModel:
        """Take a fitted forest of scikit-learn apart."""
        trees = [estimator.tree_ for estimator in forest.estimators_]
        sizes = np.array([tree.node_count for tree in trees])
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        states = [tree.__getstate__()["nodes"] for tree in trees]
        nodes = np.concatenate(states)
        offset, own = np.repeat(roots, sizes), np.arange(sizes.sum())
        is_leaf = nodes["left_child"] < 0
        return cls(
            family=family,
            roots=roots,
            left=np.where(is_leaf, own, nodes["left_child"] + offset),
            right=np.where(is_leaf, own, nodes["right_child"] + offset),
            feature=np.where(is_leaf, 0, nodes["feature"]),
            threshold=np.where(is_leaf, 0.0, nodes["threshold"]),
            missing_left=nodes["missing_go_to_left"].astype(np.bool_),
            value=scale.undo(np.concatenate([tree.value[:, 0, 0] for tree in trees])),
            importances=np.asarray(forest.feature_importances_, dtype=np.float64),
            trained_with=f"scikit-learn {version('scikit-learn')}",
        )

    @property
    def n_rounds(self) -> int:
        """Trees."""
        return len(self.roots)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean over the trees, of binary labels the probability; a row's bits are its own."""
        n_rows = max(1, NODES_AT_ONCE // len(self.roots))
        predictions = np.zeros(len(X))
        for start in range(0, len(X), n_rows):
            predictions[start : start + n_rows] = self._predict(X[start : start + n_rows])
        return predictions

    def _predict(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        flat = np.ascontiguousarray(X).ravel()
        first = np.arange(len(X)) * X.shape[1]
        node = np.repeat(self.roots[:, np.newaxis], len(X), axis=1)
        while True:
            x = flat[first + self.feature[node]]
            goes_left = (x <= self.threshold[node]) | (np.isnan(x) & self.missing_left[node])
            child = np.where(goes_left, self.left[node], self.right[node])
            if np.array_equal(child, node):
                break
            node = child
        total = np.zeros(len(X))
        # Tree by tree: NumPy's own sum takes another order for a single row.
        for values in self.value[node]:
            total += values
        return total / len(self.roots)

    def to_files(self) -> dict[str, bytes]:
        """One archive of arrays."""
        arrays: dict[str, NDArray[Any]] = {
            "roots": self.roots.astype(np.int32),
            "left": self.left.astype(np.int32),
            "right": self.right.astype(np.int32),
            "feature": self.feature.astype(np.int32),
            "threshold": self.threshold,
            "missing_left": self.missing_left,
            "value": self.value,
            "importances": self.importances,
            "trained_with": np.array(self.trained_with),
        }
        return {_FILE: pack_arrays(self.family, arrays)}


class ForestFamily:
    """A forest of scikit-learn; what differs is its name, its class and its own settings.

    Binary labels are fitted as the numbers 0 and 1: the variance that a split takes away is then
    half its Gini impurity, and the mean of a leaf is the share of its ones.
    """

    name: str
    libraries: tuple[str, ...] = ("numpy",)  # scikit-learn fits; the model is arrays
    _allowed: Mapping[str, Number] = COMMON
    _max_features: float
    """Share of the features that a split chooses from, unless it is set."""

    def _forest(self, **settings: Any) -> Any:
        """Return scikit-learn's forest with these settings, unfitted."""
        raise NotImplementedError

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Model]:
        """Grow a forest for each problem on its own rows; see `Family.fit`."""
        check_installed(self.name, "sklearn", "sklearn")
        settings = {"n_estimators": 100, "max_features": self._max_features, **hyperparameters}
        # Thresholds are drawn between the extremes of a feature, which one bad tick moves away
        # from all others. They lie within the bounds, so that new rows need no clipping.
        clipped = fit_feature_scaling(X).clip(X)
        return [self._fit(clipped, problem, settings) for problem in problems]

    def _fit(
        self, X: NDArray[np.float32], problem: Problem, settings: Mapping[str, Any]
    ) -> ForestModel:
        labels = clipped_labels(problem)
        scale = LabelScale.of(problem, labels)
        # A leaf of overlapping labels holds far fewer independent ones than rows.
        smallest = {"min_samples_leaf": max(20, len(problem.rows) // 100)}
        # One job: with several, trees are added in the order in which they are ready.
        forest = self._forest(
            **(smallest | dict(settings)), random_state=problem.seed % 2**32, n_jobs=1
        )
        forest.fit(
            X[problem.rows],
            scale.apply(labels)[problem.rows],
            sample_weight=weights_of(problem, problem.rows),
        )
        return ForestModel.of_forest(self.name, forest, scale)

    def predict(self, models: Sequence[Model], X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Predict by each model; see `Family.predict`."""
        return predict_each(models, X)

    def search_space(self) -> Mapping[str, SearchDimension]:
        """Search how many trees, how deep and how different; see `Searchable`."""
        return with_defaults(_SEARCHED, {"max_features": self._max_features})

    def check_hyperparameters(self, hyperparameters: Mapping[str, Any]) -> None:
        """Accept the names and values that scikit-learn's forest can work with."""
        check_installed(self.name, "sklearn", "sklearn")
        check_hyperparameters(self.name, hyperparameters, self._allowed)

    def load(self, files: Mapping[str, bytes]) -> Model:
        """Rebuild a model from ``model.npz``, whose trees must be trees."""
        arrays = unpack_arrays(self.name, files, _FILE)
        with reading(self.name, _FILE):
            model = ForestModel(
                family=self.name,
                roots=arrays["roots"].astype(np.int64),
                left=arrays["left"].astype(np.int64),
                right=arrays["right"].astype(np.int64),
                feature=arrays["feature"].astype(np.int64),
                threshold=arrays["threshold"].astype(np.float64),
                missing_left=arrays["missing_left"].astype(np.bool_),
                value=arrays["value"].astype(np.float64),
                importances=arrays["importances"].astype(np.float64),
                trained_with=str(arrays["trained_with"]),
            )
            _check_trees(model)
            return model


def _check_trees(model: ForestModel) -> None:
    """Raise ValueError unless every walk down stays inside and comes to an end."""
    own, n_features = np.arange(len(model.value)), len(model.importances)
    per_node = (model.left, model.right, model.feature, model.threshold, model.missing_left)
    if any(array.shape != own.shape for array in per_node) or not len(model.roots):
        raise ValueError("its arrays are not of one forest")
    is_leaf = (model.left == own) & (model.right == own)
    goes_on = (np.minimum(model.left, model.right) > own) & (
        np.maximum(model.left, model.right) < len(own)
    )
    has_feature = (model.feature >= 0) & (model.feature < n_features)
    is_root = (model.roots >= 0) & (model.roots < len(own))
    if not ((is_leaf | goes_on) & has_feature).all() or not is_root.all():
        raise ValueError("its nodes are no trees")
