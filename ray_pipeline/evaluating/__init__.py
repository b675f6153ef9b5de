"""What the out-of-sample predictions of trained models would have been worth to a trader."""

from ray_pipeline.evaluating.evaluating import Evaluation, evaluate_models
from ray_pipeline.evaluating.records import DecayRow, EvaluatedRow, QuantileRow

__all__ = ["DecayRow", "EvaluatedRow", "Evaluation", "QuantileRow", "evaluate_models"]
