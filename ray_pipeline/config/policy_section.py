"""Policies of retraining that an evaluation compares."""

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
    """Every schedule with every window and every half-life: a model per fold and pair of those.

    The first of each is followed as long as nothing is known of any.
    """

    retrain_every: Choices[Schedule] = Field(
        default=(1, 3, 12, "never"),
        description="Folds after which a model is trained anew; never: that of the first fold "
        "serves all.",
    )
    windows: Choices[TrainingWindow] = Field(
        default=("expanding",), description="What trains a model, as of validation.window."
    )
    half_lives: Choices[HalfLife] = Field(
        default=("none",),
        description="Age at which a training row counts half: 250d (dates of the panel), 52w, "
        "12mo, 4q, 1y, 250b (timestamps); none: all rows count alike.",
    )
    jobs: Literal["pooled", "all"] = Field(
        default="pooled", description="Whose models: pooled ones, or those of single symbols too."
    )
