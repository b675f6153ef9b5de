"""Features of a series: their formulas by hand, and that none looks ahead or further back."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.intervals import Interval
from ray_pipeline.series import (
    ValueSeries,
    compute_series_features,
    described_series_features,
    find_feature,
    series_feature_names,
    series_lookback,
    series_set,
)
from series.series_samples import DAY, HOUR, MONTH, intermittent, steady

INTERVALS = [HOUR, DAY, Interval(7 * 86_400), MONTH, Interval(3, "mo"), Interval(12, "mo")]


def _n_rows(interval: Interval) -> int:
    return 240 if interval == Interval(12, "mo") else 900  # years have to fit into 64 bits


def _feature(series: ValueSeries, name: str, interval: Interval = DAY) -> list[float]:
    return compute_series_features(series, [name], interval)[:, 0].tolist()


@pytest.mark.parametrize("interval", INTERVALS, ids=str)
def test_the_future_changes_no_feature(interval):
    """Whatever is cut off or altered after a row, the row's features stay the same bits."""
    series, names = intermittent(_n_rows(interval), interval), series_set(interval)
    whole = compute_series_features(series, names, interval)
    for n_rows in (1, 2, 50, 137, 437, 800):
        part = compute_series_features(series.rows(0, n_rows), names, interval)
        assert np.array_equal(part, whole[:n_rows], equal_nan=True)
    other = np.where(np.arange(len(series)) < 137, series.value, 1e6)
    altered = compute_series_features(ValueSeries(series.time_ns, other), names, interval)
    assert np.array_equal(altered[:137], whole[:137], equal_nan=True)
    assert not np.array_equal(altered[137:], whole[137:], equal_nan=True)


@pytest.mark.parametrize("interval", INTERVALS, ids=str)
def test_a_feature_reads_no_more_rows_than_its_lookback(interval):
    """A row with just the stated lookback has the bits of one with all of the history."""
    series = intermittent(_n_rows(interval), interval)
    for name in series_set(interval):
        lookback = series_lookback(name, interval)
        assert lookback is not None
        whole = compute_series_features(series, [name], interval)[:, 0]
        for row in range(lookback - 1, len(series), 97):
            part = series.rows(row - lookback + 1, row + 1)
            again = compute_series_features(part, [name], interval)[-1, 0]
            assert np.array_equal(again, whole[row], equal_nan=True), (name, row)


@pytest.mark.parametrize("interval", INTERVALS, ids=str)
def test_every_feature_of_a_set_has_values(interval):
    """No feature of a set is missing throughout, and none is infinite."""
    rng = np.random.default_rng(3)
    value = rng.poisson(1.0, _n_rows(interval)).astype(np.float64)
    values = compute_series_features(steady(value, interval), series_set(interval), interval)
    assert np.isfinite(values[-60:]).any(axis=0).all()
    assert not np.isinf(values).any()


def test_features_by_hand():
    """The formulas, on numbers small enough to check by eye."""
    series = steady(np.array([0.0, 4.0, 0.0, 0.0, 2.0, 6.0]))
    nan = np.nan
    by_hand = {
        "lag_0": [0, 4, 0, 0, 2, 6],
        "lag_2": [nan, nan, 0, 4, 0, 0],
        "change_1": [nan, 4, -4, 0, 2, 4],
        "mean_2": [nan, 2, 2, 0, 1, 4],
        "mean_change_2": [nan, nan, nan, -2, -1, 4],
        "position_3": [nan, nan, 0, 0, 1, 1],
        "zero_share_2": [nan, 0.5, 0.5, 1, 0.5, 0],
        "since_nonzero_3": [nan, 0, 1, 2, 0, 0],
        "nonzero_mean_3": [nan, nan, 4, 4, 2, 4],
    }
    for name, expected in by_hand.items():
        assert np.array_equal(_feature(series, name), expected, equal_nan=True), name


