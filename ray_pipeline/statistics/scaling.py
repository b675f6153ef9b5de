"""Robust scaling of features and labels, learned on training rows alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FeatureScaling", "fit_feature_scaling", "winsorise_label"]

CLIP_QUANTILE = 0.005
"""Features beyond their 0.5 % and 99.5 % training quantiles are clipped: one bad tick must not
set the scale of a linear model."""

CLIP_RANGES = 5.0
"""Features are clipped as well at so many interquartile ranges from their median (6.7 deviations
of a normal one): where one value in a hundred is wild, quantiles alone let half of them in."""

LABEL_QUANTILE = 0.01
"""Real-valued labels are clipped at their 1 % and 99 % training quantiles for the same reason."""

QUANTILE_ROWS = 50_000
"""Rows that quantiles are taken from, evenly spaced: enough for a 0.5 % tail."""


@dataclass(frozen=True, slots=True)
class FeatureScaling:
    """Clip to ``[low, high]``, subtract `mean`, divide by `scale`; missing becomes 0.

    All arrays have shape (n_features,). A feature that is constant in training has scale inf,
    so it becomes 0 everywhere.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def of(self, columns: NDArray[np.int64]) -> FeatureScaling:
        """Return the scaling of some features."""
        each = (self.low, self.high, self.mean, self.scale)
        return FeatureScaling(*(values[columns] for values in each))

    def clip(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Clip a design matrix, shape (n_samples, n_features), into a new one; NaN stays."""
        return np.clip(X, self.low.astype(np.float32), self.high.astype(np.float32))

    def transform(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scale a design matrix, shape (n_samples, n_features), into a new float64 one."""
        Z = X.astype(np.float64)
        np.clip(Z, self.low, self.high, out=Z)
        Z -= self.mean
        Z /= self.scale
        Z[np.isnan(Z)] = 0.0
        return Z


def _evenly_spaced(n_rows: int) -> NDArray[np.int64]:
    if n_rows <= QUANTILE_ROWS:
        return np.arange(n_rows)
    return np.linspace(0, n_rows - 1, QUANTILE_ROWS).astype(np.int64)


def _order_statistics(values: NDArray[np.float64], places: Sequence[int]) -> list[float]:
    """Values at some places of the sorted order, from one partial sort."""
    ordered = np.partition(values, sorted(set(places)))
    return [float(ordered[place]) for place in places]


def _inner_places(n_values: int, share: float) -> tuple[int, int]:
    """Places of the lower and the upper quantile, rounded inwards to values that occur.

    Interpolating towards the extreme value would let one bad tick in a short history through.
    """
    last = n_values - 1
    low, high = math.ceil(share * last), math.floor((1.0 - share) * last)
    return min(low, high), max(low, high)


def _clip_bounds(values: NDArray[np.float64]) -> tuple[float, float]:
    """Bounds that neither one wild value nor one in twenty can move far."""
    first, last = _inner_places(len(values), CLIP_QUANTILE)
    quartiles = [round(share * (len(values) - 1)) for share in (0.25, 0.5, 0.75)]
    low, lower, median, upper, high = _order_statistics(values, [first, *quartiles, last])
    reach = CLIP_RANGES * (upper - lower)
    if reach > 0:
        low, high = max(low, median - reach), min(high, median + reach)
    return low, high


def fit_feature_scaling(X: NDArray[np.float32]) -> FeatureScaling:
    """Learn clip bounds, mean and standard deviation of each feature.

    Parameters
    ----------
    X
        Training rows, shape (n_samples, n_features); NaN is missing and left out.
    """
    n_features = X.shape[1]
    low, high = np.zeros(n_features), np.zeros(n_features)
    mean, scale = np.zeros(n_features), np.full(n_features, np.inf)
    rows = _evenly_spaced(len(X))
    for j in range(n_features):
        column = X[rows, j].astype(np.float64)
        column = column[~np.isnan(column)]
        if len(column) < 2:
            continue
        low[j], high[j] = _clip_bounds(column)
        if low[j] == high[j]:
            # A mostly constant feature (a rare flag): clipping would erase it.
            low[j], high[j] = column.min(), column.max()
        column = np.clip(column, low[j], high[j])
        mean[j], spread = column.mean(), column.std()
        # Rounding leaves a constant column with a deviation of about 1e-16 of its level.
        if spread > 1e-10 * max(abs(mean[j]), 1e-300):
            scale[j] = spread
    return FeatureScaling(low, high, mean, scale)


def winsorise_label(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Clip training labels, shape (n_samples,), at their own outer quantiles.

    Labels that are nearly all equal (returns of what hardly trades) stay as they are: clipping
    would leave nothing to learn.
    """
    sample = y[_evenly_spaced(len(y))]
    low, high = _order_statistics(sample, _inner_places(len(sample), LABEL_QUANTILE))
    return y if low == high else np.clip(y, low, high)
