"""Python values as plain values that YAML can hold."""

from __future__ import annotations

import os
from collections.abc import Mapping, Set
from datetime import date
from typing import Any

from ray_pipeline.config.document import Path, dotted
from ray_pipeline.errors import ConfigError

__all__ = ["plain_values"]


def plain_values(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return a mapping that contains only dictionaries, lists, texts, numbers, booleans and None.

    Parameters
    ----------
    source
        What messages call it.

    Raises
    ------
    ConfigError
        For anything else, with its place.

    Examples
    --------
    >>> plain_values({"data": {"symbols": ("A", "B"), "until": date(2024, 1, 31)}}, "config")
    {'data': {'symbols': ['A', 'B'], 'until': '2024-01-31'}}
    """
    found = _plain(values, (), source)
    if not isinstance(found, dict):
        raise ConfigError(
            f"{source}: found a {type(values).__name__}; a mapping of sections (experiment, data, "
            "...), the path of a YAML file or an ExperimentConfig is needed."
        )
    return found


def _plain(value: Any, path: Path, source: str) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(its, (*path, str(key)), source) for key, its in value.items()}
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # arrays and numbers of NumPy, an index of pandas
        value = value.tolist()
    if isinstance(value, Set):
        value = sorted(value)
    if isinstance(value, list | tuple):
        return [_plain(each, (*path, place), source) for place, each in enumerate(value)]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ConfigError(
        f"{source}: '{dotted(path)}' is a {type(value).__name__}; text, numbers, true or false, "
        "lists and mappings of these are needed."
    )
