"""Random forests, by LightGBM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.families.forest import ALL_ROWS, COMMON, ForestFamily
from ray_pipeline.families.hyperparameters import Number

__all__ = ["RandomForestFamily"]

_SHARE = 0.632
"""As many different rows as a bootstrap sample holds: 1 - 1/e."""


class RandomForestFamily(ForestFamily):
    """A sample of the rows for every tree, the best thresholds (after Breiman 2001).

    ``max_samples`` is the share of the rows that a tree draws, without replacement.
    """

    name = "random_forest"
    _max_features = 0.33
    _allowed = {**COMMON, "max_samples": Number(0.01, 1.0)}  # noqa: RUF012  # never changed

    def _rows(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"bagging_fraction": min(given.get("max_samples", _SHARE), ALL_ROWS)}
