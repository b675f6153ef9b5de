"""A user's own per-symbol stages: functions from a symbol's table to a small record."""

from ray_pipeline.user_stages.functions import UserStage, find_stage
from ray_pipeline.user_stages.records import records_table
from ray_pipeline.user_stages.stage import STAGE_PREFIX, run_user_stage

__all__ = ["STAGE_PREFIX", "UserStage", "find_stage", "records_table", "run_user_stage"]
