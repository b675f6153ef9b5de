"""Features of prices alone: returns, momentum, single bars, distances to moving averages."""

from __future__ import annotations

import numpy as np

from ray_pipeline.bars.series import Feature, log_ratio
from ray_pipeline.bars.windows import (
    EMA_LENGTH_IN_SPANS,
    ratio,
    shift,
)

__all__ = ["PRICE_FEATURES"]


def _log_return(window: int) -> Feature:
    return Feature(
        f"log_return_{window}",
        "returns",
        f"log(c / c₋{window})",
        window + 1,
        lambda s: log_ratio(s.close, shift(s.close, window)),
    )


def _momentum(window: int, skip: int) -> Feature:
    return Feature(
        f"momentum_{window}_{skip}",
        "momentum",
        f"log(c₋{skip} / c₋{window}): Jegadeesh & Titman (1993), the newest bars left out",
        window + 1,
        lambda s: log_ratio(shift(s.close, skip), shift(s.close, window)),
    )


def _risk_adjusted_momentum(window: int) -> Feature:
    return Feature(
        f"risk_adjusted_momentum_{window}",
        "momentum",
        f"mean{window}(r) / std{window}(r) · √{window}",
        window + 1,
        lambda s: ratio(
            s.mean(s.log_return, window) * np.sqrt(float(window)), s.std(s.log_return, window)
        ),
    )


def _up_fraction(window: int) -> Feature:
    return Feature(
        f"up_fraction_{window}",
        "momentum",
        f"share of the last {window} bars with c > c₋₁",
        window + 1,
        lambda s: s.mean(s.is_up, window),
    )


def _efficiency_ratio(window: int) -> Feature:
    return Feature(
        f"efficiency_ratio_{window}",
        "momentum",
        f"(c − c₋{window}) / sum{window}|c − c₋₁|, signed: Kaufman (1995)",
        window + 1,
        lambda s: ratio(
            s.close - shift(s.close, window), s.mean(s.absolute_change, window) * window
        ),
    )


def _trend_correlation(window: int) -> Feature:
    return Feature(
        f"trend_correlation_{window}",
        "momentum",
        f"correlation of c with time over {window} bars",
        window,
        lambda s: s.rolling(s.close).trend(window),
    )


def _drawdown(window: int) -> Feature:
    return Feature(
        f"drawdown_{window}",
        "momentum",
        f"log(c / max{window}(c))",
        window,
        lambda s: log_ratio(s.close, s.highest(s.close, window)),
    )


def _runup(window: int) -> Feature:
    return Feature(
        f"runup_{window}",
        "momentum",
        f"log(c / min{window}(c))",
        window,
        lambda s: log_ratio(s.close, s.lowest(s.close, window)),
    )


def _sma_distance(window: int) -> Feature:
    return Feature(
        f"sma_distance_{window}",
        "moving averages",
        f"log(c / mean{window}(c))",
        window,
        lambda s: log_ratio(s.close, s.mean(s.close, window)),
    )


def _sma_cross(fast: int, slow: int) -> Feature:
    return Feature(
        f"sma_cross_{fast}_{slow}",
        "moving averages",
        f"log(mean{fast}(c) / mean{slow}(c))",
        slow,
        lambda s: log_ratio(s.mean(s.close, fast), s.mean(s.close, slow)),
    )


def _ema_distance(span: int) -> Feature:
    length = EMA_LENGTH_IN_SPANS * span
    return Feature(
        f"ema_distance_{span}",
        "moving averages",
        f"log(c / ema{span}(c)), the average cut after {length} bars",
        length,
        lambda s: log_ratio(s.close, s.ema(s.close, span)),
    )


_BAR_FEATURES = (
    Feature("log_range", "bars", "log(h / l)", 1, lambda s: s.log_range),
    Feature("log_body", "bars", "log(c / o)", 1, lambda s: s.log_body),
    Feature(
        "upper_shadow",
        "bars",
        "(h − max(o, c)) / (h − l)",
        1,
        lambda s: ratio(s.high - np.maximum(s.open, s.close), s.bar_range),
    ),
    Feature(
        "lower_shadow",
        "bars",
        "(min(o, c) − l) / (h − l)",
        1,
        lambda s: ratio(np.minimum(s.open, s.close) - s.low, s.bar_range),
    ),
    Feature("close_location", "bars", "(2c − h − l) / (h − l)", 1, lambda s: s.close_location),
    Feature("gap", "bars", "log(o / c₋₁)", 2, lambda s: s.gap),
    Feature(
        "gap_to_volatility_20",
        "bars",
        "log(o / c₋₁) / std20(r), the deviation taken a bar earlier",
        22,
        lambda s: ratio(s.gap, shift(s.std(s.log_return, 20), 1)),
    ),
    Feature(
        "range_relative_20",
        "bars",
        "log((h − l) / mean20(h − l))",
        20,
        lambda s: log_ratio(s.bar_range, s.mean(s.bar_range, 20)),
    ),
)

PRICE_FEATURES: tuple[Feature, ...] = (
    *(_log_return(window) for window in (1, 2, 3, 5, 10, 20, 60)),
    _momentum(20, 5),
    _momentum(60, 5),
    _risk_adjusted_momentum(20),
    _risk_adjusted_momentum(60),
    _up_fraction(20),
    _efficiency_ratio(20),
    _trend_correlation(20),
    _trend_correlation(60),
    _drawdown(60),
    _runup(60),
    *_BAR_FEATURES,
    *(_sma_distance(window) for window in (5, 10, 20, 60)),
    *(_ema_distance(span) for span in (12, 26, 50)),
    _sma_cross(5, 20),
    _sma_cross(20, 60),
)
