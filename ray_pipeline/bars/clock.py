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
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ray_pipeline.bars.daylight import DAYLIGHT_RULES, DaylightRule, is_summer
from ray_pipeline.intervals import Interval
from ray_pipeline.records import Horizon

__all__ = ["LabelReach", "MarketClock", "find_clock", "reach_of_labels"]

Ints: TypeAlias = npt.NDArray[np.int64]
Unit: TypeAlias = Literal["rows", "bars", "sessions"]

_SECOND_NS = 10**9
_HOUR_NS = 3_600 * _SECOND_NS
_DAY_NS = 24 * _HOUR_NS
_WEEK_S = 7 * 86_400

_TOLERANCE = 4
"""A label's last bar lies within this part of its horizon of where it should."""

_HOLE_DAYS = 14  # the longest holidays of exchanges are eleven days
_HOLE = 10**9  # bars of the clock: no horizon reaches over as many

_USUAL = 0.1  # of the days that a usual place of the day has
_BY_CHANCE = 1e-6  # what is likelier than this may be chance
_SUMMER_GAIN = 1.01  # more than what chance gathers at the same places


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
        """Rows without a label for want of a bar."""
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
    is_before_hole = (following - asked > _HOLE // 2) & (places[rows] < asked)
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
    sessions = _Sessions(time_ns, step_ns) if interval.is_intraday else None
    days = np.unique(time_ns // _DAY_NS) if sessions is None else sessions.days
    is_full = step_ns == _DAY_NS if sessions is None else sessions.session_bars == n_places
    if is_full and _is_open_all_week(days):
        return _Steady(time_ns, step_ns, session_bars=n_places, days_per_year=365)
    return sessions or _OwnDays(time_ns, max(_HOLE_DAYS * _DAY_NS, 3 * step_ns), step_ns)


class _Steady:
    """A market that never closes, or weeks: every step of time is a bar."""

    def __init__(
        self, time_ns: Ints, step_ns: int, *, session_bars: int, days_per_year: int | None
    ) -> None:
        self.session_bars = session_bars
        self.days_per_year = days_per_year
        self._step_ns = step_ns
        self._phase_ns = _usual_phase(time_ns, step_ns)

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
        self._phase = _usual_phase(numbers, count)

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
        self._places = np.arange(len(time_ns)) + _HOLE * _holes_before(time_ns, hole_ns)
        is_daily = step_ns == _DAY_NS
        self.days_per_year = _days_per_year(time_ns // _DAY_NS) if is_daily else None

    def place(self, time_ns: Ints, unit: Unit) -> Ints:
        """Return the number of each bar."""
        return self._places[np.searchsorted(self._time_ns, time_ns)]

    def times(self, places: Ints, unit: Unit) -> None:
        """Return None: the next session's date is that of the next bar."""
        return


class _Sessions:
    """An exchange: places of the day, on the days on which the symbol has bars.

    Attributes
    ----------
    days : int64 (n_days,)
        Days since 1970, by the clocks of the exchange's country.
    """

    def __init__(self, time_ns: Ints, step_ns: int) -> None:
        self._step_ns = step_ns
        self._rule, self._phase_ns = _summer_rule(time_ns, step_ns)
        day_of_row, slots = self._day_and_slot(time_ns)
        self.days, first, of_row = np.unique(day_of_row, return_index=True, return_inverse=True)
        is_usual, fill = _usual_slots(slots, of_row, len(self.days))
        self._slots = np.flatnonzero(is_usual)
        self._ranks = np.cumsum(is_usual) - 1
        self.session_bars = len(self._slots)
        self.days_per_year = _days_per_year(self.days)
        ranks = self._ranks[slots]
        last = np.append(first[1:], len(slots)) - 1
        self._opening = self._short(ranks[first], fill)
        self._closing = (
            self.session_bars - 1 - self._short(self.session_bars - 1 - ranks[last], fill)
        )
        holes = _HOLE * _holes_before(self.days, _HOLE_DAYS)
        n_traded = self._closing - self._opening + 1
        self._before = np.cumsum(n_traded) - n_traded + holes
        self._sessions_before = np.arange(len(self.days)) * self.session_bars + holes

    def place(self, time_ns: Ints, unit: Unit) -> Ints:
        """Return the place of each time, that of the place before where it is none."""
        days, slots = self._day_and_slot(time_ns)
        number = np.searchsorted(self.days, days)
        ranks = self._ranks[slots]
        if unit == "sessions":
            return self._sessions_before[number] + ranks
        ranks = np.clip(ranks, self._opening[number] - 1, self._closing[number])
        placed: Ints = self._before[number] + ranks - self._opening[number]
        return placed

    def times(self, places: Ints, unit: Unit) -> Ints:
        """Return the time of each place; of those beyond the days that are known, any."""
        before = self._sessions_before if unit == "sessions" else self._before
        number = np.searchsorted(before, places, side="right") - 1
        ranks = places - before[number]
        if unit == "bars":
            ranks = ranks + self._opening[number]
        slots = self._slots[np.minimum(ranks, self.session_bars - 1)]
        days = self.days[number]
        summer_ns = _HOUR_NS * is_summer(days, self._rule)
        return days * _DAY_NS + slots * self._step_ns + self._phase_ns - summer_ns

    def _day_and_slot(self, time_ns: Ints) -> tuple[Ints, Ints]:
        local = _local(time_ns, self._rule) - self._phase_ns + self._step_ns // 2
        return local // _DAY_NS, local % _DAY_NS // self._step_ns

    def _short(self, n_lacking: Ints, fill: float) -> Ints:
        """Return by how many bars days are short at one end: 0 where chance may explain it."""
        is_long = n_lacking * self._step_ns >= _HOUR_NS
        is_short = is_long & ((1.0 - fill) ** n_lacking < _BY_CHANCE)
        return np.where(is_short, n_lacking, 0)


def _summer_rule(time_ns: Ints, step_ns: int) -> tuple[DaylightRule, int]:
    """Find the rule by which bars gather at the fewest places of the day, and their phase."""
    best: tuple[DaylightRule, int] = ("none", 0)
    most = 0.0
    seen: set[bytes] = set()
    days = np.unique(time_ns // _DAY_NS)
    for rule in DAYLIGHT_RULES:
        summer = is_summer(days, rule)
        key = summer.tobytes()
        if rule != "none" and (key in seen or summer.all()):
            continue
        seen.add(key)
        local = _local(time_ns, rule)
        phase = _usual_phase(local % _DAY_NS, step_ns)
        slots = (local - phase + step_ns // 2) % _DAY_NS // step_ns
        gathered = float((np.bincount(slots).astype(np.float64) ** 2).sum())
        if gathered > most * _SUMMER_GAIN:
            best, most = (rule, phase), gathered
    return best


def _usual_slots(slots: Ints, of_row: Ints, n_days: int) -> tuple[npt.NDArray[np.bool_], float]:
    """Tell at which places of the day a symbol usually has bars, and on which share of the days.

    A place that has bars on less than a tenth of the days of a usual one is none. One that has
    none between others counts where chance explains it: a lunch hour stays closed.
    """
    counts = np.bincount(slots)
    by_rows = np.sort(counts)
    usual = int(by_rows[np.searchsorted(np.cumsum(by_rows), len(slots) / 2)])
    is_usual = counts >= max(_USUAL * usual, 1)
    is_counted = is_usual[slots]
    n_bars = np.bincount(of_row[is_counted], minlength=n_days)
    fill = min(float(np.median(n_bars)) / max(int(np.count_nonzero(is_usual)), 1), 1.0)
    inside = np.flatnonzero(is_usual)
    n_closed = np.diff(inside) - 1
    by_chance = (1.0 - fill) ** (n_closed * n_days) > _BY_CHANCE
    for gap in np.flatnonzero((n_closed > 0) & by_chance):
        is_usual[inside[gap] : inside[gap + 1]] = True
    return is_usual, fill


def _local(time_ns: Ints, rule: DaylightRule) -> Ints:
    """Return times as the clocks of a country show them, up to a constant."""
    if rule == "none":
        return time_ns
    days, of_row = np.unique(time_ns // _DAY_NS, return_inverse=True)
    return time_ns + (_HOUR_NS * is_summer(days, rule))[of_row]


def _usual_phase(values: Ints, step: int) -> int:
    """Return the most frequent remainder by the step; of equals the smallest."""
    if not len(values):
        return 0
    remainders, counts = np.unique(values % step, return_counts=True)
    return int(remainders[np.argmax(counts)])


def _is_open_all_week(days: Ints) -> bool:
    """Tell whether there are bars on most days of every weekday between the first and the last."""
    if not len(days):
        return False
    possible = np.bincount(np.arange(days[0], days[-1] + 1) % 7, minlength=7)
    present = np.bincount(days % 7, minlength=7)
    return bool((present >= 0.5 * possible).all())


def _days_per_year(days: Ints) -> int:
    """Return the days of a year that have a session.

    365 where there are bars on most days of every weekday. 252 where the days that are there
    come to about as many, or are too few to tell.
    """
    if _is_open_all_week(days) and len(days) >= 7:
        return 365
    span = (int(days[-1]) - int(days[0]) + 1) / 365.2425 if len(days) else 0.0
    found = len(days) / span if span >= 0.5 else 252.0
    return 252 if abs(found - 252.0) < 0.02 * 252.0 else round(found)


def _holes_before(times: Ints, longest: int) -> Ints:
    """Count the steps longer than so much before each of the times."""
    return np.cumsum(np.diff(times, prepend=times[:1]) > longest)


def _month_numbers(time_ns: Ints) -> Ints:
    return time_ns.astype("M8[ns]").astype("M8[M]").astype(np.int64)


def _n_repeated(time_ns: Ints) -> int:
    return len(time_ns) - len(np.unique(_month_numbers(time_ns)))
