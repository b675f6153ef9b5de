"""Data frames in and out: Arrow inside, and the only home of pandas."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ray_pipeline.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_table", "data_frame", "pandas"]

_INDEX = "__index_level_"
"""Prefix of Arrow's name for an unnamed pandas index."""


def as_table(data: Any) -> pa.Table:
    """Return a data frame as an Arrow table.

    The index of a pandas frame counts as columns. If unnamed, an index of times becomes ``ts`` and
    one of text ``symbol``, unless such a column exists; a plain row count is dropped.

    Parameters
    ----------
    data
        A frame of pandas or polars, a `pyarrow.Table`, or anything else that provides Arrow
        columns.

    Raises
    ------
    DataError
        When it cannot be converted to a table.
    """
    try:
        table = pa.table(data)
    except (TypeError, ValueError, pa.ArrowException) as error:
        told = " ".join(str(error).split())
        raise DataError(
            f"data: cannot make a table from a {type(data).__name__} ({told.rstrip('.')}). Give a "
            "data frame of pandas or polars (not a lazy one), or a pyarrow.Table, with a column "
            "for the symbol and one for the time."
        ) from error
    table = table.replace_schema_metadata(None)
    names: list[str] = []
    kept: list[int] = []
    for place, field in enumerate(table.schema):
        name = field.name
        if name.startswith(_INDEX):
            named = _name_of_index(field.type)
            if named is None or named in table.column_names or named in names:
                continue
            name = named
        names.append(name)
        kept.append(place)
    return table.select(kept).rename_columns(names)


def _name_of_index(kind: pa.DataType) -> str | None:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "ts"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "symbol"
    return None


def data_frame(table: pa.Table, instead: str) -> pd.DataFrame:
    """Return a table as a pandas frame.

    Parameters
    ----------
    instead
        An alternative without pandas, for the message.

    Raises
    ------
    ConfigError
        When pandas is not installed.
    """
    pandas(instead)
    frame: pd.DataFrame = table.to_pandas()
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            # Arrow's UTC object differs from pandas' own, and libraries compare the objects.
            frame[name] = frame[name].dt.tz_convert("UTC")
    return frame


def pandas(instead: str = "") -> ModuleType:
    """Return pandas, which is an optional library.

    Raises
    ------
    ConfigError
        When it is not installed.
    """
    try:
        import pandas as module
    except ImportError as error:
        other = f", or use {instead}, which returns a pyarrow.Table" if instead else ""
        raise ConfigError(
            f"pandas is not installed: pip install 'ray-pipeline[notebook]'{other}."
        ) from error
    return module
