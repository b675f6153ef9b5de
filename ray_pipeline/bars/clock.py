"""The clock of a symbol's market, and the row that a label looks at.

A horizon in units of time is time of the market's clock, which stands still while the market is
closed: from 15:30 an hour leads to 10:00 of the next session, as it does where one counts the bars
of an exchange that has all of them. Whether the symbol has a bar at every one of the clock's
places does not matter:

- A label looks at the last bar at or before the place that its horizon leads to. That is what the
  price there is (previous-tick sampling: Gençay et al. 2001, *An Introduction to High-Frequency
  Finance*, ch. 3).
- That bar has to lie after the label's own, and at most a quarter of the horizon, or of a session
  where that is less, before the place; else nobody knows the price, and the label is missing. On
  bars of a day or longer it has to be the very bar.
- Days on intraday bars are sessions: the same place in the session, so many of the symbol's own
  days later. A half day and missing bars shift nothing.
- A hole of more than two weeks is one in the data, not a closed market: no label reaches over it.

The clock is found from the symbol's own bars; those of others have no say. A market that never
closes runs by the clock on the wall. Any other has the places of the day at which the symbol
usually has bars, by the clocks of the exchange's country (`daylight`); a day that ends an hour or
more before them, or begins after them, is a short one where chance does not explain it. Weeks
and months are those of the calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ray_pipeline.bars.session_clock import (
    HOLE,
    HOLE_DAYS,
    Ints,
    SessionClock,
    Unit,
    days_per_year,
    holes_before,
    is_open_all_week,
    usual_phase,
)
from ray_pipeline.intervals import Interval
from ray_pipeline.records import Horizon

__all__ = ["LabelReach", "MarketClock", "find_clock", "reach_of_labels", "steps_between"]

_SECOND_NS = 10**9
_HOUR_NS = 3_600 * _SECOND_NS
_DAY_NS = 24 * _HOUR_NS
_WEEK_S = 7 * 86_400

_TOLERANCE = 4
"""A label's last bar lies within this part of its horizon of where it should."""


