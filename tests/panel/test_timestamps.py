from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.panel.timestamps import utc_ns

# 2024-01-31 14:30 UTC in seconds since 1970, by `date -u -d '2024-01-31 14:30' +%s`.
SECONDS = 1_706_711_400
MIDNIGHT_NS = (SECONDS - 52_200) * 10**9


def read(values: list[Any], arrow_type: pa.DataType | None = None) -> tuple[list[int], str | None]:
    times, assumption = utc_ns(pa.chunked_array([pa.array(values, arrow_type)]), "ts")
    return times.tolist(), assumption


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_of_any_unit_and_zone(unit: str, zone: str | None) -> None:
    """A zone is only how a time is shown: the instant stays; without a zone it is UTC."""
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    stored = pa.array([SECONDS * per_second]).cast(pa.timestamp(unit, zone))
    times, assumption = utc_ns(pa.chunked_array([stored]), "ts")
    assert times.tolist() == [SECONDS * 10**9]
    assert times.dtype == "int64"
    assert assumption is None


@pytest.mark.parametrize("arrow_type", [pa.date32(), pa.date64()])
def test_dates_are_midnight_utc(arrow_type: pa.DataType) -> None:
    """A session's date is its midnight."""
    assert read([dt.date(2024, 1, 31)], arrow_type) == ([MIDNIGHT_NS], None)


@pytest.mark.parametrize(
    ("factor", "unit"),
    [(1, "seconds"), (10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")],
)
def test_whole_numbers_by_their_magnitude(factor: int, unit: str) -> None:
    """The unit since 1970 is told by size, and the assumption is said."""
    times, assumption = read([SECONDS * factor, (SECONDS + 60) * factor])
    assert times == [SECONDS * 10**9, (SECONDS + 60) * 10**9]
    assert assumption == f"time column 'ts': whole numbers read as {unit} since 1970"


def test_whole_numbers_that_are_calendar_days() -> None:
    """20240131 is a day, not the 20,240,131st second of 1970."""
    times, assumption = read([20240131, 20240201])
    assert times == [MIDNIGHT_NS, MIDNIGHT_NS + 86_400 * 10**9]
    assert assumption == "time column 'ts': whole numbers read as days like 20240131"


@pytest.mark.parametrize("number", [20240230, 20241301, 20240100])
def test_no_calendar_day_is_enough_to_refuse_all(number: int) -> None:
    """As seconds they would be in August 1970, which nobody means."""
    with pytest.raises(DataError, match=f"whole numbers up to {max(number, 20240131)}: as seconds"):
        read([20240131, number])


@given(st.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31)))
def test_calendar_days_agree_with_the_calendar(day: dt.date) -> None:
    """Every day of three centuries is read as itself."""
    times, _ = read([int(day.strftime("%Y%m%d"))])
    assert times == [(day - dt.date(1970, 1, 1)).days * 86_400 * 10**9]


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31T14:30:00",
        "2024-01-31 14:30",
        "2024-01-31T14:30:00Z",
        "2024-01-31T16:30:00+02:00",
        "2024-01-31 16:30:00+0200",
    ],
)
def test_iso_text(text: str) -> None:
    """ISO 8601 with or without an offset; without, it is UTC."""
    assert read([text]) == ([SECONDS * 10**9], None)


def test_iso_dates_as_text() -> None:
    """The last part of a date is not taken for an offset."""
    assert read(["2024-01-31"], pa.large_string()) == ([MIDNIGHT_NS], None)


@pytest.mark.parametrize(
    "values",
    [["31.01.2024"], ["2024-01-31T14:30:00Z", "2024-01-31T14:35:00"], ["9999-12-31"]],
)
def test_other_text_is_an_error(values: list[str]) -> None:
    """Nothing is guessed about other formats, nor about rows without an offset among others."""
    with pytest.raises(DataError, match="time column 'ts' holds text that is not ISO 8601, lies"):
        read(values)


def test_times_outside_the_range_of_nanoseconds() -> None:
    """A placeholder such as the year 9999 is an error, not a wrapped-around date."""
    message = r"time column 'ts' holds times outside 1677–2262: .* Remove those rows\."
    with pytest.raises(DataError, match=message):
        read([dt.datetime(9999, 12, 31)], pa.timestamp("us"))
    with pytest.raises(DataError, match="outside 1677–2262 when its whole numbers are read as sec"):
        read([99 * 10**9])
    with pytest.raises(DataError, match="holds numbers too large for a time"):
        read([2**63], pa.uint64())


@pytest.mark.parametrize("arrow_type", [pa.float32(), pa.time32("s")])
def test_other_types_are_errors(arrow_type: pa.DataType) -> None:
    """The message names the type that was found and those that are taken."""
    with pytest.raises(DataError, match=r"'ts' is .*; a timestamp, a date, whole numbers since"):
        read([1], arrow_type)


def test_no_rows() -> None:
    """An empty column has no times."""
    for arrow_type in (pa.int64(), pa.timestamp("us"), pa.string()):
        assert read([], arrow_type)[0] == []
