"""``ray-pipeline monitor``: what a run promised beside what came of it, and what has drifted."""

from ray_pipeline.monitoring.lines import monitoring_lines
from ray_pipeline.monitoring.records import Monitoring
from ray_pipeline.monitoring.watching import monitor_run

__all__ = ["Monitoring", "monitor_run", "monitoring_lines"]
