"""Sequential t-tests: evidence on means of normal values that may be looked at as often as wanted.

An e-process is at most 1 on average under the null hypothesis, at whatever time one stops; that it
ever reaches 1/α has a probability of at most α (Ville 1939). Those here are Bayes factors with the
right Haar prior on what is unknown under both hypotheses, means and the deviation, which makes
them e-processes of the invariant statistics (Hendriksen, de Heide & Grünwald 2021, "Optional
stopping with Bayes factors", Bayesian Anal. 16; Pérez-Ortiz, Lardy, de Heide & Grünwald 2024,
"E-statistics, group invariance and anytime-valid testing", Ann. Statist. 52), and a normal prior
on the standardised effect (Gönen, Johnson, Lu & Westfall 2005, "The Bayesian two-sample t test",
Amer. Statist. 59). Inverted, they are confidence sequences (Wang & Ramdas 2024, "Anytime-valid
t-tests and confidence sequences for Gaussian means with unknown variance", arXiv:2310.03722).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ray_pipeline.statistics.tails import t_upper_tail

__all__ = ["log_e_lower", "radius"]

Floats = NDArray[np.float64]


def log_e_lower(t: ArrayLike, freedom: ArrayLike, n: ArrayLike, scale: float) -> Floats:
    """Return log-evidence that an effect is below 0, of its t statistic.

    The prior of the standardised effect δ is the half of N(0, scale²) below 0. With q = n·scale²
    the two-sided Bayes factor is
    ``(1 + q)^(−1/2) · [(1 + t²/ν) / (1 + t²/(ν(1 + q)))]^((ν + 1)/2)``, and the
    share of δ's posterior below 0 that of Student's t with ν + 1 degrees of freedom below
    ``−t · √(q/(1 + q)) · √((ν + 1) / (ν + t²/(1 + q)))``; twice their product is the factor
    of one side. It falls as t rises, so that an effect above 0 is covered by the null too.

    Parameters
    ----------
    t
        Estimate of the effect over its standard error.
    freedom
        Degrees of freedom ν of that error, above 0.
    n
        Observations that the estimate is worth: its variance is that of one over n. For the
        difference of the means of n₁ and n₂ values it is n₁·n₂/(n₁ + n₂).
    scale
        In standard deviations of an observation.

    Returns
    -------
    ndarray
        Of the shape to which the arguments broadcast.

    Examples
    --------
    >>> bool(log_e_lower(-4.0, 30, 10, 1.0) > np.log(20) > log_e_lower(-2.0, 30, 10, 1.0))
    True
    """
    t, freedom = np.asarray(t, dtype=np.float64), np.asarray(freedom, dtype=np.float64)
    q = np.asarray(n, dtype=np.float64) * scale**2
    square = t * t
    two_sided = 0.5 * (freedom + 1.0) * (
        np.log1p(square / freedom) - np.log1p(square / (freedom * (1.0 + q)))
    ) - 0.5 * np.log1p(q)
    place = t * np.sqrt(q / (1.0 + q) * (freedom + 1.0) / (freedom + square / (1.0 + q)))
    # A tail that underflows belongs to evidence for the opposite: none at all.
    below = np.maximum(t_upper_tail(place, freedom + 1.0), 1e-300)
    found: Floats = two_sided + np.log(2.0 * below)
    return found


def radius(freedom: float, n: float, scale: float, alpha: float) -> float:
    """Return the half-width of a confidence sequence, in standard errors of the estimate.

    Where the two-sided factor of `log_e_lower` is below 1/α:
    ``t² = ν · (A − 1) / (1 − A/(1 + q))`` with ``A = (√(1 + q)/α)^(2/(ν + 1))``.

    Parameters
    ----------
    freedom, n, scale
        As of `log_e_lower`.
    alpha
        Probability that the sequence ever misses the effect, at most.

    Returns
    -------
    float
        Infinite where so few observations exclude nothing.

    Examples
    --------
    Wider than the 1.96 of a single look:

    >>> round(radius(1e6, 100, 1.0, 0.05), 2)
    3.27
    """
    q = n * scale**2
    most = math.exp(2.0 / (freedom + 1.0) * (0.5 * math.log1p(q) - math.log(alpha)))
    if most >= 1.0 + q:
        return math.inf
    return math.sqrt(freedom * (most - 1.0) / (1.0 - most / (1.0 + q)))
