"""Random forests, by scikit-learn."""

from __future__ import annotations

from typing import Any

from ray_pipeline.families.forest import COMMON, ForestFamily
from ray_pipeline.families.hyperparameters import Number

__all__ = ["RandomForestFamily"]


class RandomForestFamily(ForestFamily):
    """A bootstrap sample of the rows for every tree, the best thresholds (Breiman 2001).

    ``max_samples`` is the share of the rows that a tree draws.
    """

    name = "random_forest"
    _max_features = 0.33
    _allowed = {**COMMON, "max_samples": Number(0.01, 1.0)}  # noqa: RUF012  # never changed

    def _forest(self, **settings: Any) -> Any:
        from sklearn.ensemble import RandomForestRegressor

        return RandomForestRegressor(**settings)
