"""Families by name: the built-in ones and those that installed packages add."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from ray_pipeline.errors import ConfigError
from ray_pipeline.families.protocol import Family

__all__ = ["family_module", "load_family"]

# A job's working directory is a source tree without entry points, so our own are named here too.
_BUILT_IN = {
    "catboost": "ray_pipeline.families.catboost:CatBoostFamily",
    "elastic_net": "ray_pipeline.families.elastic_net:ElasticNetFamily",
    "extra_trees": "ray_pipeline.families.extra_trees:ExtraTreesFamily",
    "lightgbm": "ray_pipeline.families.lightgbm:LightGBMFamily",
    "lightgbm_quantile": "ray_pipeline.families.lightgbm_quantile:LightGBMQuantileFamily",
    "mlp": "ray_pipeline.families.mlp:MLPFamily",
    "random_forest": "ray_pipeline.families.random_forest:RandomForestFamily",
    "ridge": "ray_pipeline.families.ridge:RidgeFamily",
    "xgboost": "ray_pipeline.families.xgboost:XGBoostFamily",
}


@cache
def load_family(name: str) -> Family:
    """Return the model family of that name.

    Raises
    ------
    ConfigError
        When no such family is built in or installed; lists those that are.
    """
    module, _, attribute = _place_of(name).partition(":")
    return cast(Family, getattr(import_module(module), attribute)())


def family_module(name: str) -> str:
    """Return the name of the module that holds a family.

    Raises
    ------
    ConfigError
        As `load_family`.
    """
    return _place_of(name).partition(":")[0]


def _place_of(name: str) -> str:
    installed = {point.name: point.value for point in entry_points(group="ray_pipeline.families")}
    known = installed | _BUILT_IN
    if name not in known:
        raise ConfigError(
            f"unknown model family '{name}'; known are {', '.join(sorted(known))} "
            "(and, for training, rank_average). A package adds one with an entry point in the "
            "group 'ray_pipeline.families'."
        )
    return known[name]
