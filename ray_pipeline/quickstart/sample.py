"""The sample panel: hourly bars of invented symbols with known effects in them (pure)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.quickstart.truth import PLANTED, PlantedTarget, Truth

__all__ = ["BY_PRODUCT", "FEATURES", "GAPPED", "LATE", "make_sample"]

Floats = NDArray[np.float64]

FEATURES = (
    "amihud",
    "beta_3d",
    "crowding",
    "dist_high_72h",
    "flow_signal",
    "market_stress",
    "momentum_24h",
    "order_imbalance",
    "participation",
    "rsi_14",
    "skew_72h",
    "turnover",
    "value_gap",
    "volatility_24h",
    "volume_gap",
    "volume_gap_bps",
    "wick_ratio",
)
"""Feature columns; the planted truth decides which of them matter."""

BY_PRODUCT = "next_ret_1h"
"""The one-bar change behind the first target: a label by-product, never a feature."""

GAPPED, LATE = 2, 3
"""Symbols, by number, with a gap in their history and with a late start. They are neighbours, so
that each half of an ``opposite`` target has one of them."""

_START = np.datetime64("2024-01-01T00:00", "us")
_MARKET_WIDE = "market_stress"
_PERSISTENCE = {"order_imbalance": 0.9, "participation": 0.9, "volume_gap": 0.9}
_SLOW, _SLOWEST = 0.95, 0.98
_COMMON_SHARE = 0.2
"""Share of a feature's variance that is common to all symbols."""
_MARKET_SHARE = 0.3
"""Share of the noise's variance from a market factor, as in real labels."""
_TWIN_NOISE = 0.02
_UNIT_OF_LABELS = 0.004
"""One-bar standard deviation of the labels: that of an hourly return."""


def make_sample(
    seed: int = 7, n_symbols: int = 12, n_bars: int = 2000, truth: Truth = PLANTED
) -> dict[str, pa.Table]:
    """Generate a labeled panel, bit-identical for equal arguments.

    Features are AR(1) series with a common part. The change of a target from row t to t+1 depends
    on the features of row t as planted, plus noise with a market factor; its label is the sum of
    the changes of rows t+1 … t+h, so that labels overlap like real ones. The last h labels are
    missing, and one symbol each starts late and has a gap.

    Parameters
    ----------
    seed
        Seed of everything random.
    n_symbols
        At least 4. A symbol's table does not depend on how many others there are.
    n_bars
        Hourly bars of the panel, at least 400.
    truth
        What to plant: `PLANTED`, or `NOTHING_PLANTED` for pure noise in the same columns.

    Returns
    -------
    dict
        Table by symbol: ``ts``, ``sector`` (text), the features (float), the targets (double),
        and `BY_PRODUCT`.

    Raises
    ------
    ValueError
        When the panel is too small for its late start and its gap.
    """
    if n_symbols < 4 or n_bars < 400:
        raise ValueError(
            f"a sample of {n_symbols} symbols and {n_bars} bars is too small: at least 4 symbols "
            "and 400 bars are needed."
        )
    market = np.random.default_rng([seed, 0])
    common = _features(market, n_bars)
    factor = market.standard_normal((n_bars, len(truth.targets)))
    return {
        f"SYM{number:02d}": _symbol_table(seed, number, common, factor, truth)
        for number in range(n_symbols)
    }


