"""What features say of the rest of the block of bars that they stand in.

A block is an hour, a session, a week: bars from `start` to `end`. A feature made of all of them, as
the hour's candle joined by the time at which it opens, knows at the block's first bar what its last
will bring. Four figures tell, from rows in the block's first half where nothing else is said:

- *inside*: the correlation with what the bars of its second half bring;
- *outside*: from rows in its second half, the same with the bars after its end, at the same
  distances;
- *rest*: the correlation with all that the block has still to come, which has the most to say;
- *beyond*: from the block's last row, the same with as many bars after its end.

Who predicts the market does so at any minute of the hour: inside and outside are the same, however
strong, slow or smooth the prediction is. What is known when the block begins, as the last block's
candle, says of its second half what a prediction can, and no more. Who knows the block is at home
inside and lost outside. *Rest* and *beyond* look as far ahead as each other, from the next bar on,
and differ in the block's end alone; but what is held over the block has aged by its last row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.lagged import normal_scores
from ray_pipeline.statistics.surprises import usual

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

INSIDE, OUTSIDE, REST, BEYOND = range(4)

N_OUTCOMES = 3
"""Return, size and range."""

PLACES = 3
"""Rows of a half that are looked from, at most: neighbours say the same."""

MIN_BLOCKS = 25
"""Fewer show nothing."""


MOVING = 0.8
"""Share of the rows at which a feature has to change so as not to count as held."""

MANY_BLOCKS = 200
"""From which on a few more coefficients cost nothing."""


@dataclass(frozen=True, slots=True)
class FeatureRanks:
    """Features by rank.

    Attributes
    ----------
    scores
        Standardised ranks, 0 where missing, shape (n_rows, n_features).
    known
        1 where a feature is known, else 0, shape (n_rows, n_features).
    is_held
        Whether a feature often keeps its value from one row to the next, shape (n_features,).
    """

    scores: Floats
    known: Floats
    is_held: NDArray[np.bool_]

    def of(self, members: Sequence[int]) -> FeatureRanks:
        """Return some of the features."""
        chosen = list(members)
        return FeatureRanks(self.scores[:, chosen], self.known[:, chosen], self.is_held[chosen])


@dataclass(frozen=True, slots=True)
class ClockScores:
    """Figures of all features against one clock, each of shape (n_features,).

    Attributes
    ----------
    inside, outside, rest, beyond
        Mean correlation over the places of a half; see the module.
    freedom
        Blocks that the feature has rows in, less what was fitted to them.
    """

    inside: Floats
    outside: Floats
    rest: Floats
    beyond: Floats
    freedom: Floats


@dataclass(frozen=True, slots=True)
class Brought:
    """What the bars brought.

    Attributes
    ----------
    sums
        Sums of the returns, and of how surprising their sizes were, of the bars before each row,
        shape (n_rows + 1, 2).
    path
        Where the price stood, in steps of as much as was to be expected of each bar, shape
        (n_rows,).
    time_of_day
        A number for each row, equal at equal times of the day, shape (n_rows,).
    """

    sums: Floats
    path: Floats
    time_of_day: Ints

    @classmethod
    def of(cls, returns: Floats, sizes: Floats, path: Floats, time_of_day: Ints) -> Brought:
        """Add up returns and surprising sizes, 0 where they are not known."""
        both = np.column_stack([returns, sizes])
        return cls(np.concatenate([np.zeros((1, 2)), np.cumsum(both, axis=0)]), path, time_of_day)

    def outcomes(self, first: Ints, end: Ints) -> Floats:
        """Give the ranks of the return, size and range of bars, shape (n_spans, N_OUTCOMES).

        Parameters
        ----------
        first, end
            First bar of each span and the one after its last, cut off where there are no more.
        """
        end = np.minimum(end, len(self.path))
        columns = list((self.sums[end] - self.sums[np.minimum(first, end)]).T)
        # From where the price stood before; reduceat wants an index that is there behind the last.
        before = np.minimum(first, end) - 1
        spans = np.column_stack([before, end]).ravel()
        path = np.r_[self.path, self.path[-1]]
        high, low = (of.reduceat(path, spans)[::2] for of in (np.maximum, np.minimum))
        n_bars = np.maximum(end - before - 1, 0)
        columns.append((high - low) / _expected_range(int(n_bars.max()))[n_bars])
        ranks = np.column_stack([normal_scores(column)[0] for column in columns])
        ranks[:, -1] -= usual(
            ranks[:, -1], np.ones(len(first), dtype=bool), self.time_of_day[before], 0.0
        )
        return ranks


def _expected_range(most: int) -> Floats:
    """Give the expected range of a random walk of 0 … most steps, in units of one of a single step.

    It is Σ 1/√i over the steps i (Spitzer 1956, "A Combinatorial Lemma and its Application to
    Probability Theory", Trans. Am. Math. Soc. 82, for normal steps). Blocks differ in length.
    """
    expected: Floats = np.r_[1.0, np.cumsum(1.0 / np.sqrt(np.arange(1, most + 1)))]
    return expected


def rank_features(features: Floats) -> FeatureRanks:
    """Rank each column of a matrix of shape (n_rows, n_features)."""
    scores = np.zeros(features.shape)
    known = np.zeros(features.shape)
    is_held = np.zeros(features.shape[1], dtype=bool)
    for j, column in enumerate(np.ascontiguousarray(features.T)):
        scores[:, j], is_known = normal_scores(column)
        known[:, j] = is_known
        values = column[is_known]
        is_held[j] = np.count_nonzero(np.diff(values)) < MOVING * len(values)
    return FeatureRanks(scores, known, is_held)


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
    (n_blocks, n_known), and `outcomes` has N_OUTCOMES columns for each figure.
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
        sums = brought.sums
        width = blocks.end - blocks.middle
        inside = brought.outcomes(blocks.middle, blocks.end)
        outside = brought.outcomes(blocks.end, blocks.end + width)
        places = blocks.places()
        lasts = (blocks.start - 1, blocks.before - 1)
        last = blocks.end - 1
        beyond = [brought.outcomes(blocks.end, last + blocks.end - first) for first in places]
        known = _known_bars(last, blocks, sums)
        looks = [_Look(last, lasts, known, np.column_stack(beyond), (BEYOND,) * len(places))]
        for first in places:
            rest = brought.outcomes(first + 1, blocks.end)
            for rows, outcomes, figures in (
                (first, np.column_stack([inside, rest]), (INSIDE, REST)),
                (first + width, outside, (OUTSIDE,)),
            ):
                known = _known_bars(rows, blocks, sums)
                looks.append(_Look(rows, lasts, known, outcomes, figures))
        return cls(tuple(looks), len(places))


def score_clock(features: FeatureRanks, view: ClockView) -> list[tuple[ClockScores, ClockScores]]:
    """Score features against one clock.

    Returns
    -------
    list
        For the return, the size and the range of bars the scores of the features as they are, and
        of what is new in them: less what their values in the two blocks before and the bars that
        are known explain.
    """
    n_features = features.scores.shape[1]
    found = np.zeros((2, 4, N_OUTCOMES, n_features))
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
                found[form, figure] += correlations[N_OUTCOMES * k : N_OUTCOMES * (k + 1)]
            freedom[form] = np.minimum(freedom[form], mask.sum(axis=0) - fitted)
    found /= view.n_places
    of_outcomes = []
    for outcome in range(N_OUTCOMES):
        plain, new_only = (
            ClockScores(
                found[form, INSIDE, outcome],
                found[form, OUTSIDE, outcome],
                found[form, REST, outcome],
                found[form, BEYOND, outcome],
                freedom[form],
            )
            for form in range(2)
        )
        of_outcomes.append((plain, new_only))
    return of_outcomes


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
