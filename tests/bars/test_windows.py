from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ray_pipeline.bars import windows
from ray_pipeline.bars.rolling import Rolling

from .samples import bits

Statistic = Callable[[np.ndarray, int], np.ndarray]


def ema_of_window(window: np.ndarray) -> float:
    span = len(window) // windows.EMA_LENGTH_IN_SPANS
    weights = (1 - 2 / (span + 1)) ** np.arange(len(window))[::-1]
    return float(weights @ window / weights.sum())


def with_ema_length(values: np.ndarray, window: int) -> np.ndarray:
    return windows.rolling_ema(values, window // windows.EMA_LENGTH_IN_SPANS)


def correlation_with_square(values: np.ndarray, window: int) -> np.ndarray:
    return Rolling(values).correlation(Rolling(values * values), window)


def mean_absolute_deviation(values: np.ndarray, window: int) -> np.ndarray:
    return Rolling(values).mean_absolute_deviation(window)


def trend(values: np.ndarray, window: int) -> np.ndarray:
    return Rolling(values).trend(window)


def low_quantile(values: np.ndarray, window: int) -> np.ndarray:
    return Rolling(values).quantiles((window,), (0.2,))[0][0]


def high_quantile(values: np.ndarray, window: int) -> np.ndarray:
    return Rolling(values).quantiles((2, window), (0.2, 0.8))[1][1]


def rank_share(values: np.ndarray, window: int) -> np.ndarray:
    return Rolling(values).rank_shares((2, window))[1]


def line_end(values: np.ndarray, window: int) -> np.ndarray:
    return Rolling(values).line_end(window)


def line_end_of_window(window: np.ndarray) -> float:
    return float(np.polyval(np.polyfit(np.arange(len(window)), window, 1), len(window) - 1))


STATISTICS: list[tuple[Statistic, Callable[[np.ndarray], float]]] = [
    (lambda x, window: Rolling(x).sum(window), np.sum),
    (windows.rolling_mean, np.mean),
    (windows.rolling_max, np.max),
    (windows.rolling_min, np.min),
    (windows.rolling_std, lambda x: np.std(x, ddof=1)),
    (lambda x, window: Rolling(x).skewness(window), stats.skew),
    (lambda x, window: Rolling(x).kurtosis(window), stats.kurtosis),
    (mean_absolute_deviation, lambda x: np.mean(np.abs(x - x.mean()))),
    (trend, lambda x: stats.pearsonr(np.arange(len(x)), x)[0]),
    (correlation_with_square, lambda x: stats.pearsonr(x, x * x)[0]),
    (with_ema_length, ema_of_window),
    (low_quantile, lambda x: np.quantile(x, 0.2)),
    (high_quantile, lambda x: np.quantile(x, 0.8)),
    (rank_share, lambda x: stats.percentileofscore(x, x[-1], "rank") / 100),
    (lambda x, window: Rolling(x).max_place(window), np.argmax),
    (lambda x, window: Rolling(x).min_place(window), np.argmin),
    (lambda x, window: Rolling(x).slope(window), lambda x: np.polyfit(range(len(x)), x, 1)[0]),
    (line_end, line_end_of_window),
]
ROLLING = [rolling for rolling, _ in STATISTICS]


@pytest.mark.parametrize(
    ("rolling", "of_window", "window"),
    [
        (rolling, of_window, window)
        for rolling, of_window in STATISTICS
        for window in (3, 4, 6, 7, 9, 10, 21, 30)
        if rolling is not with_ema_length or window % windows.EMA_LENGTH_IN_SPANS == 0
    ],
)
def test_rolling_statistic_is_that_of_each_window(
    rolling: Statistic, of_window: Callable[[np.ndarray], float], window: int
) -> None:
    """Row t holds the statistic of the last ``window`` rows, the first rows are NaN."""
    values = np.random.default_rng(1).normal(2.0, 1.0, 50)
    got = rolling(values, window)
    assert np.isnan(got[: window - 1]).all()
    expected = [of_window(values[end - window : end]) for end in range(window, 51)]
    np.testing.assert_allclose(got[window - 1 :], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rolling", ROLLING)
@given(
    seed=st.integers(0, 1000),
    start=st.integers(0, 40),
    stop=st.integers(41, 80),
    window=st.sampled_from([3, 6, 12, 21, 33]),
)
def test_value_depends_on_its_window_to_the_last_bit(
    rolling: Statistic, seed: int, start: int, stop: int, window: int
) -> None:
    """Cutting the series anywhere outside a window leaves every bit of its value."""
    rng = np.random.default_rng(seed)
    values = np.exp(rng.normal(0.0, 3.0, 80))
    values[rng.random(80) < 0.02] = np.nan
    whole, part = rolling(values, window), rolling(values[start:stop], window)
    full = slice(start + window - 1, stop)
    canonical = np.where(np.isnan(whole[full]), np.nan, whole[full])
    cut = part[window - 1 :]
    np.testing.assert_array_equal(bits(np.where(np.isnan(cut), np.nan, cut)), bits(canonical))


@pytest.mark.parametrize("rolling", ROLLING)
def test_missing_value_is_forgotten_when_it_leaves_the_window(rolling: Statistic) -> None:
    """Exactly the windows that hold the missing value are NaN."""
    values = np.random.default_rng(2).normal(size=60)
    values[30] = np.nan
    missing = np.flatnonzero(np.isnan(rolling(values, 9))[8:]) + 8
    np.testing.assert_array_equal(missing, np.arange(30, 39))


@pytest.mark.parametrize("rolling", ROLLING)
@pytest.mark.parametrize("n_rows", [0, 1, 8])
def test_series_shorter_than_the_window_is_all_missing(rolling: Statistic, n_rows: int) -> None:
    """A window that never fills gives no value, and no error."""
    got = rolling(np.ones(n_rows), 9)
    assert got.shape == (n_rows,)
    assert np.isnan(got).all()


@pytest.mark.parametrize("window", [5, 14, 20, 21, 55, 60])
def test_constant_has_no_spread_whatever_rounding_says(window: int) -> None:
    """The mean of a constant can be off by a rounding error, which is not a deviation."""
    for price in np.random.default_rng(4).uniform(0.001, 60_000.0, 200):
        values = np.full(window, price)
        assert windows.rolling_std(values, window)[-1] == 0.0
        assert mean_absolute_deviation(values, window)[-1] == 0.0
        assert np.isnan(Rolling(values).skewness(window)).all()
        assert np.isnan(Rolling(values).kurtosis(window)).all()
        assert np.isnan(trend(values, window)).all()
        ramp = np.arange(float(window))
        assert np.isnan(Rolling(values).correlation(Rolling(ramp), window)).all()


def test_small_deviation_on_a_large_level_is_kept() -> None:
    """A spread of a billionth of the level is a spread: two passes keep its digits."""
    values = 1e6 + 1e-3 * np.tile([0.0, 1.0], 20)
    expected = np.std(values[-20:], ddof=1)
    np.testing.assert_allclose(windows.rolling_std(values, 20)[-1], expected, rtol=1e-6)


@pytest.mark.parametrize("window", [2, 5, 8, 13])
def test_equal_values_share_ranks_and_the_oldest_is_the_extreme(window: int) -> None:
    """Values of which many are equal are ranked and placed as pandas and NumPy do it."""
    values = np.random.default_rng(5).integers(0, 3, 60).astype(np.float64)
    rows = [values[end - window : end] for end in range(window, 61)]
    rolling = Rolling(values)
    for got, of_window in (
        (rolling.rank_shares((window,))[0], lambda x: stats.rankdata(x)[-1] / window),
        (rolling.max_place(window), np.argmax),
        (rolling.min_place(window), np.argmin),
    ):
        np.testing.assert_array_equal(got[window - 1 :], [of_window(row) for row in rows])


@pytest.mark.parametrize("n_different", [2, 5, 10**6])
def test_every_place_of_every_window_is_that_of_the_sorted_window(n_different: int) -> None:
    """However a window is merged of its parts, with equal values or without, it is in order."""
    values = np.random.default_rng(8).integers(0, n_different, 130).astype(np.float64)
    for window in (2, 3, 5, 7, 10, 15, 20, 30, 37, 60):
        shares = np.arange(window) / (window - 1)
        rows = np.lib.stride_tricks.sliding_window_view(values, window)
        expected = np.sort(rows, axis=1).T
        for windows_at_once in ((window,), (4, window, 64)):
            got = Rolling(values).quantiles(windows_at_once, tuple(shares))
            found = [each[window - 1 :] for each in got[windows_at_once.index(window)]]
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_rank_of_a_long_window_does_not_overflow() -> None:
    """Counts of more than a byte are kept whole."""
    got = Rolling(np.arange(700.0)).rank_shares((10, 150, 600))
    for window, shares in zip((10, 150, 600), got, strict=True):
        assert (shares[window - 1 :] == 1.0).all()
    falling = Rolling(-np.arange(700.0)).rank_shares((600,))[0]
    np.testing.assert_allclose(falling[599:], 1 / 600)


def test_shift_takes_earlier_rows() -> None:
    """The first rows have none."""
    np.testing.assert_array_equal(windows.shift(np.arange(4.0), 2), [np.nan, np.nan, 0.0, 1.0])
    assert np.isnan(windows.shift(np.arange(4.0), 9)).all()


def test_ratio_to_zero_is_missing() -> None:
    """Neither an infinity nor a warning comes from a division by zero."""
    got = windows.ratio(np.array([1.0, 0.0, 3.0]), np.array([0.0, 0.0, 2.0]))
    np.testing.assert_array_equal(got, [np.nan, np.nan, 1.5])
