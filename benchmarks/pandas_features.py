"""Features of bars as one writes them in plain pandas: the oracle and the rival of our own.

Each is one expression of rolling means, deviations, correlations, ranks and quantiles. Two
statistics pandas has no method for: where in a window the highest or lowest bar is, and the mean
absolute deviation. Plain pandas calls a function of NumPy's for every window then, with
`rolling().apply(raw=True)`; who knows NumPy too calls it once for a view of all windows. Both
ways are here. What is slow or much needed is computed once, as a careful writer does it.

Nothing is shared with the package. Windows that are not full are missing, as in pandas and in
the package.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

__all__ = ["OfWindows", "by_apply", "by_view", "pandas_alpha158", "pandas_standard"]

WINDOWS = (5, 10, 20, 30, 60)
TINY = 1e-12

Columns = dict[str, "pd.Series[float]"]
Frame = pd.DataFrame
Statistic = Callable[..., np.ndarray]
OfWindows = Callable[["pd.Series[float]", int, Statistic], "pd.Series[float]"]


def by_apply(values: pd.Series[float], window: int, statistic: Statistic) -> pd.Series[float]:
    """Return a statistic that pandas lacks, by a call for every window."""
    return values.rolling(window).apply(statistic, raw=True)


def by_view(values: pd.Series[float], window: int, statistic: Statistic) -> pd.Series[float]:
    """Return the same by one call for NumPy's view of all windows."""
    found = pd.Series(np.nan, index=values.index)
    if len(values) >= window:
        view = np.lib.stride_tricks.sliding_window_view(values.to_numpy(), window)
        found.iloc[window - 1 :] = statistic(view, axis=-1)
    return found.where(values.rolling(window).max().notna())


def pandas_alpha158(bars: Frame, of_windows: OfWindows = by_apply) -> Columns:
    """Return the 158 factors of Qlib from columns open, high, low, close and volume."""
    o, h, l, c, v = (bars[name] for name in ("open", "high", "low", "close", "volume"))  # noqa: E741
    top, bottom, span = np.maximum(o, c), np.minimum(o, c), h - l + TINY
    columns = {
        "KMID": (c - o) / o,
        "KLEN": (h - l) / o,
        "KMID2": (c - o) / span,
        "KUP": (h - top) / o,
        "KUP2": (h - top) / span,
        "KLOW": (bottom - l) / o,
        "KLOW2": (bottom - l) / span,
        "KSFT": (2 * c - h - l) / o,
        "KSFT2": (2 * c - h - l) / span,
        "OPEN0": o / c,
        "HIGH0": h / c,
        "LOW0": l / c,
        "VWAP0": (h + l + c) / 3 / c,
    }
    change, moved = c.diff(), v.diff()
    is_up, is_down = (change > 0).where(change.notna()), (change < 0).where(change.notna())
    gain, loss, size = change.clip(lower=0), (-change).clip(lower=0), change.abs()
    more, less, moved_by = moved.clip(lower=0), (-moved).clip(lower=0), moved.abs()
    weighted = (c / c.shift() - 1).abs() * v
    time = pd.Series(np.arange(float(len(c))), index=c.index)
    highest = {w: of_windows(h, w, np.argmax) for w in WINDOWS}
    lowest = {w: of_windows(l, w, np.argmin) for w in WINDOWS}
    rules: dict[str, Callable[[int], pd.Series[float]]] = {
        "ROC": lambda w: c.shift(w) / c,
        "MA": lambda w: c.rolling(w).mean() / c,
        "STD": lambda w: c.rolling(w).std() / c,
        "BETA": lambda w: _slope(c, time, w) / c,
        "RSQR": lambda w: c.rolling(w).corr(time) ** 2,
        "RESI": lambda w: (c - c.rolling(w).mean() - _slope(c, time, w) * (w - 1) / 2) / c,
        "MAX": lambda w: h.rolling(w).max() / c,
        "MIN": lambda w: l.rolling(w).min() / c,
        "QTLU": lambda w: c.rolling(w).quantile(0.8) / c,
        "QTLD": lambda w: c.rolling(w).quantile(0.2) / c,
        "RANK": lambda w: c.rolling(w).rank(pct=True),
        "RSV": lambda w: (
            (c - l.rolling(w).min()) / (h.rolling(w).max() - l.rolling(w).min() + TINY)
        ),
        "IMAX": lambda w: (highest[w] + 1) / w,
        "IMIN": lambda w: (lowest[w] + 1) / w,
        "IMXD": lambda w: (highest[w] - lowest[w]) / w,
        "CORR": lambda w: c.rolling(w).corr(np.log(v + 1)),
        "CORD": lambda w: (c / c.shift()).rolling(w).corr(np.log(v / v.shift() + 1)),
        "CNTP": lambda w: is_up.rolling(w).mean(),
        "CNTN": lambda w: is_down.rolling(w).mean(),
        "CNTD": lambda w: is_up.rolling(w).mean() - is_down.rolling(w).mean(),
        "SUMP": lambda w: gain.rolling(w).sum() / (size.rolling(w).sum() + TINY),
        "SUMN": lambda w: loss.rolling(w).sum() / (size.rolling(w).sum() + TINY),
        "SUMD": lambda w: (
            (gain.rolling(w).sum() - loss.rolling(w).sum()) / (size.rolling(w).sum() + TINY)
        ),
        "VMA": lambda w: v.rolling(w).mean() / (v + TINY),
        "VSTD": lambda w: v.rolling(w).std() / (v + TINY),
        "WVMA": lambda w: weighted.rolling(w).std() / (weighted.rolling(w).mean() + TINY),
        "VSUMP": lambda w: more.rolling(w).sum() / (moved_by.rolling(w).sum() + TINY),
        "VSUMN": lambda w: less.rolling(w).sum() / (moved_by.rolling(w).sum() + TINY),
        "VSUMD": lambda w: (
            (more.rolling(w).sum() - less.rolling(w).sum()) / (moved_by.rolling(w).sum() + TINY)
        ),
    }
    return columns | {f"{name}{w}": rule(w) for name, rule in rules.items() for w in WINDOWS}