class MarketClock(Protocol):
    """Places of a market's clock, counted in bars from any origin."""

    @property
    def session_bars(self) -> int:
        """Bars of a session; 1 where a bar is a day or longer."""
        ...

    @property
    def days_per_year(self) -> int | None:
        """Days with a session; None where a bar is longer than a day."""
        ...

    def place(self, time_ns: Ints, unit: Unit) -> Ints:
        """Return the place of each of the times, not decreasing.

        In ``sessions`` every session has `session_bars` places; in ``bars`` a short one has those
        during which the market was open.
        """
        ...

    def times(self, places: Ints, unit: Unit) -> Ints | None:
        """Return the time of each place; None where the clock counts what bars there are."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LabelReach:
    """How far the labels of one horizon look.

    Attributes
    ----------
    rows : int64 (n_rows,)
        Row of the last bar that a label sees; -1 where there is no label.
    deadline_ns : int64 (n_rows,)
        When it has to be known at the latest: no bar that a label sees is later, and labels of
        one deadline are of one stretch of the market. Beyond all times where there is no label.
    n_in_data
        Rows whose horizon ends within the data. Where `rows` has no bar for one of these, a bar
        is wanting.
    """

    rows: Ints
    deadline_ns: Ints
    n_in_data: int

    @property
    def n_wanting(self) -> int:
        """Rows without a label because there is no bar."""
        return self.n_in_data - int(np.count_nonzero(self.rows >= 0))


def reach_of_labels(time_ns: Ints, horizon: Horizon, clock: MarketClock) -> LabelReach:
    """Find the last bar that each row's label sees.

    Parameters
    ----------
    time_ns : int64 (n_rows,)
        Times of a symbol's bars, increasing; the clock's own, or some of them.
    """
    n_rows = len(time_ns)
    own = np.arange(n_rows)
    beyond = np.iinfo(np.int64).max
    if horizon.unit == "rows":
        n_labels = max(n_rows - horizon.count, 0)
        rows = np.where(own < n_labels, own + horizon.count, -1)
        return LabelReach(rows, np.where(rows >= 0, time_ns[rows], beyond), n_labels)
    if not n_rows:
        return LabelReach(own, time_ns, 0)
    places = clock.place(time_ns, horizon.unit)
    bars = horizon.in_bars(clock.session_bars)
    asked = places + bars
    rows = np.searchsorted(places, asked, side="right") - 1
    slack = min(bars, clock.session_bars) // _TOLERANCE if clock.session_bars > 1 else 0
    following = places[np.minimum(rows + 1, n_rows - 1)]
    is_before_hole = (following - asked > HOLE // 2) & (places[rows] < asked)
    is_in_data = (asked <= places[-1]) & ~is_before_hole
    is_there = is_in_data & (rows > own) & (places[rows] >= asked - slack)
    deadlines = clock.times(asked, horizon.unit)
    if deadlines is None:
        deadlines = time_ns[rows]
    return LabelReach(
        np.where(is_there, rows, -1),
        np.where(is_there, deadlines, beyond),
        int(np.count_nonzero(is_in_data)),
    )


def steps_between(time_ns: Ints, clock: MarketClock) -> Ints:
    """Return the bars of the clock from each bar's predecessor to it, (n_rows,); 0 of the first.

    A hole in the data counts as one: nobody knows what was traded in it.
    """
    places = clock.place(time_ns, "bars")
    steps = np.diff(places, prepend=places[:1])
    return np.where(steps > HOLE // 2, 1, steps)


def find_clock(time_ns: Ints, interval: Interval) -> MarketClock:
    """Find the clock of a symbol's market from the times of its bars.

    Parameters
    ----------
    time_ns : int64 (n_rows,)
        Increasing.
    interval
        Length of a bar.
    """
    if not len(time_ns):
        return _OwnDays(time_ns, 1, 1)
    if interval.unit == "mo":
        return _Months(time_ns, interval.count)
    step_ns = interval.seconds * _SECOND_NS
    if interval.seconds % _WEEK_S == 0:
        return _Steady(time_ns, step_ns, session_bars=1, days_per_year=None)
    n_places = -(-_DAY_NS // step_ns)
    sessions = SessionClock(time_ns, step_ns) if interval.is_intraday else None
    days = np.unique(time_ns // _DAY_NS) if sessions is None else sessions.days
    is_full = step_ns == _DAY_NS if sessions is None else sessions.session_bars == n_places
    if is_full and is_open_all_week(days):
        return _Steady(time_ns, step_ns, session_bars=n_places, days_per_year=365)
    return sessions or _OwnDays(time_ns, max(HOLE_DAYS * _DAY_NS, 3 * step_ns), step_ns)


class _Steady:
    """A market that never closes, or weeks: every step of time is a bar."""

    def __init__(
        self, time_ns: Ints, step_ns: int, *, session_bars: int, days_per_year: int | None
    ) -> None:
        self.session_bars = session_bars
        self.days_per_year = days_per_year
        self._step_ns = step_ns
        self._phase_ns = usual_phase(time_ns, step_ns)

    def place(self, time_ns: Ints, unit: Unit) -> Ints:
        """Return the steps since 1970, to the nearest."""
        return (time_ns - self._phase_ns + self._step_ns // 2) // self._step_ns

    def times(self, places: Ints, unit: Unit) -> Ints:
        """Return the time of each step."""
        return places * self._step_ns + self._phase_ns


class _Months:
    """Bars of months, quarters or years: those of the calendar."""

    session_bars = 1
    days_per_year = None

    def __init__(self, time_ns: Ints, count: int) -> None:
        self._count = count
        # A midnight of an exchange is an hour of the day before in UTC for some of the year.
        self._shift_ns = (
            0 if _n_repeated(time_ns) <= _n_repeated(time_ns + 12 * _HOUR_NS) else 12 * _HOUR_NS
        )
        numbers = _month_numbers(time_ns + self._shift_ns)
        self._phase = usual_phase(numbers, count)

    def place(self, time_ns: Ints, unit: Unit) -> Ints:
        """Return the months since 1970 in bars, to the nearest."""
        numbers = _month_numbers(time_ns + self._shift_ns)
        return (numbers - self._phase + self._count // 2) // self._count

    def times(self, places: Ints, unit: Unit) -> None:
        """Return None: which day of the month is stamped differs from month to month."""
        return


class _OwnDays:
    """Bars of days of a market that closes: the days on which the symbol has bars."""

    session_bars = 1

    def __init__(self, time_ns: Ints, hole_ns: int, step_ns: int) -> None:
        self._time_ns = time_ns
        self._places = np.arange(len(time_ns)) + HOLE * holes_before(time_ns, hole_ns)
        is_daily = step_ns == _DAY_NS
        self.days_per_year = days_per_year(time_ns // _DAY_NS) if is_daily else None

    def place(self, time_ns: Ints, unit: Unit) -> Ints:
        """Return the number of each bar."""
        return self._places[np.searchsorted(self._time_ns, time_ns)]

    def times(self, places: Ints, unit: Unit) -> None:
        """Return None: the next session's date is that of the next bar."""
        return


def _month_numbers(time_ns: Ints) -> Ints:
    return time_ns.astype("M8[ns]").astype("M8[M]").astype(np.int64)


def _n_repeated(time_ns: Ints) -> int:
    return len(time_ns) - len(np.unique(_month_numbers(time_ns)))
