"""Each feature once more, by its textbook formula on the bars up to one row: slow and plain.

``o h l c v`` are the columns up to and including the row; ``r`` are the log returns, ``p`` the
typical prices. Nothing is shared with the package.
"""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
from scipy import stats

from ray_pipeline.bars import Bars


def history(bars: Bars, row: int) -> SimpleNamespace:
    """Columns up to the row, with what most formulas need."""
    o, h, l, c, v = (  # noqa: E741
        column[: row + 1] for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)
    )
    true_range = np.max([h[1:] - l[1:], abs(h[1:] - c[:-1]), abs(l[1:] - c[:-1])], axis=0)
    return SimpleNamespace(
        o=o, h=h, l=l, c=c, v=v, r=np.diff(np.log(c)), p=(h + l + c) / 3, tr=true_range
    )


def _std(x: np.ndarray) -> float:
    return float(np.std(x, ddof=1))


def _ema(x: np.ndarray, span: int) -> float:
    weights = (1 - 2 / (span + 1)) ** np.arange(3 * span)
    return float((weights * x[::-1][: 3 * span]).sum() / weights.sum())


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def _position(b: SimpleNamespace, w: int) -> float:
    return float((b.c[-1] - b.l[-w:].min()) / (b.h[-w:].max() - b.l[-w:].min()))


def _rogers_satchell(b: SimpleNamespace) -> float:
    h, l, c, o = b.h[-20:], b.l[-20:], b.c[-20:], b.o[-20:]  # noqa: E741
    return float(np.mean(np.log(h / c) * np.log(h / o) + np.log(l / c) * np.log(l / o)))


def _yang_zhang(b: SimpleNamespace) -> float:
    share = 0.34 / (1.34 + 21 / 19)
    gap = np.var(np.log(b.o[-20:] / b.c[-21:-1]), ddof=1)
    body = np.var(np.log(b.c[-20:] / b.o[-20:]), ddof=1)
    return float(np.sqrt(gap + share * body + (1 - share) * _rogers_satchell(b)))


def _mean_deviation(x: np.ndarray) -> float:
    return float(np.mean(abs(x - x.mean())))


def _macd_line(c: np.ndarray) -> float:
    return _ema(c, 12) - _ema(c, 26)


def _macd_histogram(b: SimpleNamespace) -> float:
    lines = np.array([_macd_line(b.c[: len(b.c) - k]) for k in reversed(range(27))])
    return float((lines[-1] - _ema(lines, 9)) / b.c[-1])


def _directional_index(b: SimpleNamespace) -> float:
    movement = 0.0
    for k in range(-14, 0):
        up, down = b.h[k] - b.h[k - 1], b.l[k - 1] - b.l[k]
        if up > max(down, 0.0):
            movement += up
        elif down > max(up, 0.0):
            movement -= down
    return float(movement / b.tr[-14:].sum())


def _money_flow_index(b: SimpleNamespace) -> float:
    rises = np.diff(b.p)[-14:] > 0
    flow = (b.p * b.v)[-14:]
    return float(flow[rises].sum() / flow.sum())


def _amihud(b: SimpleNamespace) -> float:
    def per_dollar(w: int) -> float:
        return float(abs(b.r[-w:]).sum() / (b.c * b.v)[-w:].sum())

    return float(np.log(per_dollar(5) / per_dollar(60)))


Reference = Callable[[SimpleNamespace], float]

