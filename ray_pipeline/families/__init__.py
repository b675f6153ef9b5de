"""Model families: one file each, found by name through entry points."""

from ray_pipeline.families.columns import ColumnwiseFamily, fit_by_columns
from ray_pipeline.families.hyperparameters import stopping_fraction, without_stopping
from ray_pipeline.families.identity import family_identity
from ray_pipeline.families.label_forms import LabelForm, label_form
from ray_pipeline.families.protocol import (
    Family,
    IterativeModel,
    Model,
    Problem,
    QuantileModel,
    Stopping,
    TunedModel,
)
from ray_pipeline.families.registry import load_family
from ray_pipeline.families.searching import Searchable, SearchDimension
from ray_pipeline.families.streaming import StreamedProblem, StreamingFamily

__all__ = [
    "ColumnwiseFamily",
    "Family",
    "IterativeModel",
    "LabelForm",
    "Model",
    "Problem",
    "QuantileModel",
    "SearchDimension",
    "Searchable",
    "Stopping",
    "StreamedProblem",
    "StreamingFamily",
    "TunedModel",
    "family_identity",
    "fit_by_columns",
    "label_form",
    "load_family",
    "stopping_fraction",
    "without_stopping",
]
