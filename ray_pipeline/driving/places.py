"""Where a run reads and writes: store options, and places that must not be shared."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.errors import ConfigError
from ray_pipeline.storage import is_local, open_filesystem, overlap

__all__ = [
    "Directory",
    "data_options_for",
    "options_for",
    "place_of_data",
    "place_of_results",
    "require_apart",
    "require_shared",
    "require_usable",
    "require_writable",
]


def options_for(uri: str, config: ExperimentConfig) -> dict[str, Any]:
    """Return the storage options for a place of results.

    Those of the output if it has any, else those of the data if it is of the same kind.
    """
    if config.output.storage_options is not None:
        return dict(config.output.storage_options)
    return data_options_for(uri, config)


def data_options_for(uri: str, config: ExperimentConfig) -> dict[str, Any]:
    """Return the storage options for other data than the run's: the same, if of the same kind."""
    if _protocol(uri) == _protocol(config.data.data_dir):
        return dict(config.data.storage_options)
    return {}


@dataclass(frozen=True, slots=True)
class Directory:
    """A place: what names it for the user, its address and its storage options."""

    name: str
    uri: str
    options: Mapping[str, Any]


def place_of_data(config: ExperimentConfig) -> Directory:
    """Return where the data are."""
    return Directory("data.data_dir", config.data.data_dir, config.data.storage_options)


def place_of_results(config: ExperimentConfig) -> Directory:
    """Return where the run writes."""
    uri = config.output.run_dir
    return Directory("output.run_dir", uri, options_for(uri, config))


def require_usable(results: Directory, config: ExperimentConfig, *others: Directory) -> None:
    """Raise ConfigError when results cannot be written to a place, before any work starts.

    Parameters
    ----------
    results
        The place.
    config
        The config to write with: Ray's workers do not share the memory of this process.
    others
        Places that are read, and must not be written to or mistaken for results.
    """
    for other in others:
        require_apart(results, other)
    require_shared(config, results.uri, *(other.uri for other in others))
    require_writable(results)


def require_apart(results: Directory, other: Directory) -> None:
    """Raise ConfigError when a place of results is, contains or lies inside another directory.

    The next discovery would mistake results for data, or data would be lost with old results.
    """
    if overlap(results.uri, other.uri, results.options, other.options):
        raise ConfigError(
            f"{results.name} {results.uri} and {other.name} {other.uri} are the same folder, or "
            "one is inside the other. Give the results their own folder."
        )


def require_shared(config: ExperimentConfig, *uris: str) -> None:
    """Raise ConfigError when other processes would have to read the memory of this one."""
    for uri in uris:
        if config.execution.executor == "ray" and _protocol(uri) == "memory":
            raise ConfigError(
                f"{uri} is in the memory of this process, which Ray's workers cannot read. "
                "Set execution.executor to 'serial', or use a folder."
            )


def require_writable(place: Directory) -> None:
    """Raise ConfigError when a local folder cannot be written or created; nothing is created yet.

    An object store shows what it allows only when written to; its address is opened.
    """
    fs, path = open_filesystem(place.uri, place.options)
    if not is_local(fs):
        return
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    if not os.path.isdir(path):
        raise ConfigError(
            f"{place.name} {place.uri} cannot be made: {path} is not a folder. Give another one."
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{place.name} {place.uri} cannot be written: there is no permission to write to "
            f"{path}. Give another folder, or change its permissions."
        )


def _protocol(uri: str) -> str:
    head, separator, _ = uri.partition("://")
    return head if separator else "file"
