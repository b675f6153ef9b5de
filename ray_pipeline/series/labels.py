"""Targets computed from a series; a target's name is its specification.

H is the horizon h in bars and T the row of the last one within it, by the market's clock or in
rows (``12b``), as for labels of bars: see `ray_pipeline.bars.clock`. x is the value.

``fwd_value_{h}``
    ``x[T]``: the value at the end of the horizon.
``fwd_mean_{h}``
    Mean of the values of rows t+1 … T that are there, which are at least three quarters of H.
``fwd_sum_{h}``
    Their sum; every one of the H values has to be there.
``fwd_change_{h}``
    ``fwd_mean`` less the mean of the last H rows up to t, of which as many values have to be
    there: what one misses who expects the level of before.
``y_will_rise_{h}``
    1 where ``fwd_change`` is above 0, else 0.

No target is news by itself, and a forecast has to be held against the naive one (Hyndman &
Koehler 2006, International Journal of Forecasting 22). Where levels last, that is the level of
before, which tells ``fwd_value`` and ``fwd_mean``. ``fwd_change`` takes it away; but where values
are noise that level is noise too, and where they walk it lags behind the last value, so that either
tells the change. `ray_pipeline.series.lasting` measures how much. Returns do not last: their mean
is news.

A label is NaN where its interval reaches past the data, and where the row that the clock asks for
is not there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ray_pipeline.bars.clock import MarketClock, find_clock, reach_of_labels
from ray_pipeline.bars.horizons import resolve_horizon
from ray_pipeline.bars.rolling import Rolling
from ray_pipeline.errors import ConfigError
from ray_pipeline.intervals import Interval, read_duration
from ray_pipeline.records import Task
from ray_pipeline.series.values import FloatArray, IntArray, ValueSeries

__all__ = [
    "SERIES_LABEL_KINDS",
    "compute_series_targets",
    "default_series_targets",
    "find_series_label",
    "series_target_task",
]

SERIES_LABEL_KINDS: dict[str, Task] = {
    "fwd_value": "regression",
    "fwd_mean": "regression",
    "fwd_sum": "regression",
    "fwd_change": "regression",
    "y_will_rise": "binary",
}

_NAME = re.compile(rf"({'|'.join(SERIES_LABEL_KINDS)})_([0-9]+[A-Za-z]*)")

_LEAST_SHARE = 0.75
"""Of a horizon's values that a mean needs: a label of bars looks as near to its horizon's end."""

_DAY_S = 86_400
_ALL_WEEK = 360  # days of a year from which on a series runs on weekends too


def find_series_label(name: str) -> str | None:
    """Return the kind of a series' label by its name; None where it is not the name of a label.

    Examples
    --------
    >>> find_series_label("fwd_mean_7d"), find_series_label("fwd_ret_7d")
    ('fwd_mean', None)
    """
    match = _NAME.fullmatch(name)
    return match[1] if match and read_duration(match[2]) is not None else None


def series_target_task(name: str) -> Task:
    """Return the kind of a label's values.

    Raises
    ------
    ConfigError
        When the name is not the name of a label. The message lists the accepted forms.
    """
    kind = find_series_label(name)
    if kind is None:
        forms = [f"{known}_{{h}}" for known in SERIES_LABEL_KINDS]
        raise ConfigError(
            f"labeling.targets: {name!r} is not a target that a series gives. Accepted are "
            f"{', '.join(forms)} and excess_mean_{{h}}, where h is a horizon such as 60m, 7d, 3mo "
            "or 12b (rows): fwd_mean_7d, fwd_change_3mo."
        )
    return SERIES_LABEL_KINDS[kind]


def default_series_targets(interval: Interval, days_per_year: int) -> tuple[str, ...]:
    """Return the targets of a series for which the config names none.

    Parameters
    ----------
    interval
        Length of a bar.
    days_per_year
        Days of a year on which a daily series has rows.
    """
    if interval.unit == "mo":
        return ("fwd_mean_1mo", "fwd_mean_3mo") if interval.count == 1 else ("fwd_mean_1b",)
    if interval.is_intraday:
        return ("fwd_mean_1d", "fwd_change_1d")
    if interval.seconds > _DAY_S:
        return ("fwd_mean_1b", "fwd_mean_4b", "fwd_change_4b")
    week, month = ("7d", "28d") if days_per_year >= _ALL_WEEK else ("5d", "20d")
    return (f"fwd_mean_{week}", f"fwd_change_{week}", f"fwd_change_{month}")


def compute_series_targets(
    series: ValueSeries,
    targets: Sequence[str],
    interval: Interval,
    clock: MarketClock | None = None,
) -> FloatArray:
    """Compute targets of one symbol; the module's docstring defines each.

    The value at row t depends on rows t+1 … T, on the clock and, of ``fwd_change`` and
    ``y_will_rise``, on the last H rows up to t, to the last bit.

    Parameters
    ----------
    series
        Values of one symbol, (n_rows,).
    targets
        Names, such as ``fwd_mean_7d``.
    interval
        Length of a bar.
    clock
        Of the symbol's market; found from the series unless given.

    Returns
    -------
    float64 (n_rows, n_targets)
        In column-major order; NaN where there is no label, never infinite.

    Raises
    ------
    ConfigError
        When a name is not the name of a label, or its horizon is not a whole number of bars.
    """
    clock = clock or find_clock(series.time_ns, interval)
    windows = _Windows(series.value)
    labels = np.full((len(series), len(targets)), np.nan, order="F")
    with np.errstate(all="ignore"):
        for column, name in enumerate(targets):
            series_target_task(name)
            horizon = resolve_horizon(name, interval, {})
            rows = reach_of_labels(series.time_ns, horizon, clock).rows
            own = np.flatnonzero(rows >= 0)
            n_bars = horizon.in_bars(clock.session_bars)
            labels[own, column] = _label(windows, name, own, rows[own], n_bars)
    labels[~np.isfinite(labels)] = np.nan
    return labels


class _Windows:
    """Sums of the values of any stretch of rows, and how many values there are in it."""

    def __init__(self, value: FloatArray) -> None:
        is_there = np.isfinite(value)
        self.value = np.where(is_there, value, np.nan)
        self._sums = Rolling(np.where(is_there, value, 0.0))
        self._counts = Rolling(is_there.astype(np.float64))

    def totals(self, last: IntArray, lengths: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return sum and number of the values of so many rows up to each of `last`.

        Stretches are nearly all of one length: each length is one pass.
        """
        sums, counts = np.full(len(last), np.nan), np.zeros(len(last))
        for length in np.unique(lengths).tolist():
            of_length = lengths == length
            sums[of_length] = self._sums.sum(length)[last[of_length]]
            counts[of_length] = np.nan_to_num(self._counts.sum(length)[last[of_length]])
        return sums, counts

    def means(self, last: IntArray, lengths: IntArray, n_bars: int) -> FloatArray:
        """Return the mean of the values of each stretch, NaN where too few are there."""
        sums, counts = self.totals(last, lengths)
        enough = np.maximum(_LEAST_SHARE * n_bars, 1.0)
        return np.where(counts >= enough, sums / counts, np.nan)


def _label(windows: _Windows, name: str, own: IntArray, last: IntArray, n_bars: int) -> FloatArray:
    match find_series_label(name):
        case "fwd_value":
            return windows.value[last]
        case "fwd_sum":
            sums, counts = windows.totals(last, last - own)
            return np.where((counts == n_bars) & (last - own == n_bars), sums, np.nan)
        case "fwd_mean":
            return windows.means(last, last - own, n_bars)
    before = windows.means(own, np.full(len(own), n_bars), n_bars)
    change = windows.means(last, last - own, n_bars) - before
    if find_series_label(name) == "fwd_change":
        return change
    return np.where(np.isnan(change), np.nan, change > 0.0)
