from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.panel.trailing import find_lags, find_past_path

Floats = NDArray[np.float64]
N = 1_000


def returns(seed: int, n: int = N) -> Floats:
    return np.random.default_rng(seed).normal(0, 0.01, n)


def lagged(values: Floats, rows: int) -> Floats:
    """Return values of `rows` earlier; of later rows where it is negative."""
    if rows < 0:
        return np.r_[values[-rows:], np.full(-rows, np.nan)]
    return np.r_[np.full(rows, np.nan), values[: len(values) - rows]]


def rolled(values: Floats, rows: int, of: str) -> Floats:
    windows = np.lib.stride_tricks.sliding_window_view(values, rows)
    return np.r_[np.full(rows - 1, np.nan), getattr(windows, of)(axis=1)]


def labels_and_windows(seed: int) -> tuple[dict[str, Floats], dict[str, Floats], Floats]:
    """Return honest labels, trailing columns, and the features beside them."""
    r = returns(seed)
    price = np.exp(np.cumsum(r))
    r = np.r_[np.nan, price[1:] / price[:-1] - 1]
    deviation = rolled(r, 20, "std")

    def ahead(values: Floats, rows: int, of: str) -> Floats:
        return lagged(rolled(values, rows, of), -rows)

    labels = {
        "fwd_ret_1": lagged(r, -1),
        "fwd_ret_20": lagged(price, -20) / price - 1,
        "fwd_ret_60": lagged(price, -60) / price - 1,
        "delayed": lagged(r, -2),
        "mae_60": ahead(price, 60, "min") / price - 1,
        "mfe_20": ahead(price, 20, "max") / price - 1,
        "volatility_20": lagged(deviation, -20),
        "zscore_20": (lagged(price, -20) / price - 1) / deviation,
        "price": lagged(price, -1),
        "unrelated": lagged(returns(seed + 99), -1),
        "slow": rolled(returns(seed + 98), 50, "sum"),
    }
    windows = {
        "lag_1": lagged(r, 1),
        "mdd_60": price / rolled(price, 60, "max") - 1,
        "runup_40": price / rolled(price, 40, "min") - 1,
        "excess_20": price / lagged(price, 20) - 1.001,
        "deviation_60": rolled(r, 60, "std"),
    }
    features = np.column_stack([r, price / lagged(price, 10) - 1, deviation, returns(seed + 1)])
    # As of a table whose last rows were cut, so that labels have a value everywhere.
    stop = N - 61
    cut = [{name: each[:stop] for name, each in columns.items()} for columns in (labels, windows)]
    return cut[0], cut[1], features[:stop]


@pytest.mark.parametrize("seed", range(8))
def test_no_label_is_told_by_the_path_before_it(seed: int) -> None:
    """Returns, extremes, volatilities, levels: persistent as they are, and with rows cut off."""
    labels, _, features = labels_and_windows(seed)
    for name, label in labels.items():
        assert find_past_path(label, features) is None, name
        assert find_lags(label, features) == [], name


@pytest.mark.parametrize("seed", range(8))
def test_windows_over_the_past_are_found(seed: int) -> None:
    """The returns they are made of are named, not the features beside them."""
    _, windows, features = labels_and_windows(seed)
    for name, window in windows.items():
        assert find_past_path(window, features) == 0, name


@pytest.mark.parametrize("seed", range(4))
def test_a_feature_that_is_the_label_does_not_make_it_known(seed: int) -> None:
    """The leak is the feature: with honest returns beside it, and as the only return."""
    labels, _, features = labels_and_windows(seed)
    label = labels["fwd_ret_1"]
    noisy = label + 0.3 * returns(seed + 5)[: len(label)]
    for leak in (label, noisy):
        assert find_past_path(label, np.column_stack([features, leak])) is None
        assert find_past_path(label, leak[:, None]) is None


@pytest.mark.parametrize("rows", [1, 2, 7, 364])
def test_lags_are_found_to_the_row(rows: int) -> None:
    """Among other columns, stored more narrowly, with missing cells; of whole numbers too."""
    r = returns(3)
    others = np.column_stack([returns(4), r, returns(5)])
    assert find_lags(lagged(r, rows), others) == [(1, rows)]
    assert find_lags(lagged(r, rows).astype(np.float32).astype(np.float64), others) == [(1, rows)]
    if rows < 7:  # a row that is gone breaks as many lags
        holes = np.delete(np.column_stack([lagged(r, rows), r]), [300, 301, 640], axis=0)
        assert find_lags(holes[:, 0], holes[:, 1:]) == [(0, rows)]
    sales = np.random.default_rng(6).poisson(30, N).astype(np.float64)
    sales[::9] = np.nan
    assert find_lags(lagged(sales, rows), sales[:, None]) == [(0, rows)]


def test_what_is_no_lag() -> None:
    """A lead, the column itself, a lag with other cells now and then, and labels of few values."""
    r = returns(7)
    assert find_lags(lagged(r, -1), r[:, None]) == []
    assert find_lags(r, r[:, None]) == []
    other = lagged(r, 1)
    other[::20] = returns(8)[::20]
    assert find_lags(other, r[:, None]) == []
    quarterly = np.repeat(returns(9, 40), 25)
    assert find_lags(quarterly, quarterly[:, None]) == []
    assert find_lags(lagged(quarterly, 25), quarterly[:, None]) == [(0, 25)]
    classes = np.sign(r)
    assert find_lags(lagged(classes, 1), classes[:, None]) == []
    assert find_lags(r[:50], r[:50, None]) == []
    assert find_lags(r, np.empty((N, 0))) == []
