"""Labels of real bars, beside the same formulas in plain pandas."""

import math

import numpy as np
import pandas as pd
import pytest

from ray_pipeline.bars import compute_targets
from ray_pipeline.intervals import Interval

from .samples import real_bars

pytestmark = pytest.mark.real_data

BARRIER_KINDS = ("y_first_touch", "y_will_peak", "y_will_valley")
DAILY = ("sp500_daily_2013_2018", "1d")
CRYPTO = ("binance_usdt_5m_2024", "5m")
LENGTHS = {
    "1d": {"interval": Interval(86_400)},
    "5m": {"interval": Interval(300)},
}


def frame_of_labels(bars: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Compute every label that is a number from the whole columns; NaN where pandas says so."""
    later = pd.concat({j: bars.shift(-j) for j in range(1, horizon + 1)}, axis=1)
    high, low = (later.xs(field, axis=1, level=1) for field in ("high", "low"))
    peak = pd.concat([bars["close"], high.iloc[:, :-1]], axis=1).cummax(axis=1, skipna=False)
    fall = (low.to_numpy() / peak.to_numpy()).min(axis=1)
    forward = bars["close"].shift(-horizon) / bars["close"] - 1
    returns = bars["close"].pct_change(fill_method=None)
    # Apply, and not std: pandas' running variance carries rounding errors along.
    sigma = returns.rolling(20).apply(lambda window: np.std(window, ddof=1), raw=True)
    z = forward / (sigma * math.sqrt(horizon))
    labels = {
        "fwd_ret": forward,
        "fwd_ret_oc": bars["close"].shift(-horizon) / bars["open"].shift(-1) - 1,
        "ret_zscore": z,
        "ret_ord": z.round().clip(-2, 2),
        "mfe": high.max(axis=1, skipna=False) / bars["close"] - 1,
        "mae": low.min(axis=1, skipna=False) / bars["close"] - 1,
        "mdd": np.minimum(fall - 1, 0.0),
    }
    return pd.DataFrame(labels)


@pytest.mark.parametrize(
    ("panel", "symbol", "horizon"),
    [
        *((DAILY, symbol, 5) for symbol in ("AAPL", "DHR", "LNT", "O", "BHF")),
        *((DAILY, "ES", 63), (CRYPTO, "BTCUSDT", 12), (CRYPTO, "DOGSUSDT", 48)),
    ],
)
def test_labels_are_those_of_pandas(panel: tuple[str, str], symbol: str, horizon: int) -> None:
    """Missing prices, bad ticks and gaps in time included, every label exists and is the same."""
    bars = real_bars(*panel, symbol)
    rows = bars.rows(0, 4_000)
    frame = pd.DataFrame({f: getattr(rows, f) for f in ("open", "high", "low", "close")})
    expected = frame_of_labels(frame, horizon)
    names = [f"{kind}_{horizon}b" for kind in expected]
    got = compute_targets(rows, names, **LENGTHS[panel[1]])
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-13)
    assert np.isfinite(got).any(axis=0).all()


@pytest.mark.parametrize(("panel", "symbol"), [(DAILY, "AAPL"), (CRYPTO, "BTCUSDT")])
def test_classes_of_returns_are_all_common(panel: tuple[str, str], symbol: str) -> None:
    """Thresholds in deviations fit markets: 3 to 15 % outside, 15 to 30 % between, both sides."""
    bars = real_bars(*panel, symbol)
    classes = compute_targets(bars, ["ret_ord_5b"], **LENGTHS[panel[1]])[:, 0]
    share = {value: np.mean(classes[np.isfinite(classes)] == value) for value in range(-2, 3)}
    assert all(0.03 < share[value] < 0.15 for value in (-2, 2))
    assert all(0.15 < share[value] < 0.30 for value in (-1, 1))


def test_one_deviation_is_reached_about_as_often_up_as_down() -> None:
    """A year of crypto: both barriers of one deviation catch 25 to 45 % of the rows."""
    bars = real_bars("binance_usdt_5m_2024", "5m", "BTCUSDT")
    names = [f"{kind}_60m_1.0" for kind in BARRIER_KINDS]
    first, peak, valley = compute_targets(bars, names, Interval(300)).T
    assert 0.25 < np.nanmean(peak) < 0.45
    assert 0.25 < np.nanmean(valley) < 0.45
    assert abs(np.nanmean(first)) < 0.05
    assert np.isnan(peak).sum() == 20 + 12


def test_bad_tick_is_a_valley_to_the_rows_before_it() -> None:
    """LNT's close at half its price halves and doubles the returns around it."""
    bars = real_bars("sp500_daily_2013_2018", "1d", "LNT")
    got = compute_targets(bars, ["fwd_ret_1d"], Interval(86_400))[:, 0]
    tick = int(np.nanargmin(got)) + 1
    assert got[tick - 1] < -0.45
    assert got[tick] > 0.9


def test_missing_high_and_low_leave_few_labels_open() -> None:
    """DHR lacks one high and low: only labels that no other bar settles are missing.

    So are the five that would reach over its hole of 17 days.
    """
    bars = real_bars("sp500_daily_2013_2018", "1d", "DHR")
    names = ["y_will_peak_5d_1.0", "y_will_valley_5d_1.0"]
    got = compute_targets(bars, names, Interval(86_400))
    missing = np.isnan(got[20:-5]).sum(axis=0)
    assert (missing <= 5 + 5).all()
    assert missing.sum() > 0
