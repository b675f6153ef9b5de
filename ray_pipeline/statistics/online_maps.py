"""What outcomes teach of a score: a probability, or what to expect and between which bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.online_expectation import OnlineExpectation
from ray_pipeline.statistics.online_intervals import OnlineIntervals
from ray_pipeline.statistics.online_probability import OnlineProbability

__all__ = ["ExpectationMap", "IntervalMap", "ProbabilityMap"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class ProbabilityMap:
    """Gives the probability of the outcome 1, and what each rate of learning has to say of it."""

    n_given = 1 + OnlineProbability.n_rates

    def __init__(self, horizon: int) -> None:
        self._probability = OnlineProbability(horizon)

    def give(self, symbols: Ints, scores: Floats) -> Floats:
        """Return probabilities, and those by rate, shape (n_rows, 1 + n_rates)."""
        return np.column_stack(self._probability.give(self._probability.place(scores)))

    def learn(
        self, symbols: Ints, scores: Floats, given: Floats, outcomes: Floats, weights: Floats
    ) -> None:
        """Learn from outcomes that have become known together."""
        hats = self._probability.place(scores)
        self._probability.learn(hats, given[:, 1:], outcomes, weights)


class ExpectationMap:
    """Gives the expected label."""

    n_given = 1

    def __init__(self, horizon: int) -> None:
        self._expectation = OnlineExpectation(horizon)

    def give(self, symbols: Ints, scores: Floats) -> Floats:
        """Return expected labels, shape (n_rows, 1)."""
        return self._expectation.give(self._expectation.place(scores))[:, None]

    def learn(
        self, symbols: Ints, scores: Floats, given: Floats, outcomes: Floats, weights: Floats
    ) -> None:
        """Learn from outcomes that have become known together."""
        self._expectation.learn(scores, self._expectation.place(scores), outcomes, weights)


class IntervalMap:
    """Gives the expected label, a lower and an upper bound, and the scale behind these."""

    n_given = 4

    def __init__(self, horizon: int, n_symbols: int, coverage: float) -> None:
        self._expectation = OnlineExpectation(horizon)
        self._intervals = OnlineIntervals(horizon, n_symbols, coverage)

    def give(self, symbols: Ints, scores: Floats) -> Floats:
        """Return expected labels, lower bounds, upper bounds and scales, shape (n_rows, 4)."""
        expected = self._expectation.give(self._expectation.place(scores))
        return np.column_stack([expected, *self._intervals.give(symbols, expected)])

    def learn(
        self, symbols: Ints, scores: Floats, given: Floats, outcomes: Floats, weights: Floats
    ) -> None:
        """Learn from outcomes that have become known together."""
        hats = self._expectation.place(scores)
        self._expectation.learn(scores, hats, outcomes, weights)
        expected = np.where(np.isnan(given[:, 0]), self._expectation.give(hats), given[:, 0])
        bounds = (given[:, 1], given[:, 2], np.where(np.isnan(given[:, 0]), np.nan, given[:, 3]))
        self._intervals.learn(symbols, expected, bounds, outcomes, weights)
