"""What features say of the rest of the block of bars that they stand in.

A block is an hour, a session, a week: bars from `start` to `end`. A feature made of all of them, as
the hour's candle joined by the time at which it opens, knows at the block's first bar what its last
will bring. Three figures tell, all from rows in the block's first half but the second:

- *inside*: the correlation with what the bars of its second half bring;
- *outside*: from rows in its second half, the same with the bars after its end, at the same
  distances;
- *rest*: the correlation with all that the block has still to come, which has the most to say.

Who predicts the market does so at any minute of the hour: inside and outside are the same, however
strong, slow or smooth the prediction is. What is known when the block begins, as the last block's
candle, says of its second half what a prediction can, and no more. Who knows the block is at home
inside and lost outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.lagged import normal_scores

__all__ = [
    "Brought",
    "ClockScores",
    "ClockView",
    "FeatureRanks",
    "block_starts",
    "rank_features",
    "score_clock",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PLACES = 3
"""Rows of a half that are looked from, at most: neighbours say the same."""

MIN_BLOCKS = 25
"""Fewer show nothing."""


MANY_BLOCKS = 200
"""From which on a few more coefficients cost nothing."""


@dataclass(frozen=True, slots=True)
class FeatureRanks:
    """Standardised ranks of features, 0 where missing, and 1 where they are known, else 0.

    Both of shape (n_rows, n_features).
    """

    scores: Floats
    known: Floats


@dataclass(frozen=True, slots=True)
class ClockScores:
    """Figures of all features against one clock, each of shape (n_features,).

    Attributes
    ----------
    inside, outside, rest
        Mean correlation over the places of a half; see the module.
    freedom
        Blocks that the feature has rows in, less what was fitted to them.
    """

    inside: Floats
    outside: Floats
    rest: Floats
    freedom: Floats


@dataclass(frozen=True, slots=True)
class Brought:
    """What the bars brought: their returns, and how surprising their size was; each (n_rows,)."""

    returns: Floats
    sizes: Floats


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


@dataclass(frozen=True, slots=True)
class _Look:
    """A row of each block to look from, what comes after it, and what is known there.

    `lasts` are the rows at which the last two blocks ended, `basis` is orthonormal, of shape
    (n_blocks, n_known), and `outcomes` has two columns, of returns and sizes, for each figure.
    """

    rows: Ints
    lasts: tuple[Ints, Ints]
    basis: Floats
    outcomes: Floats
    figures: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ClockView:
    """A clock with what the bars brought: all that its scores need of other than the features."""

    looks: tuple[_Look, ...]
    n_places: int

    @classmethod
    def of(cls, starts: Ints, brought: Brought) -> ClockView | None:
        """Prepare a clock; None where it has too few blocks.

        Parameters
        ----------
        starts
            As `block_starts` gives them.
        brought
            What the bars brought, 0 where it is not known.
        """
        if len(starts) < MIN_BLOCKS + 5:
            return None
        blocks = _Blocks.of(starts)
        if len(blocks.start) < MIN_BLOCKS:
            return None
        sums = np.column_stack(
            [np.r_[0.0, np.cumsum(values)] for values in (brought.returns, brought.sizes)]
        )
        n_rows, width = len(sums) - 1, blocks.end - blocks.middle
        inside = _ranked(sums[blocks.end] - sums[blocks.middle])
        outside = _ranked(sums[np.minimum(blocks.end + width, n_rows)] - sums[blocks.end])
        places = blocks.places()
        lasts = (blocks.start - 1, blocks.before - 1)
        looks = []
        for first in places:
            rest = _ranked(sums[blocks.end] - sums[first + 1])
            for rows, outcomes, figures in (
                (first, np.column_stack([inside, rest]), (0, 2)),
                (first + width, outside, (1,)),
            ):
                known = _known_bars(rows, blocks, sums)
                looks.append(_Look(rows, lasts, known, outcomes, figures))
        return cls(tuple(looks), len(places))


def score_clock(features: FeatureRanks, view: ClockView) -> list[tuple[ClockScores, ClockScores]]:
    """Score features against one clock.

    Returns
    -------
    list
        For the returns and the sizes of the bars the scores of the features as they are, and of
        what is new in them: less what their values in the two blocks before and the bars that are
        known explain.
    """
    n_features = features.scores.shape[1]
    found = np.zeros((2, 3, 2, n_features))
    freedom = np.full((2, n_features), np.inf)
    for look in view.looks:
        new, is_new = _new(features, look)
        n_fitted = look.basis.shape[1] + 2
        values, known = features.scores[look.rows], features.known[look.rows]
        for form, (of_form, mask, fitted) in enumerate(
            ((values, known, 0), (new, is_new, n_fitted))
        ):
            correlations = _correlation(of_form, mask, look.outcomes)
            for k, figure in enumerate(look.figures):
                found[form, figure] += correlations[2 * k : 2 * k + 2]
            freedom[form] = np.minimum(freedom[form], mask.sum(axis=0) - fitted)
    found /= view.n_places
    of_outcomes = []
    for outcome in range(2):
        plain, new_only = (
            ClockScores(
                found[form, 0, outcome],
                found[form, 1, outcome],
                found[form, 2, outcome],
                freedom[form],
            )
            for form in range(2)
        )
        of_outcomes.append((plain, new_only))
    return of_outcomes


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


def _new(features: FeatureRanks, look: _Look) -> tuple[Floats, Floats]:
    """Take from features what they were when the last two blocks ended, and the known bars."""
    known = (
        features.known[look.rows] * features.known[look.lasts[0]] * features.known[look.lasts[1]]
    )
    value, last, second = (
        part - look.basis @ (look.basis.T @ part)
        for part in (features.scores[rows] * known for rows in (look.rows, *look.lasts))
    )
    for regressor in (last, second - _projected(second, last)):
        value = value - _projected(value, regressor)
    return value * known, known


def _known_bars(rows: Ints, blocks: _Blocks, sums: Floats) -> Floats:
    """Return an orthonormal basis of what is known of the bars at each row.

    Returns of the last 1, 2, 4 … bars (of few blocks, 1, 4, 16 …) as far back as the last two
    blocks and more, of the block so far and of the two before it; the sizes of these bars.
    """
    so_far = sums[rows + 1] - sums[blocks.start]
    last = sums[blocks.start] - sums[blocks.before]
    second = sums[blocks.before] - sums[blocks.before_that]
    parts = [so_far, last, second[:, :1]]
    length, window = 4 * float(np.median(blocks.end - blocks.start)), 1
    step = 2 if len(rows) >= MANY_BLOCKS else 4
    while window <= length:
        parts.append((sums[rows + 1] - sums[np.maximum(rows + 1 - window, 0)])[:, :1])
        window *= step
    known = np.column_stack(parts)
    known /= np.maximum(known.std(axis=0), 1e-30)
    basis, triangle = np.linalg.qr(np.column_stack([np.ones(len(rows)), known.clip(-4.0, 4.0)]))
    return basis[:, np.abs(np.diag(triangle)) > 1e-6 * len(rows) ** 0.5]


def _projected(values: Floats, on: Floats) -> Floats:
    squares = (on**2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(squares > 1e-9, (values * on).sum(axis=0) / squares, 0.0)
    projected: Floats = slopes * on
    return projected
