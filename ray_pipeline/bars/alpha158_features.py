"""The 158 price and volume factors of Qlib's ``Alpha158``, under its names.

Definitions are those of ``Alpha158DL`` and the operators of Microsoft Qlib (MIT license; Yang,
Liu, Zhou, Bian & Liu, 2020), so that results can be put beside published tables. What differs:

- Qlib fills a window that is not full (``min_periods=1``); here a feature is missing until its
  window is full, and where a cell of it is missing.
- ``VWAP0`` needs a volume-weighted price, which bars do not have: the typical price
  ``(h + l + c) / 3`` stands for it.
- ``RSQR``, ``CORR`` and ``CORD`` are missing where a series of the window is constant. Qlib says
  so of a deviation below 2e-5, which depends on the level of the price.
- ``CORD`` is missing where a volume of zero is divided by; Qlib has an infinity there.
- ``CNTP`` and its like count a bar whose change is unknown as missing, Qlib as no change.

Qlib's terms of 1e-12 against a division by zero are kept. They make ``VMA`` and ``VSTD`` of a
bar without volume a number near 1e12 times the volume. Prices are used as they are given: Qlib's
are adjusted for splits and dividends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.series import BarSeries, Feature

__all__ = ["ALPHA158_FEATURES"]

_WINDOWS = (5, 10, 20, 30, 60)
_SHARES = (0.2, 0.8)  # of a window below its quantiles
_TINY = 1e-12

_Compute = Callable[[BarSeries], FloatArray]


def _of_one_bar(name: str, formula: str, compute: _Compute) -> Feature:
    return Feature(name, "alpha158", formula, 1, compute)


def _windowed(
    name: str, formula: str, compute: Callable[[BarSeries, int], FloatArray], earlier: int = 0
) -> Iterator[Feature]:
    """Yield the feature over each window; `earlier` bars before the window are read too."""
    for window in _WINDOWS:
        yield Feature(
            f"{name}{window}",
            "alpha158",
            formula.replace("#", str(window)),
            window + earlier,
            lambda s, window=window: compute(s, window),  # type: ignore[misc]
        )


def _over_close(values: FloatArray, s: BarSeries) -> FloatArray:
    return values / s.close


def _stochastic(s: BarSeries, window: int) -> FloatArray:
    low, high = s.lowest(s.low, window), s.highest(s.high, window)
    return (s.close - low) / (high - low + _TINY)


def _places_apart(s: BarSeries, window: int) -> FloatArray:
    return (s.rolling(s.high).max_place(window) - s.rolling(s.low).min_place(window)) / window


def _rank(s: BarSeries, window: int) -> FloatArray:
    return s.kept("rank", lambda: s.rolling(s.close).rank_shares(_WINDOWS))[_WINDOWS.index(window)]


def _quantile(s: BarSeries, window: int, which: int) -> FloatArray:
    def compute() -> list[FloatArray]:
        of_windows = s.rolling(s.close).quantiles(_WINDOWS, _SHARES)
        return [each for of_window in of_windows for each in of_window]

    return s.kept("quantiles", compute)[len(_SHARES) * _WINDOWS.index(window) + which]


def _price_volume_correlation(s: BarSeries, window: int) -> FloatArray:
    return s.rolling(s.close).correlation(s.rolling(s.log_volume), window)


def _change_correlation(s: BarSeries, window: int) -> FloatArray:
    return s.rolling(s.price_ratio).correlation(s.rolling(s.log_volume_ratio), window)


def _weighted_volatility(s: BarSeries, window: int) -> FloatArray:
    return s.std(s.weighted_move, window) / (s.mean(s.weighted_move, window) + _TINY)


def _share(s: BarSeries, part: FloatArray, whole: FloatArray, window: int) -> FloatArray:
    return s.sum(part, window) / _some(s, whole, window)


def _balance(
    s: BarSeries, gained: FloatArray, lost: FloatArray, whole: FloatArray, window: int
) -> FloatArray:
    return (s.sum(gained, window) - s.sum(lost, window)) / _some(s, whole, window)


def _some(s: BarSeries, whole: FloatArray, window: int) -> FloatArray:
    """Return the sum of a series and a little more."""
    return s.kept(f"some {id(whole)} {window}", lambda: [s.sum(whole, window) + _TINY])[0]


_ONE_BAR = (
    _of_one_bar("KMID", "(c − o) / o", lambda s: s.body / s.open),
    _of_one_bar("KLEN", "(h − l) / o", lambda s: s.bar_range / s.open),
    _of_one_bar("KMID2", "(c − o) / (h − l + 1e-12)", lambda s: s.body / (s.bar_range + _TINY)),
    _of_one_bar("KUP", "(h − max(o, c)) / o", lambda s: s.upper_wick / s.open),
    _of_one_bar(
        "KUP2",
        "(h − max(o, c)) / (h − l + 1e-12)",
        lambda s: s.upper_wick / (s.bar_range + _TINY),
    ),
    _of_one_bar("KLOW", "(min(o, c) − l) / o", lambda s: s.lower_wick / s.open),
    _of_one_bar(
        "KLOW2",
        "(min(o, c) − l) / (h − l + 1e-12)",
        lambda s: s.lower_wick / (s.bar_range + _TINY),
    ),
    _of_one_bar("KSFT", "(2c − h − l) / o", lambda s: s.close_shift / s.open),
    _of_one_bar(
        "KSFT2",
        "(2c − h − l) / (h − l + 1e-12)",
        lambda s: s.close_shift / (s.bar_range + _TINY),
    ),
    _of_one_bar("OPEN0", "o / c", lambda s: _over_close(s.open, s)),
    _of_one_bar("HIGH0", "h / c", lambda s: _over_close(s.high, s)),
    _of_one_bar("LOW0", "l / c", lambda s: _over_close(s.low, s)),
    _of_one_bar("VWAP0", "p / c, p = (h + l + c) / 3", lambda s: _over_close(s.typical_price, s)),
)

_OF_PRICES = (
    *_windowed("ROC", "c₋# / c", lambda s, w: _over_close(s.shifted_close(w), s), earlier=1),
    *_windowed("MA", "mean#(c) / c", lambda s, w: _over_close(s.mean(s.close, w), s)),
    *_windowed("STD", "std#(c) / c", lambda s, w: _over_close(s.std(s.close, w), s)),
    *_windowed(
        "BETA",
        "slope of c against time over # bars, per bar, / c",
        lambda s, w: _over_close(s.rolling(s.close).slope(w), s),
    ),
    *_windowed(
        "RSQR",
        "squared correlation of c with time over # bars",
        lambda s, w: np.square(s.rolling(s.close).trend(w)),
    ),
    *_windowed(
        "RESI",
        "(c − the line of c against time over # bars) / c",
        lambda s, w: _over_close(s.close - s.rolling(s.close).line_end(w), s),
    ),
    *_windowed("MAX", "max#(h) / c", lambda s, w: _over_close(s.highest(s.high, w), s)),
    *_windowed("MIN", "min#(l) / c", lambda s, w: _over_close(s.lowest(s.low, w), s)),
    *_windowed(
        "QTLU",
        "80 % quantile of c over # bars, linear between two values, / c",
        lambda s, w: _over_close(_quantile(s, w, 1), s),
    ),
    *_windowed(
        "QTLD",
        "20 % quantile of c over # bars, linear between two values, / c",
        lambda s, w: _over_close(_quantile(s, w, 0), s),
    ),
    *_windowed("RANK", "rank of c among its last #, from 1, equals sharing theirs, / #", _rank),
    *_windowed("RSV", "(c − min#(l)) / (max#(h) − min#(l) + 1e-12)", _stochastic),
    *_windowed(
        "IMAX",
        "place of max#(h) in the window, the oldest bar being 1, / #",
        lambda s, w: (s.rolling(s.high).max_place(w) + 1.0) / w,
    ),
    *_windowed(
        "IMIN",
        "place of min#(l) in the window, the oldest bar being 1, / #",
        lambda s, w: (s.rolling(s.low).min_place(w) + 1.0) / w,
    ),
    *_windowed("IMXD", "(place of max#(h) − place of min#(l)) / #", _places_apart),
)

_OF_PRICES_AND_VOLUME = (
    *_windowed("CORR", "correlation of c with log(v + 1) over # bars", _price_volume_correlation),
    *_windowed(
        "CORD",
        "correlation of c / c₋₁ with log(v / v₋₁ + 1) over # bars",
        _change_correlation,
        earlier=1,
    ),
)

_OF_CHANGES = (
    *_windowed("CNTP", "share of # bars with c > c₋₁", lambda s, w: s.mean(s.is_up, w), earlier=1),
    *_windowed(
        "CNTN", "share of # bars with c < c₋₁", lambda s, w: s.mean(s.is_down, w), earlier=1
    ),
    *_windowed(
        "CNTD",
        "share of # bars with c > c₋₁ minus that with c < c₋₁",
        lambda s, w: s.mean(s.is_up, w) - s.mean(s.is_down, w),
        earlier=1,
    ),
    *_windowed(
        "SUMP",
        "sum#(gains of c) / (sum#|c − c₋₁| + 1e-12)",
        lambda s, w: _share(s, s.gain, s.absolute_change, w),
        earlier=1,
    ),
    *_windowed(
        "SUMN",
        "sum#(losses of c) / (sum#|c − c₋₁| + 1e-12)",
        lambda s, w: _share(s, s.loss, s.absolute_change, w),
        earlier=1,
    ),
    *_windowed(
        "SUMD",
        "(sum#(gains of c) − sum#(losses of c)) / (sum#|c − c₋₁| + 1e-12)",
        lambda s, w: _balance(s, s.gain, s.loss, s.absolute_change, w),
        earlier=1,
    ),
)

_OF_VOLUME = (
    *_windowed("VMA", "mean#(v) / (v + 1e-12)", lambda s, w: s.mean(s.volume, w) / s.some_volume),
    *_windowed("VSTD", "std#(v) / (v + 1e-12)", lambda s, w: s.std(s.volume, w) / s.some_volume),
    *_windowed(
        "WVMA",
        "std#(m) / (mean#(m) + 1e-12), m = |c / c₋₁ − 1|·v",
        _weighted_volatility,
        earlier=1,
    ),
    *_windowed(
        "VSUMP",
        "sum#(gains of v) / (sum#|v − v₋₁| + 1e-12)",
        lambda s, w: _share(s, s.volume_gain, s.absolute_volume_change, w),
        earlier=1,
    ),
    *_windowed(
        "VSUMN",
        "sum#(losses of v) / (sum#|v − v₋₁| + 1e-12)",
        lambda s, w: _share(s, s.volume_loss, s.absolute_volume_change, w),
        earlier=1,
    ),
    *_windowed(
        "VSUMD",
        "(sum#(gains of v) − sum#(losses of v)) / (sum#|v − v₋₁| + 1e-12)",
        lambda s, w: _balance(s, s.volume_gain, s.volume_loss, s.absolute_volume_change, w),
        earlier=1,
    ),
)

ALPHA158_FEATURES: tuple[Feature, ...] = (
    *_ONE_BAR,
    *_OF_PRICES,
    *_OF_PRICES_AND_VOLUME,
    *_OF_CHANGES,
    *_OF_VOLUME,
)
