"""How many bars ahead a target looks, from its name or from the config.

Purging rests on this number, so nothing here guesses: a name that can be read in two ways is an
error that says how to give the horizon.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from ray_pipeline.bounds import MAX_BARS
from ray_pipeline.errors import ConfigError
from ray_pipeline.records import first_match

__all__ = ["interval_seconds", "resolve_horizon"]

_SECONDS_PER_DAY = 86_400
_UNIT_SECONDS: Mapping[str, int] = {
    "s": 1,
    "m": 60,
    "min": 60,
    "h": 3_600,
    "d": _SECONDS_PER_DAY,
    "w": 7 * _SECONDS_PER_DAY,
}
# [0-9] and not \d: the latter takes any script's digits, which a file name may hold.
# No more than nine digits: longer ones are not durations, and Python refuses to read 4,301.
_DURATION = re.compile(r"([0-9]{1,9})([a-z]*)")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_HORIZON_UNITS = ("s", "m", "min", "h", "d", "w", "b")
_ACCEPTED = "'30s', '60m', '4h', '5d' (sessions) or '12b' (bars)"


def interval_seconds(interval: str) -> int:
    """Return the length of a bar interval in seconds.

    Parameters
    ----------
    interval
        A positive whole number and a unit: ``s``, ``m`` (or ``min``), ``h``, ``d`` or ``w``.

    Raises
    ------
    ConfigError
        When the text is not of that form.

    Examples
    --------
    >>> interval_seconds("5m")
    300
    """
    match = _DURATION.fullmatch(interval)
    count, unit = (int(match[1]), match[2]) if match else (0, "")
    if count < 1 or unit not in _UNIT_SECONDS:
        raise ConfigError(
            f"Unknown interval {interval!r}: a positive whole number and a unit are needed, "
            "such as 30s, 5m, 1h, 1d or 1w."
        )
    return count * _UNIT_SECONDS[unit]


def resolve_horizon(
    target: str, bar_seconds: int, session_bars: int, overrides: Mapping[str, str | int]
) -> int:
    """Return the number of bars that a target looks ahead.

    Seconds, minutes and hours are time spent in bars: 60 minutes at 5-minute bars are the next
    12 rows, across a session's end as well. Days are sessions on intraday bars
    (``days · session_bars``) and days of bar time on bars of a day or longer.

    Parameters
    ----------
    target
        Name of the target. It holds its horizon as one part between underscores (``60m`` in
        ``y_will_peak_60m_0.8``), or ends in a number of bars (``fwd_ret_12``)
        and holds no other number.
    bar_seconds
        Length of a bar in seconds.
    session_bars
        Bars of one session; it matters only for days on intraday bars.
    overrides
        ``columns.horizons``: glob pattern → ``"60m"``, ``"5d"``, ``"12b"`` or 12 (bars). The
        first pattern that matches wins, and beats the name.

    Returns
    -------
    int
        The horizon in bars, at least 1.

    Raises
    ------
    ConfigError
        When the horizon is unknown or ambiguous, shorter than a bar, or not a whole number of
        bars.

    Examples
    --------
    >>> resolve_horizon("fwd_ret_60m", 300, 288, {})
    12
    >>> resolve_horizon("fwd_ret_2d", 300, 78, {})
    156
    >>> resolve_horizon("my_label", 300, 78, {"my_*": "30m"})
    6
    """
    if bar_seconds < 1 or session_bars < 1:
        raise ConfigError(
            f"Target {target!r}: a bar of {bar_seconds} s and sessions of {session_bars} bars "
            "cannot give a horizon; both must be at least 1."
        )
    pattern = first_match(target, overrides)
    if pattern is not None:
        value = overrides[pattern]
        subject = f"columns.horizons: {pattern!r}: {value!r} (for target {target!r})"
        return _bars(subject, _text_of_override(pattern, value), bar_seconds, session_bars)
    subject = f"Target {target!r}"
    return _bars(subject, _text_in_name(target), bar_seconds, session_bars)


def _text_of_override(pattern: str, value: str | int) -> str:
    text = str(value)
    match = _DURATION.fullmatch(text)
    if not match or match[2] not in (*_HORIZON_UNITS, ""):
        raise ConfigError(
            f"columns.horizons: {pattern!r}: {value!r} is not a horizon. "
            f"Give {_ACCEPTED}, or a number of bars."
        )
    return text


def _text_in_name(target: str) -> str:
    """Find the part of the name that holds the horizon."""
    parts = target.split("_")
    matches = [match for part in parts if (match := _DURATION.fullmatch(part))]
    with_unit = {match[0] for match in matches if match[2] in _HORIZON_UNITS}
    # A decimal number counts too: which of the two in x_0.5_12 is the horizon, no rule can tell.
    numbers = [part for part in parts if _NUMBER.fullmatch(part)]
    if len(with_unit) == 1:
        return with_unit.pop()
    if len(with_unit) > 1:
        raise _horizon_error(
            target, f"could look {' or '.join(sorted(with_unit))} ahead", "ambiguous"
        )
    if numbers != parts[-1:] or "." in numbers[0]:
        raise _horizon_error(target, "does not say how far it looks ahead", "unknown")
    return numbers[0]


def _horizon_error(target: str, finding: str, kind: Literal["ambiguous", "unknown"]) -> ConfigError:
    return ConfigError(
        f"Target {target!r} {finding}: its horizon is {kind}, and purging depends on it. Give it "
        f"in the config, as columns.horizons: {{{target}: 12}} (a number of bars, "
        f"or {_ACCEPTED})."
    )


def _bars(subject: str, text: str, bar_seconds: int, session_bars: int) -> int:
    match = _DURATION.fullmatch(text)
    count, unit = (int(match[1]), match[2]) if match else (MAX_BARS + 1, "b")
    if unit == "w":
        raise ConfigError(
            f"{subject}: a week is five sessions in some markets and seven in others, so 'w' is "
            f"not accepted as a horizon. Give sessions, such as '{5 * count}d', or bars."
        )
    if unit in {"b", ""}:
        bars, rest = count, 0
    elif unit == "d" and bar_seconds < _SECONDS_PER_DAY:
        bars, rest = count * session_bars, 0
    else:
        bars, rest = divmod(count * _UNIT_SECONDS[unit], bar_seconds)
    if bars < 1:
        raise ConfigError(
            f"{subject}: a horizon of {text!r} is shorter than one bar of {bar_seconds} s. "
            "Give at least one bar."
        )
    if bars > MAX_BARS:
        raise ConfigError(
            f"{subject}: a horizon of {text!r} is more than {MAX_BARS:,} bars of "
            f"{bar_seconds} s. Give a shorter one."
        )
    if rest:
        raise ConfigError(
            f"{subject}: a horizon of {text!r} is not a whole number of bars of {bar_seconds} s: "
            f"it lies between {bars} and {bars + 1} bars. Give a multiple of the bar."
        )
    return bars
