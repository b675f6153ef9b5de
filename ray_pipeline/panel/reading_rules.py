"""The config's rules for reading files: records of plain values that travel with units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "AS_THEY_ARE",
    "Duplicates",
    "MissingHour",
    "ReadingRules",
    "RepeatedHour",
    "Stamp",
    "TimeRules",
    "TimeUnit",
]

TimeUnit: TypeAlias = Literal["s", "ms", "us", "ns", "date"]
RepeatedHour: TypeAlias = Literal["rows", "first", "second"]
MissingHour: TypeAlias = Literal["refuse", "shift"]
Stamp: TypeAlias = Literal["open", "close"]
Duplicates: TypeAlias = Literal["refuse", "first", "last", "drop"]


@dataclass(frozen=True, slots=True)
class TimeRules:
    """How a time column is read.

    Attributes
    ----------
    unit
        Of whole numbers: since 1970, or calendar dates such as 20240131. None: inferred from each
        file's numbers.
    format
        Of text and of whole numbers, in directives of ``strptime``. None: ISO 8601 and similar
        formats.
    zone
        IANA name of the zone of times without one, None for UTC.
    repeated_hour, missing_hour
        What times without a zone mean when clocks go back or forward.
    stamp, bar_seconds
        Whether a bar is stamped when it opens or closes; a bar's length, which the latter needs.
    trading_date
        Whether a time only gives the local trading date.
    """

    unit: TimeUnit | None = None
    format: str | None = None
    zone: str | None = None
    repeated_hour: RepeatedHour = "rows"
    missing_hour: MissingHour = "refuse"
    stamp: Stamp = "open"
    bar_seconds: int | None = None
    trading_date: bool = False


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How a symbol's files are read; the defaults change nothing.

    Attributes
    ----------
    columns
        (role, name in the file) as ``data.columns`` and ``data.time_column`` say, sorted. The
        symbol's name is None if it is to be ignored.
    price_scale
        Factor for open, high, low and close.
    time
        How times are read.
    duplicates
        Which row counts if rows of one time contradict each other.
    ticks, splits
        How to treat bars far outside the range, and prices before a stated split: the config's
        ``data.ticks`` and ``data.splits``.
    until_ns
        Rows from this time on, in nanoseconds since 1970, do not exist yet; None: all do.
    """

    columns: tuple[tuple[str, str | None], ...] = ()
    price_scale: float = 1.0
    time: TimeRules = TimeRules()
    duplicates: Duplicates = "refuse"
    ticks: Literal["keep", "mask", "drop"] = "keep"
    splits: Literal["keep", "adjust"] = "keep"
    until_ns: int | None = None


AS_THEY_ARE = ReadingRules()
"""Rules that read files unchanged."""
