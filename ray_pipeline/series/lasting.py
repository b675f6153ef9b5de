"""What the last value and the level of before foretell of a series' targets by themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ray_pipeline.bars.rolling import Rolling
from ray_pipeline.series.labels import find_series_label
from ray_pipeline.series.values import FloatArray
from ray_pipeline.statistics.tails import average_ranks

__all__ = ["SPANS", "Lasting", "foretold", "lasting", "levels", "order_lasts"]

SPANS = (1, 3, 7, 28, 90)
"""Rows over which levels are compared."""

Lasting = tuple[int, float, float]
"""A number of rows, and the correlations with the mean of so many to come, and with its change."""

_LEAST_STRETCHES = 20  # that do not overlap
_LEAST_SYMBOLS = 5


def lasting(value: FloatArray) -> tuple[Lasting, ...]:
    """Return how well a line in the last value and the mean of before fits the mean to come.

    Of noise the mean of before tells the change by its own noise; of a random walk the last value
    tells it, which that mean lags behind. What neither tells is left for other features.

    Parameters
    ----------
    value : float64 (n_rows,)
        NaN where missing.

    Returns
    -------
    tuple of Lasting
        Of those of `SPANS` for which there are enough rows and the values differ: multiple
        correlations, adjusted for the two regressors and for rows that overlap (Theil 1961,
        *Economic Forecasts and Policy*, ch. 6).
    """
    value = np.where(np.isfinite(value), value, np.nan)
    rolling = Rolling(value)
    found = []
    for span in SPANS:
        means = rolling.mean(span)
        rows = np.column_stack([means[:-span], value[:-span], means[span:]])
        rows = rows[~np.isnan(rows).any(axis=1)]
        n_stretches = len(rows) / span
        if n_stretches < _LEAST_STRETCHES:
            continue
        scale = max(float(np.abs(rows).max()), 1e-300)
        before, last, after = (rows / scale - (rows / scale).mean(axis=0)).T
        known = np.column_stack([before, last][: 1 if span == 1 else 2])
        mean = _fit(known, after, n_stretches)
        change = _fit(known, after - before, n_stretches)
        if mean is not None and change is not None:
            found.append((span, mean, change))
    return tuple(found)


def levels(value: FloatArray) -> tuple[float, float] | None:
    """Return the means of the first and of the second half of a series; None of one without."""
    halves = [half[np.isfinite(half)] for half in np.array_split(value, 2)]
    if not all(map(len, halves)):
        return None
    first, second = (float(np.round(half.mean(), 12)) for half in halves)
    return first, second


def order_lasts(found: Sequence[tuple[float, float]]) -> float | None:
    """Return the rank correlation of the symbols' first halves with their second ones.

    What stands high for good stands high tomorrow: across symbols the level alone tells that.

    Parameters
    ----------
    found
        As `levels` gives them, of each symbol.

    Returns
    -------
    float
        None of fewer than five symbols, or where a half is the same of all.

    Examples
    --------
    >>> order_lasts([(1.0, 1.1), (2.0, 2.3), (3.0, 2.9), (4.0, 4.2), (5.0, 5.5)])
    1.0
    """
    if len(found) < _LEAST_SYMBOLS:
        return None
    first, second = (average_ranks(half) for half in zip(*found, strict=True))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return round(float(np.corrcoef(first, second)[0, 1]), 6)


def foretold(
    target: str, horizon_bars: int, lasts: Sequence[Mapping[int, tuple[float, float]]]
) -> float | None:
    """Return the correlation that the last value and the level of before have with a target.

    Parameters
    ----------
    target
        Name of a label of a series.
    horizon_bars
        Its horizon.
    lasts
        What `lasting` found, by symbol: rows to both correlations.

    Returns
    -------
    float
        By the symbols' median at the nearest span; None where nothing is known. Of normal values
        the sign of a change has ``√(2/π)`` of the correlation of the change.

    Examples
    --------
    >>> lasts = [{7: (0.1, 0.7)}]
    >>> foretold("fwd_mean_7d", 7, lasts), foretold("fwd_change_7d", 7, lasts)
    (0.1, 0.7)
    """
    kind = find_series_label(target)
    spans = {span for each in lasts for span in each}
    if kind is None or not spans:
        return None
    nearest = min(spans, key=lambda span: (abs(math.log(span / horizon_bars)), span))
    is_change = kind in ("fwd_change", "y_will_rise")
    figures = [each[nearest][1 if is_change else 0] for each in lasts if nearest in each]
    told = float(np.median(figures))
    return told * math.sqrt(2.0 / math.pi) if kind == "y_will_rise" else told


def _fit(known: FloatArray, label: FloatArray, n_stretches: float) -> float | None:
    """Return the adjusted multiple correlation, None where the label does not differ."""
    total = float(label @ label)
    if not total > 1e-20 * len(label):
        return None
    weights, *_ = np.linalg.lstsq(known, label, rcond=1e-10)
    rest = label - known @ weights
    n_known = known.shape[1]
    unexplained = float(rest @ rest) / total * (n_stretches - 1.0) / (n_stretches - 1.0 - n_known)
    # Digits beyond these may depend on the machine.
    return round(math.sqrt(max(1.0 - unexplained, 0.0)), 6)
