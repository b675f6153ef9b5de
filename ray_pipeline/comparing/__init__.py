"""``ray-pipeline compare``: whether two runs computed the same, or where they first differ."""

from ray_pipeline.comparing.lines import comparison_lines
from ray_pipeline.comparing.runs import compare_runs

__all__ = ["compare_runs", "comparison_lines"]
