"""Statistics of series are shared by those that ask for them in turn, and then dropped."""

import numpy as np

from ray_pipeline.bars import series as bar_series
from ray_pipeline.bars import windows
from ray_pipeline.bars.rolling import Rolling
from ray_pipeline.bars.series import BarSeries

from .samples import random_bars

MANY = 10 * bar_series._N_ROLLING


def test_statistics_of_many_series_are_those_of_each() -> None:
    """What was dropped to keep few is computed again, and is the same."""
    series, rng = BarSeries(random_bars(30)), np.random.default_rng(6)
    many = [rng.normal(size=30) for _ in range(MANY)]
    for index in [*range(MANY), *range(MANY)]:
        values = many[index].copy()  # dropped with its statistics; the next may lie at its place
        np.testing.assert_array_equal(series.mean(values, 5), windows.rolling_mean(values, 5))
        np.testing.assert_array_equal(series.highest(values, 7), windows.rolling_max(values, 7))


def test_statistics_are_computed_once_while_they_are_asked_for() -> None:
    """Features of few series share what they have in common."""
    series = BarSeries(random_bars(30))
    few = [series.close, series.high, series.low, series.volume][: bar_series._N_ROLLING]
    first = [series.mean(values, 5) for values in few]
    for _ in range(3):
        for values, mean in zip(few, first, strict=True):
            assert series.mean(values, 5) is mean


def test_correlations_with_many_series_are_those_of_each() -> None:
    """A series is not taken for a dropped one that lay at the same place in memory."""
    series, rng = BarSeries(random_bars(30)), np.random.default_rng(7)
    for _ in range(MANY):
        for _ in range(2):
            series.mean(rng.normal(size=30), 5)  # leaves room for the next one
        values = rng.normal(size=30)
        got = series.rolling(series.close).correlation(series.rolling(values), 8)
        np.testing.assert_array_equal(got, Rolling(series.close).correlation(Rolling(values), 8))
