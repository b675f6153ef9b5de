"""``ray-pipeline monitor``: a run's promise compared with its outcomes, and what has drifted."""

from ray_pipeline.monitoring.lines import monitoring_lines
from ray_pipeline.monitoring.records import Monitoring
from ray_pipeline.monitoring.watching import monitor_run

__all__ = ["Monitoring", "monitor_run", "monitoring_lines"]
