"""Oscillators of technical analysis, with plain means where their authors smooth without end.

Wilder's recursive smoothing has no finite lookback; Cutler's form of his indicators, a plain
mean, has.
"""

from __future__ import annotations

import numpy as np

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.series import BarSeries, Feature
from ray_pipeline.bars.windows import (
    EMA_LENGTH_IN_SPANS,
    ratio,
    rolling_ema,
    rolling_mean,
    shift,
)

__all__ = ["OSCILLATOR_FEATURES"]

# Lambert's constant: 70–80 % of the values then lie within ±1 (he scaled by 100).
_CCI_CONSTANT = 1.5


def _relative_strength(window: int) -> Feature:
    return Feature(
        f"rsi_{window}",
        "oscillators",
        f"sum{window}(gains) / sum{window}|c − c₋₁|, in [0, 1]: RSI in Cutler's form",
        window + 1,
        lambda s: ratio(s.mean(s.gain, window), s.mean(s.absolute_change, window)),
    )


def _stochastic_k(window: int) -> Feature:
    return Feature(
        f"stochastic_k_{window}",
        "oscillators",
        f"%K = (c − min{window}(l)) / (max{window}(h) − min{window}(l)), in [0, 1]: Lane",
        window,
        lambda s: s.range_position(window),
    )


def _stochastic_d(window: int) -> Feature:
    return Feature(
        f"stochastic_d_{window}",
        "oscillators",
        f"%D = mean3(stochastic_k_{window})",
        window + 2,
        lambda s: rolling_mean(s.range_position(window), 3),
    )


def _williams(window: int) -> Feature:
    return Feature(
        f"williams_r_{window}",
        "oscillators",
        f"%R = (c − max{window}(h)) / (max{window}(h) − min{window}(l)), in [−1, 0]: Williams",
        window,
        lambda s: s.range_position(window) - 1.0,
    )


def _commodity_channel(window: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        deviation = s.rolling(s.typical_price).mean_absolute_deviation(window)
        distance = s.typical_price - s.mean(s.typical_price, window)
        return ratio(distance, _CCI_CONSTANT * deviation)

    return Feature(
        f"cci_{window}",
        "oscillators",
        f"(p − mean{window}(p)) / (1.5 · mean deviation{window}(p)), p = (h + l + c) / 3: "
        "Lambert (1980), over 100",
        window,
        compute,
    )


def _macd_line(s: BarSeries, fast: int, slow: int) -> FloatArray:
    return s.ema(s.close, fast) - s.ema(s.close, slow)


def _macd(fast: int, slow: int) -> Feature:
    return Feature(
        f"macd_{fast}_{slow}",
        "oscillators",
        f"(ema{fast}(c) − ema{slow}(c)) / c: Appel, per unit of price",
        EMA_LENGTH_IN_SPANS * slow,
        lambda s: ratio(_macd_line(s, fast, slow), s.close),
    )


def _macd_histogram(fast: int, slow: int, signal: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        line = _macd_line(s, fast, slow)
        return ratio(line - rolling_ema(line, signal), s.close)

    return Feature(
        f"macd_histogram_{fast}_{slow}_{signal}",
        "oscillators",
        f"(m − ema{signal}(m)) / c, m = ema{fast}(c) − ema{slow}(c)",
        EMA_LENGTH_IN_SPANS * (slow + signal) - 1,
        compute,
    )


def _rate_of_change(window: int) -> Feature:
    return Feature(
        f"roc_{window}",
        "oscillators",
        f"c / c₋{window} − 1",
        window + 1,
        lambda s: ratio(s.close, shift(s.close, window)) - 1.0,
    )


def _directional_index(window: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        up, down = s.high - shift(s.high, 1), shift(s.low, 1) - s.low
        missing = np.isnan(up) | np.isnan(down)
        rise = np.where((up > down) & (up > 0.0), up, 0.0)
        fall = np.where((down > up) & (down > 0.0), down, 0.0)
        movement = np.where(missing, np.nan, rise - fall)
        return ratio(rolling_mean(movement, window), s.mean(s.true_range, window))

    return Feature(
        f"directional_index_{window}",
        "oscillators",
        f"sum{window}(+DM − −DM) / sum{window}(true range): +DI − −DI of Wilder (1978), "
        "with plain sums",
        window + 1,
        compute,
    )


OSCILLATOR_FEATURES: tuple[Feature, ...] = (
    _relative_strength(14),
    _relative_strength(28),
    _stochastic_k(14),
    _stochastic_d(14),
    _williams(28),
    _commodity_channel(20),
    _macd(12, 26),
    _macd_histogram(12, 26, 9),
    _rate_of_change(12),
    _rate_of_change(25),
    _directional_index(14),
)
