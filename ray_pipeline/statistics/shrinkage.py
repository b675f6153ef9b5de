"""Noisy effects of many units, drawn towards none by what all of them show together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.tails import normal_upper_quantile, t_upper_tail

__all__ = ["shrink_to_zero"]

Floats = NDArray[np.float64]

NULL_COUNT = 9.0
"""Units without any effect that are counted in beside the real ones (ashr's ``nullbiased`` prior,
10 − 1): where a handful of units cannot tell, most are taken to have none."""

MAX_STEPS = 2_000
TOLERANCE = 1e-5
"""Change of the largest weight at which the fit has settled."""

SMALLEST_P, SMALLEST_T = 1e-300, 1e-6


def shrink_to_zero(estimates: Floats, std_errors: Floats, freedom: Floats) -> Floats:
    """Posterior means of effects under a prior that the effects themselves tell.

    The prior is a mixture of normals around 0, one of them 0 itself, fitted by EM (Stephens 2017,
    "False discovery rates: a new deal", Biostatistics 18, §2). A unit with a large error is drawn
    to 0 and one with a small error hardly; where effects are common all keep more of theirs. The
    point at 0 is what a single normal prior lacks: with that, one unit that truly differs among
    hundreds that do not would lose nearly all of its effect.

    Parameters
    ----------
    estimates, std_errors, freedom
        Effect, its standard error and the degrees of freedom of that error, shape (n_units,).
        A unit whose effect is not finite or whose error is not above 0 has no say.

    Returns
    -------
    ndarray
        Shape (n_units,), between 0 and the estimate; NaN for a unit that has no say.

    Examples
    --------
    >>> effects, errors = np.array([0.3, 0.3, 0.0]), np.array([0.02, 0.25, 0.02])
    >>> shrink_to_zero(effects, errors, np.full(3, 100.0)).round(2).tolist()
    [0.3, 0.02, 0.0]
    """
    shrunk = np.full(len(estimates), np.nan)
    measured = np.isfinite(estimates) & (std_errors > 0)
    effects = estimates[measured]
    if len(effects) == 0:
        return shrunk
    variances = _normal_errors(effects, std_errors[measured], freedom[measured]) ** 2
    widths = _widths(effects, variances)
    total = variances[:, np.newaxis] + widths
    log_density = -0.5 * (np.log(total) + effects[:, np.newaxis] ** 2 / total)
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    share = density * _mixture(density)
    share /= share.sum(axis=1, keepdims=True)
    shrunk[measured] = effects * (share * (widths / total)).sum(axis=1)
    return shrunk


def _normal_errors(effects: Floats, std_errors: Floats, freedom: Floats) -> Floats:
    """Errors under which a normal test gives the p-values of the t-tests."""
    t = np.abs(effects) / std_errors
    p = t_upper_tail(t, freedom)
    # Near t = 0 any error gives the same p; where p vanishes the two tests agree.
    comparable = (t > SMALLEST_T) & (p > SMALLEST_P)
    z = np.where(comparable, normal_upper_quantile(np.where(comparable, p, 0.1)), t)
    errors: Floats = np.where(
        comparable, np.abs(effects) / np.where(comparable, z, 1.0), std_errors
    )
    return errors


def _widths(effects: Floats, variances: Floats) -> Floats:
    """Variances of the prior's parts: 0, then a grid of factors of two (ashr's default)."""
    least = float(variances.min()) / 100.0
    most = 4.0 * float((effects**2 - variances).max())
    if most <= least:
        most = 64.0 * least
    steps = int(np.ceil(np.log2(most / least)))
    return np.concatenate([[0.0], most * 2.0 ** -np.arange(steps + 1)[::-1]])


def _mixture(density: Floats) -> Floats:
    """Weights of the prior's parts by EM, shape (n_parts,)."""
    n_units, n_parts = density.shape
    pseudo = np.zeros(n_parts)
    pseudo[0] = NULL_COUNT
    weights = np.full(n_parts, 1.0 / n_parts)
    for _ in range(MAX_STEPS):
        joint = density * weights
        counts = (joint / joint.sum(axis=1, keepdims=True)).sum(axis=0) + pseudo
        before, weights = weights, counts / (n_units + NULL_COUNT)
        if float(np.abs(weights - before).max()) < TOLERANCE:
            break
    return weights
