"""How a feature moves what a model says: accumulated local effects, and their shape (pure)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "N_BINS",
    "EffectShape",
    "ShapeName",
    "accumulated_effects",
    "effect_shape",
    "quantile_edges",
]

Floats = NDArray[np.float64]

ShapeName = Literal["rising", "falling", "U-shaped", "hump-shaped", "mixed", "unsteady", "none"]

N_BINS = 8
"""Between quantiles: enough to see a U, and a sample of 500 rows has dozens in each."""

LEAST_STRENGTH = 0.05
"""Standard deviations of the score below which an effect is called none."""

PURE = 0.8
"""Share of all rises and falls of a curve that have to be of its shape."""

AGREEING = 0.8
"""Share of the folds whose curves have to go the way of the others."""


def quantile_edges(values: Floats, n_bins: int = N_BINS) -> Floats:
    """Return the bounds of bins with as many values each, shape (n_bins + 1,).

    NaN where no value is finite. Bounds repeat where values do.

    >>> quantile_edges(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), 2).tolist()
    [0.0, 2.0, 4.0]
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.full(n_bins + 1, np.nan)
    # Values of the data, and no means of two: a flag is 0 or 1.
    edges: Floats = np.quantile(finite, np.linspace(0.0, 1.0, n_bins + 1), method="nearest")
    return edges


def accumulated_effects(
    predict: Callable[[NDArray[np.float32]], Floats],
    X: NDArray[np.float32],
    places: Sequence[int],
    edges: Floats,
) -> Floats:
    """Return the accumulated local effects of features on a model's predictions.

    Apley & Zhu (2020), "Visualizing the effects of predictor variables in black box supervised
    learning models", JRSS B 82, eq. 15 and 16: rows of a bin are predicted with the feature at
    either bound of it, and the mean differences are summed. Unlike partial dependence, no row is
    predicted at values that do not occur beside its others. Rows beyond the outer bounds count to
    the outer bins; rows without the feature are left out.

    Parameters
    ----------
    predict
        Of all rows at once.
    X
        Rows that stand for those to come, shape (n_samples, n_features).
    places
        Columns of the features.
    edges
        Bounds of the bins of each, shape (n_places, n_bins + 1).

    Returns
    -------
    ndarray
        At each bound, the mean over rows being 0, shape (n_places, n_bins + 1); NaN for a feature
        without bounds or rows.

    Examples
    --------
    >>> X = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [3.0, 5.0]], dtype=np.float32)
    >>> accumulated_effects(lambda X: 2.0 * X[:, 0], X, [0], np.array([[0.0, 1.5, 3.0]]))
    array([[-3.,  0.,  3.]])
    """
    n_bins = edges.shape[1] - 1
    kept, bins, altered = [], [], []
    for j, bounds in zip(places, edges, strict=True):
        rows = (
            np.flatnonzero(np.isfinite(X[:, j])) if np.isfinite(bounds).all() else np.empty(0, int)
        )
        # A bin holds its upper bound, and the first its lower one too.
        inside = np.searchsorted(bounds[1:-1], X[rows, j].astype(np.float64), side="left")
        for side in (0, 1):
            at = X[rows].copy()
            at[:, j] = bounds[inside + side]
            altered.append(at)
        kept.append(rows)
        bins.append(inside)
    found = np.full((len(places), n_bins + 1), np.nan)
    if not any(map(len, kept)):
        return found
    predicted = np.asarray(predict(np.concatenate(altered)), dtype=np.float64)
    start = 0
    for place, (rows, inside) in enumerate(zip(kept, bins, strict=True)):
        n = len(rows)
        if n:
            lower, upper = predicted[start : start + n], predicted[start + n : start + 2 * n]
            counts = np.bincount(inside, minlength=n_bins)
            sums = np.bincount(inside, weights=upper - lower, minlength=n_bins)
            steps = np.divide(sums, counts, out=np.zeros(n_bins), where=counts > 0)
            curve = np.concatenate([[0.0], np.cumsum(steps)])
            middles = (curve[1:] + curve[:-1]) / 2.0
            found[place] = curve - float(counts @ middles) / n
        start += 2 * n
    return found


@dataclass(frozen=True, slots=True)
class EffectShape:
    """What the curves of several folds say together.

    Attributes
    ----------
    effect
        Mean curve, shape (n_bins + 1,).
    std_error
        Of the mean over the folds, which share training rows: a measure of how much they differ;
        NaN of a single fold.
    strength
        Root of the mean square of the curve over its bins.
    n_folds, n_agree
        Folds with a curve, and those whose curve goes the way of the mean of the others.
    """

    effect: Floats
    std_error: Floats
    shape: ShapeName
    strength: float
    n_folds: int
    n_agree: int


def effect_shape(curves: Floats) -> EffectShape | None:
    """Average the curves of folds and name their shape; None where no fold has one.

    Parameters
    ----------
    curves
        In standard deviations of each fold's predictions, shape (n_folds, n_bins + 1); NaN in
        folds whose model has not the feature.

    Notes
    -----
    ``none`` is an effect weaker than `LEAST_STRENGTH`, ``unsteady`` one on which too few folds
    agree. Otherwise the rises and falls of the mean curve are compared with those that a rising,
    falling, U-shaped or hump-shaped curve of the same ends and extremes has: the shape is the first
    that has `PURE` of them, and ``mixed`` where none has.
    """
    known = curves[np.isfinite(curves).all(axis=1)]
    n = len(known)
    if not n:
        return None
    mean = known.mean(axis=0)
    error = known.std(axis=0, ddof=1) / math.sqrt(n) if n > 1 else np.full(mean.shape, np.nan)
    middles = (known[:, 1:] + known[:, :-1]) / 2.0
    total = middles.sum(axis=0)
    agree = [float(each @ (total - each)) > 0.0 for each in middles]
    n_agree = sum(agree) if n > 1 else n
    strength = math.sqrt(float(np.mean((total / n) ** 2)))
    shape = _named(mean)
    if n_agree < AGREEING * n:
        shape = "unsteady"
    if strength < LEAST_STRENGTH:
        shape = "none"
    return EffectShape(mean, error, shape, strength, n, n_agree)


def _named(curve: Floats) -> ShapeName:
    steps = np.diff(curve)
    total = float(np.abs(steps).sum())
    if total == 0.0:
        return "none"
    first, last = float(curve[0]), float(curve[-1])
    low, high = float(curve.min()), float(curve.max())
    shapes: tuple[tuple[ShapeName, float], ...] = (
        ("rising", last - first),
        ("falling", first - last),
        ("U-shaped", (first - low) + (last - low)),
        ("hump-shaped", (high - first) + (high - last)),
    )
    return next((name for name, moved in shapes if moved >= PURE * total), "mixed")
