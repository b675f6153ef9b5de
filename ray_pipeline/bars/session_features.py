"""Features of a bar within its session, and of the sessions before: for bars within a day.

`sessions` says what a session is. Each feature reads whole sessions: its `n_sessions` counts
them, the row's own included. It is missing until these have been seen from their first bar, and
where a cell that it reads is missing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.series import BarSeries, Feature, log_ratio
from ray_pipeline.bars.windows import ratio

__all__ = ["SESSION_FEATURES"]

_HOUR_NS = 3_600 * 10**9
_MINUTE_NS = 60 * 10**9


def _hours(s: BarSeries) -> FloatArray:
    return s.sessions.elapsed_ns() / _HOUR_NS


def _bars_since_open(s: BarSeries) -> FloatArray:
    rows = np.arange(len(s.time_ns)) - s.sessions.first_row[s.sessions.number]
    return _where_begun(s, rows.astype(np.float64))


def _position(s: BarSeries) -> FloatArray:
    return ratio(s.sessions.elapsed_ns(), s.sessions.length_ns(1))


def _session_return(s: BarSeries) -> FloatArray:
    return log_ratio(s.close, s.sessions.first(s.open))


def _overnight_gap(s: BarSeries) -> FloatArray:
    # The last bar before a session is seen as soon as the session's own first bar is.
    before = s.close[np.maximum(s.sessions.first_row - 1, 0)][s.sessions.number]
    return log_ratio(s.sessions.first(s.open), before)


def _high_so_far(s: BarSeries) -> FloatArray:
    return _where_begun(s, s.sessions.so_far(s.high, np.maximum.accumulate))


def _low_so_far(s: BarSeries) -> FloatArray:
    return _where_begun(s, s.sessions.so_far(s.low, np.minimum.accumulate))


def _range_position(s: BarSeries) -> FloatArray:
    low = _low_so_far(s)
    return ratio(s.close - low, _high_so_far(s) - low)


def _vwap_distance(s: BarSeries) -> FloatArray:
    traded = s.sessions.so_far(s.typical_dollar_volume, np.add.accumulate)
    volume = _where_begun(s, s.sessions.so_far(s.volume, np.add.accumulate))
    return log_ratio(s.close, ratio(traded, volume))


def _volume_relative(n_earlier: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        volume = s.sessions.so_far(s.volume, np.add.accumulate)
        elapsed = s.time_ns - s.sessions.opening_time()
        earlier = np.zeros(len(volume))
        for sessions_back in range(1, n_earlier + 1):
            earlier += s.sessions.until(elapsed, volume, sessions_back)
        return log_ratio(volume, earlier / n_earlier)

    return Feature(
        f"session_volume_relative_{n_earlier}",
        "sessions",
        f"log(volume of the session so far / its mean in the last {n_earlier} sessions by the "
        "same time since their first bar)",
        1,
        compute,
        n_sessions=n_earlier + 1,
    )


def _opening_range_position(minutes: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        is_opening = s.time_ns - s.sessions.opening_time() < minutes * _MINUTE_NS
        # Beyond the opening the extremes stay as they are: nothing later enters.
        high = s.sessions.so_far(np.where(is_opening, s.high, -np.inf), np.maximum.accumulate)
        low = s.sessions.so_far(np.where(is_opening, s.low, np.inf), np.minimum.accumulate)
        position = ratio(s.close - low, high - low)
        return _where_begun(s, np.where(is_opening, np.nan, position))

    return Feature(
        f"opening_range_position_{minutes}",
        "sessions",
        f"(c − low) / (high − low) of the bars that begin in the session's first {minutes} "
        "minutes; missing in these",
        1,
        compute,
        n_sessions=1,
    )


def _previous_return(s: BarSeries) -> FloatArray:
    return log_ratio(s.sessions.last(s.close, 1), s.sessions.first(s.open, 1))


def _previous_range(s: BarSeries) -> FloatArray:
    high = s.sessions.so_far(s.high, np.maximum.accumulate)
    low = s.sessions.so_far(s.low, np.minimum.accumulate)
    return log_ratio(s.sessions.last(high, 1), s.sessions.last(low, 1))


def _where_begun(s: BarSeries, values: FloatArray) -> FloatArray:
    return np.where(s.sessions.number >= 1, values, np.nan)


def _feature(
    name: str, formula: str, compute: Callable[[BarSeries], FloatArray], n_sessions: int
) -> Feature:
    return Feature(name, "sessions", formula, 1, compute, n_sessions=n_sessions)


SESSION_FEATURES: tuple[Feature, ...] = (
    _feature("session_hours", "hours since the session's first bar", _hours, 1),
    _feature("session_bars", "bars since the session's first bar", _bars_since_open, 1),
    _feature(
        "session_position",
        "time since the session's first bar / time from the first to the last bar of the session "
        "before",
        _position,
        2,
    ),
    _feature("session_return", "log(c / the session's first open)", _session_return, 1),
    _feature(
        "overnight_gap", "log(the session's first open / the close before it)", _overnight_gap, 1
    ),
    _feature(
        "session_high_distance",
        "log(c / highest h of the session so far)",
        lambda s: log_ratio(s.close, _high_so_far(s)),
        1,
    ),
    _feature(
        "session_low_distance",
        "log(c / lowest l of the session so far)",
        lambda s: log_ratio(s.close, _low_so_far(s)),
        1,
    ),
    _feature(
        "session_range_position",
        "(c − low) / (high − low) of the session so far, in [0, 1]",
        _range_position,
        1,
    ),
    _feature(
        "session_vwap_distance",
        "log(c / (sum(p·v) / sum(v))) of the session so far, p = (h + l + c) / 3",
        _vwap_distance,
        1,
    ),
    _volume_relative(5),
    _opening_range_position(30),
    _feature(
        "previous_session_return",
        "log(last c / first o) of the session before",
        _previous_return,
        2,
    ),
    _feature(
        "previous_session_range", "log(max h / min l) of the session before", _previous_range, 2
    ),
)
