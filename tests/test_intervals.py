"""Lengths of bars as people write them."""

import numpy as np
import pytest

from ray_pipeline.errors import ConfigError
from ray_pipeline.intervals import Interval, find_interval, parse_interval

DAY = 86_400


@pytest.mark.parametrize(
    ("spellings", "length"),
    [
        (("1s", "1S", "1sec", "1second"), Interval(1)),
        (("5m", "5min", "5Min", "5mins", "5minute", "5T"), Interval(300)),
        (("1h", "1H", "60m", "60min", "1hr", "1hour", "hourly", "H"), Interval(3_600)),
        (("1d", "1D", "24h", "1day", "day", "daily", "D"), Interval(DAY)),
        (("1w", "1W", "1wk", "7d", "1week", "weekly", "W"), Interval(7 * DAY)),
        (
            ("1mo", "1M", "1mon", "1mth", "1month", "MONTH", "monthly", "M", "1ME"),
            Interval(1, "mo"),
        ),
        (("1q", "1Q", "3mo", "3M", "1qtr", "quarterly"), Interval(3, "mo")),
        (("1y", "1Y", "12mo", "4q", "1year", "yearly", "annual"), Interval(12, "mo")),
    ],
)
def test_all_spellings_of_a_length_are_one(spellings: tuple[str, ...], length: Interval) -> None:
    """A capital tells a month from a minute, and nothing else."""
    assert {find_interval(text) for text in spellings} == {length}


@pytest.mark.parametrize(
    "text", ["", "5", "m", "0m", "-5m", "5x", "5 m", "1.5h", "12b", "1ms", "٥m", "tick"]
)
def test_unknown_interval_says_what_is_needed(text: str) -> None:
    """Anything else, a foreign script's digits included, is refused with the accepted forms."""
    assert find_interval(text) is None
    with pytest.raises(ConfigError, match=r"Unknown interval .*such as 30s, .* 1mo.*a small m"):
        parse_interval(text)


def test_canonical_spelling_reads_back() -> None:
    """What is written down of a length is that length."""
    for length in (Interval(90), Interval(3_600), Interval(5 * DAY), Interval(3, "mo")):
        assert parse_interval(str(length)) == length


def test_months_have_the_steps_that_the_calendar_gives_them() -> None:
    """Month ends and business month ends are a month apart, four weeks and two months are not."""
    ends = np.arange("1990-01", "2024-01", dtype="M8[M]").astype("M8[D]")
    steps = np.diff(np.busday_offset(ends, -1, roll="backward").astype("M8[ns]").astype(np.int64))
    month = Interval(1, "mo")
    assert all(map(month.has_step, steps.tolist()))
    assert not month.has_step(2 * 30 * DAY * 10**9)
    assert not month.has_step(7 * DAY * 10**9)
    assert Interval(300).has_step(300 * 10**9)
    assert not Interval(300).has_step(600 * 10**9)


def test_mean_month_is_that_of_the_gregorian_calendar() -> None:
    """12 months of 30.436875 days are 365.2425 days."""
    assert Interval(12, "mo").seconds == 31_556_952
