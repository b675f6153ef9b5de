"""Features of volume: its level against its own past, and the side on which it traded."""

from __future__ import annotations

import numpy as np

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.series import BarSeries, Feature, log_ratio
from ray_pipeline.bars.windows import ratio, rolling_mean, shift

__all__ = ["VOLUME_FEATURES"]


def _volume_relative(window: int) -> Feature:
    return Feature(
        f"volume_relative_{window}",
        "volume",
        f"log(v / mean{window}(v))",
        window,
        lambda s: log_ratio(s.volume, s.mean(s.volume, window)),
    )


def _volume_zscore(window: int) -> Feature:
    return Feature(
        f"volume_zscore_{window}",
        "volume",
        f"(v − mean{window}(v)) / std{window}(v)",
        window,
        lambda s: ratio(s.volume - s.mean(s.volume, window), s.std(s.volume, window)),
    )


def _volume_trend(fast: int, slow: int) -> Feature:
    return Feature(
        f"volume_trend_{fast}_{slow}",
        "volume",
        f"log(mean{fast}(v) / mean{slow}(v))",
        slow,
        lambda s: log_ratio(s.mean(s.volume, fast), s.mean(s.volume, slow)),
    )


def _volume_variation(window: int) -> Feature:
    return Feature(
        f"volume_variation_{window}",
        "volume",
        f"std{window}(v) / mean{window}(v)",
        window,
        lambda s: ratio(s.std(s.volume, window), s.mean(s.volume, window)),
    )


def _dollar_volume_relative(window: int) -> Feature:
    return Feature(
        f"dollar_volume_relative_{window}",
        "volume",
        f"log(c·v / mean{window}(c·v))",
        window,
        lambda s: log_ratio(s.dollar_volume, s.mean(s.dollar_volume, window)),
    )


def _on_balance_volume(window: int) -> Feature:
    return Feature(
        f"obv_slope_{window}",
        "volume",
        f"sum{window}(sign(c − c₋₁)·v) / sum{window}(v): "
        "Granville's on-balance volume, gained over the window per unit of volume",
        window + 1,
        lambda s: ratio(
            rolling_mean(np.sign(s.change) * s.volume, window), s.mean(s.volume, window)
        ),
    )


def _money_flow_index(window: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        direction = np.sign(s.typical_price - shift(s.typical_price, 1))
        flow = direction * s.typical_dollar_volume
        inflow = rolling_mean(np.maximum(flow, 0.0), window)
        return ratio(inflow, rolling_mean(np.abs(flow), window))

    return Feature(
        f"money_flow_index_{window}",
        "volume",
        f"sum{window}(p·v where p > p₋₁) / sum{window}(p·v where p ≠ p₋₁), p = (h + l + c) / 3, "
        "in [0, 1]: Quong & Soudack (1989)",
        window + 1,
        compute,
    )


def _chaikin_money_flow(window: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        location = np.where(s.bar_range == 0.0, 0.0, s.close_location)
        return ratio(rolling_mean(location * s.volume, window), s.mean(s.volume, window))

    return Feature(
        f"chaikin_money_flow_{window}",
        "volume",
        f"sum{window}(close_location·v) / sum{window}(v), a bar without range counting 0: Chaikin",
        window,
        compute,
    )


def _illiquidity(fast: int, slow: int) -> Feature:
    def compute(s: BarSeries) -> FloatArray:
        def per_dollar(window: int) -> FloatArray:
            return ratio(s.mean(s.absolute_return, window), s.mean(s.dollar_volume, window))

        return log_ratio(per_dollar(fast), per_dollar(slow))

    return Feature(
        f"amihud_{fast}_{slow}",
        "volume",
        f"log(a{fast} / a{slow}), aₙ = sumₙ|r| / sumₙ(c·v): Amihud (2002) as a ratio of sums, "
        "so that a bar without volume does not void the window",
        slow + 1,
        compute,
    )


def _vwap_distance(window: int) -> Feature:
    return Feature(
        f"vwap_distance_{window}",
        "volume",
        f"log(c / (sum{window}(p·v) / sum{window}(v))), p = (h + l + c) / 3",
        window,
        lambda s: log_ratio(
            s.close, ratio(s.mean(s.typical_dollar_volume, window), s.mean(s.volume, window))
        ),
    )


def _return_volume_correlation(window: int) -> Feature:
    return Feature(
        f"return_volume_correlation_{window}",
        "volume",
        f"correlation of r with v over {window} bars",
        window + 1,
        lambda s: s.rolling(s.log_return).correlation(s.rolling(s.volume), window),
    )


VOLUME_FEATURES: tuple[Feature, ...] = (
    _volume_relative(20),
    _volume_relative(60),
    _volume_zscore(20),
    _volume_zscore(60),
    _volume_trend(5, 20),
    _volume_variation(20),
    _dollar_volume_relative(20),
    _on_balance_volume(20),
    _money_flow_index(14),
    _chaikin_money_flow(20),
    _illiquidity(5, 60),
    _vwap_distance(20),
    _return_volume_correlation(20),
)
