"""Model families: one file each, found by name through entry points."""

from ray_pipeline.training.families.protocol import Family, Model, Problem, QuantileModel
from ray_pipeline.training.families.registry import load_family
from ray_pipeline.training.families.searching import Searchable, SearchDimension

__all__ = [
    "Family",
    "Model",
    "Problem",
    "QuantileModel",
    "SearchDimension",
    "Searchable",
    "load_family",
]
