"""Ridge regression in closed form, for many targets on one design matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

__all__ = ["solve_ridge"]

BLOCK_ROWS = 32_768
"""Rows of one block of the cross-products: a fixed order of summation, bounded memory."""

Floats = NDArray[np.float64]


def _cross_products(
    Z: Floats, Y: Floats, rows: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats, Floats]:
    n_features, n_targets = Z.shape[1], Y.shape[1]
    gram, moment = np.zeros((n_features, n_features)), np.zeros((n_features, n_targets))
    z_sum, y_sum = np.zeros(n_features), np.zeros(n_targets)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        z, y = Z[block], Y[block]
        gram += z.T @ z
        moment += z.T @ y
        z_sum += z.sum(axis=0)
        y_sum += y.sum(axis=0)
    return gram, moment, z_sum, y_sum


def solve_ridge(
    Z: Floats, Y: Floats, rows: Sequence[NDArray[np.int64]], penalty: float
) -> tuple[Floats, Floats]:
    """Fit ``min ‖y − a − Z·w‖² + penalty·n·‖w‖²`` for every target.

    Targets that train on the same rows share one factorisation, so a hundred targets of three
    horizons cost three (Hoerl & Kennard 1970; the intercept is not penalised).

    Parameters
    ----------
    Z
        Scaled features without NaN, shape (n_samples, n_features).
    Y
        Labels, shape (n_samples, n_targets); only the target's own `rows` must be finite.
    rows
        Training rows of each target, n_targets sorted index arrays.
    penalty
        Per sample, in units of a feature's variance: 0.1 shrinks a direction that carries a
        tenth of one feature's variance by half.

    Returns
    -------
    tuple
        Coefficients (n_features, n_targets) and intercepts (n_targets,).
    """
    coefficients = np.zeros((Z.shape[1], Y.shape[1]))
    intercepts = np.zeros(Y.shape[1])
    groups: dict[bytes, list[int]] = {}
    for target, index in enumerate(rows):
        groups.setdefault(index.tobytes(), []).append(target)
    for members in groups.values():
        index = rows[members[0]]
        n = len(index)
        gram, moment, z_sum, y_sum = _cross_products(Z, Y[:, members], index)
        gram -= np.outer(z_sum, z_sum) / n
        moment -= np.outer(z_sum, y_sum) / n
        gram[np.diag_indices_from(gram)] += penalty * n
        weights = linalg.solve(gram, moment, assume_a="pos")
        coefficients[:, members] = weights
        intercepts[members] = (y_sum - z_sum @ weights) / n
    return coefficients, intercepts
