"""The times of rows of many symbols, by the same rules as in a run. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.reading_rules import TimeRules
from ray_pipeline.panel.time_forms import Clock, read_form
from ray_pipeline.panel.timestamps import FileTimes, symbol_times

__all__ = ["ReadTimes", "as_options", "clock_of", "read_times", "require_one_clock"]

_OPTIONS = {
    "data.columns.time_of_day": "--columns time_of_day=",
    "data.columns.time": "--columns time=",
    "data.time_zone": "--time-zone",
    "data.time_unit": "--time-unit",
    "data.time_format": "--time-format",
    "data.repeated_hour": "--repeated-hour",
    "data.missing_hour": "--missing-hour",
}
_N_LOOKED_AT = 1000


@dataclass(frozen=True, slots=True)
class ReadTimes:
    """Times of some rows.

    Attributes
    ----------
    time_ns
        int64 (n_there,): those of the rows with a time.
    rows
        The indices of these rows, None for all.
    assumed
        Assumptions, as sentences.
    """

    time_ns: NDArray[np.int64]
    rows: NDArray[np.int64] | None
    assumed: tuple[str, ...]


def read_times(file: FileTimes, name: str, rules: TimeRules, *, one_symbol: bool) -> ReadTimes:
    """Read the time column of a file, or of a part of it.

    Parameters
    ----------
    file
        The raw column of the file.
    name
        Of the column, for messages.
    rules
        The command line's rules for times.
    one_symbol
        Whether all rows belong to one symbol, so that their order decides in an hour that occurs
        twice.

    Raises
    ------
    DataError
        When the times cannot be read, or cannot belong to bars.
    """
    by_order = rules.repeated_hour == "rows" and not one_symbol
    used = replace(rules, repeated_hour="first") if by_order else rules
    found = symbol_times([file], name, used)
    if by_order and any(finding.rule == "repeated_hour" for finding in found.findings):
        raise DataError(
            f"time column {name!r} has times in an hour that comes twice in {rules.zone}, and "
            "among rows of several symbols their order does not tell which it is. Set "
            "data.repeated_hour to first or second."
        )
    return ReadTimes(found.time_ns, found.rows, tuple(each.message for each in found.findings))


def clock_of(file: FileTimes, rules: TimeRules, name: str) -> Clock | None:
    """Tell whether times are instants, clock times, or dates; None without rows.

    Some types show it; for others, the first rows are read.
    """
    column = file.column
    if file.clock is not None and len(column):
        first = FileTimes("", column.slice(0, _N_LOOKED_AT), file.clock.slice(0, _N_LOOKED_AT))
        clocks = symbol_times([first], name, rules).clocks
        return clocks[0] if clocks else None
    if pa.types.is_timestamp(column.type):
        return "naive" if column.type.tz is None else "aware"
    if pa.types.is_date(column.type):
        return "date"
    there = column.slice(0, _N_LOOKED_AT).drop_null()
    return read_form(there, rules, f"time column {name!r}").clock if len(there) else None


def require_one_clock(clocks: Iterable[tuple[str, Clock | None]], rules: TimeRules) -> None:
    """Refuse files if some have instants, and others clock times without a zone or dates.

    Parameters
    ----------
    clocks
        (file, form of its times).

    Raises
    ------
    DataError
        With both files named.
    """
    first: dict[Clock, str] = {}
    for file, clock in clocks:
        if clock is not None:
            first.setdefault(clock, file)
    if rules.trading_date:
        return
    if {"aware", "naive"} <= first.keys() and rules.zone is None:
        raise DataError(
            f"The times in {first['naive']} have no zone, and those in {first['aware']} are "
            "instants. Set --time-zone to the zone of the first, such as America/New_York; daily "
            "bars stamped at midnight need --trading-date."
        )
    if {"aware", "date"} <= first.keys():
        raise DataError(
            f"The times in {first['date']} are dates, and those in {first['aware']} are instants. "
            "For daily bars, --trading-date turns all of them into dates; otherwise rewrite one."
        )


def as_options(text: str) -> str:
    """Replace config keys in a message by command-line options."""
    names: Mapping[str, str] = _OPTIONS
    for key, option in names.items():
        text = text.replace(key, option)
    return text
