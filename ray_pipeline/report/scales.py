"""From figures to places on a chart: a linear scale with round ticks (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from ray_pipeline.results.figures import moment, signed

__all__ = ["AxisName", "Scale", "ShareScale", "date_names", "share_scale", "skill_scale"]

AxisName = tuple[float, str]
"""A place along an axis, in [0, 1], and the text under it."""

_MARGIN = 0.06
"""Share of the span left free on either side, so that the outermost tick label has room."""

_LEAST_STEPS = 2
"""Between the first tick and the last."""

_END_ROOM = 0.36
"""Share of the narrowest time axis that a date at its end takes, with half of one beside it."""

_LEAST_STEP = 0.2
"""Share of it between two dates, so that neither is written over the other."""

_MONTHS_OF_STEPS = (1, 3, 6, 12, 24, 60, 120, 240, 600, 1200)
_DAYS_OF_A_MONTH = 30.44
_DAYS_WITH_TIMES = 3.0
"""So short a time is told by the minute."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale from `low` at 0 % of the width to `high` at 100 %, and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def percent(self, value: float) -> float:
        """Return the place of a value in percent of the width, held inside the chart."""
        place = 100.0 * (value - self.low) / (self.high - self.low)
        return min(100.0, max(0.0, place))

    def holds(self, value: float) -> bool:
        """Whether a value lies inside the chart."""
        return self.low <= value <= self.high

    @property
    def labels(self) -> tuple[str, ...]:
        """The ticks' texts, with as many places as the step between them needs."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        places = max(0, -math.floor(math.log10(step) + 1e-9))
        return tuple("0" if tick == 0 else signed(tick, places) for tick in self.ticks)


@dataclass(frozen=True, slots=True)
class ShareScale(Scale):
    """A scale of shares, whose ticks are percents."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The ticks' texts, with as many places as the step between them needs."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        places = max(0, -math.floor(math.log10(100.0 * step) + 1e-9))
        return tuple(f"{tick:.{places}%}" for tick in self.ticks)


def share_scale(values: Iterable[float], n_ticks: int = 5) -> ShareScale:
    """Return a scale that holds some shares, with about `n_ticks` round ticks.

    Parameters
    ----------
    values
        At least one.

    Examples
    --------
    >>> share_scale([0.47, 0.56]).labels
    ('48%', '50%', '52%', '54%', '56%')
    """
    found = list(values)
    low, high = min(found), max(found)
    if high - low < 0.01:
        low, high = low - 0.005, high + 0.005
    margin = _MARGIN * (high - low)
    return ShareScale(low - margin, high + margin, _ticks(low, high, n_ticks))


def skill_scale(values: Iterable[float], n_ticks: int = 5) -> Scale:
    """Return a scale that holds all values and zero, with about `n_ticks` round ticks.

    Parameters
    ----------
    values
        Finite; none at all gives the scale of ±0.1.

    Examples
    --------
    >>> skill_scale([-0.02, 0.071]).ticks
    (-0.02, 0.0, 0.02, 0.04, 0.06)
    """
    found = [0.0, *values]
    low, high = min(found), max(found)
    if high - low < 1e-9:
        low, high = -0.1, 0.1
    margin = _MARGIN * (high - low)
    return Scale(low - margin, high + margin, _ticks(low, high, n_ticks))


def _ticks(low: float, high: float, n_ticks: int) -> tuple[float, ...]:
    step = _round_step((high - low) / n_ticks)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if last - first < _LEAST_STEPS:
        # Round steps can miss both ends, and one tick says nothing of the scale.
        return _ticks(low, high, n_ticks + 1)
    # round(): 3 · 0.1 is 0.30000000000000004
    return tuple(round(k * step, 10) + 0.0 for k in range(first, last + 1))


def _round_step(raw: float) -> float:
    """Return the 1, 2 or 5 times a power of ten that is nearest from above."""
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * k for k in (1, 2, 5, 10) if power * k >= raw * (1 - 1e-9))


def date_names(start: datetime, end: datetime) -> tuple[AxisName, ...]:
    """Return what stands under a time axis: its first and last day, and round dates between them.

    A round date is where a month, a quarter, a half-year, a year or several begin; there is none
    where the dates at the ends stand.

    Examples
    --------
    >>> [name for _, name in date_names(datetime(2015, 6, 1), datetime(2017, 10, 26))]
    ['2015-06-01', '2016-07', '2017-10-26']
    """
    length = (end - start).total_seconds()
    days = length / 86_400.0
    n_chars = None if days < _DAYS_WITH_TIMES else len("2015-06-01")
    first, last = (moment(at.isoformat())[:n_chars] for at in (start, end))
    least = _LEAST_STEP * days / _DAYS_OF_A_MONTH
    months = next((each for each in _MONTHS_OF_STEPS if each >= least), _MONTHS_OF_STEPS[-1])
    form = "%Y" if months % 12 == 0 else "%Y-%m"
    between = (
        ((at - start).total_seconds() / length, at.strftime(form))
        for at in _round_dates(start, end, months)
    )
    kept = [each for each in between if _END_ROOM <= each[0] <= 1.0 - _END_ROOM]
    return (0.0, first), *kept, (1.0, last)


def _round_dates(start: datetime, end: datetime, months: int) -> Iterator[datetime]:
    """Yield the months' beginnings after a start, every so many of them counted from year 0."""
    number = (12 * start.year + start.month - 1) // months * months + months
    while True:
        at = datetime(number // 12, number % 12 + 1, 1, tzinfo=start.tzinfo)
        if at >= end:
            return
        yield at
        number += months
