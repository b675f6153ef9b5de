"""When a figure is too good to believe."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from ray_pipeline.config.fields import null_as_empty_mapping
from ray_pipeline.config.section import Section

__all__ = ["DoubtConfig"]

_Skill = Annotated[float, Field(gt=0, le=1)]
_HitRate = Annotated[float, Field(gt=0.5, le=1)]
_Sharpe = Annotated[float, Field(gt=0, le=1_000_000)]


_Skills = Annotated[
    dict[str, _Skill | None],
    BeforeValidator(null_as_empty_mapping, json_schema_input_type=dict[str, _Skill | None] | None),
]
_HitRates = Annotated[
    dict[str, _HitRate | None],
    BeforeValidator(
        null_as_empty_mapping, json_schema_input_type=dict[str, _HitRate | None] | None
    ),
]
_Sharpes = Annotated[
    dict[str, _Sharpe | None],
    BeforeValidator(null_as_empty_mapping, json_schema_input_type=dict[str, _Sharpe | None] | None),
]


class DoubtConfig(Section):
    """Figures that are too good to believe: a target they make doubtful is not predictable."""

    max_skill: _Skills = Field(
        default={},
        description="Skill beyond which a target is doubtful, by target pattern, the first that "
        "matches; null for no limit. Unnamed targets have the limit of their kind: 0.25 for the "
        "direction of prices within a session, 0.2 for a session or longer, 0.7 under a minute, "
        "0.8 for barriers, 0.9 for largest rises and falls, none for your own targets.",
    )
    max_hit_rate: _HitRates = Field(
        default={},
        description="The same for the share of a trained model's predictions with the right "
        "direction, of which half are right by chance: 0.62 within a session, 0.6 for a "
        "session or longer, 0.85 "
        "under a minute, only for the direction of prices.",
    )
    max_sharpe: _Sharpes = Field(
        default={},
        description="The same for the annual Sharpe ratio of a trained model after costs: 12 "
        "within a session, 7 for a session or longer, 25 under a minute.",
    )
    std_errors: Annotated[float, Field(ge=0, le=100)] = Field(
        default=2.0,
        description="Standard errors by which a figure must exceed its limit, so that luck in a "
        "short, noisy sample is not doubted.",
    )
