"""What label to expect at a score, by the outcomes known so far: no more than was shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.knots import Hats, hats_of, increasing

__all__ = ["OnlineExpectation"]

Floats = NDArray[np.float64]

_N_KNOTS = 6
_MEMORY_HORIZONS = 100.0
_HORIZONS_AT_FIRST = 2.0
_HORIZONS_TO_TRUST = 5.0


class OnlineExpectation:
    """An increasing map of scores to expected labels, drawn to the mean label by its evidence.

    It is ``mean + k · shape(score)``: the mean label of about the last 100 horizons, and the mean
    at each of six knots, made to increase, less the mean. The share k is the non-negative garrote
    (Breiman 1995, eq. 4) of the slope b of labels on scores, ``max(0, 1 − var(b) / b²)``, and 0
    where b is not positive; var(b) is the sum of squares of its score over blocks of one horizon
    (the cluster-robust variance of Liang & Zeger 1986, in time), since labels that overlap, or that
    share a timestamp, are not independent evidence. Where scores tell nothing of the label, all
    that is expected is its mean.

    Parameters
    ----------
    horizon
        Timestamps that an outcome overlaps with the next ones, at least 1.
    """

    def __init__(self, horizon: int) -> None:
        self._horizon = horizon
        self._kept = 1.0 - 1.0 / (_MEMORY_HORIZONS * horizon)
        self._learned = 0.0
        self._mass = 0.0
        self._mean = 0.0
        self._mean_score = 0.0
        self._shape = np.zeros(_N_KNOTS)
        self._occupied = np.zeros(_N_KNOTS)
        self._variation = 0.0
        self._covariation = 0.0
        self._variance = 0.0
        self._block, self._block_weight = 0.0, 0.0
        self._map = np.zeros(_N_KNOTS)

    @property
    def learned(self) -> float:
        """Timestamps whose outcomes are known."""
        return self._learned

    @property
    def slope(self) -> float:
        """Of labels on scores, in units of the label over the whole range of scores."""
        return self._covariation / self._variation if self._variation > 0.0 else 0.0

    @property
    def share(self) -> float:
        """How much of the shape is believed, in [0, 1]."""
        slope = self.slope
        if slope <= 0.0 or self._learned < _HORIZONS_TO_TRUST * self._horizon:
            return 0.0
        return max(0.0, 1.0 - self._variance / self._variation**2 / slope**2)

    def place(self, scores: Floats) -> Hats:
        """Place scores between the knots of the map, shape (n_rows,)."""
        return hats_of(scores, _N_KNOTS)

    def give(self, hats: Hats) -> Floats:
        """Return expected labels of scores; NaN as long as no outcome is known."""
        if self._learned == 0.0:
            return np.full(len(hats.left), np.nan)
        return hats.at(self._map)

    def learn(self, scores: Floats, hats: Hats, outcomes: Floats, weights: Floats) -> None:
        """Learn from outcomes that have become known together.

        Parameters
        ----------
        weights
            Of the rows: one over the number of rows of their timestamp.
        """
        weight = float(weights.sum())
        if self._learned == 0.0:
            self._shape[:] = float((weights * outcomes).sum()) / weight
        kept = self._kept**weight
        self._learned += weight
        self._mass = kept * self._mass + weight
        rate = 1.0 / self._mass
        self._mean += rate * float((weights * (outcomes - self._mean)).sum())
        self._mean_score += rate * float((weights * (scores - self._mean_score)).sum())
        self._learn_slope(scores, outcomes, weights, kept)
        errors = weights * (outcomes - hats.at(self._shape))
        at_first = 1.0 / (self._learned + _HORIZONS_AT_FIRST * self._horizon)
        self._shape += max(1.0 - self._kept, at_first) * _N_KNOTS * hats.sums(errors)
        self._occupied += rate * (hats.sums(weights) - weight * self._occupied)
        shape = increasing(self._shape)
        middle = float(self._occupied @ shape) / float(self._occupied.sum())
        self._map = self._mean + self.share * (shape - middle)

    def _learn_slope(self, scores: Floats, outcomes: Floats, weights: Floats, kept: float) -> None:
        x, y = scores - self._mean_score, outcomes - self._mean
        self._block += float((weights * x * (y - self.slope * x)).sum())
        self._block_weight += float(weights.sum())
        self._variation = kept * self._variation + float((weights * x * x).sum())
        self._covariation = kept * self._covariation + float((weights * x * y).sum())
        self._variance *= kept**2
        if self._block_weight >= self._horizon:
            self._variance += self._block**2
            self._block, self._block_weight = 0.0, 0.0
