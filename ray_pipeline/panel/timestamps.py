"""The times of a symbol as nanoseconds since 1970 in UTC, each file read in its own form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import basename

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.local_clocks import instants, wall_clock
from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.panel.reading_rules import TimeRules
from ray_pipeline.panel.time_forms import Clock, TimeForm, read_form
from ray_pipeline.panel.time_of_day import with_time_of_day
from ray_pipeline.wording import iso_time, some_of

__all__ = ["FileTimes", "SymbolTimes", "symbol_times", "utc_ns"]

_Times = NDArray[np.int64]

_DAY_NS = 86_400 * 10**9
_EARLIEST_NS = int(np.datetime64("1900-01-01", "ns").astype(np.int64))
_LATEST_NS = int(np.datetime64("2100-01-01", "ns").astype(np.int64))
"""Bars are expected between these two years, which do not depend on the day of the run."""
_FAMILIES = {
    "numbers": "numbers since 1970",
    "calendar": "numbers that are dates",
    "text": "text",
    "timestamps": "timestamps",
}
_LONGEST_HOLE_NS = 20 * 366 * _DAY_NS
_LATEST_MIDNIGHT_NS = 10 * 3_600 * 10**9
"""An instant that is midnight somewhere is a midnight west of UTC up to 10:00 (Hawaii), else one
east of it: New Zealand's 11:00 UTC is the next day's midnight."""


@dataclass(frozen=True, slots=True)
class FileTimes:
    """The time column of one file; of a file without it, one of nulls.

    `clock` is the column that has the times of the day, where `column` has dates alone.
    """

    uri: str
    column: pa.ChunkedArray
    clock: pa.ChunkedArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SymbolTimes:
    """The times of a symbol.

    Attributes
    ----------
    time_ns
        int64 (n_there,): those of the rows with a time, file after file.
    rows
        Rows with a time, None if all have one.
    clocks
        What files say about their zone, sorted.
    findings
        What was assumed.
    """

    time_ns: _Times
    rows: NDArray[np.int64] | None
    clocks: tuple[Clock, ...]
    findings: tuple[QualityFinding, ...]


def symbol_times(files: Sequence[FileTimes], name: str, rules: TimeRules) -> SymbolTimes:
    """Read the times of all files of a symbol.

    Parameters
    ----------
    files
        In the order of their rows.
    name
        Of the time column.
    rules
        The config's rules for times.

    Raises
    ------
    DataError
        When a file cannot be read, files contradict each other, or the times cannot belong to bars.
    """
    there = [_with_times(file) for file in files]
    subjects = [f"time column {name!r}" + _in(file.uri) for file in files]
    forms = [
        _form_of(file, column, mask, rules, subject)
        for file, (column, mask), subject in zip(files, there, subjects, strict=True)
    ]
    known = [place for place, (column, _) in enumerate(there) if len(column)]
    used = [forms[place] for place in known]
    uris = [files[place].uri for place in known]
    _require_one_form(used, uris, name, rules)
    findings = _assumptions(used, uris, name, rules)
    parts: list[_Times] = []
    for form, place in zip(used, known, strict=True):
        if rules.trading_date:
            parts.append(_dates(form, rules))
        elif form.clock == "naive" and rules.zone is not None:
            part, found = instants(form.time_ns, rules.zone, rules, subjects[place])
            parts.append(part)
            findings += found
        else:
            parts.append(form.time_ns)
    time_ns = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
    _require_plausible(time_ns, [len(part) for part in parts], used, uris, name)
    if rules.trading_date:
        _require_daily(time_ns, [form.time_ns for form in used], name)
    elif rules.stamp == "close" and rules.bar_seconds is not None:
        time_ns = time_ns - rules.bar_seconds * 10**9
    return SymbolTimes(
        time_ns=time_ns,
        rows=_places([mask for _, mask in there], [len(file.column) for file in files]),
        clocks=tuple(sorted({form.clock for form in used})),
        findings=tuple(findings),
    )


def utc_ns(column: pa.ChunkedArray, name: str) -> tuple[_Times, str | None]:
    """Convert a time column without nulls to int64 (n_rows,) nanoseconds since 1970, UTC.

    Timestamps without a zone are taken as UTC; dates are midnight UTC. See `read_form`.

    Returns
    -------
    times
        The timestamps, in the order of `column`.
    assumption
        Assumptions about numbers and zones named in text, else None.

    Raises
    ------
    DataError
        As `read_form`.
    """
    form = read_form(column, TimeRules(), f"time column {name!r}")
    return form.time_ns, f"time column {name!r}: {form.what}" if form.what else None


def _form_of(
    file: FileTimes,
    column: pa.ChunkedArray,
    mask: NDArray[np.bool_] | None,
    rules: TimeRules,
    subject: str,
) -> TimeForm:
    form = read_form(column, rules, subject)
    if file.clock is None or not len(column):
        return form
    clock = file.clock if mask is None else file.clock.filter(pa.array(mask))
    return with_time_of_day(form, clock, subject)


def _with_times(file: FileTimes) -> tuple[pa.ChunkedArray, NDArray[np.bool_] | None]:
    """Return the cells that hold a time, and their rows, None meaning all."""
    column = file.column
    if pa.types.is_null(column.type):
        return pa.chunked_array([], pa.int64()), np.zeros(len(column), dtype=bool)
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    if not column.null_count:
        return column, None
    is_there = pc.is_valid(column)
    return column.filter(is_there), np.asarray(is_there.to_numpy())


def _places(masks: Sequence[NDArray[np.bool_] | None], lengths: Sequence[int]) -> _Times | None:
    """Return the rows with a time, None if all have one."""
    if all(mask is None for mask in masks):
        return None
    whole = [
        np.ones(length, dtype=bool) if mask is None else mask
        for mask, length in zip(masks, lengths, strict=True)
    ]
    return np.flatnonzero(np.concatenate(whole))


def _require_one_form(
    forms: Sequence[TimeForm], uris: Sequence[str], name: str, rules: TimeRules
) -> None:
    """Refuse files of one symbol whose times contradict each other."""
    clocks: dict[Clock, str] = {}
    families: dict[str, str] = {}
    for form, uri in zip(forms, uris, strict=True):
        clocks.setdefault(form.clock, uri)
        families.setdefault(form.family, uri)
    subject = f"time column {name!r}"
    if "aware" in clocks and "naive" in clocks and rules.zone is None and not rules.trading_date:
        raise DataError(
            f"{subject} has times without a zone in {clocks['naive']} and instants in "
            f"{clocks['aware']}. Set data.time_zone to the zone of those without, such as "
            "America/New_York."
        )
    if "aware" in clocks and "date" in clocks and not rules.trading_date:
        raise DataError(
            f"{subject} has dates in {clocks['date']} and instants in {clocks['aware']}. Set "
            "data.trading_date: true to read instants as the dates they fall on, or rewrite one "
            "of the files."
        )
    if len(families) > 1 and rules.format is None and rules.unit is None:
        (one, first), (other, second), *_ = families.items()
        raise DataError(
            f"{subject} is {_FAMILIES[one]} in {first} and {_FAMILIES[other]} in {second}. Set "
            "data.time_format or data.time_unit, or rewrite one of the files."
        )


def _assumptions(
    forms: Sequence[TimeForm], uris: Sequence[str], name: str, rules: TimeRules
) -> list[QualityFinding]:
    """Say how the times were read, by file if files differ."""
    found: list[tuple[str, str]] = []
    by_what: dict[str, list[str]] = {}
    for form, uri in zip(forms, uris, strict=True):
        if form.what:
            by_what.setdefault(form.what, []).append(basename(uri))
    for what, files in by_what.items():
        where = "" if len(by_what) == 1 else f" in {some_of(files, at_most=2)}"
        found.append(("time_unit_assumed", f"{what}{where}"))
    is_naive = any(form.clock == "naive" for form in forms)
    if rules.trading_date:
        what = "each time read as its local trading date"
        if any(form.clock == "aware" and form.shown_ns is None for form in forms):
            what += _shown_by(rules)
        found.append(("trading_date", what))
    elif is_naive and rules.zone is not None:
        found.append(("time_zone_given", f"times without a zone read as {rules.zone}"))
    elif any(form.clock == "naive" and np.any(form.time_ns % _DAY_NS) for form in forms):
        found.append(("time_zone_assumed", "times without a zone read as UTC"))
    if rules.stamp == "close" and not rules.trading_date:
        what = (
            f"bars are stamped with their close; moved to their open, {rules.bar_seconds} s earlier"
        )
        found.append(("stamp", what))
    n_rows = sum(len(form.time_ns) for form in forms)
    return [
        QualityFinding(rule, name, n_rows, f"time column {name!r}: {what}") for rule, what in found
    ]


def _shown_by(rules: TimeRules) -> str:
    if rules.zone is not None:
        return f"; instants without a zone as {rules.zone} shows them"
    if rules.stamp == "close":
        return "; instants in UTC as the date in UTC"
    return "; instants in UTC as the local midnight that begins it"


def _dates(form: TimeForm, rules: TimeRules) -> _Times:
    """Return midnight UTC of the bars' trading dates."""
    shown_ns = form.shown_ns if form.clock == "aware" else form.time_ns
    if shown_ns is None and rules.zone is not None:
        shown_ns = wall_clock(form.time_ns, rules.zone)
    if form.clock == "date":
        return form.time_ns
    is_close = rules.stamp == "close"
    if shown_ns is None and not is_close:
        # An instant in UTC: midnight at an unnamed place.
        shown_ns = form.time_ns + (_DAY_NS - 1 - _LATEST_MIDNIGHT_NS)
    elif shown_ns is None:
        shown_ns = form.time_ns
    return (shown_ns - int(is_close)) // _DAY_NS * _DAY_NS


