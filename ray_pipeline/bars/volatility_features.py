"""Features of dispersion: volatility estimators, bands, and the shape of the distribution."""

from __future__ import annotations

import math

import numpy as np

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.series import BarSeries, Feature, log_ratio
from ray_pipeline.bars.windows import (
    EMA_LENGTH_IN_SPANS,
    ratio,
    rolling_mean,
    rolling_std,
    shift,
)

__all__ = ["VOLATILITY_FEATURES"]


def _volatility(window: int) -> Feature:
    return Feature(
        f"volatility_{window}",
        "volatility",
        f"std{window}(r)",
        window + 1,
        lambda s: s.std(s.log_return, window),
    )


def _volatility_ratio(fast: int, slow: int) -> Feature:
    return Feature(
        f"volatility_ratio_{fast}_{slow}",
        "volatility",
        f"log(std{fast}(r) / std{slow}(r))",
        slow + 1,
        lambda s: log_ratio(s.std(s.log_return, fast), s.std(s.log_return, slow)),
    )


def _parkinson(window: int) -> Feature:
    return Feature(
        f"parkinson_{window}",
        "volatility",
        f"√(mean{window}(log(h/l)²) / (4 log 2)): Parkinson (1980)",
        window,
        lambda s: np.sqrt(rolling_mean(s.log_range * s.log_range, window) / (4 * math.log(2))),
    )


def _garman_klass(window: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        body_weight = 2 * math.log(2) - 1
        variance = 0.5 * s.log_range * s.log_range - body_weight * s.log_body * s.log_body
        return np.sqrt(rolling_mean(variance, window))

    return Feature(
        f"garman_klass_{window}",
        "volatility",
        f"√mean{window}(½ log(h/l)² − (2 log 2 − 1) log(c/o)²): Garman & Klass (1980)",
        window,
        compute,
    )


def _rogers_satchell(window: int) -> Feature:
    return Feature(
        f"rogers_satchell_{window}",
        "volatility",
        f"√mean{window}(log(h/c)log(h/o) + log(l/c)log(l/o)): Rogers & Satchell (1991)",
        window,
        lambda s: np.sqrt(s.mean(s.rogers_satchell_variance, window)),
    )


def _yang_zhang(window: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        body_share = 0.34 / (1.34 + (window + 1) / (window - 1))
        gap, body = s.std(s.gap, window), s.std(s.log_body, window)
        drift_free = s.mean(s.rogers_satchell_variance, window)
        return np.sqrt(gap * gap + body_share * body * body + (1 - body_share) * drift_free)

    return Feature(
        f"yang_zhang_{window}",
        "volatility",
        f"√(var{window}(log(o/c₋₁)) + k var{window}(log(c/o)) + (1−k) rogers_satchell²), "
        f"k = 0.34 / (1.34 + {window + 1}/{window - 1}): Yang & Zhang (2000)",
        window + 1,
        compute,
    )


def _average_true_range(window: int) -> Feature:
    return Feature(
        f"atr_{window}",
        "volatility",
        f"mean{window}(true range) / c: Wilder (1978), with a plain mean",
        window + 1,
        lambda s: ratio(s.mean(s.true_range, window), s.close),
    )


def _downside_share(window: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        loss = np.minimum(s.log_return, 0.0)
        return ratio(
            rolling_mean(loss * loss, window), rolling_mean(s.log_return * s.log_return, window)
        )

    return Feature(
        f"downside_share_{window}",
        "volatility",
        f"sum{window}(r² where r < 0) / sum{window}(r²)",
        window + 1,
        compute,
    )


def _bollinger_position(window: int) -> Feature:
    return Feature(
        f"bollinger_position_{window}",
        "bands",
        f"%b = (c − mean{window}(c) + 2 std{window}(c)) / (4 std{window}(c)): Bollinger",
        window,
        lambda s: ratio(s.close - s.mean(s.close, window), 4.0 * s.std(s.close, window)) + 0.5,
    )


def _bollinger_width(window: int) -> Feature:
    return Feature(
        f"bollinger_width_{window}",
        "bands",
        f"4 std{window}(c) / mean{window}(c)",
        window,
        lambda s: ratio(4.0 * s.std(s.close, window), s.mean(s.close, window)),
    )


def _keltner_position(span: int, range_window: int) -> Feature:
    return Feature(
        f"keltner_position_{span}_{range_window}",
        "bands",
        f"(c − ema{span}(c)) / (2 mean{range_window}(true range))",
        max(EMA_LENGTH_IN_SPANS * span, range_window + 1),
        lambda s: ratio(s.close - s.ema(s.close, span), 2.0 * s.mean(s.true_range, range_window)),
    )


def _donchian_position(window: int) -> Feature:
    return Feature(
        f"donchian_position_{window}",
        "bands",
        f"(c − min{window}(l)) / (max{window}(h) − min{window}(l))",
        window,
        lambda s: s.range_position(window),
    )


def _donchian_width(window: int) -> Feature:
    return Feature(
        f"donchian_width_{window}",
        "bands",
        f"log(max{window}(h) / min{window}(l))",
        window,
        lambda s: log_ratio(s.highest(s.high, window), s.lowest(s.low, window)),
    )


def _autocorrelation(lag: int, window: int) -> Feature:
    return Feature(
        f"autocorrelation_{lag}_{window}",
        "distribution",
        f"correlation of r with r₋{lag} over {window} bars",
        window + lag + 1,
        lambda s: s.autocorrelation(s.log_return, window, lag),
    )


def _absolute_autocorrelation(window: int) -> Feature:
    return Feature(
        f"absolute_autocorrelation_1_{window}",
        "distribution",
        f"correlation of |r| with |r₋₁| over {window} bars",
        window + 2,
        lambda s: s.autocorrelation(s.absolute_return, window, 1),
    )


def _variance_ratio(step: int, window: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        long_std = rolling_std(log_ratio(s.close, shift(s.close, step)), window)
        std = s.std(s.log_return, window)
        return ratio(long_std * long_std, step * std * std)

    return Feature(
        f"variance_ratio_{step}_{window}",
        "distribution",
        f"var{window}(log(c / c₋{step})) / ({step} var{window}(r)): Lo & MacKinlay (1988)",
        window + step,
        compute,
    )


VOLATILITY_FEATURES: tuple[Feature, ...] = (
    *(_volatility(window) for window in (5, 10, 20, 60)),
    _volatility_ratio(5, 20),
    _volatility_ratio(20, 60),
    _parkinson(20),
    _garman_klass(20),
    _rogers_satchell(20),
    _yang_zhang(20),
    _average_true_range(14),
    _downside_share(20),
    _bollinger_position(20),
    _bollinger_width(20),
    _keltner_position(20, 10),
    _donchian_position(20),
    _donchian_position(55),
    _donchian_width(20),
    Feature(
        "skewness_60",
        "distribution",
        "m3 / m2^1.5 of r over 60 bars",
        61,
        lambda s: s.rolling(s.log_return).skewness(60),
    ),
    Feature(
        "kurtosis_60",
        "distribution",
        "m4 / m2² − 3 of r over 60 bars",
        61,
        lambda s: s.rolling(s.log_return).kurtosis(60),
    ),
    _autocorrelation(1, 60),
    _autocorrelation(5, 60),
    _absolute_autocorrelation(60),
    _variance_ratio(5, 60),
)
