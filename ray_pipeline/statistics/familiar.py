"""Whether values are like those that a model learned from, feature by feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FeatureRange", "feature_range", "unfamiliar"]

_N_LOOKED_AT = 20_000
_TAIL = 0.001
_WIDENED_BY = 0.5
_SELDOM = 0.01


@dataclass(frozen=True, slots=True)
class FeatureRange:
    """What the training rows had of a feature.

    Attributes
    ----------
    low, high
        Between these lie the central 99.8 % of its values; NaN where it had none.
    missing
        Share of the rows without a value.
    """

    low: float
    high: float
    missing: float


def feature_range(values: NDArray[np.float32]) -> FeatureRange:
    """Take the range of a feature from its training rows, of many from evenly spaced ones.

    Examples
    --------
    >>> feature_range(np.array([0, 1, 2, np.nan], dtype=np.float32)).missing
    0.25
    """
    step = max(1, -(-len(values) // _N_LOOKED_AT))
    seen = values[::step].astype(np.float64)
    there = seen[np.isfinite(seen)]
    if not len(there):
        return FeatureRange(np.nan, np.nan, 1.0)
    low, high = np.quantile(there, [_TAIL, 1.0 - _TAIL])
    return FeatureRange(float(low), float(high), 1.0 - len(there) / len(seen))


def unfamiliar(X: NDArray[np.float32], ranges: Sequence[FeatureRange]) -> NDArray[np.bool_]:
    """Tell which cells are unlike the training rows.

    A value is where it lies outside the range by more than half its width, so that a constant
    knows no other value; a missing one where fewer than 1 % were missing. The bounds are a
    convention: around zero they are twice the quantiles, beyond which lies one normal value in
    a billion and a half, and of Student's t with four degrees of freedom one in seven thousand.

    Parameters
    ----------
    X
        (n_rows, n_features), NaN = missing.
    ranges
        Of each feature.

    Returns
    -------
    ndarray
        (n_rows, n_features).
    """
    low, high, missing = (
        np.array([getattr(each, name) for each in ranges], dtype=np.float64)
        for name in ("low", "high", "missing")
    )
    room = _WIDENED_BY * (high - low)
    is_missing = np.isnan(X)
    # What had no value in training has no bounds: any value is unlike it.
    inside = (low - room <= X) & (high + room >= X)
    return np.where(is_missing, missing < _SELDOM, ~inside)
