"""Features and targets computed from open, high, low, close and volume."""

from ray_pipeline.bars.bars import Bars
from ray_pipeline.bars.features import (
    CATALOGUE,
    FEATURE_SETS,
    STANDARD_FEATURES,
    compute_features,
    feature_lookback,
    feature_names,
    function_paths,
)
from ray_pipeline.bars.label_names import is_label_name
from ray_pipeline.bars.labels import compute_targets, target_lookback, target_task
from ray_pipeline.bars.series import Feature

__all__ = [
    "CATALOGUE",
    "FEATURE_SETS",
    "STANDARD_FEATURES",
    "Bars",
    "Feature",
    "compute_features",
    "compute_targets",
    "feature_lookback",
    "feature_names",
    "function_paths",
    "is_label_name",
    "target_lookback",
    "target_task",
]
