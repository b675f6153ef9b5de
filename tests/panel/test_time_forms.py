"""Times in the forms that people have them in, each file of a symbol by its own."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.errors import DataError
from ray_pipeline.panel.reading_rules import ReadingRules, TimeRules
from ray_pipeline.panel.rows import plan_rows
from ray_pipeline.panel.time_formats import format_problem
from ray_pipeline.panel.timestamps import FileTimes, SymbolTimes, symbol_times
from ray_pipeline.records import SymbolPartition

WritePartition = Callable[..., SymbolPartition]

# 2024-01-31 14:30 UTC in seconds since 1970, by `date -u -d '2024-01-31 14:30' +%s`.
SECONDS = 1_706_711_400
NS = 10**9
DAY_NS = 86_400 * NS
MIDNIGHT_NS = (SECONDS - 52_200) * NS
NEW_YORK = "America/New_York"


def read(*files: tuple[list[Any], pa.DataType | None], **rules: Any) -> SymbolTimes:
    """Read files called a, b, … of these values and types."""
    columns = [
        FileTimes(f"/x/{'abc'[place]}", pa.chunked_array([pa.array(values, arrow_type)]))
        for place, (values, arrow_type) in enumerate(files)
    ]
    return symbol_times(columns, "ts", TimeRules(**rules))


def one(values: list[Any], arrow_type: pa.DataType | None = None, **rules: Any) -> list[int]:
    return read((values, arrow_type), **rules).time_ns.tolist()


def said(times: SymbolTimes) -> list[str]:
    return [finding.message for finding in times.findings]


def utc(text: str) -> int:
    """Return an ISO time with an offset, or in UTC, as nanoseconds since 1970."""
    time = dt.datetime.fromisoformat(text)
    time = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    return int(time.timestamp()) * NS


def test_each_file_has_its_own_unit() -> None:
    """Old files count milliseconds and new ones microseconds; neither becomes January 1970."""
    times = read(([SECONDS * 10**3], None), ([(SECONDS + 60) * 10**6], None))
    assert times.time_ns.tolist() == [SECONDS * NS, (SECONDS + 60) * NS]
    assert said(times) == [
        "time column 'ts': whole numbers read as milliseconds since 1970 in a",
        "time column 'ts': whole numbers read as microseconds since 1970 in b",
    ]


def test_units_mixed_in_one_file_are_refused() -> None:
    """Read by its largest number, the rest would lie decades before it."""
    message = re.escape(
        "time column 'ts': no bar for decades between 1970-01-20T18:05:11.4+00:00 in /x/a (whole "
        "numbers read as microseconds since 1970) and 2024-01-31T14:31:00+00:00 in /x/a (whole "
        "numbers read as microseconds since 1970). Set data.time_unit"
    )
    with pytest.raises(DataError, match=message):
        one([SECONDS * 10**3, (SECONDS + 60) * 10**6])


def test_hole_of_decades_is_found_among_rows_in_any_order() -> None:
    """A placeholder such as the year 1970 is not a bar."""
    times = [dt.datetime(2024, 1, 2), dt.datetime(1970, 1, 1), dt.datetime(2024, 1, 3)]
    with pytest.raises(DataError, match=r"between 1970-01-01T00:00:00.* and 2024-01-02T00"):
        one(times, pa.timestamp("us"))
    assert len(one([dt.date(2004, 1, 2), dt.date(2024, 1, 1)])) == 2


def test_most_bars_lie_between_1900_and_2100() -> None:
    """Milliseconds of the seventies would be seconds of the year 3000."""
    early = [5_000_000_000 + k for k in range(3)]
    message = (
        r"3 of 3 times are not between 1900 and 2100, the first 2128-06-11T08:53:20\+00:00 in /x/a "
        r"\(whole numbers read as seconds since 1970\)\. Set data.time_unit"
    )
    with pytest.raises(DataError, match=message):
        one(early)
    assert one(early, unit="ms")[0] == 5_000_000_000 * 10**6
    with pytest.raises(DataError, match="2 of 3 times are not between 1900 and 2100"):
        one([dt.datetime(2200, 1, 1), dt.datetime(2200, 1, 2), dt.datetime(2024, 1, 1)])


def test_numbers_that_count_rows_are_no_times() -> None:
    """They would all be in January 1970."""
    message = "holds whole numbers up to 899: as seconds since 1970, all before March 1973. If they"
    with pytest.raises(DataError, match=message):
        one(list(range(900)))
    assert one([60, 120], unit="s") == [60 * NS, 120 * NS]


@pytest.mark.parametrize(
    ("values", "arrow_type", "expected"),
    [
        (["20240131"], None, "2024-01-31"),
        ([" 2024-01-31 "], None, "2024-01-31"),
        (["2024/01/31"], None, "2024-01-31"),
        (["2024-01"], None, "2024-01-01"),
        ([202402], None, "2024-02-01"),
        ([2024.0], None, "2024-01-01"),
        ([20240229.0], None, "2024-02-29"),
        ([2023], pa.int16(), "2023-01-01"),
        (["20240131 14:30:00"], None, "2024-01-31T14:30"),
        (["20240131-14:30:00"], None, "2024-01-31T14:30"),
        (["2024/01/31 14:30"], None, "2024-01-31T14:30"),
        (["2024-01-31 09:30:00 US/Eastern"], None, "2024-01-31T14:30"),
        (["20240731 09:30:00 America/New_York"], None, "2024-07-31T13:30"),
        (["2024-01-31 14:30:00 UTC"], None, "2024-01-31T14:30"),
        (["2024-01-31 16:30:00 +02:00"], None, "2024-01-31T14:30"),
        (["2024-01-31 09:30:00-05:00", "2024-07-31 09:30:00-04:00"], None, "2024-01-31T14:30"),
        (["1706711400"], None, "2024-01-31T14:30"),
        (["1706711400.0"], None, "2024-01-31T14:30"),
        ([1706711400.0], None, "2024-01-31T14:30"),
        ([1706711400000.0], None, "2024-01-31T14:30"),
        (["2024-01-31"], pa.dictionary(pa.int8(), pa.string()), "2024-01-31"),
    ],
)
def test_forms(values: list[Any], arrow_type: pa.DataType | None, expected: str) -> None:
    """Each is read at the right instant."""
    assert one(values, arrow_type)[0] == utc(expected)


def test_fractions_of_seconds_are_rounded_to_microseconds() -> None:
    """A double of today's seconds holds no more."""
    assert one([SECONDS + 0.25, SECONDS + 1.123456]) == [
        SECONDS * NS + 250_000_000,
        (SECONDS + 1) * NS + 123_456_000,
    ]
    with pytest.raises(DataError, match="'ts' in /x/a is float; a timestamp, a date"):
        one([1.7e9], pa.float32())
    with pytest.raises(DataError, match="holds an infinite number"):
        one([float("inf")])


