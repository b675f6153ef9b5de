"""Columns scaled by a day that is not over, or by the range to come; beside the same of the past.

As newcomers write it in pandas: ``groupby(day).transform("mean")`` knows the evening at dawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ray_pipeline.leakage.findings import LeakFinding
from ray_pipeline.leakage.other_clocks import merge_look_aheads, search_look_aheads
from ray_pipeline.records import TargetSpec
from ray_pipeline.statistics.look_ahead import LookAheadLimits

SPANS = (6, 12, 24)
N_DAYS = 14
SYMBOLS = ("BTCUSDT", "ETHUSDT", "DOGEUSDT")


def draw_bars(seed: int) -> pd.DataFrame:
    """Draw two weeks of five-minute bars around the clock."""
    random = np.random.default_rng(seed)
    times = pd.date_range("2024-03-01", periods=288 * N_DAYS, freq="5min", tz="UTC")
    slow = np.exp(np.convolve(random.standard_normal(len(times) + 99), np.ones(100) / 20, "valid"))
    news = random.standard_t(5, len(times))
    close = 100 * np.exp(np.cumsum(0.001 * slow * news))
    opened = np.r_[100.0, close[:-1]]
    wick = 1 + 0.0005 * np.abs(random.standard_normal((2, len(times))))
    return pd.DataFrame(
        {
            "high": np.maximum(opened, close) * wick[0],
            "low": np.minimum(opened, close) / wick[1],
            "close": close,
            "volume": np.exp(0.5 * np.abs(news) + 0.5 * random.standard_normal(len(times))),
        },
        index=times,
    )


def look_aheads(bars: pd.DataFrame) -> dict[str, pd.Series]:
    """Return columns that know bars to come."""
    close, day = bars["close"], bars.index.floor("D")
    by_day = close.groupby(day)
    found = {
        "z-score of the day": (close - by_day.transform("mean")) / by_day.transform("std"),
        "over the day's mean": close / by_day.transform("mean"),
        "percentile of the day": by_day.rank(pct=True),
        "volume's percentile of the day": bars["volume"].groupby(day).rank(pct=True),
    }
    for span in SPANS:
        high = bars["high"][::-1].rolling(span).max()[::-1].shift(-1)
        low = bars["low"][::-1].rolling(span).min()[::-1].shift(-1)
        found[f"ratio of the range of {span} bars to come"] = (high - close) / (close - low)
        found[f"place in the range of {span} bars to come"] = (close - low) / (high - low)
    return found


def honest(bars: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the same of bars that were known."""
    close, day = bars["close"], pd.Series(bars.index.floor("D"), index=bars.index)
    daily = close.groupby(day).agg(["mean", "std"]).shift(1)
    mean, deviation = (day.map(daily[name]) for name in ("mean", "std"))
    so_far = close.groupby(day).expanding()
    volume_so_far = bars["volume"].groupby(day).expanding()
    found = {
        "z-score by the day before": (close - mean) / deviation,
        "z-score by the day so far": (close - so_far.mean().droplevel(0))
        / so_far.std().droplevel(0),
        "percentile of the day so far": so_far.rank(pct=True).droplevel(0),
        "volume's percentile of the day so far": volume_so_far.rank(pct=True).droplevel(0),
        "time of day": pd.Series(bars.index.hour * 60.0 + bars.index.minute, index=bars.index),
    }
    for span in SPANS:
        high, low = bars["high"].rolling(span).max(), bars["low"].rolling(span).min()
        found[f"ratio of the range of {span} bars"] = (high - close) / (close - low)
        found[f"place in the range of {span} bars"] = (close - low) / (high - low)
    return found


def accused(
    panel: Sequence[pd.DataFrame], horizon: int
) -> tuple[Mapping[str, LeakFinding], set[str], set[str]]:
    """Return findings by feature, the names of the look-aheads, and of the honest features."""
    target = TargetSpec(f"fwd_ret_{horizon}b", horizon, "regression")
    records, leaking, trailing = [], set(), set()
    for bars in panel:
        ahead, behind = look_aheads(bars), honest(bars)
        leaking, trailing = set(ahead), set(behind)
        features = ahead | behind
        matrix = np.column_stack(list(features.values()))
        records.append(
            search_look_aheads(
                np.where(np.isfinite(matrix), matrix, np.nan).astype(np.float32),
                list(features),
                (bars["close"].shift(-horizon) / bars["close"] - 1).to_numpy(),
                target,
                bars.index.as_unit("ns").asi8,
                300,
                LookAheadLimits(),
            )
        )
    found = merge_look_aheads(records, LookAheadLimits())
    return {finding.feature: finding for finding in found}, leaking, trailing


@pytest.mark.parametrize("horizon", [1, 3, 48])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_scaled_by_bars_to_come_is_accused_and_nothing_else(
    seed: int, horizon: int
) -> None:
    """In two weeks of bars, beside labels of a bar, a quarter of an hour, and four hours."""
    found, leaking, _ = accused([draw_bars(10 * seed + k) for k in range(2)], horizon)
    assert set(found) == leaking


@pytest.mark.real_data
@pytest.mark.parametrize(("horizon", "days"), [(3, N_DAYS), (12, 40), (48, 20)])
def test_real_coins_tell_the_same(market_data: Path, horizon: int, days: int) -> None:
    """Newest bars of three coins: short histories and longer ones."""
    folder = market_data / "binance_usdt_5m_2024" / "interval=5m"
    panel = []
    for symbol in SYMBOLS:
        (path,) = (folder / f"symbol={symbol}").glob("*.parquet")
        bars = pd.read_parquet(path, partitioning=None).set_index("ts")[-288 * days :]
        panel.append(bars[["high", "low", "close", "volume"]].astype(np.float64))
    found, leaking, _ = accused(panel, horizon)
    assert set(found) == leaking


def test_the_reasons_say_what_was_done_and_what_to_do() -> None:
    """The block and its bars, the span, and how to keep what is honest all the same."""
    found, _, _ = accused([draw_bars(k) for k in range(2)], 48)
    scaled = found["z-score of the day"]
    assert (scaled.test, scaled.value) == ("other clock", 1.0)
    assert "is scaled by the whole day that it stands in" in scaled.reason
    assert "add up to the same, though they move with the return" in scaled.reason
    assert "in 2 of 2 symbols" in scaled.reason
    assert "of bars up to the row, or of the block before" in scaled.reason
    assert scaled.reason.endswith("leakage.policy: warn")
    assert "move with the size of" in found["volume's percentile of the day"].reason
    ratio = found["ratio of the range of 12 bars to come"]
    assert ratio.test == "behaviour"
    assert "says implausibly much of the next 8 bars" in ratio.reason
    assert "raise leakage.implausible_correlation to 0." in ratio.reason
