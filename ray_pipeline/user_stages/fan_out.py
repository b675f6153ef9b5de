"""The stages that the config names: your own functions, on every symbol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.subject import current_subject
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.records import SymbolPartition
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.user_code.records import records_table
from ray_pipeline.user_code.stages import STAGE_PREFIX, UserStage
from ray_pipeline.user_stages.running import UserStageSpec, call_user_stage

__all__ = ["USER_STAGES", "USER_TABLES", "UserStages", "run_user_stage"]

USER_TABLES = "stages"
"""Folder of their tables, one per stage."""


@dataclass(frozen=True, slots=True)
class UserStages:
    """The functions that the config names, in its order."""

    stages: tuple[UserStage, ...]


def run_user_stage(
    runner: UnitRunner,
    stage: UserStage,
    request: TableRequest,
    partitions: Mapping[str, SymbolPartition],
) -> dict[str, dict[str, Any]]:
    """Run a stage on every symbol; those that failed are missing from the result.

    Returns
    -------
    dict
        Record by symbol.
    """
    units = [
        Unit(
            f"{STAGE_PREFIX}{stage.name}",
            symbol,
            call_user_stage,
            UserStageSpec(partition, request, stage),
        )
        for symbol, partition in partitions.items()
    ]
    return {symbol: found["record"] for symbol, found in runner.run(units).items()}


def _is_asked_for(context: StageContext) -> bool:
    return bool(context.get(UserStages).stages)


def _run(context: StageContext) -> None:
    """Run them one after the other; a symbol refused by one is left out of later ones."""
    for stage in context.get(UserStages).stages:
        subject = current_subject(context)
        with context.account.stage(f"{STAGE_PREFIX}{stage.name}"):
            records = run_user_stage(
                context.runner, stage, subject.frame.request, subject.partitions
            )
            context.write.table(
                f"{USER_TABLES}/{stage.name}.parquet", records_table(stage.name, records)
            )


USER_STAGES = Stage(
    name="stages",
    run=_run,
    units=(UnitKind(f"{STAGE_PREFIX}*", "stage *"),),
    sections=("stages",),
    tables=(USER_TABLES,),
    needs=("inspect",),
    applies=_is_asked_for,
    is_timed=False,
)
