"""Features and targets computed from one value over time: sales, factor returns, readings."""

from ray_pipeline.series.catalogue import (
    SeriesFeature,
    described_series_features,
    find_feature,
    series_feature_names,
    series_set,
)
from ray_pipeline.series.features import compute_series_features, series_lookback
from ray_pipeline.series.labels import (
    compute_series_targets,
    default_series_targets,
    find_series_label,
    series_target_task,
)
from ray_pipeline.series.lasting import Lasting, foretold, lasting, levels, order_lasts
from ray_pipeline.series.values import ValueSeries

__all__ = [
    "Lasting",
    "SeriesFeature",
    "ValueSeries",
    "compute_series_features",
    "compute_series_targets",
    "default_series_targets",
    "described_series_features",
    "find_feature",
    "find_series_label",
    "foretold",
    "lasting",
    "levels",
    "order_lasts",
    "series_feature_names",
    "series_lookback",
    "series_set",
    "series_target_task",
]
