"""Extremely randomised trees, by LightGBM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.families.forest import ALL_ROWS, ForestFamily

__all__ = ["ExtraTreesFamily"]


class ExtraTreesFamily(ForestFamily):
    """All rows for every tree, thresholds drawn by chance (Geurts, Ernst & Wehenkel 2006)."""

    name = "extra_trees"
    _max_features = 1.0

    def _rows(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"extra_trees": True, "bagging_fraction": ALL_ROWS}
