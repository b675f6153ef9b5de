"""Rank correlation of a feature with a target at every shift: what a leak looks like.

A label of horizon h at row s describes rows s+1 … s+h. A feature at row t may hold what was
known at t, so it may equal the label of row t−h or an earlier one. Agreement with the label of
any later row is knowledge of the future.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft, stats

__all__ = ["LeakScore", "leak_verdict", "normal_scores", "score_leaks"]

Floats = NDArray[np.float64]

BEHAVIOUR_REMAINDER = 0.25
"""A leaked label overlaps the label one horizon on by nothing; a persistent honest feature keeps
more than a quarter of its correlation with it."""

EXPLAINED_MARGIN = 0.01
"""A past return correlates 1 − 1/h with the label that ends one bar after it, and 1 with the one
that ends with it: only what exceeds the honest shifts by this much is a finding."""


@dataclass(frozen=True, slots=True)
class LeakScore:
    """Correlations of one (feature, target) pair.

    Attributes
    ----------
    leaking, leaking_shift
        Largest |correlation| over shifts that need the future, and that shift in rows: positive
        when the feature agrees with a label of a later row.
    honest
        Largest |correlation| over shifts known at the time.
    present
        Correlation at shift 0.
    horizon_earlier
        Correlation when the feature is taken one horizon earlier.
    """

    leaking: float
    leaking_shift: int
    honest: float
    present: float
    horizon_earlier: float


def normal_scores(values: Floats) -> tuple[Floats, Floats]:
    """Standardised average ranks of the finite values, 0 elsewhere, and the mask of the finite.

    Returns
    -------
    tuple
        Two arrays of shape (n_rows,). A constant column is all 0.
    """
    finite = np.isfinite(values)
    scores = np.zeros(len(values))
    if finite.sum() > 2:
        ranks = stats.rankdata(values[finite])
        spread = ranks.std()
        if spread > 0:
            scores[finite] = (ranks - ranks.mean()) / spread
    return scores, finite.astype(np.float64)


def score_leaks(
    features: Floats, target: Floats, horizon: int, max_rows: int = 20_000
) -> list[LeakScore | None]:
    """Correlate every feature with a target over shifts −2h … +h.

    Parameters
    ----------
    features
        Shape (n_rows, n_features), NaN = missing.
    target
        Shape (n_rows,).
    horizon
        Bars the label looks ahead.
    max_rows
        The newest rows are enough to recognise a copy.

    Returns
    -------
    list
        One score per feature; None where there is nothing to correlate.
    """
    features, target = features[-max_rows:], target[-max_rows:]
    n_rows = len(target)
    horizon = min(horizon, n_rows // 4)
    if horizon < 1:
        return [None] * features.shape[1]
    size = fft.next_fast_len(n_rows + 2 * horizon + 1, real=True)
    y, y_mask = normal_scores(target)
    y_f, y_mask_f = fft.rfft(y, size), fft.rfft(y_mask, size)
    shifts = np.arange(-2 * horizon, horizon + 1)
    leaks = shifts > -horizon
    scores: list[LeakScore | None] = []
    for column in features.T:
        x, x_mask = normal_scores(column)
        if not x.any() or not y.any():
            scores.append(None)
            continue
        # correlation theorem: Σ_t x[t]·y[t + s] for all s at once
        products = fft.irfft(np.conj(fft.rfft(x, size)) * y_f, size)[shifts]
        pairs = fft.irfft(np.conj(fft.rfft(x_mask, size)) * y_mask_f, size)[shifts].round()
        enough = pairs >= max(50.0, n_rows / 10)
        # Over the pairs at hand the scores' variance is not quite 1.
        correlation = np.where(enough, products / np.maximum(pairs, 1.0), 0.0).clip(-1.0, 1.0)
        strength = np.abs(correlation)
        best = int(np.argmax(np.where(leaks, strength, -1.0)))
        scores.append(
            LeakScore(
                leaking=float(strength[best]),
                leaking_shift=int(shifts[best]),
                honest=float(strength[~leaks].max()),
                present=float(correlation[2 * horizon]),
                horizon_earlier=float(correlation[3 * horizon]),
            )
        )
    return scores


def leak_verdict(
    score: LeakScore, max_abs_correlation: float, behaviour_min_correlation: float
) -> tuple[Literal["value", "behaviour"], float] | None:
    """Say whether a score is a leak, by which test and with what value.

    ``value``: the feature is the target, or a monotone copy, possibly shifted. ``behaviour``:
    it explains implausibly much of the target, which vanishes when it is taken a horizon earlier
    and is not explained by labels already known.
    """
    unexplained = score.leaking > score.honest + EXPLAINED_MARGIN
    if score.leaking >= max_abs_correlation and unexplained:
        return "value", score.leaking
    strong = abs(score.present) >= behaviour_min_correlation
    vanishes = abs(score.horizon_earlier) < BEHAVIOUR_REMAINDER * abs(score.present)
    if strong and vanishes and unexplained:
        return "behaviour", abs(score.present)
    return None