def test_rows_without_a_time_are_left_out() -> None:
    """Null, NaN and empty text are none."""
    assert read(([None, float(SECONDS), float("nan")], None)).rows.tolist() == [1]  # type: ignore[union-attr]
    assert read((["", "2024-01-31"], None), ([None], pa.null())).rows.tolist() == [1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (["31.01.2024"], "text that is not ISO 8601.* Set data.time_format, such as"),
        (["01/02/2024"], "Set data.time_format"),
        (["2024-01-31 09:30 Mars/Base"], "names the zone 'Mars/Base', which is not an IANA name"),
        (["2024-01-31 09:30 EDT"], "names the zone 'EDT'.* and data.time_zone"),
    ],
)
def test_text_that_does_not_tell(text: list[str], message: str) -> None:
    """The message names the form and the key."""
    with pytest.raises(DataError, match=message):
        one(text)


@pytest.mark.parametrize(
    ("text", "format_text", "expected"),
    [
        ("31.01.2024 14:30", "%d.%m.%Y %H:%M", "2024-01-31T14:30"),
        ("31/1/24", "%d/%m/%y", "2024-01-31"),
        ("31/1/69", "%d/%m/%y", "1969-01-31"),
        ("Jan 31, 2024 02:30 pm", "%b %d, %Y %I:%M %p", "2024-01-31T14:30"),
        ("31 January 2024 12:30 AM", "%d %B %Y %I:%M %p", "2024-01-31T00:30"),
        ("Wed 2024-01-31T14:30:00.250 +0200", "%a %Y-%m-%dT%H:%M:%S.%f %z", "2024-01-31T12:30"),
        (202401311430, "%Y%m%d%H%M", "2024-01-31T14:30"),
        ("100%2024-1", "100%%%Y-%m", "2024-01-01"),
    ],
)
def test_text_in_a_format(text: Any, format_text: str, expected: str) -> None:
    """Directives as strptime has them, months in English, by whole columns."""
    assert format_problem(format_text) is None
    assert one([text], format=format_text)[0] // NS == utc(expected) // NS


