"""Features of one series, computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ray_pipeline.bars.rolling import Rolling, ratio, with_nan
from ray_pipeline.bars.windows import shift
from ray_pipeline.errors import ConfigError
from ray_pipeline.intervals import Interval
from ray_pipeline.series.catalogue import SeriesFeature, find_feature
from ray_pipeline.series.seasons import ago, season_seconds
from ray_pipeline.series.values import FloatArray, IntArray, ValueSeries

__all__ = ["compute_series_features", "series_lookback"]

_DAY_NS = 86_400 * 10**9
_WEEK_NS = 7 * _DAY_NS
_THURSDAY = 3  # what 1970 began with, counted from Monday


def series_lookback(name: str, interval: Interval) -> int | None:
    """Return how many rows a feature reads, its own included; None where it is none of a series."""
    feature = find_feature(name)
    return None if feature is None else feature.lookback(interval)


def compute_series_features(
    series: ValueSeries, names: Sequence[str], interval: Interval
) -> FloatArray:
    """Compute features of one symbol.

    The value at row t depends on the last ``lookback`` rows up to t alone, to the last bit:
    neither the rows after t nor the ones before change it.

    Parameters
    ----------
    series
        Values of one symbol, (n_rows,). An infinite one is missing.
    names
        Names such as ``lag_1`` and ``season_mean_7d_4``.
    interval
        Length of a bar.

    Returns
    -------
    float64 (n_rows, n_names)
        In column-major order; NaN where undefined (too few rows, a missing value in the window,
        a division by zero, no row a season ago), never infinite.

    Raises
    ------
    ConfigError
        When a name is not a feature of a series.
    """
    values = np.empty((len(series), len(names)), order="F")
    if not len(series):
        return values
    own = _Own(series, interval)
    with np.errstate(all="ignore"):
        for column, name in enumerate(names):
            feature = find_feature(name)
            if feature is None:
                raise ConfigError(f"labeling.features: {name!r} is not a feature of a series.")
            computed = _FUNCTIONS[feature.kind](own, feature)
            values[:, column] = np.where(np.isfinite(computed), computed, np.nan)
    return values


class _Own:
    """A symbol's values, and what several features are made of."""

    def __init__(self, series: ValueSeries, interval: Interval) -> None:
        self.time_ns: IntArray = series.time_ns
        self.interval = interval
        self.value: FloatArray = np.where(np.isfinite(series.value), series.value, np.nan)
        self.rolling = Rolling(self.value)
        missing = np.isnan(self.value)
        self.is_zero: FloatArray = np.where(missing, np.nan, self.value == 0.0)
        self.zeros = Rolling(self.is_zero)

    def ago(self, seconds: int, values: FloatArray | None = None) -> FloatArray:
        """Return the value, or another series, of so long ago."""
        return ago(self.time_ns, self.value if values is None else values, seconds, self.interval)

    def around(self, circle_ns: int, offset_ns: int = 0) -> FloatArray:
        """Return where in a circle of time each row stands, as an angle."""
        return 2.0 * np.pi * ((self.time_ns + offset_ns) % circle_ns / circle_ns)

    @property
    def months(self) -> FloatArray:
        """Return where in the year the month of each row stands, as an angle."""
        numbers = self.time_ns.astype("M8[ns]").astype("M8[M]").astype(np.int64)
        return np.asarray(2.0 * np.pi * (numbers % 12) / 12.0, dtype=np.float64)


def _change(own: _Own, feature: SeriesFeature) -> FloatArray:
    return own.value - shift(own.value, feature.n)


def _mean_change(own: _Own, feature: SeriesFeature) -> FloatArray:
    mean = own.rolling.mean(feature.n)
    return mean - shift(mean, feature.n)


def _zscore(own: _Own, feature: SeriesFeature) -> FloatArray:
    return ratio(own.value - own.rolling.mean(feature.n), own.rolling.std(feature.n))


def _position(own: _Own, feature: SeriesFeature) -> FloatArray:
    lowest, highest = own.rolling.min(feature.n), own.rolling.max(feature.n)
    return ratio(own.value - lowest, highest - lowest)


def _since_nonzero(own: _Own, feature: SeriesFeature) -> FloatArray:
    rows = np.arange(len(own.value))
    last = np.maximum.accumulate(np.where(own.is_zero == 0.0, rows, -1))
    since = np.minimum(rows - last, feature.n).astype(np.float64)
    # Before the first one nobody knows, until there are as many rows as are looked at.
    unknown = np.isnan(own.value) | ((last < 0) & (rows < feature.n - 1))
    return with_nan(since, unknown)


def _nonzero_mean(own: _Own, feature: SeriesFeature) -> FloatArray:
    n_nonzero = feature.n - own.zeros.sum(feature.n)
    return ratio(own.rolling.sum(feature.n), n_nonzero)


def _seconds(feature: SeriesFeature) -> int:
    return season_seconds(feature.season) or 0


def _season_lag(own: _Own, feature: SeriesFeature) -> FloatArray:
    return own.ago(_seconds(feature))


def _season_next(own: _Own, feature: SeriesFeature) -> FloatArray:
    return own.ago(_seconds(feature) - own.interval.seconds)


def _season_change(own: _Own, feature: SeriesFeature) -> FloatArray:
    return own.value - own.ago(_seconds(feature))


def _season_mean(own: _Own, feature: SeriesFeature) -> FloatArray:
    total, n_there = np.zeros(len(own.value)), np.zeros(len(own.value))
    for k in range(1, feature.n + 1):
        found = own.ago(k * _seconds(feature) - own.interval.seconds)
        is_there = ~np.isnan(found)
        total += np.where(is_there, found, 0.0)
        n_there += is_there
    mean: FloatArray = np.where(2 * n_there >= feature.n, total / n_there, np.nan)
    return mean


def _season_ahead(own: _Own, feature: SeriesFeature) -> FloatArray:
    mean, seconds = own.rolling.mean(feature.n), _seconds(feature)
    after = own.ago(seconds - feature.n * own.interval.seconds, mean)
    return after - own.ago(seconds, mean)


_FUNCTIONS: Mapping[str, Callable[[_Own, SeriesFeature], FloatArray]] = {
    "lag": lambda own, each: shift(own.value, each.n),
    "mean": lambda own, each: own.rolling.mean(each.n),
    "std": lambda own, each: own.rolling.std(each.n),
    "change": _change,
    "mean_change": _mean_change,
    "zscore": _zscore,
    "position": _position,
    "trend": lambda own, each: own.rolling.trend(each.n),
    "zero_share": lambda own, each: own.zeros.mean(each.n),
    "since_nonzero": _since_nonzero,
    "nonzero_mean": _nonzero_mean,
    "season_lag": _season_lag,
    "season_next": _season_next,
    "season_change": _season_change,
    "season_mean": _season_mean,
    "season_ahead": _season_ahead,
    "hour_sin": lambda own, _: np.sin(own.around(_DAY_NS)),
    "hour_cos": lambda own, _: np.cos(own.around(_DAY_NS)),
    "weekday_sin": lambda own, _: np.sin(own.around(_WEEK_NS, _THURSDAY * _DAY_NS)),
    "weekday_cos": lambda own, _: np.cos(own.around(_WEEK_NS, _THURSDAY * _DAY_NS)),
    "month_sin": lambda own, _: np.sin(own.months),
    "month_cos": lambda own, _: np.cos(own.months),
}
