"""Units of work, and the executors that run them: one after the other, or on Ray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray_pipeline.execution.protocol import (
    CODE_VERSION,
    Done,
    Executor,
    Failed,
    FailureKind,
    Outcome,
    Shared,
    Unit,
    UnitStore,
)
from ray_pipeline.execution.serial import SerialExecutor
from ray_pipeline.execution.stage import StageResult, run_stage

if TYPE_CHECKING:
    from ray_pipeline.execution.ray_pool import RayExecutor, RaySettings

__all__ = [
    "CODE_VERSION",
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
    "run_stage",
]


def __getattr__(name: str) -> Any:
    """Import Ray, which takes a second, only where it is used."""
    if name in ("RayExecutor", "RaySettings"):
        from ray_pipeline.execution import ray_pool

        return getattr(ray_pool, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