REFERENCES: dict[str, Reference] = {
    **{
        f"log_return_{w}": lambda b, w=w: np.log(b.c[-1] / b.c[-1 - w])
        for w in (1, 2, 3, 5, 10, 20, 60)
    },
    **{f"momentum_{w}_5": lambda b, w=w: np.log(b.c[-6] / b.c[-1 - w]) for w in (20, 60)},
    **{
        f"risk_adjusted_momentum_{w}": lambda b, w=w: b.r[-w:].mean() / _std(b.r[-w:]) * np.sqrt(w)
        for w in (20, 60)
    },
    "up_fraction_20": lambda b: np.mean(b.r[-20:] > 0),
    "efficiency_ratio_20": lambda b: (b.c[-1] - b.c[-21]) / abs(np.diff(b.c[-21:])).sum(),
    **{
        f"trend_correlation_{w}": lambda b, w=w: _correlation(np.arange(w), b.c[-w:])
        for w in (20, 60)
    },
    "drawdown_60": lambda b: np.log(b.c[-1] / b.c[-60:].max()),
    "runup_60": lambda b: np.log(b.c[-1] / b.c[-60:].min()),
    "log_range": lambda b: np.log(b.h[-1] / b.l[-1]),
    "log_body": lambda b: np.log(b.c[-1] / b.o[-1]),
    "upper_shadow": lambda b: (b.h[-1] - max(b.o[-1], b.c[-1])) / (b.h[-1] - b.l[-1]),
    "lower_shadow": lambda b: (min(b.o[-1], b.c[-1]) - b.l[-1]) / (b.h[-1] - b.l[-1]),
    "close_location": lambda b: 2 * (b.c[-1] - b.l[-1]) / (b.h[-1] - b.l[-1]) - 1,
    "gap": lambda b: np.log(b.o[-1] / b.c[-2]),
    "gap_to_volatility_20": lambda b: np.log(b.o[-1] / b.c[-2]) / _std(b.r[-21:-1]),
    "range_relative_20": lambda b: np.log((b.h - b.l)[-1] / (b.h - b.l)[-20:].mean()),
    **{
        f"sma_distance_{w}": lambda b, w=w: np.log(b.c[-1] / b.c[-w:].mean())
        for w in (5, 10, 20, 60)
    },
    **{f"ema_distance_{s}": lambda b, s=s: np.log(b.c[-1] / _ema(b.c, s)) for s in (12, 26, 50)},
    "sma_cross_5_20": lambda b: np.log(b.c[-5:].mean() / b.c[-20:].mean()),
    "sma_cross_20_60": lambda b: np.log(b.c[-20:].mean() / b.c[-60:].mean()),
    **{f"volatility_{w}": lambda b, w=w: _std(b.r[-w:]) for w in (5, 10, 20, 60)},
    "volatility_ratio_5_20": lambda b: np.log(_std(b.r[-5:]) / _std(b.r[-20:])),
    "volatility_ratio_20_60": lambda b: np.log(_std(b.r[-20:]) / _std(b.r[-60:])),
    "parkinson_20": lambda b: np.sqrt(
        np.mean(np.log(b.h[-20:] / b.l[-20:]) ** 2) / (4 * np.log(2))
    ),
    "garman_klass_20": lambda b: np.sqrt(
        np.mean(
            0.5 * np.log(b.h[-20:] / b.l[-20:]) ** 2
            - (2 * np.log(2) - 1) * np.log(b.c[-20:] / b.o[-20:]) ** 2
        )
    ),
    "rogers_satchell_20": lambda b: np.sqrt(_rogers_satchell(b)),
    "yang_zhang_20": _yang_zhang,
    "atr_14": lambda b: b.tr[-14:].mean() / b.c[-1],
    "downside_share_20": lambda b: (
        (b.r[-20:] ** 2 * (b.r[-20:] < 0)).sum() / (b.r[-20:] ** 2).sum()
    ),
    "bollinger_position_20": lambda b: (
        (b.c[-1] - (b.c[-20:].mean() - 2 * _std(b.c[-20:]))) / (4 * _std(b.c[-20:]))
    ),
    "bollinger_width_20": lambda b: 4 * _std(b.c[-20:]) / b.c[-20:].mean(),
    "keltner_position_20_10": lambda b: (b.c[-1] - _ema(b.c, 20)) / (2 * b.tr[-10:].mean()),
    "donchian_position_20": lambda b: _position(b, 20),
    "donchian_position_55": lambda b: _position(b, 55),
    "donchian_width_20": lambda b: np.log(b.h[-20:].max() / b.l[-20:].min()),
    "skewness_60": lambda b: stats.skew(b.r[-60:]),
    "kurtosis_60": lambda b: stats.kurtosis(b.r[-60:]),
    "autocorrelation_1_60": lambda b: _correlation(b.r[-60:], b.r[-61:-1]),
    "autocorrelation_5_60": lambda b: _correlation(b.r[-60:], b.r[-65:-5]),
    "absolute_autocorrelation_1_60": lambda b: _correlation(abs(b.r[-60:]), abs(b.r[-61:-1])),
    "variance_ratio_5_60": lambda b: (
        _std(np.log(b.c[-60:] / b.c[-65:-5])) ** 2 / (5 * _std(b.r[-60:]) ** 2)
    ),
    **{
        f"rsi_{w}": lambda b, w=w: (
            np.maximum(np.diff(b.c)[-w:], 0).sum() / abs(np.diff(b.c)[-w:]).sum()
        )
        for w in (14, 28)
    },
    "stochastic_k_14": lambda b: _position(b, 14),
    "stochastic_d_14": lambda b: np.mean(
        [
            _position(SimpleNamespace(c=b.c[:n], h=b.h[:n], l=b.l[:n]), 14)
            for n in (len(b.c), len(b.c) - 1, len(b.c) - 2)
        ]
    ),
    "williams_r_28": lambda b: (b.c[-1] - b.h[-28:].max()) / (b.h[-28:].max() - b.l[-28:].min()),
    "cci_20": lambda b: (b.p[-1] - b.p[-20:].mean()) / (0.015 * _mean_deviation(b.p[-20:])) / 100,
    "macd_12_26": lambda b: _macd_line(b.c) / b.c[-1],
    "macd_histogram_12_26_9": _macd_histogram,
    "roc_12": lambda b: b.c[-1] / b.c[-13] - 1,
    "roc_25": lambda b: b.c[-1] / b.c[-26] - 1,
    "directional_index_14": _directional_index,
    **{f"volume_relative_{w}": lambda b, w=w: np.log(b.v[-1] / b.v[-w:].mean()) for w in (20, 60)},
    **{
        f"volume_zscore_{w}": lambda b, w=w: (b.v[-1] - b.v[-w:].mean()) / _std(b.v[-w:])
        for w in (20, 60)
    },
    "volume_trend_5_20": lambda b: np.log(b.v[-5:].mean() / b.v[-20:].mean()),
    "volume_variation_20": lambda b: _std(b.v[-20:]) / b.v[-20:].mean(),
    "dollar_volume_relative_20": lambda b: np.log((b.c * b.v)[-1] / (b.c * b.v)[-20:].mean()),
    "obv_slope_20": lambda b: (np.sign(b.r[-20:]) * b.v[-20:]).sum() / b.v[-20:].sum(),
    "money_flow_index_14": _money_flow_index,
    "chaikin_money_flow_20": lambda b: (
        (((2 * b.c - b.h - b.l) / (b.h - b.l) * b.v)[-20:]).sum() / b.v[-20:].sum()
    ),
    "amihud_5_60": _amihud,
    "vwap_distance_20": lambda b: np.log(b.c[-1] / ((b.p * b.v)[-20:].sum() / b.v[-20:].sum())),
    "return_volume_correlation_20": lambda b: _correlation(b.r[-20:], b.v[-20:]),
}
