"""A run's models on new data: the ``predict`` command, and the same in Python."""

from ray_pipeline.predicting.command import predict_panel
from ray_pipeline.predicting.loaded import LoadedRun, load_run
from ray_pipeline.predicting.options import PredictOptions
from ray_pipeline.predicting.outcome import prediction_lines

__all__ = ["LoadedRun", "PredictOptions", "load_run", "predict_panel", "prediction_lines"]
