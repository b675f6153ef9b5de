"""The run's settings: typed sections, and the loading of a YAML file into them.

This package is the only importer of yaml.
"""

from ray_pipeline.config.data_sections import (
    ColumnsConfig,
    DataConfig,
    ExperimentSection,
    LabelingConfig,
    ValidationConfig,
)
from ray_pipeline.config.doubt_section import DoubtConfig
from ray_pipeline.config.experiment import (
    ExecutionConfig,
    ExperimentConfig,
    OutputConfig,
    TrackingConfig,
)
from ray_pipeline.config.loading import (
    build_experiment_config,
    config_schema,
    dump_config,
    load_experiment_config,
    parse_experiment_config,
    read_config_values,
)
from ray_pipeline.config.stage_sections import (
    EvaluationConfig,
    FeatureSelectionConfig,
    LeakageConfig,
    RoutingConfig,
    TargetRankingConfig,
    TrainingConfig,
    UserStageConfig,
)

__all__ = [
    "ColumnsConfig",
    "DataConfig",
    "DoubtConfig",
    "EvaluationConfig",
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
    "UserStageConfig",
    "ValidationConfig",
    "build_experiment_config",
    "config_schema",
    "dump_config",
    "load_experiment_config",
    "parse_experiment_config",
    "read_config_values",
]
