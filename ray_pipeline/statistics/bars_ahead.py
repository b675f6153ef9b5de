"""How much features say of the next bars, over whatever span they say most of.

A label shows what a feature says of as many bars as it spans. What was made of the next twelve,
such as the place of the close in their range, says 0.8 of these twelve, and moves from bar to bar
as honestly as a driver; beside labels of a day it looks no better than a good one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ray_pipeline.statistics.clock_scores import FeatureRanks
from ray_pipeline.statistics.lagged import LaggedCorrelation
from ray_pipeline.statistics.surprises import Surprises

__all__ = ["AheadScore", "score_ahead"]

SPANS = (3, 4, 6, 8, 12, 16, 24)
"""Bars ahead. Of longer spans a slow driver of the next bar, at 0.3, would come to say 0.5 too."""

ROWS_PER_BAR = 50
"""Rows for each bar of a span, so that luck is four standard errors from 0.5 in slow series."""

VANISHED = 0.25
"""Of what it says, how much of it a feature taken the span earlier may still say."""

MIRRORED = -0.5
"""Of what it says, what it says of the bars before where these are what it is made of: a price that
reverts to the mean it is compared with."""


@dataclass(frozen=True, slots=True)
class AheadScore:
    """What a feature says of a span of bars to come, and nothing of what follows it.

    Attributes
    ----------
    strength
        |Correlation| of its rank with the sum of the surprises of these bars.
    earlier
        The same of the feature taken the span earlier, with its sign towards that of `strength`.
    span
        Bars.
    """

    strength: float
    earlier: float
    span: int


def score_ahead(ranks: FeatureRanks, surprise: Surprises) -> list[AheadScore | None]:
    """Score every feature over the span of which it says most.

    Returns
    -------
    list
        None of a feature that says nothing which ends with a span. Surprises are hardly correlated,
        so that a sum of w of them is √w times as far from 0 as each.
    """
    n_rows = len(ranks.scores)
    spans = [span for span in SPANS if span * ROWS_PER_BAR <= n_rows]
    if not spans:
        return [None] * ranks.scores.shape[1]
    reach = 2 * spans[-1]
    correlation = LaggedCorrelation(n_rows, reach)
    series = correlation.prepare(np.where(surprise.known, surprise.values, np.nan))
    shifts = np.arange(1 - spans[-1], reach + 1)
    scores: list[AheadScore | None] = []
    for column, known in zip(
        np.ascontiguousarray(ranks.scores.T), np.ascontiguousarray(ranks.known.T), strict=True
    ):
        level = correlation.prepare_scores(column, known > 0.0)
        best: AheadScore | None = None
        if not level.is_constant and not series.is_constant:
            found, _ = correlation.at(level, series, shifts)
            total = np.r_[0.0, np.cumsum(found)]
            now = spans[-1]  # place of shift 1 in `found`
            for span in spans:
                ahead, later, before = (
                    float(total[first + span] - total[first]) / span**0.5
                    for first in (now, now + span, now - span)
                )
                sign = 1.0 if ahead >= 0.0 else -1.0
                strength = sign * ahead
                ends = abs(later) < VANISHED * strength
                is_new = MIRRORED * strength <= sign * before < strength
                if ends and is_new and (best is None or strength > best.strength):
                    best = AheadScore(min(strength, 1.0), sign * later, span)
        scores.append(best)
    return scores
