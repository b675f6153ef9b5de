"""Sessions of exchanges, inferred from the clock times of bars. No I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.panel.local_clocks import wall_clock

__all__ = ["HoursFound", "find_hours"]

_MINUTE_NS = 60 * 10**9
_DAY_NS = 24 * 60 * _MINUTE_NS
_MIN_DAYS = 5
_USUAL = 0.8
"""Share of days that begin when the session opens."""
_CLOSES = 0.5
"""Share of days that end when it closes: some are short, and some bars have no trade."""


@dataclass(frozen=True, slots=True)
class _Session:
    """Trading hours on a zone's clock; `pause` is the midday break, if there is one."""

    zone: str
    opens: str
    closes: tuple[str, ...]
    pause: tuple[str, str] | None = None


_SESSIONS = (
    _Session("America/New_York", "09:30", ("16:00",)),
    _Session("America/New_York", "04:00", ("20:00",)),
    _Session("Europe/London", "08:00", ("16:30",)),
    _Session("Europe/Berlin", "09:00", ("17:30",)),
    _Session("Asia/Tokyo", "09:00", ("15:00", "15:30"), ("11:30", "12:30")),
    _Session("Asia/Shanghai", "09:30", ("15:00",), ("11:30", "13:00")),
    _Session("Asia/Hong_Kong", "09:30", ("16:00",), ("12:00", "13:00")),
    _Session("Asia/Kolkata", "09:15", ("15:30",)),
    _Session("Asia/Seoul", "09:00", ("15:30",)),
    _Session("Australia/Sydney", "10:00", ("16:00",)),
)
"""Regular hours published by the exchanges; Tokyo's close was half an hour earlier before
November 2024."""


@dataclass(frozen=True, slots=True)
class HoursFound:
    """The session to which clock times without a zone belong.

    Attributes
    ----------
    zone
        The zone whose clock shows it.
    hours
        From when to when, in the given clock times.
    is_local
        Whether the times are local to that zone; otherwise they are already in UTC.
    """

    zone: str
    hours: str
    is_local: bool


def find_hours(wall_ns: NDArray[np.int64], step_ns: int) -> HoursFound | None:
    """Find the session of intraday bars, reading their times as local ones or as UTC.

    Parameters
    ----------
    wall_ns
        int64 (n_times,), sorted: clock times of all symbols, in nanoseconds since 1970.
    step_ns
        Length of a bar.

    Returns
    -------
    HoursFound or None
        None if the times fit no session, or are local times of several zones. Times that fit in UTC
        are read as UTC: London's winter is both.
    """
    hours = _hours_of(wall_ns, step_ns)
    for session in _SESSIONS:
        if _fits(session, wall_clock(wall_ns, session.zone), step_ns):
            return HoursFound(session.zone, hours, is_local=False)
    zones = {session.zone for session in _SESSIONS if _fits(session, wall_ns, step_ns)}
    return HoursFound(zones.pop(), hours, is_local=True) if len(zones) == 1 else None


def _fits(session: _Session, wall_ns: NDArray[np.int64], step_ns: int) -> bool:
    """Tell whether days begin and end with a session, and pause when it does."""
    first, last = _ends_of_days(wall_ns)
    if len(first) < _MIN_DAYS:
        return False
    opened = np.mean(first == _of_day(session.opens))
    closed = np.mean(np.isin(last + step_ns, [_of_day(each) for each in session.closes]))
    if opened < _USUAL or closed < _CLOSES:
        return False
    if session.pause is None:
        # A session without a pause has bars when those with one have none.
        return bool(_share_between(wall_ns, "12:00", "12:30") > 0)
    start, end = session.pause
    return bool(_share_between(wall_ns, start, end) == 0)


def _ends_of_days(wall_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and the last time of the day of each day."""
    ordered = np.sort(wall_ns)
    days = ordered // _DAY_NS
    starts = np.flatnonzero(np.diff(days, prepend=days[:1] - 1))
    ends = np.append(starts[1:], len(days)) - 1 if len(days) else starts
    return ordered[starts] % _DAY_NS, ordered[ends] % _DAY_NS


def _share_between(wall_ns: NDArray[np.int64], start: str, end: str) -> float:
    clock = wall_ns % _DAY_NS
    return float(np.mean((clock >= _of_day(start)) & (clock < _of_day(end))))


def _hours_of(wall_ns: NDArray[np.int64], step_ns: int) -> str:
    first, last = (Counter(each.tolist()).most_common(1) for each in _ends_of_days(wall_ns))
    if not first:
        return ""
    return f"{_clock(first[0][0])} to {_clock(last[0][0] + step_ns)}"


def _of_day(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return (int(hours) * 60 + int(minutes)) * _MINUTE_NS


def _clock(of_day_ns: int) -> str:
    return f"{of_day_ns // _MINUTE_NS // 60:02d}:{of_day_ns // _MINUTE_NS % 60:02d}"
