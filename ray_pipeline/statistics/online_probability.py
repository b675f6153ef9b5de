"""Scores become probabilities by the outcomes known so far, and follow a base rate that drifts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.knots import Hats, hats_of

__all__ = ["OnlineProbability"]

Floats = NDArray[np.float64]

_N_KNOTS = 11
_LEVEL_PER_HORIZON = 0.05
_SHAPE_PER_HORIZON = 0.03
_HORIZONS_AT_FIRST = 2.0
_FIRST_GIVEN = 20.0
_MOST = 6.0
"""Log-odds are kept within ±6: no probability is below a quarter of a percent."""


class OnlineProbability:
    """A map of scores to log-odds, corrected by every outcome as it becomes known.

    The log-odds are a level plus a piecewise linear function of the score. After the outcomes of a
    timestamp are known, both move against the mean error of the probabilities that were given
    then, in Newton's units (online Platt scaling: Gupta & Ramdas 2023, section 2, with a free
    shape in place of a slope). A rate that does not fall to zero makes it follow a drift: errors
    at each knot add up to what the knot moved, divided by the rate, so that over T timestamps
    their mean is of the order 1 / (rate · T) whatever the outcomes are (the integrator of
    Angelopoulos, Candès & Tibshirani 2023, section 2.2).

    Rates are a share per horizon, since outcomes of one horizon overlap: a fast one would
    take the luck of a few for the base rate. At first they are those of an average.

    Parameters
    ----------
    horizon
        Timestamps that an outcome overlaps with the next ones, at least 1.
    """

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon
        self._level = 0.0
        self._shape = np.zeros(_N_KNOTS)
        self._learned = 0.0
        self._learned_by_knot = np.zeros(_N_KNOTS)

    def place(self, scores: Floats) -> Hats:
        """Place scores between the knots of the map, shape (n_rows,)."""
        return hats_of(scores, _N_KNOTS)

    def give(self, hats: Hats) -> Floats:
        """Return probabilities of scores; NaN until 20 timestamps, or two horizons, are known."""
        if self._learned < max(_FIRST_GIVEN, _HORIZONS_AT_FIRST * self._horizon):
            return np.full(len(hats.left), np.nan)
        return self._of(hats)

    def learn(self, hats: Hats, given: Floats, outcomes: Floats, weights: Floats) -> None:
        """Learn from outcomes that have become known together.

        Parameters
        ----------
        given
            Probabilities that were given for these rows, NaN where none was, shape (n_rows,).
        outcomes
            0 or 1.
        weights
            Of the rows: one over the number of rows of their timestamp.
        """
        weight = float(weights.sum())
        if self._learned == 0.0:
            rate = float((weights * outcomes).sum()) / weight
            self._level = float(_log_odds(min(max(rate, 0.02), 0.98)))
        errors = weights * (outcomes - np.where(np.isnan(given), self._of(hats), given))
        rate = float(_logistic(self._level))
        curvature = max(0.05, rate * (1.0 - rate))
        self._learned += weight
        self._learned_by_knot += _N_KNOTS * hats.sums(weights)
        self._level += self._rate(_LEVEL_PER_HORIZON, self._learned) * errors.sum() / curvature
        self._shape += (
            self._rate(_SHAPE_PER_HORIZON, self._learned_by_knot)
            * (_N_KNOTS / curvature)
            * hats.sums(errors)
        )

    def _of(self, hats: Hats) -> Floats:
        return _logistic(np.clip(self._level + hats.at(self._shape), -_MOST, _MOST))

    def _rate(self, per_horizon: float, learned: float | Floats) -> Floats:
        of_average = 1.0 / (learned + _HORIZONS_AT_FIRST * self._horizon)
        return np.maximum(per_horizon / self._horizon, of_average)


def _logistic(values: float | Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-np.asarray(values, dtype=np.float64)))
    return found


def _log_odds(rate: float) -> float:
    return float(np.log(rate / (1.0 - rate)))
