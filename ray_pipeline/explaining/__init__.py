"""``ray-pipeline explain``: the story of one target of a run, or of one of its symbols."""

from ray_pipeline.explaining.document import explain_target
from ray_pipeline.explaining.lines import explanation_lines
from ray_pipeline.explaining.model_lines import MAX_MODELS

__all__ = ["MAX_MODELS", "explain_target", "explanation_lines"]
