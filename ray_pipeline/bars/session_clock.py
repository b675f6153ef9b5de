"""The clock of an exchange, found from the times at which a symbol has bars."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ray_pipeline.bars.daylight import DAYLIGHT_RULES, DaylightRule, is_summer

__all__ = [
    "HOLE",
    "HOLE_DAYS",
    "Ints",
    "SessionClock",
    "Unit",
    "days_per_year",
    "holes_before",
    "is_open_all_week",
    "usual_phase",
]

Ints: TypeAlias = npt.NDArray[np.int64]
Unit: TypeAlias = Literal["rows", "bars", "sessions"]

HOLE_DAYS = 14
"""Days without a bar that are a hole in the data: the longest holidays of exchanges are eleven."""

HOLE = 10**9
"""Bars of the clock that a hole counts as: no horizon reaches over as many."""

_HOUR_NS = 3_600 * 10**9
_DAY_NS = 24 * _HOUR_NS

_USUAL = 0.1  # of the days that a usual place of the day has
_BY_CHANCE = 1e-6  # what is likelier than this may be chance
_SUMMER_GAIN = 1.01  # more than what chance gathers at the same places


class SessionClock:
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
        self.days_per_year = days_per_year(self.days)
        ranks = self._ranks[slots]
        last = np.append(first[1:], len(slots)) - 1
        self._opening = self._short(ranks[first], fill)
        self._closing = (
            self.session_bars - 1 - self._short(self.session_bars - 1 - ranks[last], fill)
        )
        holes = HOLE * holes_before(self.days, HOLE_DAYS)
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
        phase = usual_phase(local % _DAY_NS, step_ns)
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


def usual_phase(values: Ints, step: int) -> int:
    """Return the most frequent remainder by the step; of equals the smallest."""
    if not len(values):
        return 0
    remainders, counts = np.unique(values % step, return_counts=True)
    return int(remainders[np.argmax(counts)])


def is_open_all_week(days: Ints) -> bool:
    """Tell whether there are bars on most days of every weekday between the first and the last."""
    if not len(days):
        return False
    possible = np.bincount(np.arange(days[0], days[-1] + 1) % 7, minlength=7)
    present = np.bincount(days % 7, minlength=7)
    return bool((present >= 0.5 * possible).all())


def days_per_year(days: Ints) -> int:
    """Return the days of a year that have a session.

    365 where there are bars on most days of every weekday. 252 where the days that are there
    come to about as many, or are too few to tell.
    """
    if is_open_all_week(days) and len(days) >= 7:
        return 365
    span = (int(days[-1]) - int(days[0]) + 1) / 365.2425 if len(days) else 0.0
    found = len(days) / span if span >= 0.5 else 252.0
    return 252 if abs(found - 252.0) < 0.02 * 252.0 else round(found)


def holes_before(times: Ints, longest: int) -> Ints:
    """Count the steps longer than so much before each of the times."""
    return np.cumsum(np.diff(times, prepend=times[:1]) > longest)
