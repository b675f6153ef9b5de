"""Times of day for bars whose date is in a separate column."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.cells import own_type
from ray_pipeline.panel.time_forms import TimeForm

__all__ = ["with_time_of_day"]

_CLOCK = r"^(?P<h>\d{1,2}):(?P<m>\d{2})(?P<rest>:(?P<s>\d{2}))?$"
_NS = 10**9


def with_time_of_day(form: TimeForm, column: pa.ChunkedArray, subject: str) -> TimeForm:
    """Add times of day to dates.

    Parameters
    ----------
    form
        Dates.
    column
        The time of day of each: times, text (``09:30``, ``09:30:00``, ``093000``) or whole numbers
        (``93000``, or ``930`` if none has seconds).
    subject
        The column and its file, for messages.

    Raises
    ------
    DataError
        When the times already have a time of day, or the column holds something else.
    """
    if form.clock != "date" and np.any(form.time_ns % (86_400 * _NS)):
        raise DataError(
            f"{subject}: data.columns.time_of_day adds a time of day to dates, but these times "
            "already have one. Leave it out."
        )
    clock_ns = _clock_ns(column, subject)
    if form.clock == "date" and not clock_ns.any():
        return form  # dates after all
    # An instant at a midnight, such as a date in seconds since 1970, is that date.
    return replace(form, clock="naive", time_ns=form.time_ns + clock_ns, shown_ns=None)


def _clock_ns(column: pa.ChunkedArray, subject: str) -> NDArray[np.int64]:
    kind = own_type(column.type)
    column = column.cast(kind)
    if column.null_count:
        raise DataError(f"{subject}: {column.null_count} dates have no time of day.")
    if pa.types.is_time(kind):
        return np.asarray(column.cast(pa.time64("ns")).cast(pa.int64()).to_numpy())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        text = pc.utf8_trim_whitespace(column.cast(pa.large_string())).combine_chunks()
        found = pc.extract_regex(text, _CLOCK)
        if len(text) and not found.null_count:
            hour, minute, second = (
                _whole(pc.if_else(pc.equal(part, ""), "0", part))
                for part in (found.field("h"), found.field("m"), found.field("s"))
            )
            return _checked(hour, minute, second, subject)
        try:
            column = pa.chunked_array([text.cast(pa.int64())])
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{subject}: data.columns.time_of_day holds {text[0].as_py()!r}; 09:30, 09:30:00 "
                "or 093000 is needed."
            ) from error
    elif not pa.types.is_integer(kind):
        raise DataError(
            f"{subject}: data.columns.time_of_day is {kind}; times of the day, text or whole "
            "numbers are needed."
        )
    number = _whole(column)
    if len(number) and number.max() < 2_400:
        number = number * 100  # hours and minutes alone
    return _checked(number // 10_000, number // 100 % 100, number % 100, subject)


def _checked(
    hour: NDArray[np.int64], minute: NDArray[np.int64], second: NDArray[np.int64], subject: str
) -> NDArray[np.int64]:
    is_clock = (hour >= 0) & (hour <= 23) & (minute <= 59) & (second <= 59)
    if not is_clock.all():
        row = int(np.flatnonzero(~is_clock)[0])
        raise DataError(
            f"{subject}: data.columns.time_of_day holds {hour[row]}:{minute[row]:02d}:"
            f"{second[row]:02d}, which is not a time of day."
        )
    return ((hour * 60 + minute) * 60 + second) * _NS


def _whole(column: pa.ChunkedArray | pa.Array) -> NDArray[np.int64]:
    values = column.cast(pa.int64())
    return np.asarray(values.to_numpy() if isinstance(values, pa.ChunkedArray) else values)
