"""Seconds of a CPU for a piece of work, measured on a reference machine (pure).

Measured on 2026-11-30 on two cores of an AMD EPYC beside other work, by CPU time, with ``python
benchmarks/estimate.py --families``; `ray_pipeline.estimating.machine` holds this machine against
that one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ray_pipeline.families.hyperparameters import AUTO

__all__ = ["COSTS", "FamilyCost", "FitCost", "Kind", "Models", "Speed"]


Kind: TypeAlias = Literal["trees", "linear"]
"""Of models: what of the speed of a machine they go by."""


@dataclass(frozen=True, slots=True)
class FamilyCost:
    """What models of a family cost, in seconds.

    Attributes
    ----------
    kind
        What of the machine's speed it goes by.
    shared_cell, shared_square
        Once for all models of one matrix (bins, scales), per row × feature and row × feature².
    base, feature, row, cell
        Of a model, whatever its trees: in all, per feature, row, and row × feature.
    tree_base, tree_feature, tree_row, tree_cell
        Of a tree, likewise.
    predicted_row, predicted_cell
        Per predicted row and tree (models without trees have one), and row × feature.
    n_trees, fraction
        Trees, and features that a tree sees, where the config does not say.
    leaves
        Of a tree as it was measured; None: the size of its trees is fixed.
    """

    kind: Kind
    shared_cell: float = 0.0
    shared_square: float = 0.0
    base: float = 0.0
    feature: float = 0.0
    row: float = 0.0
    cell: float = 0.0
    tree_base: float = 0.0
    tree_feature: float = 0.0
    tree_row: float = 0.0
    tree_cell: float = 0.0
    predicted_row: float = 0.0
    predicted_cell: float = 0.0
    n_trees: int = 0
    fraction: float = 1.0
    leaves: int | None = None


COSTS: Mapping[str, FamilyCost] = {
    "ridge": FamilyCost(
        "linear",
        shared_cell=1.5e-8,
        shared_square=3.3e-10,
        base=1.5e-3,
        row=6.5e-8,
        predicted_row=7.6e-9,
        predicted_cell=6.6e-9,
    ),
    "elastic_net": FamilyCost(
        "linear",
        shared_cell=1.4e-8,
        shared_square=1.2e-10,
        base=1e-3,
        feature=5.2e-7,
        cell=4.5e-9,
        predicted_row=1.1e-8,
        predicted_cell=3.2e-9,
    ),
    "lightgbm": FamilyCost(
        "trees",
        shared_cell=1.2e-7,
        base=4.5e-3,
        feature=1.1e-4,
        row=3.1e-7,
        cell=3.3e-8,
        tree_base=2.6e-5,
        tree_feature=1.1e-6,
        tree_row=2.0e-9,
        tree_cell=8.5e-10,
        predicted_row=9.7e-9,
        predicted_cell=9.3e-10,
        n_trees=100,
        fraction=0.7,
        leaves=4,
    ),
    "lightgbm_quantile": FamilyCost(
        "trees",
        shared_cell=1.0e-7,
        base=1.3e-3,
        feature=5.4e-5,
        row=1.0e-7,
        cell=3.2e-8,
        tree_base=2.2e-4,
        tree_feature=1.2e-5,
        tree_row=7.2e-8,
        tree_cell=3.3e-9,
        predicted_row=1.1e-7,
        n_trees=100,
        fraction=0.7,
        leaves=15,
    ),
    "xgboost": FamilyCost(
        "trees",
        base=1.6e-3,
        feature=1.5e-5,
        row=3.9e-8,
        cell=1.0e-7,
        tree_base=6e-5,
        tree_feature=3.5e-6,
        tree_row=1.1e-8,
        tree_cell=5.6e-10,
        predicted_row=5.2e-9,
        predicted_cell=8.7e-10,
        n_trees=100,
        fraction=0.7,
    ),
    "catboost": FamilyCost(
        "trees",
        row=5e-7,
        cell=7.2e-8,
        tree_base=1.7e-5,
        tree_feature=8.8e-6,
        tree_row=3.8e-8,
        tree_cell=1.4e-9,
        predicted_cell=1.2e-8,
        n_trees=100,
    ),
    "extra_trees": FamilyCost(
        "trees",
        shared_cell=1.2e-7,
        base=3e-4,
        cell=1.7e-8,
        tree_base=1.2e-4,
        tree_feature=2.5e-6,
        tree_row=3.2e-8,
        tree_cell=2e-9,
        predicted_row=5.6e-8,
        predicted_cell=3.4e-9,
        n_trees=100,
    ),
    "random_forest": FamilyCost(
        "trees",
        shared_cell=1.0e-7,
        base=1.8e-3,
        row=4.7e-7,
        cell=8.7e-9,
        tree_base=9.8e-5,
        tree_feature=4.7e-6,
        tree_row=3.9e-8,
        tree_cell=1.5e-9,
        predicted_row=5.5e-8,
        predicted_cell=2.3e-9,
        n_trees=100,
    ),
}
"""By family; of `lightgbm` with the smallest trees that it sets itself. What is not here (a net, a
family of your own) is not counted, and said so."""


@dataclass(frozen=True, slots=True)
class Models:
    """A family as a stage fits it.

    Attributes
    ----------
    family
        One of `COSTS`.
    n_trees
        Trees of a model, 0 without any.
    fraction
        Share of the features that a tree sees.
    leaves
        Of a tree where the config says so; None: left to the training rows, or to the family.
    """

    family: str
    n_trees: int
    fraction: float
    leaves: int | None

    @classmethod
    def of(cls, family: str, hyperparameters: Mapping[str, Any]) -> Models:
        """Take what a config says of a family, and its defaults for the rest."""
        cost = COSTS[family]
        leaves = hyperparameters.get("num_leaves", AUTO)
        return cls(
            family,
            int(hyperparameters.get("n_estimators", cost.n_trees)),
            float(hyperparameters.get("feature_fraction", cost.fraction)),
            None if cost.leaves is None or leaves == AUTO else int(leaves),
        )

    @property
    def cost(self) -> FamilyCost:
        """What the family costs."""
        return COSTS[self.family]

    def shared_s(self, n_rows: float, n_features: float) -> float:
        """Seconds of what all models of one matrix share."""
        cost = self.cost
        return n_rows * n_features * (cost.shared_cell + cost.shared_square * n_features)

    def fit_s(self, n_rows: float, n_features: float, leaves: float) -> float:
        """Seconds of one model besides.

        Parameters
        ----------
        leaves
            Of a tree, where neither the config nor the family sets them.
        """
        cost = self.cost
        before = cost.base + n_features * cost.feature + n_rows * cost.row
        before += n_rows * n_features * cost.cell
        seen = self.fraction / cost.fraction if cost.fraction else 1.0
        tree = cost.tree_base + n_rows * cost.tree_row
        tree += seen * n_features * (cost.tree_feature + n_rows * cost.tree_cell)
        return before + self.n_trees * tree * math.sqrt(self._larger(leaves))

    def predict_s(self, n_rows: float, n_features: float, leaves: float) -> float:
        """Seconds of the predictions of one model."""
        cost = self.cost
        per_row = max(self.n_trees, 1) * cost.predicted_row * math.pow(self._larger(leaves), 0.75)
        return n_rows * (per_row + n_features * cost.predicted_cell)

    def _larger(self, leaves: float) -> float:
        """Return how many times as many leaves a tree has as those that were measured.

        Fitting takes their square root as long: from 4 to 31 leaves 2.3 to 3.3 times; predicting
        4 to 5 times.
        """
        measured = self.cost.leaves
        return 1.0 if measured is None else max(self.leaves or leaves, 2.0) / measured


@dataclass(frozen=True, slots=True)
class FitCost:
    """Seconds by what they go by: boosted trees, linear algebra, or what is done with columns."""

    trees: float = 0.0
    linear: float = 0.0
    columns: float = 0.0

    def __add__(self, other: FitCost) -> FitCost:
        """Add part by part."""
        return FitCost(
            self.trees + other.trees, self.linear + other.linear, self.columns + other.columns
        )

    def __mul__(self, times: float) -> FitCost:
        """Return so many times as much."""
        return FitCost(self.trees * times, self.linear * times, self.columns * times)


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds of a CPU for three samples of the work; or, of two machines, their ratios.

    Attributes
    ----------
    trees
        A LightGBM model.
    linear
        A ridge regression.
    columns
        Decoding, sorting and comparing columns.
    """

    trees: float
    linear: float
    columns: float

    def seconds(self, cost: FitCost) -> float:
        """Return the seconds of some work, where this is how many times as long all takes."""
        return cost.trees * self.trees + cost.linear * self.linear + cost.columns * self.columns

    def beside(self, other: Speed) -> Speed:
        """Return how many times as long as there the same takes here."""
        return Speed(
            self.trees / other.trees, self.linear / other.linear, self.columns / other.columns
        )
