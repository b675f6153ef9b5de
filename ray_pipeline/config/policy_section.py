"""Retraining policies that an evaluation compares."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from ray_pipeline.config.fields import Choices, Count
from ray_pipeline.config.fold_fields import HalfLife, TrainingWindow
from ray_pipeline.config.section import Section

__all__ = ["PoliciesConfig"]


def _checked_schedule(value: Any) -> Any:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if value != "never" and not is_count:
        raise PydanticCustomError("schedule", "must be a number of folds, at least 1, or never")
    return value


Schedule = Annotated[
    Count | Literal["never"],
    BeforeValidator(_checked_schedule, json_schema_input_type=Count | Literal["never"]),
]


class PoliciesConfig(Section):
    """Every schedule with every window and half-life: one model per fold, window and half-life.

    The first of each is used until there is evidence about any.
    """

    retrain_every: Choices[Schedule] = Field(
        default=(1, 3, 12, "never"),
        description="Number of folds after which a model is retrained; never: the first fold's "
        "model serves all.",
    )
    windows: Choices[TrainingWindow] = Field(
        default=("expanding",), description="Training windows, as in validation.window."
    )
    half_lives: Choices[HalfLife] = Field(
        default=("none",),
        description="Age at which a training row counts half: 250d (dates of the panel), 52w, "
        "12mo, 4q, 1y, 250b (timestamps); none: all rows count alike.",
    )
    jobs: Literal["pooled", "all"] = Field(
        default="pooled",
        description="Which models: only pooled ones, or also those of single symbols.",
    )
