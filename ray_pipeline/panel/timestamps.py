"""Time columns of any type as nanoseconds since 1970 in UTC."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError

__all__ = ["utc_ns"]

# Largest magnitude read as each unit; as seconds it is the year 5138, as milliseconds too, …
_EPOCH_UNITS = (
    (10**11, 10**9, "seconds"),
    (10**14, 10**6, "milliseconds"),
    (10**17, 10**3, "microseconds"),
)
_DAY_NS = 86_400 * 10**9


def utc_ns(column: pa.ChunkedArray, name: str) -> tuple[NDArray[np.int64], str | None]:
    """Convert a time column without nulls to int64 (n_rows,) nanoseconds since 1970, UTC.

    Timestamps without a zone are taken as UTC; dates are midnight UTC. Whole numbers are calendar
    days (``20240131``) when all of them are valid ones, else seconds, milliseconds, microseconds
    or nanoseconds since 1970, told apart by their magnitude. Text has to be ISO 8601, either all
    with an offset or all without.

    Parameters
    ----------
    column
        The values, no nulls.
    name
        Name of the column, for messages.

    Returns
    -------
    times
        The timestamps, in the order of `column`.
    assumption
        What was assumed about whole numbers, else None.

    Raises
    ------
    DataError
        When the values cannot be read as times, or lie outside 1677–2262, which is what
        nanoseconds hold.
    """
    kind = column.type
    if pa.types.is_integer(kind):
        return _from_integers(column, name)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _from_arrow(column, name), None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _from_text(column, name), None
    raise DataError(
        f"time column {name!r} is {kind}; a timestamp, a date, whole numbers since 1970 or "
        "ISO 8601 text is needed."
    )


def _from_arrow(column: pa.ChunkedArray, name: str) -> NDArray[np.int64]:
    try:
        in_ns = column.cast(pa.timestamp("ns"))
    except pa.ArrowInvalid as error:
        raise DataError(
            f"time column {name!r} holds times outside 1677–2262: {error}. Remove those rows."
        ) from error
    return np.asarray(in_ns.cast(pa.int64()).to_numpy())


def _from_text(column: pa.ChunkedArray, name: str) -> NDArray[np.int64]:
    text = column.cast(pa.large_string())
    n_with_offset = pc.sum(pc.match_substring_regex(text, r"\d[T ]\S*(Z|[+-]\d\d:?(\d\d)?)$"))
    zone = "UTC" if n_with_offset.as_py() == len(text) else None
    try:
        return _from_arrow(text.cast(pa.timestamp("ns", zone)), name)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"time column {name!r} holds text that is not ISO 8601, lies outside 1677–2262, or "
            f"has an offset from UTC only in some rows: {error}"
        ) from error


def _from_integers(column: pa.ChunkedArray, name: str) -> tuple[NDArray[np.int64], str]:
    try:
        values = np.asarray(column.cast(pa.int64()).to_numpy())
    except pa.ArrowInvalid as error:
        raise DataError(f"time column {name!r} holds numbers too large for a time.") from error
    days = _calendar_days(values)
    if days is not None:
        return days * _DAY_NS, f"time column {name!r}: whole numbers read as days like 20240131"
    largest = max(-int(values.min()), int(values.max())) if len(values) else 0
    for limit, factor, unit in _EPOCH_UNITS:
        if largest < limit:
            if largest > np.iinfo(np.int64).max // factor:
                raise DataError(
                    f"time column {name!r} holds times outside 1677–2262 when its whole numbers "
                    f"are read as {unit} since 1970. Convert it to timestamps."
                )
            return values * factor, f"time column {name!r}: whole numbers read as {unit} since 1970"
    return values, f"time column {name!r}: whole numbers read as nanoseconds since 1970"


def _calendar_days(values: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return days since 1970 when all values are calendar days like 20240131, else None."""
    year, month, day = values // 10_000, values // 100 % 100, values % 100
    plausible = (year >= 1900) & (year <= 2200) & (month >= 1) & (month <= 12) & (day >= 1)
    if len(values) == 0 or not plausible.all():
        return None
    months_since_1970 = (year - 1970) * 12 + month - 1
    first = months_since_1970.astype("datetime64[M]").astype("datetime64[D]")
    days = first + (day - 1)
    if not (days.astype("datetime64[M]") == first.astype("datetime64[M]")).all():
        return None
    return days.astype(np.int64)