def pandas_standard(bars: Frame, of_windows: OfWindows = by_apply) -> Columns:
    """Return the standard features from the same columns."""
    o, h, l, c, v = (bars[name] for name in ("open", "high", "low", "close", "volume"))  # noqa: E741
    r, time = np.log(c / c.shift()), pd.Series(np.arange(float(len(c))), index=c.index)
    change, span = c.diff(), h - l
    typical, body, gap, log_range = (
        (h + l + c) / 3,
        np.log(c / o),
        np.log(o / c.shift()),
        np.log(h / l),
    )
    true_range = np.maximum(span, np.maximum((h - c.shift()).abs(), (l - c.shift()).abs()))
    rogers = np.log(h / c) * np.log(h / o) + np.log(l / c) * np.log(l / o)
    is_up = (change > 0).where(change.notna())
    flow = np.sign(typical.diff()) * typical * v
    up, down = h.diff(), -l.diff()
    movement = up.where((up > down) & (up > 0), 0) - down.where((down > up) & (down > 0), 0)
    movement = movement.where(up.notna() & down.notna())
    columns = {f"log_return_{w}": np.log(c / c.shift(w)) for w in (1, 2, 3, 5, 10, 20, 60)}
    for w in (20, 60):
        mean, std = r.rolling(w).mean(), r.rolling(w).std()
        columns[f"momentum_{w}_5"] = np.log(c.shift(5) / c.shift(w))
        columns[f"risk_adjusted_momentum_{w}"] = mean / std * np.sqrt(w)
        columns[f"trend_correlation_{w}"] = c.rolling(w).corr(time)
        columns[f"volume_relative_{w}"] = np.log(v / v.rolling(w).mean())
        columns[f"volume_zscore_{w}"] = (v - v.rolling(w).mean()) / v.rolling(w).std()
    for w in (5, 10, 20, 60):
        columns[f"sma_distance_{w}"] = np.log(c / c.rolling(w).mean())
        columns[f"volatility_{w}"] = r.rolling(w).std()
    for w in (12, 25):
        columns[f"roc_{w}"] = c / c.shift(w) - 1
    for w in (14, 28):
        columns[f"rsi_{w}"] = (
            change.clip(lower=0).rolling(w).mean() / change.abs().rolling(w).mean()
        )
    for w in (20, 55):
        low, high = l.rolling(w).min(), h.rolling(w).max()
        columns[f"donchian_position_{w}"] = (c - low) / (high - low)
    for w in (12, 26, 50):
        columns[f"ema_distance_{w}"] = np.log(c / _ema(c, w))
    macd = _ema(c, 12) - _ema(c, 26)
    typical_deviation = of_windows(typical, 20, _mean_absolute_deviation)
    low, high = l.rolling(14).min(), h.rolling(14).max()
    money = np.maximum(flow, 0).rolling(14).mean()
    gap_var, body_var = gap.rolling(20).var(), body.rolling(20).var()
    yang_zhang = 0.34 / (1.34 + 21 / 19)
    location = ((2 * c - h - l) / span).where(span != 0, 0)
    loss = np.minimum(r, 0)
    return columns | {
        "up_fraction_20": is_up.rolling(20).mean(),
        "efficiency_ratio_20": (c - c.shift(20)) / change.abs().rolling(20).sum(),
        "drawdown_60": np.log(c / c.rolling(60).max()),
        "runup_60": np.log(c / c.rolling(60).min()),
        "log_range": np.log(h / l),
        "log_body": np.log(c / o),
        "upper_shadow": (h - np.maximum(o, c)) / span,
        "lower_shadow": (np.minimum(o, c) - l) / span,
        "close_location": (2 * c - h - l) / span,
        "gap": np.log(o / c.shift()),
        "gap_to_volatility_20": np.log(o / c.shift()) / r.rolling(20).std().shift(),
        "range_relative_20": np.log(span / span.rolling(20).mean()),
        "sma_cross_5_20": np.log(c.rolling(5).mean() / c.rolling(20).mean()),
        "sma_cross_20_60": np.log(c.rolling(20).mean() / c.rolling(60).mean()),
        "volatility_ratio_5_20": np.log(r.rolling(5).std() / r.rolling(20).std()),
        "volatility_ratio_20_60": np.log(r.rolling(20).std() / r.rolling(60).std()),
        "parkinson_20": np.sqrt((log_range**2).rolling(20).mean() / (4 * np.log(2))),
        "garman_klass_20": np.sqrt(
            (0.5 * log_range**2 - (2 * np.log(2) - 1) * body**2).rolling(20).mean()
        ),
        "rogers_satchell_20": np.sqrt(rogers.rolling(20).mean()),
        "yang_zhang_20": np.sqrt(
            gap_var + yang_zhang * body_var + (1 - yang_zhang) * rogers.rolling(20).mean()
        ),
        "atr_14": true_range.rolling(14).mean() / c,
        "downside_share_20": (loss**2).rolling(20).mean() / (r**2).rolling(20).mean(),
        "bollinger_position_20": (c - c.rolling(20).mean()) / (4 * c.rolling(20).std()) + 0.5,
        "bollinger_width_20": 4 * c.rolling(20).std() / c.rolling(20).mean(),
        "keltner_position_20_10": (c - _ema(c, 20)) / (2 * true_range.rolling(10).mean()),
        "donchian_width_20": np.log(h.rolling(20).max() / l.rolling(20).min()),
        "skewness_60": _skewness(r, 60),
        "kurtosis_60": _kurtosis(r, 60),
        "autocorrelation_1_60": r.rolling(60).corr(r.shift()),
        "autocorrelation_5_60": r.rolling(60).corr(r.shift(5)),
        "absolute_autocorrelation_1_60": r.abs().rolling(60).corr(r.abs().shift()),
        "variance_ratio_5_60": (
            np.log(c / c.shift(5)).rolling(60).var() / (5 * r.rolling(60).var())
        ),
        "stochastic_k_14": (c - low) / (high - low),
        "stochastic_d_14": ((c - low) / (high - low)).rolling(3).mean(),
        "williams_r_28": (
            (c - l.rolling(28).min()) / (h.rolling(28).max() - l.rolling(28).min()) - 1
        ),
        "cci_20": (typical - typical.rolling(20).mean()) / (1.5 * typical_deviation),
        "macd_12_26": macd / c,
        "macd_histogram_12_26_9": (macd - _ema(macd, 9)) / c,
        "directional_index_14": movement.rolling(14).mean() / true_range.rolling(14).mean(),
        "volume_trend_5_20": np.log(v.rolling(5).mean() / v.rolling(20).mean()),
        "volume_variation_20": v.rolling(20).std() / v.rolling(20).mean(),
        "dollar_volume_relative_20": np.log(c * v / (c * v).rolling(20).mean()),
        "obv_slope_20": (np.sign(change) * v).rolling(20).mean() / v.rolling(20).mean(),
        "money_flow_index_14": money / flow.abs().rolling(14).mean(),
        "chaikin_money_flow_20": (location * v).rolling(20).mean() / v.rolling(20).mean(),
        "amihud_5_60": np.log(_per_dollar(r, c * v, 5) / _per_dollar(r, c * v, 60)),
        "vwap_distance_20": np.log(c / ((typical * v).rolling(20).mean() / v.rolling(20).mean())),
        "return_volume_correlation_20": r.rolling(20).corr(v),
    }


