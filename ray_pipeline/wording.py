"""Phrases and spellings that messages and records share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches

from ray_pipeline.display import escaped

__all__ = [
    "agreeing",
    "closest",
    "duration_text",
    "iso_time",
    "plural",
    "size_text",
    "some_of",
    "some_within",
    "time_left_text",
    "yaml_text",
]

_EPOCH = datetime(1970, 1, 1)
_PLAIN = re.compile(r"[<A-Za-z_/]([\w. /<>-]*[\w/>])?", re.ASCII)
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "null", "on", "off", "y", "n"})


def plural(n: int, noun: str, several: str | None = None) -> str:
    """Write a count with its noun.

    Parameters
    ----------
    several
        The noun of any count but 1; None: with an s.

    Examples
    --------
    >>> plural(1, "model"), plural(2000, "model"), plural(0, "branch", "branches")
    ('1 model', '2,000 models', '0 branches')
    """
    return f"{n:,} {agreeing(n, noun, several or f'{noun}s')}"


def agreeing(n: int, one: str, several: str) -> str:
    """Return the word that agrees with a count.

    >>> agreeing(1, "is", "are"), agreeing(3, "it", "them")
    ('is', 'them')
    """
    return one if n == 1 else several


def duration_text(seconds: float) -> str:
    """Spell a time in the unit that suits it.

    Examples
    --------
    >>> duration_text(3.21), duration_text(250), duration_text(7_500)
    ('3.2 s', '4 min 10 s', '2 h 05 min')
    """
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    return f"{int(seconds) // 3600:,} h {int(seconds) % 3600 // 60:02d} min"


def time_left_text(seconds: float) -> str:
    """Spell a remaining time, no more precisely than it is known.

    Examples
    --------
    >>> time_left_text(9.6), time_left_text(250)
    ('about 10 s', 'about 4 min 10 s')
    """
    return f"about {seconds:.0f} s" if seconds < 59.5 else f"about {duration_text(seconds)}"


def some_of(names: Sequence[str], at_most: int = 20) -> str:
    """Join names for a message, cutting a long list short.

    Examples
    --------
    >>> some_of(["A", "B", "C", "D"], at_most=2)
    'A, B and 2 more'
    """
    if not names:
        return "none"
    # A line break in a name would break the sentence; elsewhere, messages may have line breaks.
    shown = ", ".join(escaped(name, keep="") for name in names[:at_most])
    return shown if len(names) <= at_most else f"{shown} and {len(names) - at_most} more"


def some_within(names: Sequence[str], n_chars: int) -> str:
    """Join as many names as fit in a number of characters, at least one; see `some_of`.

    Examples
    --------
    >>> some_within(["AAPL", "MSFT", "NVDA"], 10)
    'AAPL, MSFT and 1 more'
    """
    length, at_most = 0, 0
    for name in names:
        length += len(escaped(name, keep="")) + (2 if at_most else 0)
        if at_most and length > n_chars:
            break
        at_most += 1
    return some_of(names, at_most)


def closest(found: str, choices: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the choice that was probably meant, or None.

    >>> closest("staus", ["run", "status"])
    'status'
    """
    # The comparison takes time proportional to the product of the lengths: nothing this long is a
    # typo.
    if len(found) > 100:
        return None
    close = get_close_matches(found, list(choices), n=1, cutoff=cutoff)
    return close[0] if close else None


def iso_time(time_ns: int) -> str:
    """Spell nanoseconds since 1970 as ISO 8601 in UTC, exactly.

    A whole second has no fraction; any other has as many digits as it needs, at most nine.

    Examples
    --------
    >>> iso_time(1_500_000_000), iso_time(-1)
    ('1970-01-01T00:00:01.5+00:00', '1969-12-31T23:59:59.999999999+00:00')
    """
    # With integers: a float of seconds cannot represent nanoseconds today.
    seconds, fraction_ns = divmod(time_ns, 10**9)
    second = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    fraction = f".{fraction_ns:09d}".rstrip("0") if fraction_ns else ""
    return f"{second}{fraction}+00:00"


def size_text(n_bytes: float) -> str:
    """Spell a number of bytes.

    >>> size_text(512), size_text(3 * 2**20)
    ('512 B', '3.0 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} TiB"


def yaml_text(text: str) -> str:
    """Write a text so that YAML reads it back as text, in quotes if needed.

    Examples
    --------
    >>> yaml_text("Adj Close"), yaml_text("1d"), yaml_text("y")
    ('Adj Close', '"1d"', '"y"')
    """
    is_plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _YAML_WORDS
    return text if is_plain else json.dumps(text)
