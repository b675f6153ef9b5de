"""Ridge's penalty, chosen on the training rows by leaving out one stretch of time after another.

Cross-validation rather than the generalised kind (Golub, Heath & Wahba 1979): that one takes the
rows for independent. Labels overlap and the symbols of a timestamp move together, so it sees
hundreds of times the evidence there is, and hardly penalises. A stretch of time that is left out
has neither its labels nor its shocks in common with the others (Burman, Chow & Nolan 1994). Sums of
cross-products add up, so everything that is fitted and judged is computed from those of the
stretches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PENALTIES", "PartSums", "RowSums", "choose_penalties", "parts_in_time"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_BLOCKS = 5
"""Stretches of time; each is left out once."""

MARGIN = 0.1
"""Share of a stretch, at either end, that is not judged: labels of the rows beside it reach in."""

PENALTIES: Floats = 10.0 ** np.arange(3.0, -4.5, -0.5)
"""From a model of covariances alone, one feature at a time, to next to least squares. The
strongest comes first: of equals the most cautious is chosen."""

_JUDGED = 1
"""Of a stretch's three parts, the middle one."""


@dataclass(frozen=True, slots=True)
class RowSums:
    """Weighted sums over some rows, for targets with these rows and weights in common.

    Attributes
    ----------
    n
        Weights.
    z, gram
        Features (n_features,) and their products (n_features, n_features).
    y, y_squares, moments
        Labels and their squares (n_targets,), products with features (n_features, n_targets).
    """

    n: float
    z: Floats
    gram: Floats
    y: Floats
    y_squares: Floats
    moments: Floats

    @classmethod
    def of(cls, Z: Floats, Y: Floats, weights: Floats | None = None) -> RowSums:
        """Sum over rows Z (n, n_features) and Y (n, n_targets), weighted by (n,) or alike."""
        W, V = (Z, Y) if weights is None else (Z * weights[:, None], Y * weights[:, None])
        return cls(
            n=float(len(Z) if weights is None else weights.sum()),
            z=W.sum(axis=0),
            gram=Z.T @ W,
            y=V.sum(axis=0),
            y_squares=(V * Y).sum(axis=0),
            moments=Z.T @ V,
        )

    def __add__(self, other: RowSums) -> RowSums:
        """Sum over the rows of both."""
        return self._with(other, 1.0)

    def __sub__(self, other: RowSums) -> RowSums:
        """Sum over the rows that the other has not."""
        return self._with(other, -1.0)

    def _with(self, other: RowSums, sign: float) -> RowSums:
        return RowSums(
            self.n + sign * other.n,
            self.z + sign * other.z,
            self.gram + sign * other.gram,
            self.y + sign * other.y,
            self.y_squares + sign * other.y_squares,
            self.moments + sign * other.moments,
        )

    def centred(self) -> tuple[Floats, Floats, Floats]:
        """Covariances per unit of weight: of features, with each label, and labels' variances."""
        z, y = self.z / self.n, self.y / self.n
        return (
            self.gram / self.n - np.outer(z, z),
            self.moments / self.n - np.outer(z, y),
            self.y_squares / self.n - y * y,
        )


def parts_in_time(weights: Floats) -> Ints:
    """Assign each row to a part of the time: three to a stretch, its margins and what is judged.

    Stretches are of equal weight, so that a row of weight 2 is two rows; the first has no margin
    before it and the last none behind.

    Parameters
    ----------
    weights
        In the order of time, shape (n_rows,).

    Returns
    -------
    ndarray
        ``3 * stretch + part``, ascending, shape (n_rows,).

    Examples
    --------
    >>> np.bincount(parts_in_time(np.ones(200))).tolist()
    [0, 36, 4, 4, 32, 4, 4, 32, 4, 4, 32, 4, 4, 36]
    """
    place = (np.cumsum(weights) - 0.5 * weights) / weights.sum() * N_BLOCKS
    block = np.minimum(place.astype(np.int64), N_BLOCKS - 1)
    within = place - block
    part = 1 + (within > 1.0 - MARGIN).astype(np.int64) - (within < MARGIN)
    part[(block == 0) & (part == 0)] = _JUDGED
    part[(block == N_BLOCKS - 1) & (part == 2)] = _JUDGED
    parts: Ints = 3 * block + part
    return parts


class PartSums:
    """Sums of the rows by part of their time, collected in the order in which rows are given."""

    def __init__(self) -> None:
        self._parts: dict[int, RowSums] = {}

    def add(self, Z: Floats, Y: Floats, parts: Ints, weights: Floats | None = None) -> None:
        """Add rows, shapes as of `RowSums.of`; best in the order of time, all of a part at once."""
        cuts = np.flatnonzero(np.diff(parts)) + 1
        for start, stop in zip([0, *cuts.tolist()], [*cuts.tolist(), len(parts)], strict=True):
            piece = slice(start, stop)
            sums = RowSums.of(Z[piece], Y[piece], None if weights is None else weights[piece])
            part = int(parts[start])
            self._parts[part] = self._parts[part] + sums if part in self._parts else sums

    def total(self) -> RowSums:
        """Sum over all rows."""
        first, *others = (self._parts[part] for part in sorted(self._parts))
        for sums in others:
            first = first + sums
        return first

    def stretches(self) -> list[tuple[RowSums, RowSums]]:
        """Of each stretch with something to judge: what is judged, and all of it."""
        found = []
        for judged in range(_JUDGED, 3 * N_BLOCKS, 3):
            if judged in self._parts:
                whole = self._parts[judged]
                for margin in (judged - 1, judged + 1):
                    whole = whole + self._parts[margin] if margin in self._parts else whole
                found.append((self._parts[judged], whole))
        return found


def choose_penalties(sums: PartSums) -> Floats:
    """Choose among `PENALTIES` for each target.

    Each stretch of time is predicted from the others; what counts is the squared error about the
    stretch's own mean, because only the order of predictions does.

    Returns
    -------
    ndarray
        Shape (n_targets,).
    """
    total = sums.total()
    losses = np.zeros((len(PENALTIES), len(total.y)))
    for judged, whole in sums.stretches():
        others = total - whole
        if others.n <= 0.0:
            continue
        features, labels, _ = others.centred()
        values, vectors = np.linalg.eigh(features)
        seen, seen_labels, variances = judged.centred()
        seen, seen_labels = vectors.T @ seen @ vectors, vectors.T @ seen_labels
        rotated = vectors.T @ labels
        for k, penalty in enumerate(PENALTIES):
            weights = rotated / (np.maximum(values, 0.0) + penalty)[:, np.newaxis]
            explained = weights * (2.0 * seen_labels - seen @ weights)
            losses[k] += judged.n * (variances - explained.sum(axis=0))
    chosen: Floats = PENALTIES[np.argmin(losses, axis=0)]
    return chosen