def _require_daily(dates_ns: _Times, stamps: Sequence[_Times], name: str) -> None:
    """Refuse several bars on one date: they are shorter than a day."""
    if not stamps:
        return
    dates, counts = np.unique(dates_ns, return_counts=True)
    if 2 * len(dates) < len(np.unique(np.concatenate(stamps))):
        most = int(np.argmax(counts))
        raise DataError(
            f"time column {name!r}: {counts[most]} bars are of {iso_time(int(dates[most]))[:10]}. "
            "data.trading_date is for daily and longer bars; leave it out."
        )


def _require_plausible(
    time_ns: _Times,
    lengths: Sequence[int],
    forms: Sequence[TimeForm],
    uris: Sequence[str],
    name: str,
) -> None:
    """Refuse times that cannot belong to bars: of another age, or with decades between two."""
    if not len(time_ns):
        return
    subject = f"time column {name!r}"
    advice = "Set data.time_unit or data.time_format, or remove wrong rows."
    is_plausible = (time_ns >= _EARLIEST_NS) & (time_ns < _LATEST_NS)
    if 2 * np.count_nonzero(is_plausible) < len(time_ns):
        n_outside = int(np.count_nonzero(~is_plausible))
        first = int(np.flatnonzero(~is_plausible)[0])
        example = f"{iso_time(int(time_ns[first]))}{_read_as(forms, lengths, uris, first)}"
        raise DataError(
            f"{subject}: {n_outside} of {len(time_ns)} times are not between 1900 and 2100, the "
            f"first {example}. {advice}"
        )
    in_order = time_ns
    order = None
    if np.any(time_ns[1:] < time_ns[:-1]):
        order = np.argsort(time_ns, kind="stable")
        in_order = time_ns[order]
    unsigned = in_order.astype(np.uint64)  # in which no difference overflows
    holes = np.flatnonzero(unsigned[1:] - unsigned[:-1] > np.uint64(_LONGEST_HOLE_NS))
    if len(holes):
        before, after = int(holes[0]), int(holes[0]) + 1
        places = (before, after) if order is None else (int(order[before]), int(order[after]))
        ends = [
            f"{iso_time(int(time_ns[place]))}{_read_as(forms, lengths, uris, place)}"
            for place in places
        ]
        raise DataError(f"{subject}: no bar for decades between {ends[0]} and {ends[1]}. {advice}")


def _read_as(
    forms: Sequence[TimeForm], lengths: Sequence[int], uris: Sequence[str], row: int
) -> str:
    """Say how, and in which file, a row's time was read."""
    place = int(np.searchsorted(np.cumsum(lengths), row, side="right"))
    what = f" ({forms[place].what})" if forms[place].what else ""
    return f"{_in(uris[place])}{what}"


def _in(uri: str) -> str:
    return f" in {uri}" if uri else ""