@given(st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2099, 12, 31)))
def test_formats_agree_with_strptime(time: dt.datetime) -> None:
    """Whatever the day and the clock."""
    for format_text in ("%d-%b-%Y %I:%M:%S.%f %p", "%Y%m%d %H%M%S"):
        text = time.strftime(format_text)
        expected = dt.datetime.strptime(text, format_text).replace(tzinfo=dt.UTC)
        micros = (expected - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
        assert one([text], format=format_text) == [micros * 1_000]


@pytest.mark.parametrize(
    ("format_text", "problem"),
    [
        ("%d.%m", "one year"),
        ("%Y-%d", "one month"),
        ("%Y-%m-%d %I:%M", "%I with %p"),
        ("%Y-%m-%d %Q", "%Q is not a supported directive"),
        ("%Y-%m-%d %d", "%d occurs more than once"),
    ],
)
def test_wrong_formats(format_text: str, problem: str) -> None:
    """What is missing is named."""
    assert problem in str(format_problem(format_text))


def test_text_that_does_not_have_the_format() -> None:
    """The first such row is named; a day that the calendar lacks is one of them."""
    with pytest.raises(DataError, match="holds '2024-01-31', which is not of the form"):
        one(["01.01.2024", "2024-01-31"], format="%d.%m.%Y")
    with pytest.raises(DataError, match=r"holds '31\.02\.2024': there is no such day"):
        one(["31.02.2024"], format="%d.%m.%Y")


def test_zones_that_contradict_each_other() -> None:
    """Both files are named; the zone of those without settles it, to the right instant."""
    wall = [dt.datetime(2024, 1, 2, 9, 30)]
    aware = ([dt.datetime(2024, 1, 3, 14, 30)], pa.timestamp("us", "UTC"))
    message = re.escape(
        "time column 'ts' has times without a zone in /x/a and instants in /x/b. Set data.time_zone"
    )
    with pytest.raises(DataError, match=message):
        read((wall, None), aware)
    times = read((wall, None), aware, zone=NEW_YORK)
    assert times.time_ns.tolist() == [utc("2024-01-02T14:30"), utc("2024-01-03T14:30")]
    assert said(times) == [f"time column 'ts': times without a zone read as {NEW_YORK}"]
    assert times.clocks == ("aware", "naive")


def test_forms_that_contradict_each_other() -> None:
    """Text in one file and timestamps in another, dates in one and instants in another."""
    wall = ([dt.datetime(2024, 1, 3)], pa.timestamp("us"))
    with pytest.raises(DataError, match=r"'ts' is text in /x/a and timestamps in /x/b\. Set data"):
        read((["2024-01-02"], None), wall)
    assert len(read((["02.01.2024"], None), wall, format="%d.%m.%Y").time_ns) == 2
    instants = ([SECONDS], None)
    with pytest.raises(DataError, match=r"'ts' has dates in /x/a and instants in /x/b\. Set data"):
        read(([20240130], None), instants)


def test_dates_and_times_without_a_zone_go_together() -> None:
    """A date is its midnight."""
    times = read(([dt.date(2024, 1, 31)], None), ([dt.datetime(2024, 2, 1)], None))
    assert times.time_ns.tolist() == [MIDNIGHT_NS, MIDNIGHT_NS + DAY_NS]
    assert said(times) == []


def test_times_without_a_zone_are_said_to_be_taken_as_utc() -> None:
    """Where it makes a difference."""
    times = read(([dt.datetime(2024, 1, 31, 9, 30)], None))
    assert said(times) == ["time column 'ts': times without a zone read as UTC"]


def walls(*clocks: str, day: str = "2024-11-03") -> list[dt.datetime]:
    return [dt.datetime.fromisoformat(f"{day}T{clock}") for clock in clocks]


def local(*clocks: str, day: str = "2024-11-03", **rules: Any) -> list[str]:
    """Return the clock in UTC of times in New York, where clocks went back at 06:00 UTC."""
    found = one(walls(*clocks, day=day), zone=NEW_YORK, **rules)
    return [str(np.datetime64(time, "ns"))[11:16] for time in found]


def test_the_hour_that_comes_twice_is_told_by_the_order_of_rows() -> None:
    """The clock went back where they do; also in a file that has the newest row first."""
    clocks = ("00:30", "01:00", "01:30", "01:00", "01:30", "02:00")
    expected = ["04:30", "05:00", "05:30", "06:00", "06:30", "07:00"]
    assert local(*clocks) == expected
    assert local(*reversed(clocks)) == expected[::-1]
    assert local("01:10", "01:50", "01:20") == ["05:10", "05:50", "06:20"]


def test_rows_that_do_not_tell_need_the_key() -> None:
    """One row of the hour could be of either."""
    message = (
        r"zone America/New_York,: 2024-11-03T01:10:00 is in an hour that occurs twice, and the "
        r"order of rows does not show which one it is\. Set data\.repeated_hour: first"
    )
    with pytest.raises(DataError, match=message):
        local("00:10", "01:10", "02:10")
    assert local("01:10", repeated_hour="first") == ["05:10"]
    assert local("01:10", repeated_hour="second") == ["06:10"]


def test_the_hour_that_is_missing() -> None:
    """No clock showed 02:30 that night; by the key it is as if it had not been changed yet."""
    with pytest.raises(DataError, match=r"1 times do not exist in .*, the first 2024-03-10T02:30:"):
        local("02:30", day="2024-03-10")
    clocks = ("01:30", "02:30", "03:30")
    shifted = local(*clocks, day="2024-03-10", missing_hour="shift")
    assert shifted == ["06:30", "07:30", "07:30"]


@given(
    st.sampled_from([NEW_YORK, "Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo"]),
    st.integers(2000, 2024),
)
def test_a_year_of_hours_comes_back(zone: str, year: int) -> None:
    """Written as clocks show them, in order, every hour is read as itself."""
    first = int(np.datetime64(f"{year}-01-01", "s").astype(np.int64))
    hours = (first + 1_800 * np.arange(2 * 24 * 366)) * NS
    shown = pa.array(hours, pa.timestamp("ns", zone))
    wall = pa.compute.local_timestamp(shown)
    column = FileTimes("a", pa.chunked_array([wall]))
    assert np.array_equal(symbol_times([column], "ts", TimeRules(zone=zone)).time_ns, hours)


def test_a_stamp_at_the_close_is_moved_to_the_open() -> None:
    """By one bar."""
    times = read(([SECONDS], None), stamp="close", bar_seconds=300)
    assert times.time_ns.tolist() == [(SECONDS - 300) * NS]
    assert said(times)[-1] == (
        "time column 'ts': bars are stamped with their close; moved to their open, 300 s earlier"
    )


@pytest.mark.parametrize("zone", [NEW_YORK, "Europe/London", "Asia/Tokyo", "Pacific/Auckland"])
@pytest.mark.parametrize("shown", [True, False])
def test_midnights_of_exchanges_are_trading_dates(zone: str, shown: bool) -> None:
    """As their zone shows them, or in UTC: the midnight that begins the date."""
    days = [dt.datetime(2024, month, 15) for month in (1, 7)]
    wall = pa.array(days, pa.timestamp("ns"))
    instants = pa.compute.assume_timezone(wall, zone)
    if not shown:
        instants = instants.cast(pa.timestamp("ns", "UTC"))
    found = symbol_times(
        [FileTimes("a", pa.chunked_array([instants]))], "ts", TimeRules(trading_date=True)
    )
    assert found.time_ns.tolist() == [utc("2024-01-15"), utc("2024-07-15")]
    assert said(found)[0].startswith("time column 'ts': each time read as its local trading date")


def test_trading_dates_of_closes_and_of_text() -> None:
    """A close belongs to the date before its midnight, and an offset shows the local clock."""
    rules = {"trading_date": True, "stamp": "close"}
    assert one([dt.datetime(2024, 1, 31, 21)], pa.timestamp("us", "UTC"), **rules) == [MIDNIGHT_NS]
    assert one([dt.datetime(2024, 2, 1)], pa.timestamp("us", "UTC"), **rules) == [MIDNIGHT_NS]
    assert one(["2024-01-31 00:00:00-05:00"], trading_date=True) == [MIDNIGHT_NS]
    instants = ([MIDNIGHT_NS + 20 * 3_600 * NS], pa.timestamp("ns", "UTC"))
    assert read(instants, trading_date=True, zone=NEW_YORK).time_ns.tolist() == [MIDNIGHT_NS]


def test_trading_dates_are_for_daily_bars() -> None:
    """Many bars of one date are a mistake, not one bar."""
    hours = [dt.datetime(2024, 1, 31, hour) for hour in range(9, 17)]
    with pytest.raises(DataError, match=r"8 bars are of 2024-01-31\. data.trading_date is for"):
        one(hours, trading_date=True)


@pytest.mark.parametrize(
    ("duplicates", "kept", "message"),
    [
        ("first", [0, 1, 3], "1 row was dropped: the first row of each time was kept"),
        ("last", [0, 2, 3], "1 row was dropped: the last row of each time was kept"),
        ("drop", [0, 3], "2 rows were dropped: no row of such a time was kept"),
    ],
)
def test_rows_of_one_time(duplicates: Any, kept: list[int], message: str) -> None:
    """The key says which counts, in the order of files and rows."""
    files = [
        FileTimes("a", pa.chunked_array([pa.array([SECONDS, SECONDS + 60])])),
        FileTimes("b", pa.chunked_array([pa.array([SECONDS + 60, SECONDS + 120])])),
    ]
    plan = plan_rows(files, "ts", None, ReadingRules(duplicates=duplicates))
    assert plan.positions is not None
    assert np.flatnonzero(plan.positions >= 0).tolist() == kept
    assert plan.findings[-1].message == f"{message}, as data.duplicates says"


@pytest.mark.parametrize(
    "clock",
    [
        ["09:30", "16:00"],
        ["09:30:00", " 16:00:00"],
        ["093000", "160000"],
        [93000, 160000],
        [930, 1600],
        [dt.time(9, 30), dt.time(16)],
    ],
)
def test_the_clock_in_a_column_of_its_own(clock: list[Any]) -> None:
    """It is added to the date, and then of the zone of the config."""
    file = FileTimes(
        "/x/a",
        pa.chunked_array([pa.array([20240131, 20240131])]),
        pa.chunked_array([pa.array(clock)]),
    )
    times = symbol_times([file], "ts", TimeRules(zone=NEW_YORK))
    assert times.time_ns.tolist() == [utc("2024-01-31T14:30"), utc("2024-01-31T21:00")]
    assert times.clocks == ("naive",)


def test_a_clock_that_is_always_midnight_leaves_dates() -> None:
    """As vendors write daily bars in the columns of intraday ones."""
    columns = (pa.chunked_array([["20240131", None]]), pa.chunked_array([["000000", None]]))
    times = symbol_times([FileTimes("a", *columns)], "ts", TimeRules())
    assert (times.time_ns.tolist(), times.clocks) == ([MIDNIGHT_NS], ("date",))


@pytest.mark.parametrize(
    ("dates", "clock", "message"),
    [
        (["2024-01-31 09:30"], ["09:30"], "these times already have one"),
        (["2024-01-31"], ["noon"], "holds 'noon'; 09:30, 09:30:00 or 093000 is needed"),
        (["2024-01-31"], ["25:00"], "holds 25:00:00, which is not a time of day"),
        (["2024-01-31"], [0.5], "time_of_day is double; times of the day, text or whole"),
        (["2024-01-31", "2024-01-31"], ["09:30", None], "1 dates have no time of day"),
    ],
)
def test_a_clock_that_is_none(dates: list[str], clock: list[Any], message: str) -> None:
    """What was found is named."""
    file = FileTimes("a", pa.chunked_array([dates]), pa.chunked_array([clock]))
    with pytest.raises(DataError, match=message):
        symbol_times([file], "ts", TimeRules())


def test_bars_of_a_day_that_lost_their_clock() -> None:
    """Many rows of one date are not repeated downloads; the message names the key."""
    file = FileTimes("a", pa.chunked_array([["2024-01-31"] * 5 + ["2024-02-01"] * 5]))
    message = "'ts' holds only dates, and 8 of 10 rows have the date of another row. .*time_of_day"
    with pytest.raises(DataError, match=message):
        plan_rows([file], "ts", None, ReadingRules(duplicates="last"))
