"""The types of keys that set when folds begin, and what they train on."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, BeforeValidator, StringConstraints
from pydantic_core import PydanticCustomError

from ray_pipeline.intervals import read_duration

__all__ = ["Date", "FoldLength", "HalfLife", "TrainingWindow"]


def _checked_fold_length(value: str) -> str:
    return value if _is_fold_length(value) else _refused("")


def _checked_window(value: str) -> str:
    is_one = value == "expanding" or _is_fold_length(value)
    return value if is_one else _refused("expanding, or ")


def _checked_half_life(value: str) -> str:
    return value if value == "none" or _is_fold_length(value) else _refused("none, or ")


def _is_fold_length(value: str) -> bool:
    duration = read_duration(value) if value[-1:].isalpha() else None
    return duration is not None and duration.count > 0 and duration.unit not in ("s", "m", "h")


def _refused(beside: str) -> NoReturn:
    raise PydanticCustomError(
        "fold_length",
        "must be {beside}a duration of days or longer, or a number of bars: 21d (dates), 4w, 1mo, "
        "1q, 1y, "
        "500b",
        {"beside": beside},
    )


def _checked_date(value: Any) -> Any:
    """Take a date as YAML gives it, or as text."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise PydanticCustomError("date", "must be a date, e.g. 2020-06-30") from error


_Length = Annotated[str, StringConstraints(min_length=1, max_length=100)]

FoldLength = Annotated[_Length, AfterValidator(_checked_fold_length)]
"""Length of a test fold: dates, weeks, months, quarters, years, or bars."""

TrainingWindow = Annotated[_Length, AfterValidator(_checked_window)]
"""Training window of a test fold: everything before it, or a length like that of a fold."""

HalfLife = Annotated[_Length, AfterValidator(_checked_half_life)]
"""Age at which a training row counts half, given like the length of a fold; or none."""

Date = Annotated[date, BeforeValidator(_checked_date, json_schema_input_type=date)]
"""A date, with or without quotes in YAML."""
