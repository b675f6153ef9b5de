"""Ridge regression in closed form, for many targets on one design matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

__all__ = ["solve_ridge", "solve_ridge_in_blocks"]

BLOCK_ROWS = 32_768
"""Rows of one block of the cross-products: a fixed order of summation, bounded memory."""

Floats = NDArray[np.float64]


def _gram(Z: Floats, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    gram, total = np.zeros((Z.shape[1], Z.shape[1])), np.zeros(Z.shape[1])
    for start in range(0, len(rows), BLOCK_ROWS):
        z = Z[rows[start : start + BLOCK_ROWS]]
        gram += z.T @ z
        total += z.sum(axis=0)
    return gram, total


def _moments(Z: Floats, Y: Floats, rows: NDArray[np.int64]) -> Floats:
    moments = np.zeros((Z.shape[1], Y.shape[1]))
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        moments += Z[block].T @ Y[block]
    return moments


def solve_ridge(
    Z: Floats,
    Y: Floats,
    rows: Sequence[NDArray[np.int64]],
    penalty: float,
    weights: Sequence[Floats | None] = (),
) -> tuple[Floats, Floats]:
    """Fit ``min ‖y − a − Z·w‖² + penalty·n·‖w‖²`` for every target.

    One pass over the rows gives the cross-products of all targets together; what a target does
    not train on (purged for its horizon, or without its label) is taken off again, so that a
    hundred targets cost little more than one (Hoerl & Kennard 1970; the intercept is not
    penalised). The sums are taken in the order of the rows, whatever computes them.

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
    weights
        Weights of all rows for each target, shape (n_samples,) or None for equal ones; empty:
        equal ones for all targets. Squares are weighted, and n is the sum of the weights, so
        that a row of weight 2 is two rows.

    Returns
    -------
    tuple
        Coefficients (n_features, n_targets) and intercepts (n_targets,).
    """
    coefficients = np.zeros((Z.shape[1], Y.shape[1]))
    intercepts = np.zeros(Y.shape[1])
    labels = np.zeros(Y.shape)
    used = np.zeros(len(Z), dtype=bool)
    groups: dict[bytes, list[int]] = {}
    for target, index in enumerate(rows):
        weight = weights[target] if weights else None
        if weight is not None:
            coefficients[:, target], intercepts[target] = solve_ridge_in_blocks(
                [(Z[index], Y[index, target], weight[index])], Z.shape[1], penalty
            )
            continue
        groups.setdefault(index.tobytes(), []).append(target)
        labels[index, target] = Y[index, target]
        used[index] = True
    union = np.flatnonzero(used)
    moments, y_sums = _moments(Z, labels, union), labels.sum(axis=0)
    whole = _gram(Z, union)
    for members in groups.values():
        index = rows[members[0]]
        n = len(index)
        gram, z_sum = _gram_of(Z, index, union, whole)
        gram -= np.outer(z_sum, z_sum) / n
        moment = moments[:, members] - np.outer(z_sum, y_sums[members]) / n
        gram[np.diag_indices_from(gram)] += penalty * n
        solution = linalg.solve(gram, moment, assume_a="pos")
        coefficients[:, members] = solution
        intercepts[members] = (y_sums[members] - z_sum @ solution) / n
    return coefficients, intercepts


def solve_ridge_in_blocks(
    blocks: Iterable[tuple[Floats, Floats, Floats]], n_features: int, penalty: float
) -> tuple[Floats, float]:
    """Fit one target on rows that come block by block; otherwise like `solve_ridge`.

    Parameters
    ----------
    blocks
        Scaled features (n, n_features), labels (n,) and weights (n,), all finite. With weights
        that are not all 1, n is their sum.

    Returns
    -------
    tuple
        Coefficients (n_features,) and the intercept.
    """
    gram, z_sum = np.zeros((n_features, n_features)), np.zeros(n_features)
    moment = np.zeros(n_features)
    y_sum = n = 0.0
    for Z, y, weights in blocks:
        for start in range(0, len(Z), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            weighted = Z[part] * weights[part, np.newaxis]
            gram += Z[part].T @ weighted
            z_sum += weighted.sum(axis=0)
            moment += weighted.T @ y[part]
            y_sum += float(weights[part] @ y[part])
            n += float(weights[part].sum())
    gram -= np.outer(z_sum, z_sum) / n
    gram[np.diag_indices_from(gram)] += penalty * n
    coefficients = linalg.solve(gram, moment - z_sum * (y_sum / n), assume_a="pos")
    return coefficients, (y_sum - float(z_sum @ coefficients)) / n


def _gram_of(
    Z: Floats, index: NDArray[np.int64], union: NDArray[np.int64], whole: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Cross-products of some rows of the union: from the rows left out where these are fewer."""
    if 2 * len(index) < len(union):
        return _gram(Z, index)
    gram, total = _gram(Z, np.setdiff1d(union, index, assume_unique=True))
    return whole[0] - gram, whole[1] - total