def _symbol_table(seed: int, number: int, common: Floats, factor: Floats, truth: Truth) -> pa.Table:
    generator = np.random.default_rng([seed, number + 1])
    n_bars = len(common)
    X = np.sqrt(_COMMON_SHARE) * common
    X += np.sqrt(1.0 - _COMMON_SHARE) * _features(generator, n_bars)
    X[:, FEATURES.index(_MARKET_WIDE)] = common[:, FEATURES.index(_MARKET_WIDE)]
    noise = np.sqrt(_MARKET_SHARE) * factor
    noise += np.sqrt(1.0 - _MARKET_SHARE) * generator.standard_normal(factor.shape)
    if truth.twin is not None:
        twin = X[:, FEATURES.index(truth.twin.of)]
        twin = twin + _TWIN_NOISE * generator.standard_normal(n_bars)
        X[:, FEATURES.index(truth.twin.feature)] = 1e4 * twin
    changes = np.column_stack(
        [_changes(target, X, noise[:, place], number) for place, target in enumerate(truth.targets)]
    )
    kept = _rows_of(number, n_bars)
    X, changes = X[kept], changes[kept]
    labels = {
        target.name: _label(changes[:, place], target) for place, target in enumerate(truth.targets)
    }
    if truth.leak is not None:
        copied = np.roll(labels[truth.leak.target], -truth.leak.rows_later)
        copied[-truth.leak.rows_later :] = np.nan
        X[:, FEATURES.index(truth.leak.feature)] = np.tanh(copied / (5.0 * _UNIT_OF_LABELS))
    X[:72, FEATURES.index("beta_3d")] = np.nan  # as in a window of three days
    hours = np.flatnonzero(kept).astype("timedelta64[h]")
    columns = {
        "ts": pa.array((_START + hours).astype("datetime64[us]"), pa.timestamp("us", "UTC")),
        "sector": pa.repeat(("metals", "energy", "grains")[number % 3], len(X)),
    }
    columns |= {
        name: pa.array(X[:, j].astype(np.float32), from_pandas=True)
        for j, name in enumerate(FEATURES)
    }
    columns |= {name: pa.array(label, from_pandas=True) for name, label in labels.items()}
    upcoming = np.append(changes[1:, 0], np.nan) * _UNIT_OF_LABELS
    columns[BY_PRODUCT] = pa.array(upcoming, from_pandas=True)
    return pa.table(columns)


def _features(generator: np.random.Generator, n_bars: int) -> Floats:
    persistence = [
        _PERSISTENCE.get(name, _SLOWEST if place % 3 == 0 else _SLOW)
        for place, name in enumerate(FEATURES)
    ]
    return _autoregressive(generator.standard_normal((n_bars, len(FEATURES))), persistence)


def _autoregressive(shocks: Floats, persistence: list[float]) -> Floats:
    """Turn independent columns into stationary AR(1) ones of unit variance."""
    phi = np.array(persistence)
    fresh = np.sqrt(1.0 - phi**2)
    series = shocks.copy()
    for t in range(1, len(series)):
        series[t] = phi * series[t - 1] + fresh * shocks[t]
    return series


def _changes(target: PlantedTarget, X: Floats, noise: Floats, number: int) -> Floats:
    """One-bar changes, shape (n_bars,): row t+1 is moved by the features of row t."""
    changes = _autoregressive(noise[:, np.newaxis], [target.persistence])[:, 0]
    carried = X[:, [FEATURES.index(name) for name in target.carriers]]
    if target.shape == "magnitude":
        carried = np.abs(carried) - np.sqrt(2.0 / np.pi)  # minus the mean: ups equal downs
    sign = -1.0 if target.shape == "opposite" and number % 2 else 1.0
    changes[1:] += sign * target.strength * carried[:-1].sum(axis=1)
    return changes


def _label(changes: Floats, target: PlantedTarget) -> Floats:
    """Sum of the next h changes, shape (n_rows,); missing where the future ends before."""
    horizon = target.horizon_bars
    label = np.full(len(changes), np.nan)
    # Each sum separately: with a running total, rounding errors would carry the whole past into a
    # label.
    windows = np.lib.stride_tricks.sliding_window_view(changes[1:], horizon)
    label[:-horizon] = windows.sum(axis=1) * _UNIT_OF_LABELS
    if target.task == "binary":
        label[:-horizon] = label[:-horizon] > 0.0
    return label


def _rows_of(number: int, n_bars: int) -> NDArray[np.bool_]:
    """Bars that a symbol has, shape (n_bars,)."""
    kept = np.ones(n_bars, dtype=bool)
    if number == LATE:
        kept[: n_bars * 3 // 10] = False
    if number == GAPPED:
        kept[n_bars * 5 // 10 : n_bars * 53 // 100] = False
    return kept
