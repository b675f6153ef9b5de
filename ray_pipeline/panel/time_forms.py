"""The times of one file in any form: numbers, text, dates, timestamps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.panel.cells import own_type
from ray_pipeline.panel.local_clocks import instants
from ray_pipeline.panel.reading_rules import TimeRules, TimeUnit
from ray_pipeline.panel.time_formats import parse_format

__all__ = ["Clock", "TimeForm", "read_form"]

Clock: TypeAlias = Literal["aware", "naive", "date"]
_Times: TypeAlias = NDArray[np.int64]

_NS = 10**9
_DAY_NS = 86_400 * _NS
_FACTORS: Mapping[TimeUnit | None, int] = {"s": _NS, "ms": 10**6, "us": 10**3, "ns": 1}
_WORDS: Mapping[TimeUnit | None, str] = {
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
}
# Largest magnitude read as each unit; as seconds it is the year 5138, as milliseconds too, …
_LIMITS: tuple[tuple[int, TimeUnit], ...] = ((10**11, "s"), (10**14, "ms"), (10**17, "us"))
_SMALLEST = 10**8
"""As seconds, March 1973: if all numbers are smaller, they more likely count rows."""

_OFFSET = r"\s*(Z|UTC|GMT|[+-]\d\d(:?\d\d)?)$"
_ZONE = r"^(?P<wall>.*\d)\s*(?P<zone>[A-Za-z]+(?:[/_+-][A-Za-z0-9_+-]+)*)$"


@dataclass(frozen=True, slots=True, eq=False)
class TimeForm:
    """The times of a file, and their form.

    Attributes
    ----------
    clock
        ``aware``: instants; ``naive``: clock times without a zone; ``date``: days, months or years.
    family
        How they are written; files of one symbol must not differ in it.
    time_ns
        int64 (n_rows,), nanoseconds since 1970: instants, or the clock as written.
    shown_ns
        int64 (n_rows,): for instants, the clock as written if they were written with an offset or a
        zone other than UTC, else None.
    what
        What was assumed about them; empty if nothing.
    """

    clock: Clock
    family: Literal["numbers", "calendar", "text", "timestamps"]
    time_ns: _Times
    shown_ns: _Times | None = None
    what: str = ""


def read_form(column: pa.ChunkedArray, rules: TimeRules, subject: str) -> TimeForm:
    """Detect the form of times, and read them.

    Whole numbers, and text of digits, are calendar days (``20240131``), months (``202401``) or
    years when all of them are, else seconds, milliseconds, microseconds or nanoseconds since 1970,
    told apart by their magnitude. Text is ISO 8601 or a similar format (``20240131 09:30:00``,
    ``2024/01/31``), all with an offset, all with the name of a zone, or all without. Numbers with
    fractions are rounded to microseconds, which is the precision of a ``double``.

    Parameters
    ----------
    column
        Without nulls.
    rules
        The config's unit and format.
    subject
        The column and its file, for messages.

    Raises
    ------
    DataError
        When the values cannot be read as times, or lie outside 1677–2262, the range of nanoseconds.
    """
    kind = own_type(column.type)
    if kind != column.type:
        column = column.cast(kind)
    is_text = (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
    if rules.format is not None and (is_text or pa.types.is_integer(kind)):
        return _formatted(column, rules.format, subject)
    if is_text:
        return _from_text(column.cast(pa.large_string()), rules, subject)
    if pa.types.is_integer(kind):
        return _from_integers(column, rules.unit, subject)
    if pa.types.is_float64(kind) or pa.types.is_decimal(kind):
        return _from_floats(column.cast(pa.float64(), safe=False), rules.unit, subject)
    if pa.types.is_timestamp(kind):
        return _from_timestamps(column, subject)
    if pa.types.is_date(kind):
        return TimeForm("date", "timestamps", _in_ns(column, subject))
    raise DataError(
        f"{subject} is {kind}; a timestamp, a date, whole numbers since 1970, a double of "
        "them, or text is needed."
    )


def _in_ns(column: pa.ChunkedArray, subject: str) -> _Times:
    try:
        in_ns = column.cast(pa.timestamp("ns"))
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{subject} holds times outside 1677–2262: {error}. Remove those rows."
        ) from error
    return np.asarray(in_ns.cast(pa.int64()).to_numpy())


def _from_timestamps(column: pa.ChunkedArray, subject: str) -> TimeForm:
    zone = column.type.tz
    if zone is None:
        return TimeForm("naive", "timestamps", _in_ns(column, subject))
    time_ns = _in_ns(column, subject)
    shown = None
    if zone not in ("UTC", "Etc/UTC", "Z", "+00:00"):
        shown = _in_ns(pc.local_timestamp(column), subject)
    return TimeForm("aware", "timestamps", time_ns, shown)


def _from_integers(column: pa.ChunkedArray, unit: TimeUnit | None, subject: str) -> TimeForm:
    try:
        values = np.asarray(column.cast(pa.int64()).to_numpy())
    except pa.ArrowInvalid as error:
        raise DataError(f"{subject} holds numbers too large for a time.") from error
    return _from_numbers(values, unit, subject)


def _from_numbers(values: _Times, unit: TimeUnit | None, subject: str) -> TimeForm:
    if unit in (None, "date"):
        found = _calendar(values)
        if found is not None:
            days, example = found
            what = f"whole numbers read as {example}"
            return TimeForm("date", "calendar", days * _DAY_NS, what=what)
        if unit == "date" and len(values):
            raise DataError(
                f"{subject}: not all of its numbers are dates such as 20240131, as data.time_unit: "
                f"date says; the first is {values[0]}."
            )
    largest = max(-int(values.min()), int(values.max())) if len(values) else 0
    told = _unit_of(largest) if unit in (None, "date") else unit
    if unit is None and 0 < largest < _SMALLEST:
        raise DataError(
            f"{subject} holds whole numbers up to {largest}: as seconds since 1970, all before "
            "March 1973. If they count rows, set data.columns.time to the column with times; "
            "if they are times, set data.time_unit: s, ms, us or ns."
        )
    factor = _FACTORS[told]
    if largest > np.iinfo(np.int64).max // factor:
        raise DataError(
            f"{subject} holds times outside 1677–2262 when its whole numbers are read as "
            f"{_WORDS[told]} since 1970. Set data.time_unit, or convert it to timestamps."
        )
    what = f"whole numbers read as {_WORDS[told]} since 1970"
    return TimeForm("aware", "numbers", values * factor, what=what)


def _unit_of(largest: int) -> TimeUnit:
    """Return the unit since 1970 that a magnitude implies."""
    return next((unit for limit, unit in _LIMITS if largest < limit), "ns")


def _from_floats(column: pa.ChunkedArray, unit: TimeUnit | None, subject: str) -> TimeForm:
    values = np.asarray(column.to_numpy())
    if not np.isfinite(values).all():
        raise DataError(f"{subject} holds an infinite number. Remove those rows.")
    is_whole = bool((values == np.floor(values)).all())
    largest = float(np.abs(values).max()) if len(values) else 0.0
    if largest >= 2.0**63:
        raise DataError(f"{subject} holds numbers too large for a time.")
    if is_whole:
        return _from_numbers(values.astype(np.int64), unit, subject)
    told = _from_numbers(np.array([int(largest)], dtype=np.int64), unit, subject)
    word = next(unit for unit in _FACTORS if _WORDS[unit] in told.what)
    in_us = np.round(values * (_FACTORS[word] / 1_000.0)).astype(np.int64)
    what = f"numbers read as {_WORDS[word]} since 1970, to the microsecond"
    return TimeForm("aware", "numbers", in_us * 1_000, what=what)


def _calendar(values: _Times) -> tuple[_Times, str] | None:
    """Return days since 1970 when all values are calendar days, months or years, else None."""
    if not len(values):
        return None
    for per_year, example in ((10_000, "days like 20240131"), (100, "months like 202401")):
        year, rest = values // per_year, values % per_year
        month = rest // (per_year // 100)
        day = rest % 100 if per_year == 10_000 else np.ones_like(values)
        if not ((year >= 1900) & (year <= 2200) & (month >= 1) & (month <= 12)).all():
            continue
        months = (year - 1970) * 12 + month - 1
        first = months.astype("datetime64[M]").astype("datetime64[D]")
        days = first + (day - 1)
        if ((day >= 1) & (days.astype("datetime64[M]") == months.astype("datetime64[M]"))).all():
            return days.astype(np.int64), example
    if ((values >= 1900) & (values <= 2200)).all():
        years = (values - 1970).astype("datetime64[Y]")
        return years.astype("datetime64[D]").astype(np.int64), "years like 2024"
    return None


def _formatted(column: pa.ChunkedArray, format_text: str, subject: str) -> TimeForm:
    parsed = parse_format(column.cast(pa.large_string()), format_text, subject)
    if parsed.offset_ns is not None:
        time_ns = parsed.wall_ns - parsed.offset_ns
        return TimeForm("aware", "text", time_ns, parsed.wall_ns)
    clock: Clock = "naive" if parsed.has_clock else "date"
    return TimeForm(clock, "text", parsed.wall_ns)


def _from_text(column: pa.ChunkedArray, rules: TimeRules, subject: str) -> TimeForm:
    text = pc.utf8_trim_whitespace(column)
    if _all_match(text, r"^-?\d+$"):
        return _from_integers(text.cast(pa.int64()), rules.unit, subject)
    if _all_match(text, r"^-?\d+\.\d+$"):
        return _from_floats(text.cast(pa.float64()), rules.unit, subject)
    for pattern, replacement in (
        (r"^(\d{4})(\d{2})(\d{2})([ T-]|$)", r"\1-\2-\3\4"),
        (r"^(\d{4})/(\d{2})/(\d{2})", r"\1-\2-\3"),
        (r"^(\d{4}-\d{2}-\d{2})-(\d{2}:)", r"\1 \2"),
        (r"^(\d{4}-\d{2})$", r"\1-01"),
    ):
        text = pc.replace_substring_regex(text, pattern, replacement)
    n_dates = _n_matching(text, r"^\d{4}-\d\d-\d\d$")
    if n_dates == len(text):
        return TimeForm("date", "text", _parsed(text, None, subject))
    n_with_offset = _n_matching(text, r"\d[T ]\S*" + _OFFSET)
    if n_with_offset == len(text):
        wall = pc.replace_substring_regex(text, _OFFSET, "")
        plain = pc.replace_substring_regex(text, r"\s*(UTC|GMT)$", "Z")
        plain = pc.replace_substring_regex(plain, r"\s+([+-]\d\d(:?\d\d)?|Z)$", r"\1")
        return TimeForm(
            "aware", "text", _parsed(plain, "UTC", subject), _parsed(wall, None, subject)
        )
    if not n_with_offset and _n_matching(text, _ZONE) == len(text) > 0:
        return _with_zone_names(text, rules, subject)
    return TimeForm("naive", "text", _parsed(text, None, subject))


def _with_zone_names(text: pa.ChunkedArray, rules: TimeRules, subject: str) -> TimeForm:
    parts = pc.extract_regex(text.combine_chunks(), _ZONE)
    wall_ns = _parsed(pa.chunked_array([parts.field("wall")]), None, subject)
    names = parts.field("zone").dictionary_encode()
    time_ns = np.empty(len(wall_ns), dtype=np.int64)
    which = np.asarray(names.indices.to_numpy())
    for place, zone in enumerate(names.dictionary.to_pylist()):
        rows = np.flatnonzero(which == place)
        try:
            time_ns[rows], _ = instants(wall_ns[rows], zone, rules, subject)
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{subject} names the zone {zone!r}, which is not an IANA name (such as "
                "US/Eastern). Set data.time_format to a format without it, and data.time_zone."
            ) from error
    zones = ", ".join(sorted(names.dictionary.to_pylist())[:3])
    return TimeForm("aware", "text", time_ns, wall_ns, f"text read by the zone it names ({zones})")


def _parsed(text: pa.ChunkedArray, zone: str | None, subject: str) -> _Times:
    try:
        return _in_ns(text.cast(pa.timestamp("ns", zone)), subject)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{subject} holds text that is not ISO 8601, lies outside 1677–2262, or has an offset "
            f"from UTC only in some rows: {error}. Set data.time_format, such as "
            "'%d.%m.%Y %H:%M'."
        ) from error


def _all_match(text: pa.ChunkedArray, pattern: str) -> bool:
    return len(text) > 0 and _n_matching(text, pattern) == len(text)


def _n_matching(text: pa.ChunkedArray, pattern: str) -> int:
    return pc.sum(pc.match_substring_regex(text, pattern)).as_py() or 0
