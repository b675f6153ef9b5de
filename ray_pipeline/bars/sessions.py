"""The sessions of a market, found from the time axis of its bars alone.

A session begins with the bar after a break, and at midnight (UTC) where the last break lies a
day or more before it. A break is a step of at least four hours and of at least three bars: the
night of an exchange is one, its lunch hour, a halt or some missing bars are not. So a session
of an exchange is its trading day, even where that crosses midnight in UTC, and a market that
never closes has UTC days; after its weekend the first session lasts to the second midnight.

Nothing looks ahead: when a session will end is not known while it lasts, early closes included.
Where a session begins depends on the two days before it alone, so that bars of a market's
middle have the sessions that they have in its whole, except for the first of them, whose begin
is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from ray_pipeline.bars.bars import FloatArray

__all__ = ["MAX_SESSION_SECONDS", "Sessions"]

_Times = npt.NDArray[np.int64]

_SECOND_NS = 10**9
_DAY_NS = 86_400 * _SECOND_NS
_BREAK_NS = 4 * 3_600 * _SECOND_NS  # longer than a lunch hour, shorter than a night
_BREAK_BARS = 3

MAX_SESSION_SECONDS = 2 * 86_400
"""A session that a break begins ends at the latest at the second midnight after it."""


class Sessions:
    """Sessions of one symbol's bars, numbered from 0 in the order of time.

    Parameters
    ----------
    time_ns : int64 (n_rows,)
        Times of the bars, increasing; at least one.
    bar_seconds
        Length of a bar.

    Attributes
    ----------
    number : int64 (n_rows,)
        Session of each row. Of session 0 the begin is not seen.
    first_row : int64 (n_sessions,)
        Row of each session's first bar.
    """

    def __init__(self, time_ns: _Times, bar_seconds: int) -> None:
        self.time_ns = time_ns
        begin_ns = _session_begins(time_ns, bar_seconds * _SECOND_NS)
        is_first = np.diff(begin_ns, prepend=begin_ns[:1] - 1) != 0
        self.number = np.cumsum(is_first) - 1
        self.first_row = np.flatnonzero(is_first)

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self.first_row)

    def opening_time(self) -> _Times:
        """Return the time of the first bar of each row's session, (n_rows,)."""
        opening: _Times = self.time_ns[self.first_row[self.number]]
        return opening

    def elapsed_ns(self) -> FloatArray:
        """Return the time since the session's first bar, (n_rows,); NaN in session 0."""
        elapsed = (self.time_ns - self.opening_time()).astype(np.float64)
        return np.where(self.number >= 1, elapsed, np.nan)

    def length_ns(self, sessions_back: int) -> FloatArray:
        """Return the time from the first to the last bar of a session that is over, (n_rows,)."""
        # Differences of whole numbers: a time itself has more digits than a float.
        lengths = self.time_ns[self._last_rows()] - self.time_ns[self.first_row]
        return self._of_session(lengths.astype(np.float64), sessions_back)

    def each(self, values: FloatArray) -> Iterator[FloatArray]:
        """Yield the values of one session after another, as views."""
        yield from np.split(values, self.first_row[1:])

    def so_far(
        self, values: FloatArray, accumulate: Callable[[FloatArray], FloatArray]
    ) -> FloatArray:
        """Return what has accumulated in the session up to each row, its own included."""
        return np.concatenate([accumulate(part) for part in self.each(values)])

    def first(self, values: FloatArray, sessions_back: int = 0) -> FloatArray:
        """Return the first value of each row's session, or of one some sessions before it."""
        return self._of_session(values[self.first_row], sessions_back)

    def last(self, values: FloatArray, sessions_back: int) -> FloatArray:
        """Return the last value of a session that is over, at least one before each row's."""
        return self._of_session(values[self._last_rows()], sessions_back)

    def until(self, elapsed_ns: _Times, values: FloatArray, sessions_back: int) -> FloatArray:
        """Return the last value of an earlier session by the time elapsed since its first bar.

        Parameters
        ----------
        elapsed_ns : int64 (n_rows,)
            Time since the first bar, for each row.
        values
            (n_rows,).
        sessions_back
            At least 1. NaN where that session is not wholly there.
        """
        session = self.number - sessions_back
        is_there = session >= 1
        rows = self.first_row[np.maximum(session, 0)]
        until = np.searchsorted(self.time_ns, self.time_ns[rows] + elapsed_ns, side="right") - 1
        until = np.minimum(until, self._last_rows()[np.maximum(session, 0)])
        return np.where(is_there, values[until], np.nan)

    def _last_rows(self) -> _Times:
        return np.append(self.first_row[1:], len(self.time_ns)) - 1

    def _of_session(self, of_sessions: FloatArray, sessions_back: int) -> FloatArray:
        """Spread a value per session over the rows; session 0 is not wholly there: NaN."""
        session = self.number - sessions_back
        return np.where(session >= 1, of_sessions[np.maximum(session, 0)], np.nan)


def _session_begins(time_ns: _Times, bar_ns: int) -> _Times:
    """Return when each row's session begins: the time after the last break, or a midnight.

    The first row is taken for the first after a break. Where it is not, the break before it only
    lies further back, so that every later midnight that begins a session does so all the more.
    """
    steps = np.diff(time_ns, prepend=time_ns[:1])
    is_after_break = steps >= max(_BREAK_NS, _BREAK_BARS * bar_ns)
    after_break = time_ns[np.maximum.accumulate(np.where(is_after_break, np.arange(len(steps)), 0))]
    midnight = time_ns - time_ns % _DAY_NS
    return np.where(midnight - after_break >= _DAY_NS, midnight, after_break)
