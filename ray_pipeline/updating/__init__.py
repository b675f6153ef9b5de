"""``ray-pipeline update``: new bars scored, outcomes joined, models retrained when it is time."""

from ray_pipeline.updating.options import UpdateOptions
from ray_pipeline.updating.update import Update, update_run

__all__ = ["Update", "UpdateOptions", "update_run"]