def _slope(values: pd.Series[float], time: pd.Series[float], window: int) -> pd.Series[float]:
    time_variance = window * (window + 1) / 12
    return values.rolling(window).cov(time) / time_variance


def _per_dollar(
    returns: pd.Series[float], dollars: pd.Series[float], window: int
) -> pd.Series[float]:
    return returns.abs().rolling(window).mean() / dollars.rolling(window).mean()


def _ema(values: pd.Series[float], span: int) -> pd.Series[float]:
    """Return the exponential average over three spans: pandas' own, less what is older."""
    length, decay = 3 * span, 1 - 2 / (span + 1)
    sums = values.ewm(span=span).sum()
    newest = sums - decay**length * sums.shift(length).fillna(0)
    is_full = values.rolling(length).count() == length
    return (newest * (1 - decay) / (1 - decay**length)).where(is_full)


def _skewness(values: pd.Series[float], n: int) -> pd.Series[float]:
    """Return ``m3 / m2^1.5`` of n values: pandas' own is corrected for bias."""
    return values.rolling(n).skew() * ((n - 2) / (n * (n - 1)) ** 0.5)


def _kurtosis(values: pd.Series[float], n: int) -> pd.Series[float]:
    """Return ``m4 / m2² − 3`` of n values: pandas' own is corrected for bias."""
    return (values.rolling(n).kurt() * ((n - 2) * (n - 3) / (n - 1)) - 6) / (n + 1)


def _mean_absolute_deviation(values: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.abs(values - values.mean(axis, keepdims=True)).mean(axis)
