"""The natural time blocks of a symbol, from which features of another bar size are computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.bars.sessions import Sessions

__all__ = ["Clock", "held_clock", "natural_clocks"]

Ints = NDArray[np.int64]

_SECOND_NS = 10**9
_DAY_S = 86_400
_PERIODS = (
    *((60 * n, f"{n} minutes") for n in (3, 5, 10, 15, 20, 30, 45)),
    (3_600, "hour"),
    *((3_600 * n, f"{n} hours") for n in (2, 3, 4, 6, 8, 12)),
)
_REGULAR = 0.95
"""Share of a feature's changes that have to follow one beat."""

_MIN_CHANGES = 25

_MONDAY_DAYS = 4
"""The first of January 1970 was a Thursday: the Monday after it came four days later."""


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """One way to cut time into blocks.

    Attributes
    ----------
    name
        Name of a block, e.g. ``hour``.
    cut
        Which of the clocks of that name it is, e.g. that of bars stamped with their close.
    block
        Non-decreasing number of each row's block, shape (n_rows,).
    """

    name: str
    cut: str
    block: Ints


def natural_clocks(time_ns: Ints, bar_seconds: int) -> list[Clock]:
    """Split rows into the usual blocks for aggregating bars.

    Minutes and hours of the clock that hold at least two bars, the session, the day, the week (from
    Monday, and from Sunday), the month, the quarter, and the number of rows. Bars may be stamped by
    the time at which they open or close: an hour's bars are those from its full hour on, or those
    after it. Of two clocks that agree everywhere, only the first is returned.

    Parameters
    ----------
    time_ns
        Times of the rows, increasing, shape (n_rows,).
    bar_seconds
        Length of a bar.
    """
    clocks: list[Clock] = []
    stamps = {"stamped by open": time_ns, "stamped by close": time_ns - 1}
    seen: set[bytes] = set()

    def add(name: str, cut: str, block: Ints) -> None:
        changes = np.flatnonzero(np.diff(block))
        key = changes.tobytes()
        if key not in seen and 2 * (len(changes) + 1) <= len(block):
            seen.add(key)
            clocks.append(Clock(name, cut, block))

    if bar_seconds < _DAY_S:
        sessions = Sessions(time_ns, bar_seconds)
        days = time_ns // (_DAY_S * _SECOND_NS)
        is_day = np.array_equal(np.diff(days) > 0, np.diff(sessions.number) > 0)
        name = "day" if is_day and _is_round_the_clock(time_ns) else "session"
        add(name, "session", sessions.number)
    for seconds, name in _PERIODS:
        if seconds >= 2 * bar_seconds:
            for cut, stamp in stamps.items():
                add(name, cut, stamp // (seconds * _SECOND_NS))
    for cut, stamp in stamps.items():
        days = stamp // (_DAY_S * _SECOND_NS)
        add("day", cut, days)
        for first, of in ((_MONDAY_DAYS, "Monday"), (_MONDAY_DAYS - 1, "Sunday")):
            add("week", f"{cut}, from {of}", (days - first) // 7)
        months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        add("month", cut, months)
        if bar_seconds >= _DAY_S:
            add("quarter", cut, months // 3)
    return clocks


def held_clock(values: NDArray[np.float64]) -> Clock | None:
    """Return the blocks of rows over which a feature is constant; None if it is not.

    Natural blocks have natural names; a block of twelve bars with an arbitrary start is only
    visible in the feature itself. If the market decides when it changes, as with a trend that
    turns, there is no beat, and the ends of its runs would reveal what happened then.

    Parameters
    ----------
    values
        Shape (n_rows,), NaN = missing.
    """
    same = (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
    changes = np.flatnonzero(~same) + 1
    if len(changes) < _MIN_CHANGES or 2 * len(changes) > len(values):
        return None
    length = int(np.bincount(np.diff(changes)).argmax())
    beats = np.bincount(changes % length)
    if length < 2 or beats.max() < _REGULAR * len(changes):
        return None
    rows = np.arange(len(values), dtype=np.int64)
    return Clock(f"{length} bars", "held", (rows - int(beats.argmax())) // length)


def _is_round_the_clock(time_ns: Ints) -> bool:
    """Tell whether bars come at all hours of the day."""
    return len(np.unique(time_ns // (3_600 * _SECOND_NS) % 24)) == 24
