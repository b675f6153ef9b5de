"""The run's settings: typed sections, and the loading of a YAML file into them.

This package is the only importer of yaml.
"""

from ray_pipeline.config.loading import (
    config_schema,
    dump_config,
    load_experiment_config,
    parse_experiment_config,
)
from ray_pipeline.config.sections import (
    ColumnsConfig,
    DataConfig,
    ExecutionConfig,
    ExperimentConfig,
    ExperimentSection,
    FeatureSelectionConfig,
    LabelingConfig,
    LeakageConfig,
    OutputConfig,
    RoutingConfig,
    TargetRankingConfig,
    TrackingConfig,
    TrainingConfig,
    ValidationConfig,
)

__all__ = [
    "ColumnsConfig",
    "DataConfig",
    "ExecutionConfig",
    "ExperimentConfig",
    "ExperimentSection",
    "FeatureSelectionConfig",
    "LabelingConfig",
    "LeakageConfig",
    "OutputConfig",
    "RoutingConfig",
    "TargetRankingConfig",
    "TrackingConfig",
    "TrainingConfig",
    "ValidationConfig",
    "config_schema",
    "dump_config",
    "load_experiment_config",
    "parse_experiment_config",
]
