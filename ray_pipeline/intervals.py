"""Parsing lengths of bars and horizons, for paths, config and names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from ray_pipeline.errors import ConfigError

__all__ = [
    "Duration",
    "Interval",
    "find_interval",
    "parse_interval",
    "read_duration",
    "same_interval",
    "spelled_as",
]

Unit = Literal["s", "m", "h", "d", "w", "mo", "q", "y", "b"]

# Only for a single letter does case matter: it distinguishes a month from a minute.
_LETTERS: Mapping[str, Unit] = {
    **{"s": "s", "S": "s", "m": "m", "M": "mo", "h": "h", "H": "h", "d": "d", "D": "d"},
    **{"w": "w", "W": "w", "q": "q", "Q": "q", "y": "y", "Y": "y", "b": "b"},
}
_WORDS: Mapping[str, Unit] = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("wk", "wks", "week", "weeks"), "w"),
    **dict.fromkeys(("mo", "mon", "mth", "month", "months"), "mo"),
    **dict.fromkeys(("qtr", "quarter", "quarters"), "q"),
    **dict.fromkeys(("yr", "yrs", "year", "years"), "y"),
}
# Without a number, as in a folder's name; not for horizons.
_ALONE: Mapping[str, Unit] = {
    **{"minute": "m", "hour": "h", "hourly": "h", "day": "d", "daily": "d"},
    **{"week": "w", "weekly": "w", "month": "mo", "monthly": "mo"},
    **{"quarter": "q", "quarterly": "q", "year": "y", "yearly": "y"},
    **{"annual": "y", "annually": "y"},
}
_ALONE_LETTERS = ("H", "D", "W", "M", "Q", "Y")
# In pandas' spelling; as parts of a target's name they are ambiguous.
_OF_PANDAS: Mapping[str, Unit] = {"T": "m", "t": "m", "ME": "mo", "QE": "q", "YE": "y", "A": "y"}

_DAY = 86_400
_SECONDS: Mapping[Unit, int] = {"s": 1, "m": 60, "h": 3_600, "d": _DAY, "w": 7 * _DAY}
_MONTHS: Mapping[Unit, int] = {"mo": 1, "q": 3, "y": 12}
# Of 400 years of the Gregorian calendar: 146,097 days in 4,800 months, exactly.
_MEAN_MONTH_SECONDS = 146_097 * _DAY // 4_800

# [0-9] and not \d: the latter takes any script's digits, which a file name may hold.
# No more than nine digits: longer ones are not durations, and Python refuses to read 4,301.
_DURATION = re.compile(r"([0-9]{1,9})([A-Za-z]*)")


@dataclass(frozen=True, slots=True)
class Duration:
    """A number and a unit, as written; the meaning of a day or a bar depends on the data."""

    count: int
    unit: Unit


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """The length of a bar, in seconds or in calendar months.

    Attributes
    ----------
    count
        At least 1.
    unit
        ``s``, or ``mo``: a month has no fixed number of seconds. 60 minutes and an hour are
        equal, and so are 3 months and a quarter; four weeks and a month are not.
    """

    count: int
    unit: Literal["s", "mo"] = "s"

    @property
    def seconds(self) -> int:
        """Length in seconds; for months the calendar's mean, as an order of magnitude."""
        return self.count * (1 if self.unit == "s" else _MEAN_MONTH_SECONDS)

    @property
    def is_intraday(self) -> bool:
        """Whether a day has more than one bar."""
        return self.seconds < _DAY

    @property
    def told(self) -> str:
        """The length in words of a message: ``300 s``, ``1 month``."""
        if self.unit == "s":
            return f"{self.count} s"
        return f"{self.count} month{'s' * (self.count != 1)}"

    def has_step(self, step_ns: int) -> bool:
        """Tell whether neighbouring bars of this length can be that far apart.

        Seconds are exact. Bars of months are stamped at their first or last day, or at the
        first or last that is traded, up to four days away.
        """
        if self.unit == "s":
            return step_ns == self.count * 10**9
        days = step_ns / (_DAY * 10**9)
        return 28 * self.count - 4 <= days <= 31 * self.count + 4

    def __str__(self) -> str:
        """Spell it in the largest unit that divides it: ``5m``, ``1h``, ``3mo``."""
        if self.unit == "mo":
            return f"{self.count}mo"
        units: tuple[Unit, ...] = ("w", "d", "h", "m", "s")
        unit = next(unit for unit in units if self.count % _SECONDS[unit] == 0)
        return f"{self.count // _SECONDS[unit]}{unit}"


def read_duration(text: str) -> Duration | None:
    """Parse a number and a unit; None if the text is not one.

    A number alone means bars. ``M`` is a month and ``m`` a minute; all other units ignore case, and
    may be written in full.

    Examples
    --------
    >>> read_duration("60min"), read_duration("3M"), read_duration("12"), read_duration("5x")
    (Duration(count=60, unit='m'), Duration(count=3, unit='mo'), Duration(count=12, unit='b'), None)
    """
    return _read(text, _LETTERS)


def _read(text: str, letters: Mapping[str, Unit]) -> Duration | None:
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    unit = "b" if not match[2] else letters.get(match[2]) or _WORDS.get(match[2].lower())
    return None if unit is None else Duration(int(match[1]), unit)


def find_interval(text: str) -> Interval | None:
    """Parse the length of a bar, for example from a folder's name; None if it is not one.

    Examples
    --------
    >>> find_interval("60min") == find_interval("1H"), str(find_interval("monthly"))
    (True, '1mo')
    """
    alone = _LETTERS[text] if text in _ALONE_LETTERS else _ALONE.get(text.lower())
    read = Duration(1, alone) if alone else _read(text, {**_LETTERS, **_OF_PANDAS})
    if read is None or read.count < 1 or read.unit == "b":
        return None
    if read.unit in _MONTHS:
        return Interval(read.count * _MONTHS[read.unit], "mo")
    return Interval(read.count * _SECONDS[read.unit])


def same_interval(one: str, other: str) -> bool:
    """Tell whether two spellings name one length: ``60min`` and ``1H`` do."""
    known = find_interval(one)
    return one == other or (known is not None and known == find_interval(other))


def spelled_as(wanted: str, names: Iterable[str]) -> str:
    """Return the name that spells this interval, or the text itself if none does.

    If there are several, none is chosen: ``60min`` and ``1h`` are two separate folders.

    Examples
    --------
    >>> spelled_as("1h", ["5m", "60min"]), spelled_as("1H", ["1h", "60min"])
    ('60min', '1H')
    """
    known = list(names)
    same = [name for name in known if same_interval(name, wanted)]
    return same[0] if len(same) == 1 and wanted not in known else wanted


def parse_interval(text: str) -> Interval:
    """Read the length of a bar.

    Raises
    ------
    ConfigError
        When the text is not one.

    Examples
    --------
    >>> parse_interval("5m").seconds
    300
    """
    found = find_interval(text)
    if found is None:
        raise ConfigError(
            f"Unknown interval {text!r}: a positive whole number and a unit are needed, "
            "such as 30s, 5m, 1h, 1d, 1w, 1mo, 1q or 1y (a large M is a month, a small m a minute)."
        )
    return found
