"""Units of work, and the executors that run them: one after the other, or on Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray_pipeline.execution.protocol import (
        Done,
        Executor,
        Failed,
        FailureKind,
        Outcome,
        Shared,
        Unit,
        UnitStore,
        Usage,
    )
    from ray_pipeline.execution.ray_pool import RayExecutor, RaySettings
    from ray_pipeline.execution.serial import SerialExecutor
    from ray_pipeline.execution.stage import StageResult, run_stage

__all__ = [
    "Done",
    "Executor",
    "Failed",
    "FailureKind",
    "Outcome",
    "RayExecutor",
    "RaySettings",
    "SerialExecutor",
    "Shared",
    "StageResult",
    "Unit",
    "UnitStore",
    "Usage",
    "run_stage",
]

_HOMES = {
    **dict.fromkeys(("RayExecutor", "RaySettings"), "ray_pool"),
    "SerialExecutor": "serial",
    **dict.fromkeys(("StageResult", "run_stage"), "stage"),
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use.

    Ray takes a second. And how units are run is not part of what they compute: a module that needs
    `protocol` alone does not reach the executors, so that an edit there makes no record unfit.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'protocol')}"), name)
