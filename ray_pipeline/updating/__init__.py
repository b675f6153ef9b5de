"""``ray-pipeline update``: score new bars, join outcomes, and retrain models when it is due."""

from ray_pipeline.updating.options import UpdateOptions
from ray_pipeline.updating.update import Update, update_run

__all__ = ["Update", "UpdateOptions", "update_run"]