def test_a_constant_stretch_has_no_place_and_no_score():
    """Long stretches of zeros are normal, and divide nothing by nothing."""
    series = steady(np.zeros(40))
    for name in ("position_14", "zscore_14", "nonzero_mean_14"):
        assert np.isnan(_feature(series, name)).all()
    assert _feature(series, "since_nonzero_14")[-1] == 14


def test_a_missing_day_moves_no_weekday():
    """A season is found by time: rows that are missing shift nothing."""
    value = np.arange(28, dtype=np.float64)
    whole = steady(value)
    kept = np.arange(28) != 10
    series = ValueSeries(whole.time_ns[kept], value[kept])
    found = dict(zip(series.value, _feature(series, "season_lag_7d"), strict=True))
    assert found[16.0] == 9.0
    assert np.isnan(found[17.0])
    assert found[18.0] == 11.0
    ahead = dict(zip(series.value, _feature(series, "season_next_7d"), strict=True))
    assert ahead[18.0] == 12.0


def test_a_year_ago_in_months():
    """Twelve months lead to the same month, whatever the lengths of months are."""
    series = steady(np.arange(60, dtype=np.float64), MONTH)
    lag = _feature(series, "season_lag_12mo", MONTH)
    assert np.isnan(lag[:12]).all()
    assert lag[12:] == list(range(48))
    assert _feature(series, "season_next_12mo", MONTH)[12:] == list(range(1, 49))


def test_clocks_put_forward_do_not_hide_the_day_before():
    """Half a bar is allowed for."""
    hours = steady(np.arange(200, dtype=np.float64), HOUR)
    shifted = hours.time_ns - np.where(np.arange(200) > 100, 1_200 * 10**9, 0)
    series = ValueSeries(shifted, hours.value)
    lag = _feature(series, "season_lag_1d", HOUR)
    assert lag[110] == 86.0


def test_the_calendar_tells_weekday_and_month():
    """Sundays and Mondays are neighbours; so are December and January."""
    week = compute_series_features(steady(np.zeros(14)), ["weekday_sin", "weekday_cos"], DAY)
    assert np.allclose(week[:7], week[7:])
    assert len(np.unique(week[:7].round(9), axis=0)) == 7
    year = compute_series_features(steady(np.zeros(24), MONTH), ["month_sin", "month_cos"], MONTH)
    assert np.allclose(year[:12], year[12:])
    steps = np.linalg.norm(np.diff(year, axis=0), axis=1)
    assert np.allclose(steps, steps[0])


def test_names_are_read_and_others_refused():
    """Windows of any length are features; what is none gets a suggestion."""
    assert series_feature_names(["mean_30", "season_mean_14d_2"], None, DAY) == (
        "mean_30",
        "season_mean_14d_2",
    )
    assert series_feature_names("standard", None, DAY) == series_set(DAY)
    for name in ("mean_1", "mean", "lag", "lag_-1", "season_lag", "season_lag_7x", "mean_7_7"):
        assert find_feature(name) is None, name
    with pytest.raises(ConfigError, match="'mean_28'"):
        series_feature_names(["mean_2x8"], None, DAY)
    with pytest.raises(ConfigError, match="not a feature of a series"):
        series_feature_names(["KMID"], None, DAY)
    with pytest.raises(ConfigError, match="more than once"):
        series_feature_names(["series", "lag_1"], None, DAY)
    with pytest.raises(ConfigError, match="too short"):
        series_feature_names(["season_lag_7d"], None, MONTH)


def test_the_listing_has_every_feature_of_every_set():
    """`ray-pipeline features series` leaves none out."""
    listed = {feature.name for feature, _ in described_series_features()}
    assert listed == {name for interval in INTERVALS for name in series_set(interval)}


def test_a_series_that_is_none_is_refused():
    """Times that do not increase, and columns of other lengths."""
    times = np.array([1, 2, 2], dtype=np.int64)
    with pytest.raises(DataError, match="increase"):
        ValueSeries(times, np.zeros(3))
    with pytest.raises(DataError, match="'price'"):
        ValueSeries(times[:2], np.zeros(2), {"price": np.zeros(3)})
