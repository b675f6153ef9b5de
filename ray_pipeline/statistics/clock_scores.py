"""What features say of the rest of the block of bars that they stand in.

A block is an hour, a session, a week: bars from `start` to `end`. A feature made of all of them, as
the hour's candle joined by the time at which it opens, knows at the block's first bar what its last
will bring. Two figures tell:

- *inside*: from rows in the block's first half, the correlation with what the bars of its second
  half bring that nobody expected;
- *outside*: from rows in its second half, the same with the bars after its end, at the same
  distances.

Who predicts the market does so at any minute of the hour: both are the same, however strong, slow
or smooth the prediction is. What is known when the block begins, as the last block's candle, says
of its second half what a prediction can, and no more. Who knows the block is at home inside and
lost outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.lagged import normal_scores
from ray_pipeline.statistics.surprises import Surprises

__all__ = ["ClockScores", "FeatureRanks", "block_starts", "rank_features", "score_clock"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLACES = 4
"""Rows of a half that are looked from, at most: neighbours say the same."""

MIN_BLOCKS = 25
"""Fewer show nothing."""


@dataclass(frozen=True, slots=True)
class FeatureRanks:
    """Standardised ranks of features, 0 where missing, and 1 where they are known, else 0.

    Both of shape (n_rows, n_features).
    """

    scores: Floats
    known: Floats


@dataclass(frozen=True, slots=True)
class ClockScores:
    """Figures of all features against one clock and one surprise, each of shape (n_features,).

    Attributes
    ----------
    inside, outside
        Mean correlation over the places of a half; see the module.
    n_blocks
        Blocks that the feature has rows in.
    """

    inside: Floats
    outside: Floats
    n_blocks: Floats


def rank_features(features: Floats) -> FeatureRanks:
    """Rank each column of a matrix of shape (n_rows, n_features)."""
    scores = np.zeros(features.shape)
    known = np.zeros(features.shape)
    for j, column in enumerate(np.ascontiguousarray(features.T)):
        scores[:, j], is_known = normal_scores(column)
        known[:, j] = is_known
    return FeatureRanks(scores, known)


def block_starts(block: Ints) -> Ints:
    """Return the first row of each block, and the number of rows, from each row's block."""
    changes = np.flatnonzero(np.diff(block)) + 1
    starts: Ints = np.r_[0, changes, len(block)]
    return starts


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Rows where whole blocks start, turn to their second half, and end; starts of two before."""

    start: Ints
    middle: Ints
    end: Ints
    before: Ints
    before_that: Ints

    @classmethod
    def of(cls, starts: Ints) -> _Blocks:
        # The first and the last block may be cut off.
        start, end = starts[3:-2], starts[4:-1]
        is_split = end - start >= 2
        size = end - start
        middle = end - size // 2
        parts = (start, middle, end, starts[2:-3], starts[1:-4])
        return cls(*(part[is_split] for part in parts))

    def places(self) -> list[Ints]:
        """Rows of the first half, one for each block, at a few fractions of it."""
        half = self.middle - self.start
        n_places = min(PLACES, int(np.median(half)))
        return [self.start + i * half // n_places for i in range(n_places)]


def score_clock(
    features: FeatureRanks, starts: Ints, surprises: Sequence[Surprises]
) -> list[tuple[ClockScores, ClockScores]] | None:
    """Score features against one clock.

    Parameters
    ----------
    features
        Ranks, n_features of them.
    starts
        As `block_starts` gives them.
    surprises
        What the bars brought: returns, ranges, volumes.

    Returns
    -------
    list or None
        For each surprise the scores of the features as they are, and of what is new in them: less
        what their values in the two blocks before and the known bars explain. None where there are
        too few blocks.
    """
    if len(starts) < MIN_BLOCKS + 5:
        return None
    blocks = _Blocks.of(starts)
    if len(blocks.start) < MIN_BLOCKS:
        return None
    sums = np.column_stack([np.r_[0.0, np.cumsum(each.values)] for each in surprises])
    n_rows, width = len(sums) - 1, blocks.end - blocks.middle
    inside = _ranked(sums[blocks.end] - sums[blocks.middle])
    outside = _ranked(sums[np.minimum(blocks.end + width, n_rows)] - sums[blocks.end])
    places = blocks.places()
    found = np.zeros((2, 2, len(surprises), features.scores.shape[1]))
    n_blocks = np.full(features.scores.shape[1], np.inf)
    for first in places:
        for side, (rows, outcome) in enumerate(((first, inside), (first + width, outside))):
            values, known = features.scores[rows], features.known[rows]
            found[0, side] += _correlation(values, known, outcome)
            new, is_new = _new(features, rows, blocks, sums)
            found[1, side] += _correlation(new, is_new, outcome)
            n_blocks = np.minimum(n_blocks, is_new.sum(axis=0))
    found /= len(places)
    return [
        (
            ClockScores(found[0, 0, k], found[0, 1, k], n_blocks),
            ClockScores(found[1, 0, k], found[1, 1, k], n_blocks),
        )
        for k in range(len(surprises))
    ]


def _ranked(outcomes: Floats) -> Floats:
    return np.column_stack([normal_scores(column)[0] for column in outcomes.T])


def _correlation(values: Floats, known: Floats, outcomes: Floats) -> Floats:
    """Correlate columns over the blocks, shape (n_outcomes, n_features)."""
    n_known = np.maximum(known.sum(axis=0), 1.0)
    centred = (values - (values * known).sum(axis=0) / n_known) * known
    means = outcomes.T @ known / n_known
    products = outcomes.T @ centred
    squares = (outcomes**2).T @ known - n_known * means**2
    scale = np.sqrt(np.maximum((centred**2).sum(axis=0), 0.0) * np.maximum(squares, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.where(scale > 1e-9 * n_known, products / scale, 0.0)
    return found


def _new(
    features: FeatureRanks, rows: Ints, blocks: _Blocks, sums: Floats
) -> tuple[Floats, Floats]:
    """Take from features what they were when the last two blocks ended, and the known bars."""
    lasts = (blocks.start - 1, blocks.before - 1)
    known = features.known[rows] * features.known[lasts[0]] * features.known[lasts[1]]
    bars = np.column_stack(
        [
            np.ones(len(rows)),
            sums[rows + 1] - sums[blocks.start],
            sums[blocks.start] - sums[blocks.before],
        ]
    )
    basis, _ = np.linalg.qr(bars)
    value, last, second = (
        part - basis @ (basis.T @ part)
        for part in (features.scores[row] * known for row in (rows, *lasts))
    )
    for regressor in (last, second - _projected(second, last)):
        value = value - _projected(value, regressor)
    return value * known, known


def _projected(values: Floats, on: Floats) -> Floats:
    squares = (on**2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(squares > 1e-9, (values * on).sum(axis=0) / squares, 0.0)
    projected: Floats = slopes * on
    return projected
