"""Features whose values over every whole block add up to the same.

A column less its mean over the running day, the z-score by that mean and deviation, the percentile
among the day's values, the share of the day's volume: over the day they add up to a constant. A bar
before the end all but one are known, and with them the last. What moves with the market cannot be
known before it moves: the others must have known it. Neither strength nor the number of blocks
matters; ten days show it as well as a thousand.

The calendar adds up too, and so does a schedule that was made in the morning; they do not move with
the bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.lagged import normal_scores
from ray_pipeline.statistics.surprises import Surprises

__all__ = ["BlockSums", "balanced_share", "moves_with_bars"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_BLOCKS = 6
MOST_BLOCKS = 400
"""The newest whole blocks; an exact law needs no more."""

MIN_ROWS = 3
"""Rows of a block."""

MIN_KNOWN = 0.9
"""Share of a block's rows at which a feature has to be known."""

SAME = 0.05
"""Of its usual change from one bar to the next, how far the sum over a block may be from that over
the others. The last bar alone takes an honest feature's sum a whole change away: it is as near in
one block of thirty."""

MIN_SAME = 0.8
"""Share of the blocks that have to be as near; of six honest ones five are so in one of ten million
cases. The others may have lost rows."""

MIN_MOVED = 0.1
MIN_MOVED_Z = 5.0
"""|Rank correlation| of a feature's change, less that at the same place of the block before, with
what its bar brought; and its standard errors."""


@dataclass(frozen=True, slots=True)
class BlockSums:
    """Running sums of features, from which those of any block follow.

    Attributes
    ----------
    sums, counts
        Sum and number of the known values before each row, shape (n_rows + 1, n_features).
    change
        Median size of the change from one row to the next, 0 where it cannot be told, shape
        (n_features,).
    """

    sums: Floats
    counts: Floats
    change: Floats

    @classmethod
    def of(cls, features: Floats) -> BlockSums:
        """Add up features, shape (n_rows, n_features), NaN = missing."""
        known = np.isfinite(features)
        start = np.zeros((1, features.shape[1]))
        values = np.where(known, features, 0.0)
        change = np.zeros(features.shape[1])
        for j, column in enumerate(np.ascontiguousarray(features.T)):
            changes = np.abs(np.diff(column[known[:, j]]))
            if len(changes):
                change[j] = np.median(changes)
        return cls(
            np.concatenate([start, np.cumsum(values, axis=0)]),
            np.concatenate([start, np.cumsum(known, axis=0)]),
            change,
        )


def balanced_share(of: BlockSums, starts: Ints) -> Floats:
    """Give the share of whole blocks over which each feature adds up to the same.

    Parameters
    ----------
    of
        The features.
    starts
        First row of each block, and the number of rows.

    Returns
    -------
    ndarray
        Shape (n_features,); 0 where it is below MIN_SAME, where a feature mostly stands still, and
        where there are too few blocks.
    """
    # The first and the last block may be cut off.
    first, end = starts[1:-2], starts[2:-1]
    long_enough = end - first >= MIN_ROWS
    first, end = first[long_enough][-MOST_BLOCKS:], end[long_enough][-MOST_BLOCKS:]
    share = np.zeros(len(of.change))
    if len(first) < MIN_BLOCKS:
        return share
    counts = of.counts[end] - of.counts[first]
    sums = of.sums[end] - of.sums[first]
    known = counts >= np.maximum(MIN_KNOWN * (end - first), 1.0)[:, None]
    for j in np.flatnonzero((of.change > 0.0) & (known.sum(axis=0) >= MIN_BLOCKS)):
        rows = known[:, j]
        total, n_values = sums[rows, j], counts[rows, j]
        centre = np.median(total / n_values)
        share[j] = np.mean(np.abs(total - n_values * centre) <= SAME * of.change[j])
    return np.where(share >= MIN_SAME, share, 0.0)


def moves_with_bars(
    feature: Floats, starts: Ints, brought: Sequence[Surprises]
) -> tuple[float, int] | None:
    """Say how a feature moves with its bars, other than by the time within a block.

    Parameters
    ----------
    feature
        Shape (n_rows,), NaN = missing.
    starts
        First row of each block, and the number of rows.
    brought
        Surprises of the bars, in a few ways.

    Returns
    -------
    tuple or None
        The largest |rank correlation| with one of them and its place among them; None where a
        feature does not move with any.
    """
    rows, lengths = np.arange(len(feature)), np.diff(starts)
    place = rows - np.repeat(starts[:-1], lengths)
    length_before = np.repeat(np.r_[0, lengths[:-1]], lengths)
    change = np.diff(feature, prepend=np.nan)
    comparable = (place >= 1) & (place < length_before)
    moved = np.where(comparable, change - change[rows - length_before], np.nan)
    scores, known = normal_scores(moved)
    best: tuple[float, int] | None = None
    for which, each in enumerate(brought):
        both = known & each.known
        n_rows = int(both.sum())
        spread = float(scores[both].std() * each.values[both].std()) if n_rows else 0.0
        if spread <= 0.0:
            continue
        value = abs(float(np.mean(scores[both] * each.values[both]))) / spread
        is_clear = value >= MIN_MOVED and value * np.sqrt(n_rows) >= MIN_MOVED_Z
        if is_clear and (best is None or value > best[0]):
            best = value, which
    return best
