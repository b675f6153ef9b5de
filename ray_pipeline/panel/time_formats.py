"""Text in a custom format as times: directives of ``strptime``, read by whole columns.

Month names are English, regardless of the machine's locale, and rows are not read one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.errors import ConfigError, DataError

__all__ = ["ParsedText", "format_problem", "parse_format"]

_Ints = NDArray[np.int64]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Named so that no name is part of another: groups of a regular expression, by directive.
_DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "b": r"(?P<b>[A-Za-z]{3})[a-z]*",
    "B": r"(?P<b>[A-Za-z]{3})[a-z]*",
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<I>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>[AaPp])\.?[Mm]\.?",
    "z": r"(?P<z>Z|[+-]\d{2}:?\d{2})",
    "a": r"[A-Za-z]+",
    "A": r"[A-Za-z]+",
    "%": "%",
}
_FIXED = {"Y": "4", "y": "2", "m": "2", "d": "2", "H": "2", "I": "2", "M": "2", "S": "2"}
_ADJOINING = re.compile(
    r"\(\?P<(\w)>\\d\{1,2\}\)(?=\(\?P<\w>\\d)"  # digits follow
    r"|(?<=\d\}\))\(\?P<(\w)>\\d\{1,2\}\)"  # digits precede
)
_PIVOT = 69  # of two-digit years, as POSIX has it: 68 is 2068, 69 is 1969
_NS = 10**9


@dataclass(frozen=True, slots=True)
class ParsedText:
    """Times read from text.

    Attributes
    ----------
    wall_ns
        int64 (n_rows,): the clock as written, nanoseconds since 1970.
    offset_ns
        int64 (n_rows,): its offset from UTC, None if the text has none.
    has_clock
        Whether there are hours.
    """

    wall_ns: _Ints
    offset_ns: _Ints | None
    has_clock: bool


def format_problem(text: str) -> str | None:
    """Say what is wrong with a format, or None."""
    try:
        names = _groups(_pattern(text))
    except ConfigError as error:
        return str(error)
    year = {"Y", "y"} & names
    month = {"m", "b"} & names
    if len(year) != 1 or len(month) != 1:
        return "one year (%Y or %y) and one month (%m or %b) are needed"
    if {"H", "I"} <= names or ("I" in names) != ("p" in names):
        return "hours are %H, or %I with %p"
    return None


def parse_format(text: pa.ChunkedArray, format_text: str, subject: str) -> ParsedText:
    """Read text by a format.

    Parameters
    ----------
    text
        Text without nulls.
    format_text
        Directives of ``strptime``: %Y %y %m %b %B %d %H %I %p %M %S %f %z, %a and %A.
    subject
        The column, for messages.

    Raises
    ------
    DataError
        When a row does not have the format; the message names the first.
    """
    pattern = _pattern(format_text)
    flat = text.cast(pa.large_string()).combine_chunks()
    found = pc.extract_regex(pc.utf8_trim_whitespace(flat), f"^{pattern}$")
    if found.null_count:
        first = flat.filter(pc.is_null(found))[0].as_py()
        raise DataError(
            f"{subject} holds {first!r}, which is not of the form data.time_format={format_text!r}."
        )
    groups = _groups(pattern)
    part = {name: found.field(name) if len(flat) else flat for name in groups}
    number = {name: _whole(part[name]) for name in groups - {"b", "p", "z", "f"}}
    year = number["Y"] if "Y" in groups else _century(number["y"])
    month = _month(part["b"]) if "b" in groups else number["m"]
    day = number.get("d", np.ones(len(flat), dtype=np.int64))
    hour = _hour(number, part)
    zero = np.zeros(len(flat), dtype=np.int64)
    minute, second = number.get("M", zero), number.get("S", zero)
    days, is_day = _days(year, month, day)
    is_there = is_day & (hour <= 23) & (minute <= 59) & (second <= 59)
    if not is_there.all():
        first = flat[int(np.flatnonzero(~is_there)[0])].as_py()
        raise DataError(f"{subject} holds {first!r}: there is no such day or clock time.")
    nanos = _fraction(part["f"]) if "f" in groups else zero
    wall = (((days * 24 + hour) * 60 + minute) * 60 + second) * _NS + nanos
    offset = _offset(part["z"]) if "z" in groups else None
    return ParsedText(wall, offset, bool({"H", "I"} & groups))


def _pattern(format_text: str) -> str:
    pieces = []
    for literal, directive in _pieces(format_text):
        pieces.append(re.escape(literal))
        if directive is not None:
            if directive not in _DIRECTIVES:
                known = " ".join(f"%{name}" for name in _DIRECTIVES)
                raise ConfigError(f"%{directive} is not a supported directive; those are {known}")
            pieces.append(_DIRECTIVES[directive])
    pattern = "".join(pieces)
    repeated = [
        name
        for name in set(re.findall(r"\(\?P<(\w)>", pattern))
        if pattern.count(f"(?P<{name}>") > 1
    ]
    if repeated:
        raise ConfigError(f"%{min(repeated)} occurs more than once")
    # Digits that follow each other without a separator must be complete.
    return _ADJOINING.sub(_full_digits, pattern)


def _full_digits(found: re.Match[str]) -> str:
    name = found[1] or found[2]
    return rf"(?P<{name}>\d{{{_FIXED[name]}}})"


def _pieces(format_text: str) -> Iterator[tuple[str, str | None]]:
    """Yield stretches of literal text, each with the directive that follows it, if one does."""
    rest = format_text
    while "%" in rest:
        literal, _, rest = rest.partition("%")
        yield literal, rest[:1]
        rest = rest[1:]
    yield rest, None


def _groups(pattern: str) -> set[str]:
    return set(re.findall(r"\(\?P<(\w)>", pattern))


def _whole(text: pa.Array) -> _Ints:
    return np.asarray(text.cast(pa.int64()).to_numpy(zero_copy_only=False))


def _century(year: _Ints) -> _Ints:
    return np.where(year < _PIVOT, year + 2000, year + 1900)


def _month(text: pa.Array) -> _Ints:
    places = pc.index_in(pc.utf8_lower(text), pa.array(_MONTHS, pa.large_string()))
    # What is not a month becomes month 0, which no calendar has.
    return _whole(pc.add(pc.fill_null(places, -1), 1))


def _hour(number: dict[str, _Ints], part: dict[str, pa.Array]) -> _Ints:
    if "I" in number:
        is_pm = np.asarray(pc.equal(pc.utf8_lower(part["p"]), "p").to_numpy(zero_copy_only=False))
        hour = number["I"] % 12 + 12 * is_pm
        return np.where((number["I"] >= 1) & (number["I"] <= 12), hour, 99)
    some = next(iter(number.values()))
    return number.get("H", np.zeros(len(some), dtype=np.int64))


def _days(year: _Ints, month: _Ints, day: _Ints) -> tuple[_Ints, NDArray[np.bool_]]:
    """Return days since 1970, and whether the calendar has them."""
    is_month = (month >= 1) & (month <= 12)
    months = ((year - 1970) * 12 + np.where(is_month, month, 1) - 1).astype("datetime64[M]")
    first = months.astype("datetime64[D]")
    days = first + (day - 1)
    is_there = is_month & (day >= 1) & (days.astype("datetime64[M]") == months)
    return days.astype(np.int64), is_there


def _fraction(text: pa.Array) -> _Ints:
    return _whole(pc.utf8_rpad(text, 9, "0"))


def _offset(text: pa.Array) -> _Ints:
    plain = pc.replace_substring(pc.if_else(pc.equal(text, "Z"), "+0000", text), ":", "")
    number = _whole(pc.utf8_ltrim(plain, "+"))
    hours, minutes = np.abs(number) // 100, np.abs(number) % 100
    return np.asarray(np.sign(number) * (hours * 60 + minutes) * 60 * _NS)
