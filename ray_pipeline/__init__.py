"""Honest target ranking, feature selection, routing and training for panel data on Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = [
    "DataConfig",
    "ExperimentConfig",
    "RayPipelineError",
    "Run",
    "__version__",
    "discover_symbols_from_data_dir",
    "load_experiment_config",
    "load_run",
    "open_run",
    "run",
    "select_symbol_batch",
]

if TYPE_CHECKING:
    from ray_pipeline.config import DataConfig, ExperimentConfig, load_experiment_config
    from ray_pipeline.discovery import discover_symbols_from_data_dir, select_symbol_batch
    from ray_pipeline.errors import RayPipelineError
    from ray_pipeline.notebook import Run, open_run, run
    from ray_pipeline.predicting import load_run
    from ray_pipeline.version import __version__

_HOMES = {
    "DataConfig": "ray_pipeline.config",
    "ExperimentConfig": "ray_pipeline.config",
    "RayPipelineError": "ray_pipeline.errors",
    "Run": "ray_pipeline.notebook",
    "__version__": "ray_pipeline.version",
    "discover_symbols_from_data_dir": "ray_pipeline.discovery",
    "load_experiment_config": "ray_pipeline.config",
    "load_run": "ray_pipeline.predicting",
    "open_run": "ray_pipeline.notebook",
    "run": "ray_pipeline.notebook",
    "select_symbol_batch": "ray_pipeline.discovery",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: the command line answers before Arrow is loaded."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names, whether or not they were used before, for completion in a notebook."""
    return sorted({*globals(), *__all__})
