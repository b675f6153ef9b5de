"""Extremely randomised trees, by scikit-learn."""

from __future__ import annotations

from typing import Any

from ray_pipeline.families.forest import ForestFamily

__all__ = ["ExtraTreesFamily"]


class ExtraTreesFamily(ForestFamily):
    """All rows for every tree, thresholds drawn by chance (Geurts, Ernst & Wehenkel 2006)."""

    name = "extra_trees"
    _max_features = 1.0

    def _forest(self, **settings: Any) -> Any:
        from sklearn.ensemble import ExtraTreesRegressor

        return ExtraTreesRegressor(**settings)
