"""Whose session clock times are of: found in local times and in UTC, and never where it is open."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.panel.exchange_hours import HoursFound, find_hours

MINUTE_NS = 60 * 10**9
SESSIONS = [
    ("America/New_York", "09:30", "16:00", None),
    ("Europe/Berlin", "09:00", "17:30", None),
    ("Asia/Tokyo", "09:00", "15:00", ("11:30", "12:30")),
    ("Asia/Shanghai", "09:30", "15:00", ("11:30", "13:00")),
    ("Asia/Hong_Kong", "09:30", "16:00", ("12:00", "13:00")),
    ("Asia/Kolkata", "09:15", "15:30", None),
    ("Australia/Sydney", "10:00", "16:00", None),
]


def _bars(
    zone: str,
    opens: str,
    closes: str,
    pause: tuple[str, str] | None,
    *,
    utc: bool,
    n_days: int = 250,
    first: str = "2024-01-02",
) -> NDArray[np.int64]:
    """Return the times of five-minute bars of each weekday."""
    found = []
    for i in range(n_days):
        day = date.fromisoformat(first) + timedelta(days=i)
        if day.weekday() > 4:
            continue
        at, end = (
            datetime.combine(day, time.fromisoformat(each), ZoneInfo(zone))
            for each in (opens, closes)
        )
        while at < end:
            if pause is None or not pause[0] <= at.strftime("%H:%M") < pause[1]:
                shown = at.astimezone(ZoneInfo("UTC")) if utc else at
                found.append(np.datetime64(shown.replace(tzinfo=None), "ns").astype(np.int64))
            at += timedelta(minutes=5)
    return np.array(found)


@pytest.mark.parametrize(("zone", "opens", "closes", "pause"), SESSIONS)
@pytest.mark.parametrize("utc", [False, True])
def test_sessions_are_found(
    zone: str, opens: str, closes: str, pause: tuple[str, str] | None, utc: bool
) -> None:
    """Local times are told from UTC by the seasons, or by hours that no other exchange has."""
    found = find_hours(_bars(zone, opens, closes, pause, utc=utc), 5 * MINUTE_NS)
    assert found is not None
    # Frankfurt and London open and close together: in UTC they are one session.
    same = {"Europe/Berlin": "Europe/London"} if utc else {}
    assert (found.zone, found.is_local) == (same.get(zone, zone), not utc)


def test_the_hours_are_those_of_the_clock() -> None:
    """As they stand in the data, so that a person can check them."""
    found = find_hours(_bars("America/New_York", "09:30", "16:00", None, utc=False), 5 * MINUTE_NS)
    assert found == HoursFound("America/New_York", "09:30 to 16:00", True)


def test_a_winter_of_london_is_utc() -> None:
    """Read as UTC it is right, whichever of both was meant."""
    winter = _bars("Europe/London", "08:00", "16:30", None, utc=False, n_days=60)
    assert find_hours(winter, 5 * MINUTE_NS) == HoursFound(
        "Europe/London", "08:00 to 16:30", is_local=False
    )


def test_coins_and_short_looks_are_of_no_session() -> None:
    """Round the clock there is none, and a few days show little."""
    hours = np.arange(0, 100 * 24 * 60, 5) * MINUTE_NS
    assert find_hours(hours, 5 * MINUTE_NS) is None
    days = _bars("America/New_York", "09:30", "16:00", None, utc=False, n_days=4)
    assert find_hours(days, 5 * MINUTE_NS) is None
    assert find_hours(np.array([], dtype=np.int64), 5 * MINUTE_NS) is None
