"""Series with zeros, holes and missing values, and the calendar of months."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.intervals import Interval
from ray_pipeline.series import ValueSeries

DAY = Interval(86_400)
HOUR = Interval(3_600)
MONTH = Interval(1, "mo")

_START_NS = 1_577_836_800 * 10**9  # 2020-01-01, a Wednesday


def steady(value: NDArray[np.float64], interval: Interval = DAY) -> ValueSeries:
    """Return a series with a row at every bar."""
    if interval.unit == "mo":
        months = np.datetime64("1990-01", "M") + interval.count * np.arange(len(value))
        time_ns = (months + 1).astype("M8[D]").astype("M8[ns]").astype(np.int64) - 86_400 * 10**9
    else:
        time_ns = _START_NS + np.arange(len(value)) * interval.seconds * 10**9
    return ValueSeries(time_ns, np.asarray(value, dtype=np.float64))


def intermittent(n_rows: int, interval: Interval, seed: int = 0) -> ValueSeries:
    """Return whole numbers, half of them 0, of which some rows and some values are missing."""
    rng = np.random.default_rng(seed)
    value = rng.poisson(3.0, n_rows) * (rng.random(n_rows) < 0.5) - 1.0 * (rng.random(n_rows) < 0.1)
    value[rng.random(n_rows) < 0.01] = np.nan
    whole = steady(value, interval)
    kept = rng.random(n_rows) > 0.02
    return ValueSeries(whole.time_ns[kept], whole.value[kept])
