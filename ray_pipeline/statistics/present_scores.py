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

from ray_pipeline.statistics.lagged import LaggedCorrelation, RankedSeries
from ray_pipeline.statistics.surprises import Surprises

__all__ = ["PresentScore", "score_present"]

Floats = NDArray[np.float64]

MOST_LAGS = 64
ROWS_PER_LAG = 25


@dataclass(frozen=True, slots=True)
class PresentScore:
    """How much of a feature's last change the bars to come explain.

    Attributes
    ----------
    explained
        Share of the variance of the change (first or second difference, the larger figure) that
        bars from the next but one on explain, beyond luck and what a driver's would.
    largest, lag
        Largest |correlation| with one of these bars, and how many bars later it is.
    known
        Largest |correlation| of the same change with the present bar or an earlier one.
    z
        `explained` in standard errors of luck.
    """

    explained: float
    largest: float
    lag: int
    known: float
    z: float


def score_present(
    features: Floats, surprises: Sequence[Surprises]
) -> list[tuple[PresentScore | None, ...]]:
    """Score every column of features, shape (n_rows, n_features), against every surprise.

    Returns
    -------
    list
        By feature, one score per surprise; None where nothing changes.
    """
    n_rows = len(features)
    n_lags = min(MOST_LAGS, n_rows // ROWS_PER_LAG)
    correlation = LaggedCorrelation(n_rows, n_lags + 2)
    outcomes = [
        correlation.prepare(np.where(each.known, each.values, np.nan)) for each in surprises
    ]
    scores: list[tuple[PresentScore | None, ...]] = []
    for column in np.ascontiguousarray(features.T):
        level = correlation.prepare(column)
        first = np.diff(column, prepend=np.nan)
        changes = [
            correlation.prepare(change) for change in (first, np.diff(first, prepend=np.nan))
        ]
        scores.append(
            tuple(_score(correlation, level, changes, outcome, n_lags) for outcome in outcomes)
        )
    return scores


def _score(
    correlation: LaggedCorrelation,
    level: RankedSeries,
    changes: Sequence[RankedSeries],
    outcome: RankedSeries,
    n_lags: int,
) -> PresentScore | None:
    usable = [change for change in changes if not change.is_constant]
    if level.is_constant or outcome.is_constant or not usable or n_lags < 1:
        return None
    ahead = np.arange(2, n_lags + 2)
    (driven,), _ = correlation.at(level, outcome, np.array([1]))
    best: PresentScore | None = None
    for change in usable:
        found, pairs = correlation.at(change, outcome, ahead)
        memory, _ = correlation.at(change, level, ahead - 1)
        past, _ = correlation.at(change, outcome, -np.arange(n_lags + 1))
        rest = found - driven * memory
        luck = np.where(pairs > 0, 1.0 / np.maximum(pairs, 1), 0.0)
        explained = float((rest**2 - luck).sum())
        place = int(np.argmax(np.abs(rest)))
        score = PresentScore(
            explained=explained,
            largest=float(abs(rest[place])),
            lag=int(ahead[place]),
            known=float(np.abs(past).max()),
            z=explained / float(np.sqrt(2.0 * (luck**2).sum()) or np.inf),
        )
        if best is None or score.explained > best.explained:
            best = score
    return best
