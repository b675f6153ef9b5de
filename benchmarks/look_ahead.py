"""Planted look-aheads and honest features: how many of each are accused.

    python benchmarks/look_ahead.py --seeds 20

Three kinds of panels of random bars with persistent volatility and its daily course: coins around
the clock at five minutes, stocks in sessions at five minutes (bars missing here and there), and
daily stocks. What a column knows is made of the bars; the screening sees features and labels alone.
Every other honest panel has a driver, of one memory or another, that says 0.3 of the next return.
Prints, per kind, look-aheads caught and honest features accused; exits with 1 below 95 %, or when
an honest feature is accused.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import interpolate, ndimage, signal

from ray_pipeline.leakage.findings import LeakFinding
from ray_pipeline.leakage.tests import LeakSpec, find_leaks, merge_leaks
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.records import SymbolPartition, TargetSpec
from ray_pipeline.statistics.leakage import LeakLimits
from ray_pipeline.statistics.look_ahead import LookAheadLimits

Floats = NDArray[np.float64]

N_SYMBOLS = 3
MIN_CAUGHT = 0.95


@dataclass(frozen=True)
class Kind:
    """A kind of panel: its bars, labels by horizon, clocks from fine to coarse, and its day.

    A coin's few days are too few for candles; what is scaled by them is planted all the same.
    """

    bar_seconds: int
    times: Callable[[np.random.Generator], pd.DatetimeIndex]
    volatility: float
    labels: Mapping[str, int]
    clocks: Mapping[str, str]
    day: str | None = None

    @property
    def scaling(self) -> list[str]:
        """Clocks by whose blocks features are scaled."""
        return list(dict.fromkeys([*self.clocks.values(), *([self.day] if self.day else [])]))


def _coin_times(random: np.random.Generator) -> pd.DatetimeIndex:
    return pd.date_range("2024-01-01", periods=8_640, freq="5min", tz="UTC")


def _session_times(random: np.random.Generator) -> pd.DatetimeIndex:
    days = pd.bdate_range("2024-01-02", periods=110, tz="America/New_York")
    minutes = pd.to_timedelta(570 + 5 * np.arange(78), unit="min")
    times = pd.DatetimeIndex(np.concatenate([(day + minutes).to_numpy() for day in days]), tz="UTC")
    return times[random.random(len(times)) > 0.02]


def _daily_times(random: np.random.Generator) -> pd.DatetimeIndex:
    days = pd.bdate_range("2014-01-01", periods=1_500, tz="UTC")
    return days[random.random(len(days)) > 0.03]


KINDS = {
    "coins 5m": Kind(
        300,
        _coin_times,
        0.002,
        {"fwd_ret_15m": 3, "fwd_ret_60m": 12},
        {"fine": "30min", "middle": "1h", "coarse": "4h"},
        "1D",
    ),
    "sessions 5m": Kind(
        300,
        _session_times,
        0.0015,
        {"fwd_ret_6b": 6},
        {"fine": "30min", "middle": "1h", "coarse": "session"},
    ),
    "daily": Kind(
        86_400,
        _daily_times,
        0.015,
        {"fwd_ret_1d": 1, "fwd_ret_5d": 5},
        {"fine": "week", "middle": "week", "coarse": "month"},
    ),
    "daily, 5-day labels": Kind(
        86_400,
        _daily_times,
        0.015,
        {"fwd_ret_5d": 5},
        {"fine": "week", "middle": "week", "coarse": "month"},
    ),
}


def draw_bars(
    kind: Kind, seed: int, symbol: int, driver: Callable[[np.random.Generator, int], Floats] | None
) -> tuple[pd.DataFrame, Floats]:
    """Draw the bars of a symbol; half of what moves them is common to all.

    Returns the bars, and the driver's values: each bar's return follows the value of the bar
    before, at a correlation of 0.3 with it.
    """
    times = kind.times(np.random.default_rng([seed, 99]))
    n_bars = len(times)
    common, own = np.random.default_rng([seed, 7]), np.random.default_rng([seed, 8, symbol])
    noise = (common.standard_t(5, n_bars) + own.standard_t(5, n_bars)) / np.sqrt(2 * 5 / 3)
    slow = signal.lfilter([1.0], [1.0, -0.98], own.standard_normal(n_bars)) * 0.08
    fraction = (times.hour * 60 + times.minute).to_numpy() / 1_440
    daily = 0.4 * np.cos(4 * np.pi * fraction) if kind.bar_seconds < 86_400 else 0.0
    volatility = kind.volatility * np.exp(slow + daily)
    values = np.zeros(n_bars) if driver is None else driver(own, n_bars)
    signal_part = np.r_[0.0, values[:-1]]
    returns = volatility * (0.3 * signal_part + np.sqrt(0.91) * noise)
    new_session = np.diff(times.asi8, prepend=times.asi8[0]) > 4 * 3_600 * 10**9
    gap = np.where(new_session, volatility * own.standard_normal(n_bars) * 2, 0.0)
    close = 100 * np.exp(np.cumsum(returns + gap))
    opening = np.r_[100.0, close[:-1]] * np.exp(gap)
    spread = volatility * np.abs(own.standard_normal((2, n_bars))) / 2
    bars = pd.DataFrame(
        {
            "open": opening,
            "high": np.maximum(opening, close) * np.exp(spread[0]),
            "low": np.minimum(opening, close) * np.exp(-spread[1]),
            "close": close,
            "volume": 1e5
            * np.exp(slow + 0.3 * np.abs(noise) + 0.5 * own.standard_normal(n_bars) + daily),
        },
        index=times,
    )
    return bars, values


def blocks_of(bars: pd.DataFrame, clock: str) -> NDArray[np.int64]:
    """Give each bar the number of its block."""
    times = bars.index
    match clock:
        case "session":
            return pd.factorize(times.tz_convert("America/New_York").date)[0]
        case "week":
            return pd.factorize(times.tz_localize(None).to_period("W"))[0]
        case "month":
            return pd.factorize(times.tz_localize(None).to_period("M"))[0]
    return pd.factorize(times.floor(clock))[0]


@dataclass
class Blocks:
    """Aggregates of the blocks of a clock, spread over their bars."""

    bars: pd.DataFrame
    number: NDArray[np.int64]

    def candles(self) -> pd.DataFrame:
        """One row per block."""
        grouped = self.bars.groupby(self.number)
        candles = grouped.agg(
            {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        )
        worth = (self.bars["close"] * self.bars["volume"]).groupby(self.number).sum()
        return candles.assign(vwap=worth / candles["volume"])

    def joined(self, values: pd.Series, *, late: bool) -> Floats:
        """Spread over the bars: of the running block, or, late, of the last whole one."""
        given = values.shift(1) if late else values
        return given.to_numpy()[self.number]


def finite(values: Floats) -> Floats:
    """Leave missing what has no value."""
    return np.where(np.isfinite(values), values, np.nan)


def rsi(close: pd.Series, window: int = 14) -> pd.Series:
    """Relative strength index."""
    change = close.diff()
    up = change.clip(lower=0).rolling(window).mean()
    down = (-change).clip(lower=0).rolling(window).mean()
    return 100 - 100 / (1 + up / down)


def candle_features(candles: pd.DataFrame) -> dict[str, pd.Series]:
    """Return features of whole blocks: honest when joined late, else look-aheads."""
    close = candles["close"]
    macd = close.ewm(span=12).mean() - close.ewm(span=26).mean()
    return {
        "body": close / candles["open"] - 1,
        "return": close.pct_change(),
        "position": (close - candles["low"]) / (candles["high"] - candles["low"]),
        "rsi": rsi(close),
        "momentum 8": close.pct_change(8),
        "macd": (macd - macd.ewm(span=9).mean()) / close,
        "close": close,
        "upper wick": (candles["high"] - close) / candles["open"],
        "range": np.log(candles["high"] / candles["low"]),
    }


def look_aheads(bars: pd.DataFrame, kind: Kind) -> dict[str, Floats]:
    """Return features that know bars to come."""
    close, log_close = bars["close"], np.log(bars["close"].to_numpy())
    returns = np.diff(log_close, prepend=log_close[0])
    found: dict[str, Floats] = {}
    for clock in dict.fromkeys(kind.clocks.values()):
        blocks = Blocks(bars, blocks_of(bars, clock))
        candles = blocks.candles()
        for name, values in candle_features(candles).items():
            found[f"{clock}: {name}"] = blocks.joined(values, late=False)
        of = {name: blocks.joined(candles[name], late=False) for name in candles}
        now = close.to_numpy()
        found[f"{clock}: now over high"] = now / of["high"] - 1
        found[f"{clock}: now over low"] = now / of["low"] - 1
        found[f"{clock}: now in range"] = (now - of["low"]) / (of["high"] - of["low"])
        found[f"{clock}: now over vwap"] = now / of["vwap"] - 1
        found[f"{clock}: now over close"] = now / of["close"] - 1
        found[f"{clock}: now over mean of 5 closes"] = now / blocks.joined(
            candles["close"].rolling(5).mean(), late=False
        )
        ends = np.flatnonzero(np.diff(blocks.number, append=-1))
        found[f"{clock}: closes interpolated"] = np.interp(
            np.arange(len(now)), ends, log_close[ends]
        )
        found[f"{clock}: spline through closes"] = interpolate.CubicSpline(ends, log_close[ends])(
            np.clip(np.arange(len(now)), ends[0], ends[-1])
        )
    for clock in kind.scaling:
        grouped = close.groupby(blocks_of(bars, clock))
        found[f"{clock}: z-score"] = (
            (close - grouped.transform("mean")) / grouped.transform("std")
        ).to_numpy()
        found[f"{clock}: percentile"] = grouped.rank(pct=True).to_numpy()
    found["centred mean of returns"] = pd.Series(returns).rolling(11, center=True).mean().to_numpy()
    found["price over centred mean"] = now / close.rolling(21, center=True).mean().to_numpy() - 1
    found["centred volatility"] = pd.Series(returns).rolling(11, center=True).std().to_numpy()
    found["price over savgol"] = log_close - signal.savgol_filter(log_close, 21, 2)
    found["savgol slope"] = signal.savgol_filter(log_close, 15, 2, deriv=1)
    butter = signal.butter(2, 0.1)
    found["filtfilt price"] = signal.filtfilt(*butter, log_close)
    found["filtfilt returns"] = signal.filtfilt(*butter, returns)
    found["gaussian slope"] = ndimage.gaussian_filter1d(log_close, 5, order=1)
    found["smoothing spline"] = ndimage.gaussian_filter1d(log_close, 8)
    ahead = pd.Series(np.abs(returns)[::-1]).rolling(10).mean().to_numpy()[::-1]
    behind = pd.Series(np.abs(returns)).rolling(10).mean().to_numpy()
    found["range ahead over behind"] = np.r_[ahead[1:], np.nan] / behind
    highest = bars["high"][::-1].rolling(10).max()[::-1].shift(-1).to_numpy()
    lowest = bars["low"][::-1].rolling(10).min()[::-1].shift(-1).to_numpy()
    found["now in range ahead"] = (now - lowest) / (highest - lowest)
    highest = bars["high"][::-1].rolling(12).max()[::-1].shift(-1).to_numpy()
    lowest = bars["low"][::-1].rolling(12).min()[::-1].shift(-1).to_numpy()
    found["ratio of range ahead"] = finite((highest - now) / (now - lowest))
    return found


def scaled_by_the_past(bars: pd.DataFrame, kind: Kind) -> dict[str, Floats]:
    """Return the honest twins of what is scaled by a whole block or by the range ahead."""
    close = bars["close"]
    now = close.to_numpy()
    found: dict[str, Floats] = {}
    for clock in kind.scaling:
        blocks = Blocks(bars, blocks_of(bars, clock))
        grouped = close.groupby(blocks.number)
        mean, spread = (blocks.joined(each, late=True) for each in (grouped.mean(), grouped.std()))
        found[f"last {clock}: z-score"] = finite((now - mean) / spread)
        so_far = grouped.expanding()
        mean, spread = so_far.mean().to_numpy(), so_far.std().to_numpy()
        found[f"{clock} so far: z-score"] = finite((now - mean) / spread)
        found[f"{clock} so far: percentile"] = so_far.rank(pct=True).to_numpy()
    high, low = bars["high"].rolling(12).max(), bars["low"].rolling(12).min()
    found["ratio of range"] = finite(((high - close) / (close - low)).to_numpy())
    return found


def honest_features(bars: pd.DataFrame, kind: Kind, values: Floats) -> dict[str, Floats]:
    """Return features that are known at their row."""
    close = bars["close"]
    now = close.to_numpy()
    times = bars.index
    log_close = np.log(now)
    returns = pd.Series(np.diff(log_close, prepend=log_close[0]))
    found: dict[str, Floats] = {"driver": values}
    for clock in dict.fromkeys(kind.clocks.values()):
        blocks = Blocks(bars, blocks_of(bars, clock))
        for name, each in candle_features(blocks.candles()).items():
            found[f"last {clock}: {name}"] = blocks.joined(each, late=True)
        grouped = bars.groupby(blocks.number)
        opening = grouped["open"].transform("first").to_numpy()
        high = grouped["high"].cummax().to_numpy()
        low = grouped["low"].cummin().to_numpy()
        worth = (bars["close"] * bars["volume"]).groupby(blocks.number).cumsum()
        found[f"{clock} so far: return"] = now / opening - 1
        found[f"{clock} so far: high"] = now / high - 1
        found[f"{clock} so far: low"] = now / low - 1
        found[f"{clock} so far: position"] = (now - low) / (high - low)
        found[f"{clock} so far: range"] = np.log(high / low)
        found[f"{clock} so far: vwap"] = now / (worth / grouped["volume"].cumsum()).to_numpy() - 1
        found[f"{clock} so far: volume"] = grouped["volume"].cumsum().to_numpy()
        found[f"{clock} so far: bars"] = grouped.cumcount().to_numpy().astype(float)
        last_close = blocks.joined(blocks.candles()["close"], late=True)
        found[f"{clock}: gap"] = opening / last_close - 1
        found[f"{clock}: driver at its start"] = (
            pd.Series(values).groupby(blocks.number).transform("first").to_numpy()
        )
    found |= scaled_by_the_past(bars, kind)
    for window in (5, 20, 100):
        found[f"volatility {window}"] = returns.rolling(window).std().to_numpy()
        found[f"return {window}"] = close.pct_change(window).to_numpy()
        found[f"price over mean {window}"] = now / close.rolling(window).mean().to_numpy() - 1
        found[f"drawdown {window}"] = now / close.rolling(window).max().to_numpy() - 1
    found["rsi"] = rsi(close).to_numpy()
    found["sign of trend"] = np.sign(found["price over mean 20"])
    found["price"] = now
    found["time of day"] = (times.hour * 60 + times.minute).to_numpy().astype(float)
    found["sine of day"] = np.sin(2 * np.pi * found["time of day"] / 1_440)
    found["monday"] = (times.day_of_week == 0).astype(float)
    found["day of month"] = times.day.to_numpy().astype(float)
    found["volume"] = np.log(bars["volume"].to_numpy())
    by_time = np.log(bars["volume"]).groupby(found["time of day"])
    found["volume over its time"] = (
        np.log(bars["volume"]) - by_time.transform(lambda part: part.shift(1).expanding().mean())
    ).to_numpy()
    for name, horizon in kind.labels.items():
        found[f"known {name}"] = close.pct_change(horizon).to_numpy()
    random = np.random.default_rng(len(now))
    months = blocks_of(bars, "month")
    found["macro level"] = np.cumsum(random.standard_normal(months.max() + 1))[months]
    found["slow noise"] = np.asarray(
        signal.lfilter([1.0], [1.0, -0.999], random.standard_normal(len(now)))
    )
    return found


def ar_driver(phi: float) -> Callable[[np.random.Generator, int], Floats]:
    """Draw a driver with a memory of phi and unit variance."""

    def draw(random: np.random.Generator, n_bars: int) -> Floats:
        noise = random.standard_normal(n_bars) * np.sqrt(1 - phi**2)
        return np.asarray(signal.lfilter([1.0], [1.0, -phi], noise))

    return draw


DRIVERS: dict[str, Callable[[np.random.Generator, int], Floats] | None] = {
    "nothing": None,
    "memory 0": ar_driver(0.0),
    "memory 0.9": ar_driver(0.9),
    "memory 0.99": ar_driver(0.99),
}


def labels_of(bars: pd.DataFrame, horizon: int) -> Floats:
    """Return of the next bars."""
    close = bars["close"]
    return (close.shift(-horizon) / close - 1).to_numpy()


class _Reader:
    """Gives the one table that it has."""

    def __init__(self, table: SymbolTable) -> None:
        self._table = table

    def table(self, partition: SymbolPartition, request: TableRequest) -> SymbolTable:
        return self._table


def accused(
    kind: Kind, seed: int, driver: str, *, honest: bool, only: str = ""
) -> tuple[dict[str, LeakFinding], list[str]]:
    """Return the findings by feature, and all features that were tested."""
    records = []
    names: list[str] = []
    targets = tuple(TargetSpec(name, h, "regression") for name, h in kind.labels.items())
    for symbol in range(N_SYMBOLS):
        bars, values = draw_bars(kind, seed, symbol, DRIVERS[driver])
        features = honest_features(bars, kind, values) if honest else look_aheads(bars, kind)
        names = [name for name in features if only in name and np.nanstd(features[name]) > 0]
        table = SymbolTable(
            f"S{symbol}",
            bars.index.as_unit("ns").asi8,
            np.column_stack([features[name] for name in names]).astype(np.float32),
            tuple(names),
            np.column_stack([labels_of(bars, h) for h in kind.labels.values()]),
            tuple(kind.labels),
        )
        request = TableRequest(
            "labeled", None, tuple(names), tuple(kind.labels), None, 1, kind.bar_seconds, 1
        )
        frame = PanelFrame("axis", len(bars), (), 0, request, targets, seed)
        partition = SymbolPartition(table.symbol, ())
        spec = LeakSpec(partition, frame, LeakLimits(), tuple(names), LookAheadLimits())
        records.append(find_leaks(cast(Any, _Reader(table)), spec))
    return {finding.feature: finding for finding in merge_leaks(records, LookAheadLimits())}, names


def main() -> int:
    """Run the benchmark."""
    np.seterr(divide="ignore", invalid="ignore")  # a ratio over a range of nothing
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    failed = False
    for name in arguments.kinds:
        kind = KINDS[name]
        n_caught = n_planted = n_accused = n_honest = 0
        missed: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        for seed in seeds:
            found, planted = accused(kind, seed, "nothing", honest=False)
            n_planted += len(planted)
            n_caught += len(found)
            missed.update(set(planted) - set(found))
            drivers = list(DRIVERS)
            for driver in (drivers[0], drivers[1 + seed % (len(drivers) - 1)]):
                found, tested = accused(kind, seed, driver, honest=True)
                n_honest += len(tested)
                n_accused += len(found)
                wrong.update(f"{feature} ({driver}): {found[feature].reason}" for feature in found)
        print(
            f"{name:20} look-aheads caught {n_caught} of {n_planted} "
            f"({n_caught / n_planted:.1%}), honest accused {n_accused} of {n_honest}",
            flush=True,
        )
        for feature, count in missed.most_common():
            print(f"    missed {count} of {len(seeds)}: {feature}")
        for feature, count in wrong.most_common():
            print(f"    accused {count} of {len(seeds)}: {feature}")
        failed |= n_caught < MIN_CAUGHT * n_planted or n_accused > 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
