"""Whether what moves a feature ends at the present.

The last change of a feature is made of bars up to now. What the bars to come have in common with
it is a prediction; of it, too, a feature that drives returns is known to have no more than its own
memory gives: c(k) = c(1)·a(k − 1), with a the correlation of its change with its own later values.
A centred window, a filter that runs both ways or an interpolation goes on smoothly into the next
bars: they explain half of its last change, whatever the width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.clock_scores import FeatureRanks
from ray_pipeline.statistics.lagged import LaggedCorrelation, RankedSeries
from ray_pipeline.statistics.surprises import Surprises

__all__ = ["PresentScore", "score_present"]

Floats = NDArray[np.float64]

MOST_LAGS = 64
ROWS_PER_LAG = 25

FAR_OUT = 4.5
"""Median absolute deviations, three standard deviations of a normal distribution."""

RIDGE = 0.01
"""Added to the diagonal of the autocorrelations, which recovered bars leave nearly singular."""

LEAST_UNKNOWN = 0.05
"""Share of a change that counts as not explained by bars up to now: ranks, and a little real
predictability, leave that much in doubt even of a past return."""


@dataclass(frozen=True, slots=True)
class PresentScore:
    """How much of a feature's last change the bars to come explain.

    Attributes
    ----------
    explained
        Share that bars from the next but one on explain, beyond luck and what they would of a
        driver, of what the bars up to now leave unexplained of the variance of the change: first or
        second difference, the larger figure.
    largest, lag
        Largest |correlation| of what is left with one of these bars, and how many bars later it is.
    z
        `explained` in standard errors of luck.
    """

    explained: float
    largest: float
    lag: int
    z: float


def score_present(
    features: Floats, ranks: FeatureRanks, surprises: Sequence[Surprises]
) -> list[tuple[PresentScore | None, ...]]:
    """Score every feature against every surprise.

    Parameters
    ----------
    features
        Shape (n_rows, n_features), NaN = missing.
    ranks
        Of the same.
    surprises
        What nobody expected of the bars, in a few ways.

    Returns
    -------
    list
        By feature, one score per surprise; None where nothing changes.
    """
    n_rows = len(features)
    n_lags = min(MOST_LAGS, n_rows // ROWS_PER_LAG)
    correlation = LaggedCorrelation(n_rows, 2 * n_lags + 2)
    outcomes = [_Outcome.of(each, correlation, n_lags) for each in surprises]
    scores: list[tuple[PresentScore | None, ...]] = []
    for j, column in enumerate(np.ascontiguousarray(features.T)):
        level = correlation.prepare_scores(ranks.scores[:, j].copy(), ranks.known[:, j] > 0.0)
        first = np.diff(column, prepend=np.nan)
        changes = [
            correlation.prepare_scores(*_clipped(change))
            for change in (first, np.diff(first, prepend=np.nan))
        ]
        scores.append(tuple(_score(correlation, level, changes, outcome) for outcome in outcomes))
    return scores


def _clipped(values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Standardise the finite values, those far out drawn in, 0 elsewhere; and mask the finite.

    As robust as ranks, and ten times as fast.
    """
    known = np.isfinite(values)
    scores = np.zeros(len(values))
    if not known.any():
        return scores, known
    inside = values[known] - np.median(values[known])
    reach = FAR_OUT * float(np.median(np.abs(inside)))
    if reach > 0.0:
        inside = inside.clip(-reach, reach)
    inside = inside - inside.mean()
    spread = float(inside.std())
    if spread > 0.0:
        scores[known] = inside / spread
    return scores, known


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A surprise, and what its own past says of it.

    Attributes
    ----------
    carried
        From correlations with the known bars to what these imply of those with bars to come, shape
        (n_lags, n_lags + 1). Almost nothing where the bars are known; bars that were recovered from
        labels are a little smeared.
    inverse
        Inverse of the autocorrelations of the known bars, shape (n_lags + 1, n_lags + 1).
    pairs
        Rows behind the autocorrelations with the bars to come, shape (n_lags,).
    """

    series: RankedSeries
    carried: Floats
    inverse: Floats
    pairs: Floats

    @classmethod
    def of(cls, surprise: Surprises, correlation: LaggedCorrelation, n_lags: int) -> _Outcome:
        series = correlation.prepare(np.where(surprise.known, surprise.values, np.nan))
        memory, pairs = correlation.at(series, series, np.arange(2 * n_lags + 2))
        past, ahead = np.arange(n_lags + 1), np.arange(2, n_lags + 2)
        inverse = np.linalg.inv(memory[np.abs(past[:, None] - past)] + RIDGE * np.eye(n_lags + 1))
        carried = memory[ahead[:, None] + past] @ inverse
        return cls(series, carried, inverse, np.maximum(pairs[ahead], 1).astype(np.float64))


def _score(
    correlation: LaggedCorrelation,
    level: RankedSeries,
    changes: Sequence[RankedSeries],
    outcome: _Outcome,
) -> PresentScore | None:
    usable = [change for change in changes if not change.is_constant]
    n_lags = len(outcome.carried)
    if level.is_constant or outcome.series.is_constant or not usable or n_lags < 1:
        return None
    ahead = np.arange(2, n_lags + 2)
    (driven,), _ = correlation.at(level, outcome.series, np.array([1]))
    best: PresentScore | None = None
    for change in usable:
        found, pairs = correlation.at(change, outcome.series, ahead)
        memory, _ = correlation.at(change, level, ahead - 1)
        past, _ = correlation.at(change, outcome.series, -np.arange(n_lags + 1))
        unknown = max(1.0 - float(past @ outcome.inverse @ past), LEAST_UNKNOWN)
        rest = (found - driven * memory - outcome.carried @ past) / np.sqrt(unknown)
        # What chance makes bars up to now and bars to come have in common is taken off with what
        # they carry on, but as it is over all rows: where a feature is missing, as at the start of
        # every block, the rest of them stays, and counts as much more as little is unknown.
        by_chance = 1.0 / np.maximum(pairs, 1)
        elsewhere = np.maximum(by_chance - 1.0 / outcome.pairs, 0.0) * (1.0 / unknown - 1.0)
        luck = np.where(pairs > 0, by_chance + elsewhere, 0.0)
        explained = float((rest**2 - luck).sum())
        place = int(np.argmax(np.abs(rest)))
        score = PresentScore(
            explained=explained,
            largest=float(abs(rest[place])),
            lag=int(ahead[place]),
            z=explained / float(np.sqrt(2.0 * (luck**2).sum()) or np.inf),
        )
        if best is None or score.explained > best.explained:
            best = score
    return best
