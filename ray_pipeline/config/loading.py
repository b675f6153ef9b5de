"""From a YAML file and overrides to a checked config, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ray_pipeline.config.data_sections import ExperimentSection
from ray_pipeline.config.document import ConfigProblem, Document, parse_yaml, write_yaml
from ray_pipeline.config.experiment import ExperimentConfig
from ray_pipeline.config.overrides import apply_override, override_source
from ray_pipeline.config.plain import plain_values
from ray_pipeline.config.problems import listed, validation_problems
from ray_pipeline.errors import ConfigError

__all__ = [
    "build_experiment_config",
    "config_schema",
    "dump_config",
    "load_experiment_config",
    "parse_experiment_config",
    "read_config_values",
]


def load_experiment_config(
    path: str | os.PathLike[str], overrides: Sequence[str] = ()
) -> ExperimentConfig:
    """Read the config of a run.

    A run without a name is named after the file.

    Symbols, the interval and every other text stay exactly as written (``0700``, ``1E5``,
    ``TRUE``, ``NO``); relative paths in it are relative to the working directory.

    Parameters
    ----------
    path
        A YAML file.
    overrides
        ``KEY=VALUE`` texts that replace single keys, applied in order:
        ``data.symbol_batch_size=15``, ``data.symbols=[0700, TRUE]``.

    Returns
    -------
    ExperimentConfig
        The config with every default filled in.

    Raises
    ------
    ConfigError
        Naming every problem of the file and of the overrides, one per line, each with its place.
    """
    source = os.fspath(path)
    return parse_experiment_config(_read_bytes(source), source, overrides, Path(source).stem)


def parse_experiment_config(
    text: str | bytes, source: str, overrides: Sequence[str] = (), name: str | None = None
) -> ExperimentConfig:
    """Read a config that is not a local file, such as the ``config.yaml`` of a run directory.

    Parameters
    ----------
    text
        YAML.
    source
        Its name in messages.
    overrides
        As in `load_experiment_config`.
    name
        Of the run, if the config has none; ignored if it is not a valid name.

    Raises
    ------
    ConfigError
        As in `load_experiment_config`.
    """
    return _built(_read(text, source), source, overrides, name)


def build_experiment_config(
    values: Mapping[str, Any], overrides: Sequence[str] = (), source: str = "config"
) -> ExperimentConfig:
    """Make a config from a mapping of sections, as used in a notebook.

    Parameters
    ----------
    values
        Sections and their keys, as a YAML file has them; missing keys have their defaults. Tuples,
        paths, dates and NumPy numbers are read as lists, texts and numbers.
    overrides
        As in `load_experiment_config`.
    source
        Its name in messages.

    Raises
    ------
    ConfigError
        As in `load_experiment_config`, and for values that a YAML file cannot hold.

    Examples
    --------
    >>> build_experiment_config({"data": {"data_dir": "panel", "symbols": (700,)}}).data.symbols
    ('700',)
    """
    text = write_yaml(plain_values(values, source))
    # Line numbers would refer to a text that nobody wrote.
    document = parse_yaml(source, text, ExperimentConfig, numbered=False)
    return _built(document, source, overrides, None)


def _built(
    document: Document, source: str, overrides: Sequence[str], name: str | None
) -> ExperimentConfig:
    for override in overrides:
        apply_override(document, override, ExperimentConfig)
    if name is not None:
        _call(document, name)
    config = _validate(document)
    if isinstance(config, ExperimentConfig):
        return config
    sources = [source, *map(override_source, overrides)]
    raise ConfigError(listed(config, sources))


def read_config_values(text: str | bytes, source: str) -> dict[str, Any]:
    """Read a config as written: no default is filled in, and no value is checked.

    The ``config.yaml`` of a run is complete for the version that wrote it, which may have had other
    keys.

    Raises
    ------
    ConfigError
        When it is not a mapping in valid YAML.
    """
    document = _read(text, source)
    if document.problems:
        raise ConfigError(listed(document.problems, [source]))
    values: dict[str, Any] = document.values
    return values


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of a config, with a description of every key, for editors."""
    schema = ExperimentConfig.model_json_schema()
    for section in schema["properties"].values():
        # The keys of a section have their own; the default of `output` follows the name.
        section.pop("default", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def dump_config(config: ExperimentConfig) -> str:
    """Write a config as YAML with every default filled in; loading it gives an equal config."""
    return write_yaml(config.model_dump(mode="json"))


def _call(document: Document, name: str) -> None:
    """Name a run without a name after its file, so that two files do not share a folder."""
    section = document.values.get("experiment") or {}
    if not isinstance(section, dict) or "name" in section:
        return
    try:
        ExperimentSection(name=name)
    except ValidationError:
        return  # such as a file name with spaces
    document.values["experiment"] = {**section, "name": name}


def _read(text: str | bytes, source: str) -> Document:
    document = parse_yaml(source, text, ExperimentConfig)
    if document.values is None and not document.problems:
        raise ConfigError(
            f"{source}: the file is empty. A run needs at least 'data: {{data_dir: ...}}'."
        )
    if not isinstance(document.values, dict):
        if not document.problems:
            message = "found no mapping; a config is a mapping of sections (experiment, data, ...)"
            document.problems.append(ConfigProblem(document.place_of(()), (), message))
        raise ConfigError(listed(document.problems, [source]))
    return document


def _read_bytes(source: str) -> bytes:
    try:
        return Path(source).read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"{source}: no such file. Give the path of a run's config; "
            "`ray-pipeline quickstart` writes one to start from."
        ) from None
    except IsADirectoryError:
        raise ConfigError(
            f"{source}: is a directory. Give the path of a YAML file, such as "
            f"{Path(source) / 'config.yaml'}."
        ) from None
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}.") from error


def _validate(document: Document) -> ExperimentConfig | list[ConfigProblem]:
    """Build the config, or list the problems of its syntax and values."""
    problems = document.problems
    unreadable = {problem.path for problem in problems}
    try:
        config = ExperimentConfig.model_validate(document.values)
    except ValidationError as error:
        wrong = validation_problems(error, document, ExperimentConfig)
        return problems + [problem for problem in wrong if problem.path not in unreadable]
    return problems or config
