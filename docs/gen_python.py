"""The public Python names, for mkdocstrings to fill with their docstrings."""

from __future__ import annotations

import inspect

import ray_pipeline
import ray_pipeline.families
from ray_pipeline.predicting import LoadedRun

__all__ = ["public_names"]

_SHORT = {"DataConfig", "ExperimentConfig"}
"""Configs: their keys are a page of their own."""
_FIRST = ("run", "open_run", "Run", "load_run")


def public_names() -> str:
    """Return a directive of mkdocstrings for each name, those of everyday first."""
    names = sorted(ray_pipeline.__all__, key=lambda name: (name not in _FIRST, name))
    names.remove("__version__")
    parts = ["## `ray_pipeline` {#ray_pipeline}", "`__version__` is the version, as text."]
    for name in names:
        parts.append(_directive(getattr(ray_pipeline, name), name))
        if name == "load_run":
            parts.append(_directive(LoadedRun, "LoadedRun"))
    parts.append("## `ray_pipeline.families` {#ray_pipeline-families}")
    parts.append("What a model family offers; see [Add a model family](../how-to/family.md).")
    families = ray_pipeline.families
    parts += [_directive(getattr(families, name), name) for name in families.__all__]
    return "\n\n".join(parts)


def _directive(found: object, name: str) -> str:
    """Name where something is defined: there its docstring is read, without importing it."""
    module = inspect.getmodule(found)
    if module is None or not hasattr(module, name):
        return f"### `{name}`\n\nA type: `{found}`."
    members = "false" if name in _SHORT else "true"
    return f"::: {module.__name__}.{name}\n    options:\n      members: {members}"
