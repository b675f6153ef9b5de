"""Scores become probabilities by the outcomes known so far, and follow a base rate that drifts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.knots import Hats, hats_of

__all__ = ["OnlineProbability"]

Floats = NDArray[np.float64]

_N_KNOTS = 11
_PER_HORIZON = (0.001, 0.05, 0.1)
_WEIGHTS_AT_FIRST = (0.1, 0.45, 0.45)
_SHAPE_RATE = 0.2
_HORIZONS_AT_FIRST = 2.0
_FIRST_GIVEN = 20.0
_LOSSES_PER_TIMESTAMP = 5.0
_SHARED_PER_HORIZON = 0.002
_MOST = 6.0
"""Log-odds are kept within ±6: no probability is below a quarter of a percent."""


class OnlineProbability:
    """Maps of scores to log-odds, corrected by every outcome as it becomes known, and weighed.

    Each map is a level plus a piecewise linear function of the score. After the outcomes of a
    timestamp are known, both move against the mean error of the probabilities that the map gave
    then, in Newton's units (online Platt scaling: Gupta & Ramdas 2023, section 2, with a free
    shape in place of a slope). A rate that does not fall to zero makes it follow a drift: errors
    at each knot add up to what the knot moved, divided by the rate, so that over T timestamps
    their mean is of the order 1 / (rate · T) whatever the outcomes are (the integrator of
    Angelopoulos, Candès & Tibshirani 2023, section 2.2).

    Which rate is right depends on the data: a slow one misses a drift, a fast one takes the luck of
    a few horizons for the base rate. There are three, a share per horizon since outcomes of one
    horizon overlap; at first each is that of an average. What is given is the mean of their
    probabilities, weighted by the logarithmic losses that they had so far, a small share of the
    weights being spread over all (fixed share: Herbster & Warmuth 1998; choosing a rate among
    several by the losses so far: Gibbs & Candès 2024). Over few horizons losses tell little, and
    the weights of the start, which lean to the faster rates, are nearly those of the end.

    Parameters
    ----------
    horizon
        Timestamps that an outcome overlaps with the next ones, at least 1.
    """

    n_rates = len(_PER_HORIZON)

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon
        self._levels = np.zeros(self.n_rates)
        self._shapes = np.zeros((self.n_rates, _N_KNOTS))
        self._weights = np.array(_WEIGHTS_AT_FIRST)
        self._learned = 0.0
        self._learned_by_knot = np.zeros(_N_KNOTS)

    def place(self, scores: Floats) -> Hats:
        """Place scores between the knots of the maps, shape (n_rows,)."""
        return hats_of(scores, _N_KNOTS)

    def give(self, hats: Hats) -> tuple[Floats, Floats]:
        """Return probabilities of scores, and those by rate, shapes (n_rows,), (n_rows, n_rates).

        NaN until 20 timestamps, or two horizons, are known.
        """
        by_rate = self._by_rate(hats)
        if self._learned < max(_FIRST_GIVEN, _HORIZONS_AT_FIRST * self._horizon):
            by_rate = np.full_like(by_rate, np.nan)
        return self._mean(by_rate), by_rate

    def learn(self, hats: Hats, given: Floats, outcomes: Floats, weights: Floats) -> None:
        """Learn from outcomes that have become known together.

        Parameters
        ----------
        given
            Probabilities by rate that were given for these rows, NaN where none was, shape
            (n_rows, n_rates).
        outcomes
            0 or 1.
        weights
            Of the rows: one over the number of rows of their timestamp.
        """
        weight = float(weights.sum())
        if self._learned == 0.0:
            rate = float((weights * outcomes).sum()) / weight
            self._levels[:] = _log_odds(min(max(rate, 0.02), 0.98))
        was_given = np.isfinite(given[:, 0])
        if was_given.any():
            self._weigh(given[was_given], outcomes[was_given], weights[was_given])
        self._learned += weight
        self._learned_by_knot += _N_KNOTS * hats.sums(weights)
        before = np.where(was_given[:, None], given, self._by_rate(hats))
        for i, per_horizon in enumerate(_PER_HORIZON):
            errors = weights * (outcomes - before[:, i])
            rate = float(_logistic(self._levels[i]))
            curvature = max(0.05, rate * (1.0 - rate))
            self._levels[i] += (
                self._rate(per_horizon, self._learned) * float(errors.sum()) / curvature
            )
            self._shapes[i] += (
                self._rate(_SHAPE_RATE * per_horizon, self._learned_by_knot)
                * (_N_KNOTS / curvature)
                * hats.sums(errors)
            )

    def _weigh(self, given: Floats, outcomes: Floats, weights: Floats) -> None:
        likelihood = np.where(outcomes[:, None] > 0.5, given, 1.0 - given)
        losses = -(weights[:, None] * np.log(likelihood)).sum(axis=0)
        losses *= _LOSSES_PER_TIMESTAMP / self._horizon
        found = self._weights * np.exp(losses.min() - losses)
        found /= found.sum()
        shared = min(1.0, _SHARED_PER_HORIZON / self._horizon * float(weights.sum()))
        self._weights = (1.0 - shared) * found + shared / self.n_rates

    def _by_rate(self, hats: Hats) -> Floats:
        columns = [
            _logistic(np.clip(level + hats.at(shape), -_MOST, _MOST))
            for level, shape in zip(self._levels, self._shapes, strict=True)
        ]
        return np.column_stack(columns)

    def _mean(self, by_rate: Floats) -> Floats:
        total: Floats = self._weights[0] * by_rate[:, 0]
        for i in range(1, self.n_rates):
            total = total + self._weights[i] * by_rate[:, i]
        return total

    def _rate(self, per_horizon: float, learned: float | Floats) -> Floats:
        of_average = 1.0 / (learned + _HORIZONS_AT_FIRST * self._horizon)
        return np.maximum(per_horizon / self._horizon, of_average)


def _logistic(values: float | Floats) -> Floats:
    found: Floats = 1.0 / (1.0 + np.exp(-np.asarray(values, dtype=np.float64)))
    return found


def _log_odds(rate: float) -> float:
    return float(np.log(rate / (1.0 - rate)))
