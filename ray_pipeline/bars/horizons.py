"""How far a target looks ahead, from its name or from the config.

Purging rests on this, so nothing here guesses: a name that can be read in two ways is an error
that says how to give the horizon.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from ray_pipeline.bounds import MAX_BARS
from ray_pipeline.errors import ConfigError
from ray_pipeline.intervals import Duration, Interval, read_duration
from ray_pipeline.records import Horizon, first_match

__all__ = ["resolve_horizon"]

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_MONTHS = {"mo": 1, "q": 3, "y": 12}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_ACCEPTED = (
    "'30s', '60m', '4h', '5d' (sessions), '12b' (bars) or, on bars of weeks or months, "
    "'2w', '3mo', '1q', '1y'"
)


def resolve_horizon(target: str, interval: Interval, overrides: Mapping[str, str | int]) -> Horizon:
    """Return how far a target looks ahead.

    A number of bars is that many rows. Every other horizon is time of the market's clock, which
    runs while the market does (see `ray_pipeline.bars.clock`): 60 minutes at 5-minute bars are 12
    bars of the clock, across a session's end as well. Days are sessions on intraday bars, and
    bars of the clock on daily ones; weeks are those of weekly bars, months, quarters and years
    those of the calendar, on bars of months.

    Parameters
    ----------
    target
        Name of the target. It holds its horizon as one part between underscores (``60m`` in
        ``y_will_peak_60m_0.8``), or ends in a number of bars (``fwd_ret_12``)
        and holds no other number.
    interval
        Length of a bar.
    overrides
        ``columns.horizons``: glob pattern → ``"60m"``, ``"5d"``, ``"12b"`` or 12 (bars). The
        first pattern that matches wins, and beats the name.

    Returns
    -------
    Horizon
        At least one bar.

    Raises
    ------
    ConfigError
        When the horizon is unknown or ambiguous, shorter than a bar, or not a whole number of
        bars.

    Examples
    --------
    >>> five_minutes = Interval(300)
    >>> resolve_horizon("fwd_ret_60m", five_minutes, {})
    Horizon(count=12, unit='bars')
    >>> resolve_horizon("fwd_ret_2d", five_minutes, {}).in_bars(session_bars=78)
    156
    >>> resolve_horizon("my_label", five_minutes, {"my_*": 6})
    Horizon(count=6, unit='rows')
    >>> resolve_horizon("fwd_ret_1q", Interval(1, "mo"), {})
    Horizon(count=3, unit='bars')
    """
    pattern = first_match(target, overrides)
    if pattern is None:
        return _horizon(f"Target {target!r}", _text_in_name(target), interval)
    value = overrides[pattern]
    subject = f"columns.horizons: {pattern!r}: {value!r}"
    text = str(value)
    if read_duration(text) is None:
        raise ConfigError(f"{subject} is not a horizon. Give {_ACCEPTED}, or a number of bars.")
    return _horizon(f"{subject} (for target {target!r})", text, interval)


def _text_in_name(target: str) -> str:
    """Find the part of the name that holds the horizon."""
    parts = target.split("_")
    read = {part: found for part in parts if (found := read_duration(part)) and part[-1:].isalpha()}
    # Units of the calendar may be something else beside a horizon, as in y_10y_yield_5d.
    of_calendar = {part for part, found in read.items() if found.unit in _MONTHS}
    with_unit = (read.keys() - of_calendar) or of_calendar
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


def _horizon(subject: str, text: str, interval: Interval) -> Horizon:
    read = read_duration(text) or Duration(MAX_BARS + 1, "b")
    count, unit = read.count, read.unit
    if unit in _MONTHS and interval.unit == "s":
        raise ConfigError(
            f"{subject}: {text!r} is {_told(read)}, which have as many bars of {interval.told} as "
            f"the market has sessions in them. Give sessions, such as '{_sessions(read)}d', or "
            "bars." + (" Minutes are written with a small m." if text.endswith("M") else "")
        )
    if unit in _SECONDS and interval.unit == "mo":
        raise ConfigError(
            f"{subject}: a horizon of {text!r} is not a whole number of bars of {interval.told}. "
            "Give months, such as '3mo', or bars."
        )
    if unit == "w" and interval.seconds % _SECONDS["w"]:
        raise ConfigError(
            f"{subject}: a week is five sessions in some markets and seven in others, so 'w' is "
            f"not accepted as a horizon. Give sessions, such as '{5 * count}d', or bars."
        )
    if unit == "b":
        found, rest = Horizon(count, "rows"), 0
    elif unit == "d" and interval.is_intraday:
        found, rest = Horizon(count, "sessions"), 0
    else:
        length = count * (_MONTHS[unit] if unit in _MONTHS else _SECONDS[unit])
        bars, rest = divmod(length, interval.count)
        found = Horizon(bars, "bars")
    if found.count < 1:
        raise ConfigError(
            f"{subject}: a horizon of {text!r} is shorter than one bar of {interval.told}. "
            "Give at least one bar."
        )
    if found.count > MAX_BARS:
        raise ConfigError(
            f"{subject}: a horizon of {text!r} is more than {MAX_BARS:,} bars of "
            f"{interval.told}. Give a shorter one."
        )
    if rest:
        raise ConfigError(
            f"{subject}: a horizon of {text!r} is not a whole number of bars of {interval.told}: "
            f"it lies between {found.count} and {found.count + 1} bars. Give a multiple of the bar."
        )
    return found


def _told(read: Duration) -> str:
    word = {"mo": "month", "q": "quarter", "y": "year"}[read.unit]
    return f"{read.count} {word}{'s' * (read.count != 1)}"


def _sessions(read: Duration) -> int:
    """Return the sessions of an exchange in so many months: 252 a year."""
    return 21 * _MONTHS[read.unit] * read.count
