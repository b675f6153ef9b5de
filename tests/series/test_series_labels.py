"""Targets of a series: by hand, and from later rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.errors import ConfigError
from ray_pipeline.intervals import Interval
from ray_pipeline.series import (
    ValueSeries,
    compute_series_targets,
    default_series_targets,
    find_series_label,
    foretold,
    lasting,
    levels,
    order_lasts,
    series_target_task,
)
from series.series_samples import DAY, HOUR, MONTH, intermittent, steady

KINDS = ("fwd_value", "fwd_mean", "fwd_sum", "fwd_change", "y_will_rise")


def _labels(series: ValueSeries, name: str, interval: Interval = DAY) -> list[float]:
    return compute_series_targets(series, [name], interval)[:, 0].tolist()


def test_labels_by_hand():
    """The formulas, on numbers small enough to check by eye."""
    series = steady(np.array([1.0, 3.0, -2.0, 0.0, 8.0]))
    nan = np.nan
    by_hand = {
        "fwd_value_2d": [-2, 0, 8, nan, nan],
        "fwd_mean_2d": [0.5, -1, 4, nan, nan],
        "fwd_sum_2d": [1, -2, 8, nan, nan],
        "fwd_change_2d": [nan, -3, 3.5, nan, nan],
        "y_will_rise_2d": [nan, 0, 1, nan, nan],
        "fwd_mean_1d": [3, -2, 0, 8, nan],
    }
    for name, expected in by_hand.items():
        assert np.array_equal(_labels(series, name), expected, equal_nan=True), name


@pytest.mark.parametrize("interval", [HOUR, DAY, MONTH], ids=str)
def test_a_label_reads_the_rows_of_its_horizon_alone(interval):
    """What comes after the horizon, or long before the row, changes no label."""
    horizon = {HOUR: "6h", DAY: "6d", MONTH: "6mo"}[interval]
    targets = [f"{kind}_{horizon}" for kind in KINDS]
    series = intermittent(400, interval)
    whole = compute_series_targets(series, targets, interval)
    changed = series.value.copy()
    changed[:140] = 1e5
    changed[210:] = -1e5
    again = compute_series_targets(ValueSeries(series.time_ns, changed), targets, interval)
    assert np.array_equal(again[146:203], whole[146:203], equal_nan=True)
    assert not np.array_equal(again[203:], whole[203:], equal_nan=True)
    ahead = [target for target in targets if "change" not in target and "rise" not in target]
    columns = [targets.index(name) for name in ahead]
    assert np.array_equal(again[140:203, columns], whole[140:203, columns], equal_nan=True)


def test_a_mean_needs_three_quarters_of_its_values_and_a_sum_all():
    """A missing value costs the sum, and the mean only where more than a quarter is missing."""
    value = np.arange(12, dtype=np.float64)
    value[[3, 8, 9]] = np.nan
    series = steady(value)
    mean, total = _labels(series, "fwd_mean_4d"), _labels(series, "fwd_sum_4d")
    assert mean[0] == (1 + 2 + 4) / 3
    assert np.isnan(total[0])
    assert np.isnan(mean[6])
    assert total[3] == 4 + 5 + 6 + 7


def test_a_horizon_that_ends_at_no_row_has_no_label():
    """Of days and months the very row has to be there, as for bars."""
    whole = steady(np.arange(20, dtype=np.float64))
    kept = np.arange(20) != 9
    series = ValueSeries(whole.time_ns[kept], whole.value[kept])
    found = dict(zip(series.value, _labels(series, "fwd_value_7d"), strict=True))
    assert np.isnan(found[2.0])
    assert found[3.0] == 10.0


def test_defaults_follow_the_interval():
    """They are labels, and their horizons are whole bars."""
    for interval in (HOUR, DAY, Interval(7 * 86_400), MONTH, Interval(3, "mo"), Interval(12, "mo")):
        for days_per_year in (252, 365):
            names = default_series_targets(interval, days_per_year)
            assert compute_series_targets(steady(np.zeros(99), interval), names, interval).size
    assert default_series_targets(DAY, 252)[0] == "fwd_mean_5d"
    assert default_series_targets(DAY, 365)[0] == "fwd_mean_7d"


def test_other_names_are_refused():
    """The message lists what a series gives."""
    assert find_series_label("fwd_mean_7d_2") is None
    assert series_target_task("y_will_rise_12b") == "binary"
    with pytest.raises(ConfigError, match=r"fwd_change_\{h\}"):
        series_target_task("fwd_ret_5d")


def _best_line(series: ValueSeries, name: str, n_rows: int) -> float:
    """Return the correlation of a label with the best line in value and trailing mean."""
    labels = compute_series_targets(series, [name], DAY)[:, 0]
    sums = np.convolve(series.value, np.ones(n_rows), "valid")
    before = np.concatenate([np.full(n_rows - 1, np.nan), sums])
    both = ~np.isnan(labels) & ~np.isnan(before)
    known = np.column_stack([before, series.value, np.ones(len(labels))])[both]
    fitted = known @ np.linalg.lstsq(known, labels[both], rcond=None)[0]
    return float(np.corrcoef(labels[both], fitted)[0, 1])


@pytest.mark.parametrize("memory", [0.0, 0.9, 1.0])
def test_what_a_series_foretells_by_itself(memory):
    """Of noise and of a walk the change is foretold, of lasting levels the mean: as measured."""
    rng = np.random.default_rng(5)
    value = np.zeros(8_000)
    for t, shock in enumerate(rng.standard_normal(8_000)):
        value[t] = memory * value[t - 1] + shock
    series = steady(value)
    lasts = [{span: (mean, change) for span, mean, change in lasting(value)}]
    for name in ("fwd_mean_7d", "fwd_change_7d", "y_will_rise_7d"):
        told = foretold(name, 7, lasts)
        assert told is not None
        assert told == pytest.approx(_best_line(series, name, 7), abs=0.05)
    assert (foretold("fwd_mean_7d", 7, lasts) < 0.1) == (memory == 0.0)
    assert foretold("fwd_change_7d", 7, lasts) > 0.3
    # The next value of a walk is as likely above the last one as below it.
    assert (foretold("fwd_change_1d", 1, lasts) < 0.1) == (memory == 1.0)


def test_short_noise_foretells_nothing():
    """Overlapping rows and two regressors do not make a correlation: medians stay near zero."""
    rng = np.random.default_rng(9)
    found = [{s: m for s, m, _ in lasting(rng.standard_normal(400))} for _ in range(60)]
    for span in (1, 3, 7):
        assert np.median([each[span] for each in found]) < 0.1
    assert all(90 not in each for each in found)


def test_a_series_without_spread_lasts_in_no_way():
    """Constants and short series say nothing."""
    assert lasting(np.full(500, 0.1)) == ()
    assert lasting(np.random.default_rng(0).standard_normal(15)) == ()
    assert foretold("fwd_mean_7d", 7, []) is None
    assert foretold("fwd_ret_7d", 7, [{7: (0.5, 0.5)}]) is None


def test_the_order_of_levels_is_told_and_noise_has_none() -> None:
    """Of symbols at levels of their own; of noise of one level there is no order to last."""
    rng = np.random.default_rng(0)
    at_levels = [levels(rng.poisson(rate, 400).astype(float)) for rate in range(1, 31)]
    alike = [levels(rng.normal(0.0, 1.0, 400)) for _ in range(300)]
    order = order_lasts([each for each in at_levels if each is not None])
    assert order is not None
    assert order > 0.95
    noise = order_lasts([each for each in alike if each is not None])
    assert noise is not None
    assert abs(noise) < 0.2
    assert order_lasts([(1.0, 1.0)] * 10) is None
    assert order_lasts([(1.0, 2.0), (2.0, 1.0)]) is None
    assert levels(np.array([np.nan, 1.0])) is None
