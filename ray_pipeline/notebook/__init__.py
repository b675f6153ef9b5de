"""Runs in Python, for notebooks: from a data frame to a result, and further use."""

from ray_pipeline.notebook.opened import Run, open_run
from ray_pipeline.notebook.running import run

__all__ = ["Run", "open_run", "run"]
