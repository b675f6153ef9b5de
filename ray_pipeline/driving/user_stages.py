"""The run's step for stages of the user's own."""

from __future__ import annotations

from dataclasses import replace

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.driving.steps import Subject
from ray_pipeline.driving.study import Study
from ray_pipeline.errors import ConfigError
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.status import STAGES, UNITS
from ray_pipeline.user_code.stages import STAGE_PREFIX, UserStage, find_stage
from ray_pipeline.user_stages.running import run_user_stage

__all__ = ["find_user_stages", "user_stages_step"]


def find_user_stages(config: ExperimentConfig) -> tuple[UserStage, ...]:
    """Find the functions that the config's ``stages`` name, in its order.

    Raises
    ------
    ConfigError
        When a name is taken, a function cannot be found, or it does not take its options.
    """
    for name in config.stages:
        if name in (*STAGES, *UNITS):
            raise ConfigError(
                f"stages.{name}: the pipeline has a stage of that name; choose another."
            )
    return tuple(
        find_stage(name, section.function, section.options)
        for name, section in config.stages.items()
    )


def user_stages_step(
    study: Study, runner: UnitRunner, subject: Subject, stages: tuple[UserStage, ...]
) -> Subject:
    """Run the user's stages; a symbol that one of them refuses is in no later stage."""
    for stage in stages:
        with study.journal.stage(f"{STAGE_PREFIX}{stage.name}"):
            records = run_user_stage(runner, stage, subject.frame.request, subject.partitions)
            study.publish.user_stage(stage.name, records)
        subject = replace(subject, partitions=study.ledger.healthy(subject.partitions))
    return subject
