"""The types of the config's keys, and the checks that belong to a type rather than to one key."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from typing import Annotated, Any, Literal, TypeVar, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, Strict, StringConstraints
from pydantic_core import PydanticCustomError

from ray_pipeline.bounds import MAX_BARS, MAX_BYTES, MAX_COUNT, MAX_INT, MAX_ROWS, MAX_SECONDS
from ray_pipeline.config.layout_text import layout_fault
from ray_pipeline.credentials import credential_keys, secret_in_address
from ray_pipeline.intervals import read_duration
from ray_pipeline.records import Task
from ray_pipeline.wording import some_of

__all__ = [
    "FEATURE_SETS",
    "PATTERNS",
    "BarCount",
    "ByteCount",
    "Choices",
    "ColumnNames",
    "Count",
    "ExperimentName",
    "FeatureNames",
    "Horizons",
    "HyperparametersByFamily",
    "Interval",
    "Layout",
    "NameList",
    "OwnStorageOptions",
    "Patience",
    "Probability",
    "RowCount",
    "Scale",
    "SearchSpaces",
    "Seconds",
    "Seed",
    "Share",
    "StageName",
    "StageOptions",
    "StorageOptions",
    "SymbolList",
    "Tasks",
    "Text",
    "TimeZone",
    "Uri",
    "null_as_empty_mapping",
]

T = TypeVar("T")

_TEXT = r"^[^\x00-\x1f\x7f]*$"
_INTERVAL = r"^[^/\\=\x00-\x1f\x7f]+$"
_EXPERIMENT_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_STAGE_NAME = r"^[A-Za-z0-9_-]+$"
_FUNCTION = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*[:.][A-Za-z_][A-Za-z0-9_]*")

PATTERNS: dict[str, str] = {
    _TEXT: "must be text without control characters",
    _INTERVAL: "must be only the interval, e.g. 5m",
    _EXPERIMENT_NAME: (
        "must start with a letter or digit and hold only letters, digits, '.', '_' and '-', "
        "because it names files"
    ),
    _STAGE_NAME: "must hold only letters, digits, '_' and '-', because it names a file",
}
"""The requirement of each regular expression of this module, in words."""


def _without_repeats(values: tuple[T, ...]) -> tuple[T, ...]:
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        names = some_of([repr(value) for value in repeated])
        raise PydanticCustomError(
            "repeated", "{names} named more than once; name each once", {"names": names}
        )
    return values


def _not_empty(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise PydanticCustomError("empty", "must name at least one")
    return values


def _null_as_empty_list(value: Any) -> Any:
    return () if value is None else value


def null_as_empty_mapping(value: Any) -> Any:
    """Treat a key without a value as empty."""
    return {} if value is None else value


def _path_as_text(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _checked_uri(value: str) -> str:
    if secret_in_address(value) is not None:
        raise PydanticCustomError("secret", "holds a credential", {"keys": [""]})
    return value


def _checked_layout(value: str) -> str:
    fault = layout_fault(value)
    if fault is not None:
        raise PydanticCustomError("layout", "{fault}", {"fault": fault})
    return value


def _checked_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError(
            "time_zone", "must be the IANA name of a time zone, e.g. America/New_York"
        ) from None
    return value


def _checked_horizon(value: Any) -> Any:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    is_bars = is_whole and 1 <= value <= MAX_BARS
    duration = read_duration(value) if isinstance(value, str) and value[-1:].isalpha() else None
    is_duration = duration is not None and 1 <= duration.count < MAX_BARS
    if not (is_bars or is_duration):
        raise PydanticCustomError(
            "horizon",
            "must be a number of bars (12, without quotes) or a duration (30s, 60m, 4h, 5d, 12b, "
            f"2w, 3mo, 1q, 1y), at most {MAX_BARS:,} bars or six digits",
        )
    return value


def _is_plain(value: Any) -> bool:
    """Whether a value is a 64-bit number, true, false or text."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) <= MAX_INT
    return isinstance(value, str)


def _checked_hyperparameter(value: Any) -> Any:
    if not _is_plain(value):
        raise PydanticCustomError("hyperparameter", "must be a finite number, true, false or text")
    return value


def _checked_space(value: Any) -> Any:
    if value is None:
        return None
    items = value if isinstance(value, list | tuple) else ()
    if len(items) < 2 or not all(map(_is_plain, items)):
        raise PydanticCustomError(
            "search_space",
            "must be a range ([4, 63] or [0.01, 0.2, log]), a list of choices, or null to leave "
            "the hyperparameter out of the search",
        )
    return tuple(items)


def _checked_feature_names(value: Any) -> Any:
    if isinstance(value, str) and (value in FEATURE_SETS or _FUNCTION.fullmatch(value)):
        return value
    if isinstance(value, list | tuple) and value and all(map(_is_name, value)):
        return _without_repeats(tuple(value))
    raise PydanticCustomError(
        "feature_names",
        "must be a set ('standard', 'alpha158', 'intraday', 'cross_sectional', 'series'), a "
        "function like my_module:my_features, or a list of these and of feature names, e.g. "
        "[standard, intraday, KMID]",
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _checked_storage_options(options: dict[str, JsonValue]) -> dict[str, JsonValue]:
    keys = list(credential_keys(options))
    if keys:
        raise PydanticCustomError("secret", "holds a credential", {"keys": keys})
    return options


Text = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=_TEXT)]
"""Text of at least one character, without control characters, no longer than a path may be."""

Interval = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_INTERVAL)]
"""The text after ``interval=`` in the layout."""

Layout = Annotated[Text, AfterValidator(_checked_layout)]
"""A pattern of the paths below the data directory."""

ExperimentName = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=_EXPERIMENT_NAME)
]
"""Text that is safe as one part of a path on every disk and object store."""

