"""Ridge regression in closed form, for many targets on one design matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ray_pipeline.statistics.ridge_penalty import PartSums, choose_penalties, parts_in_time

__all__ = ["RidgeSolution", "choose_ridge_in_blocks", "solve_ridge", "solve_ridge_in_blocks"]

BLOCK_ROWS = 32_768
"""Rows of one block of the cross-products: a fixed order of summation, bounded memory."""

NEARLY_ALL = 0.9
"""Share of the design's rows from which on a target's penalty is chosen by all of them."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RidgeSolution:
    """Coefficients (n_features, n_targets), intercepts and penalties (n_targets,)."""

    coefficients: Floats
    intercepts: Floats
    penalties: Floats


def _gram(Z: Floats, rows: Ints) -> tuple[Floats, Floats]:
    gram, total = np.zeros((Z.shape[1], Z.shape[1])), np.zeros(Z.shape[1])
    for start in range(0, len(rows), BLOCK_ROWS):
        z = Z[rows[start : start + BLOCK_ROWS]]
        gram += z.T @ z
        total += z.sum(axis=0)
    return gram, total


def _moments(Z: Floats, Y: Floats, rows: Ints) -> Floats:
    moments = np.zeros((Z.shape[1], Y.shape[1]))
    for start in range(0, len(rows), BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        moments += Z[block].T @ Y[block]
    return moments


def solve_ridge(
    Z: Floats,
    Y: Floats,
    rows: Sequence[Ints],
    penalty: float | None,
    weights: Sequence[Floats | None] = (),
) -> RidgeSolution:
    """Fit ``min ‖y − a − Z·w‖² + penalty·n·‖w‖²`` for every target.

    One pass over the rows gives the cross-products of all targets together; what a target does
    not train on (purged for its horizon, or without its label) is taken off again, so that a
    hundred targets cost little more than one (Hoerl & Kennard 1970; the intercept is not
    penalised). The sums are taken in the order of the rows, whatever computes them.

    Parameters
    ----------
    Z
        Scaled features without NaN, in the order of time, shape (n_samples, n_features).
    Y
        Labels, shape (n_samples, n_targets); only the target's own `rows` must be finite.
    rows
        Training rows of each target, n_targets sorted index arrays.
    penalty
        Per sample, in units of a feature's variance: 0.1 shrinks a direction that carries a
        tenth of one feature's variance by half. None chooses it for each target: see
        `ray_pipeline.statistics.ridge_penalty`.
    weights
        Weights of all rows for each target, shape (n_samples,) or None for equal ones; empty:
        equal ones for all targets. Squares are weighted, and n is the sum of the weights, so
        that a row of weight 2 is two rows.
    """
    problems = _Problems(Z, Y, rows, weights)
    penalties = np.full(Y.shape[1], np.nan if penalty is None else penalty)
    if penalty is None:
        _choose_alike(problems, penalties)
    coefficients = np.zeros((Z.shape[1], Y.shape[1]))
    intercepts = np.zeros(Y.shape[1])
    labels = np.zeros(Y.shape)
    used = np.zeros(len(Z), dtype=bool)
    alike: list[list[int]] = []
    for members in problems.groups():
        index, weight = problems.of(members[0])
        if weight is None:
            alike.append(members)
            labels[index[:, np.newaxis], members] = Y[index[:, np.newaxis], members]
            used[index] = True
            continue
        if penalty is None:
            by_part = PartSums()
            by_part.add(Z[index], Y[index][:, members], parts_in_time(weight), weight)
            found = _chosen(by_part)
            coefficients[:, members], intercepts[members] = found.coefficients, found.intercepts
            penalties[members] = found.penalties
            continue
        sums = _Weighted(Z.shape[1], len(members))
        sums.add(Z[index], Y[index][:, members], weight)
        coefficients[:, members], intercepts[members] = sums.solve(penalty)
    union = np.flatnonzero(used)
    moments, y_sums = _moments(Z, labels, union), labels.sum(axis=0)
    whole = _gram(Z, union)
    for members in alike:
        index = rows[members[0]]
        n = len(index)
        gram, z_sum = _gram_of(Z, index, union, whole)
        gram -= np.outer(z_sum, z_sum) / n
        moment = moments[:, members] - np.outer(z_sum, y_sums[members]) / n
        solution = _solve(gram, moment, penalties[members] * n)
        coefficients[:, members] = solution
        intercepts[members] = (y_sums[members] - z_sum @ solution) / n
    return RidgeSolution(coefficients, intercepts, penalties)


def solve_ridge_in_blocks(
    blocks: Iterable[tuple[Floats, Floats, Floats]], n_features: int, penalty: float
) -> RidgeSolution:
    """Fit one target on rows that come block by block; otherwise like `solve_ridge`.

    Parameters
    ----------
    blocks
        Scaled features (n, n_features), labels (n,) and weights (n,), all finite. With weights
        that are not all 1, n is their sum.
    """
    sums = _Weighted(n_features, 1)
    for Z, y, weights in blocks:
        sums.add(Z, y[:, np.newaxis], weights)
    return RidgeSolution(*sums.solve(penalty), np.array([penalty]))


def choose_ridge_in_blocks(
    blocks: Iterable[tuple[Floats, Floats, Floats]], parts: Ints
) -> RidgeSolution:
    """Fit one target, its penalty chosen, on rows that come block by block.

    Parameters
    ----------
    blocks
        As of `solve_ridge_in_blocks`.
    parts
        Of `parts_in_time`, for each row in the order of the blocks, shape (n_rows,).
    """
    sums = PartSums()
    start = 0
    for Z, y, weights in blocks:
        sums.add(Z, y[:, np.newaxis], parts[start : start + len(Z)], weights)
        start += len(Z)
    return _chosen(sums)


@dataclass(frozen=True, slots=True)
class _Problems:
    """Targets on one design matrix, those with equal rows and equal weights together."""

    Z: Floats
    Y: Floats
    rows: Sequence[Ints]
    weights: Sequence[Floats | None]

    def of(self, target: int) -> tuple[Ints, Floats | None]:
        """Rows of a target, and their weights."""
        index = self.rows[target]
        weight = self.weights[target] if self.weights else None
        return index, None if weight is None else weight[index]

    def groups(self) -> list[list[int]]:
        """Targets with the same rows and weights, in the order of their first."""
        found: dict[tuple[bytes, bytes], list[int]] = {}
        for target in range(self.Y.shape[1]):
            index, weight = self.of(target)
            key = index.tobytes(), b"" if weight is None else weight.tobytes()
            found.setdefault(key, []).append(target)
        return list(found.values())


def _choose_alike(problems: _Problems, penalties: Floats) -> None:
    """Fill in the penalties of targets that count all their rows alike.

    Those that lack few of the design's rows share the cross-products of all; a label that is
    missing is taken for the mean of those that are not.
    """
    Z, Y = problems.Z, problems.Y
    nearly: list[int] = []
    for members in problems.groups():
        index, weight = problems.of(members[0])
        if weight is not None:
            continue
        if len(index) >= NEARLY_ALL * len(Z):
            nearly += members
            continue
        sums = PartSums()
        sums.add(Z[index], Y[index][:, members], parts_in_time(np.ones(len(index))))
        penalties[members] = choose_penalties(sums)
    if nearly:
        labels = np.zeros((len(Z), len(nearly)))
        for k, target in enumerate(nearly):
            index = problems.rows[target]
            labels[index, k] = Y[index, target] - Y[index, target].mean()
        sums = PartSums()
        sums.add(Z, labels, parts_in_time(np.ones(len(Z))))
        penalties[nearly] = choose_penalties(sums)


def _chosen(sums: PartSums) -> RidgeSolution:
    """Choose each target's penalty and solve with it."""
    penalties, total = choose_penalties(sums), sums.total()
    features, labels, _ = total.centred()
    coefficients = _solve(features, labels, penalties)
    return RidgeSolution(coefficients, (total.y - total.z @ coefficients) / total.n, penalties)


class _Weighted:
    """Weighted cross-products of some targets' common rows, block by block."""

    def __init__(self, n_features: int, n_targets: int) -> None:
        self._gram, self._z = np.zeros((n_features, n_features)), np.zeros(n_features)
        self._moments, self._y = np.zeros((n_features, n_targets)), np.zeros(n_targets)
        self._n = 0.0

    def add(self, Z: Floats, Y: Floats, weights: Floats) -> None:
        """Add rows (n, n_features), labels (n, n_targets) and weights (n,)."""
        for start in range(0, len(Z), BLOCK_ROWS):
            part = slice(start, start + BLOCK_ROWS)
            weighted = Z[part] * weights[part, np.newaxis]
            self._gram += Z[part].T @ weighted
            self._z += weighted.sum(axis=0)
            self._n += float(weights[part].sum())
            for k in range(len(self._y)):  # one by one: the last bit does not depend on the others
                self._moments[:, k] += weighted.T @ Y[part, k]
                self._y[k] += float(weights[part] @ Y[part, k])

    def solve(self, penalty: float) -> tuple[Floats, Floats]:
        """Coefficients (n_features, n_targets) and intercepts (n_targets,)."""
        gram = self._gram - np.outer(self._z, self._z) / self._n
        moments = self._moments - np.outer(self._z, self._y / self._n)
        coefficients = np.column_stack(
            [
                _solve(gram, moments[:, [k]], np.array([penalty * self._n]))
                for k in range(len(self._y))
            ]
        )
        return coefficients, (self._y - self._z @ coefficients) / self._n


def _solve(gram: Floats, moments: Floats, penalties: Floats) -> Floats:
    """Solve for targets of one Gram matrix, those with the same penalty together."""
    solution = np.empty_like(moments)
    for penalty in np.unique(penalties):
        members = np.flatnonzero(penalties == penalty)
        penalised = gram.copy()
        penalised[np.diag_indices_from(gram)] += penalty
        solution[:, members] = linalg.solve(penalised, moments[:, members], assume_a="pos")
    return solution


def _gram_of(
    Z: Floats, index: Ints, union: Ints, whole: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """Cross-products of some rows of the union: from the rows left out where these are fewer."""
    if 2 * len(index) < len(union):
        return _gram(Z, index)
    gram, total = _gram(Z, np.setdiff1d(union, index, assume_unique=True))
    return whole[0] - gram, whole[1] - total