Uri = Annotated[
    Text,
    AfterValidator(_checked_uri),
    BeforeValidator(_path_as_text, json_schema_input_type=Text),
]
"""A local path or an address, kept as written; refused if it contains a password."""

Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
"""A count, with a bound a thousand times that of a large run."""

RowCount = Annotated[int, Field(ge=1, le=MAX_ROWS)]
BarCount = Annotated[int, Field(ge=0, le=MAX_BARS)]
ByteCount = Annotated[int, Field(ge=1, le=MAX_BYTES)]
Seconds = Annotated[float, Field(gt=0, le=MAX_SECONDS)]
Patience = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
Seed = Annotated[int, Field(ge=0, le=MAX_INT)]

TimeZone = Annotated[Text, AfterValidator(_checked_zone)]
"""IANA name of a time zone."""

Scale = Annotated[float, Field(gt=0, le=MAX_COUNT)]

Probability = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]

# Strict(False): YAML and JSON have lists, the frozen models keep tuples.
NameList = Annotated[
    tuple[Text, ...],
    Strict(False),
    AfterValidator(_without_repeats),
    BeforeValidator(_null_as_empty_list, json_schema_input_type=tuple[Text, ...] | None),
]
"""Distinct texts in the order given; an empty key counts as an empty list."""

SymbolList = Annotated[
    tuple[Text, ...],
    Strict(False),
    AfterValidator(_without_repeats),
    BeforeValidator(
        _null_as_empty_list,
        # An editor does not read 0700 and TRUE as text; the loader takes them as written.
        json_schema_input_type=tuple[str | int | float | bool | None, ...] | None,
    ),
]
"""Like `NameList`, for symbols."""

Choices = Annotated[
    tuple[T, ...],
    Strict(False),
    AfterValidator(_not_empty),
    AfterValidator(_without_repeats),
    # Not Field(min_length=1): a list whose items are all wrong would also be called empty.
    Field(json_schema_extra={"minItems": 1, "uniqueItems": True}),
]
"""At least one name, without repetition."""

_FeatureSet = Literal["standard", "alpha158", "intraday", "cross_sectional", "series"]
FEATURE_SETS: tuple[str, ...] = get_args(_FeatureSet)
"""Names of the sets of features that the panel knows."""

FeatureNames = Annotated[
    str | tuple[str, ...],
    BeforeValidator(
        _checked_feature_names,
        json_schema_input_type=_FeatureSet
        | Annotated[str, StringConstraints(pattern=f"^{_FUNCTION.pattern}$")]
        | tuple[Text, ...],
    ),
]
"""A set of features or a user-defined function, or a list of these and of feature names."""

_ColumnRole = Literal[
    "time", "time_of_day", "open", "high", "low", "close", "volume", "symbol", "value"
]
ColumnNames = Annotated[
    dict[_ColumnRole, Text | None],
    BeforeValidator(
        null_as_empty_mapping, json_schema_input_type=dict[_ColumnRole, Text | None] | None
    ),
]
"""Column name in the files by role; null: as if the column did not exist."""

Horizons = Annotated[
    dict[
        str,
        Annotated[int | str, BeforeValidator(_checked_horizon, json_schema_input_type=int | str)],
    ],
    BeforeValidator(null_as_empty_mapping, json_schema_input_type=dict[str, int | str] | None),
]
"""Horizon by target pattern: bars as a number, or a duration."""

Tasks = Annotated[
    dict[str, Task],
    BeforeValidator(null_as_empty_mapping, json_schema_input_type=dict[str, Task] | None),
]
"""Task by target pattern."""

_Hyperparameter = Annotated[
    bool | int | float | str,
    BeforeValidator(_checked_hyperparameter, json_schema_input_type=bool | int | float | str),
]
_Hyperparameters = Annotated[
    dict[str, _Hyperparameter],
    BeforeValidator(
        null_as_empty_mapping,
        json_schema_input_type=dict[str, bool | int | float | str] | None,
    ),
]
HyperparametersByFamily = Annotated[
    dict[str, _Hyperparameters],
    BeforeValidator(
        null_as_empty_mapping,
        json_schema_input_type=dict[str, dict[str, bool | int | float | str] | None] | None,
    ),
]
"""Values by family and hyperparameter; others keep the family's default."""

_Range = tuple[bool | int | float | str, ...]
_SearchSpace = Annotated[
    _Range | None, BeforeValidator(_checked_space, json_schema_input_type=_Range | None)
]
_SearchSpacesOfFamily = Annotated[
    dict[str, _SearchSpace],
    BeforeValidator(null_as_empty_mapping, json_schema_input_type=dict[str, _Range | None] | None),
]
SearchSpaces = Annotated[
    dict[str, _SearchSpacesOfFamily],
    BeforeValidator(
        null_as_empty_mapping,
        json_schema_input_type=dict[str, dict[str, _Range | None] | None] | None,
    ),
]
"""Search ranges by family and hyperparameter; others keep the family's default."""

StageName = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_STAGE_NAME)]
"""Text that is safe as the name of a file."""

StageOptions = Annotated[
    dict[str, JsonValue],
    BeforeValidator(null_as_empty_mapping, json_schema_input_type=dict[str, JsonValue] | None),
]
"""Keyword arguments of a user-defined function."""

OwnStorageOptions = Annotated[dict[str, JsonValue], AfterValidator(_checked_storage_options)]
"""fsspec options of a store; credentials are refused at any depth."""

StorageOptions = Annotated[
    OwnStorageOptions,
    BeforeValidator(null_as_empty_mapping, json_schema_input_type=dict[str, JsonValue] | None),
]
"""The same; an empty key counts as no options."""
