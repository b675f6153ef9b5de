"""The series that labels are made of, each computed at most once per symbol."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ray_pipeline.bars.barriers import IntArray, Touches, find_touches
from ray_pipeline.bars.bars import Bars, FloatArray
from ray_pipeline.bars.series import missing_unless_positive
from ray_pipeline.bars.windows import ratio, rolling_std, shift
from ray_pipeline.records import Horizon

__all__ = ["SIGMA_RETURNS", "LabelSeries", "Seen"]

SIGMA_RETURNS = 20

# Simple returns carry a rounding error of 1e-16 whatever their size: a deviation below this is
# that of a price which grows at a constant rate, and its barriers would lie on the close.
_SMALLEST_SIGMA = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the labels of one horizon see.

    Attributes
    ----------
    horizon
        The horizon.
    bars
        H, its length in bars of the clock.
    own : int64 (n_labels,)
        Rows that have a label, ascending.
    last : int64 (n_labels,)
        Row of the last bar that each sees, after its own: T.
    """

    horizon: Horizon
    bars: int
    own: IntArray
    last: IntArray


class LabelSeries:
    """Prices of one symbol and what its labels share, computed when first asked for.

    A price that is not positive, or infinite, is missing: NaN.

    Parameters
    ----------
    bars
        Bars of one symbol, (n_rows,).
    steps : int64 (n_rows,)
        Bars of the clock from each row's predecessor to it, which the returns between rows span.
    """

    def __init__(self, bars: Bars, steps: IntArray) -> None:
        self._steps = steps
        self.open = missing_unless_positive(bars.open)
        self.high = missing_unless_positive(bars.high)
        self.low = missing_unless_positive(bars.low)
        self.close = missing_unless_positive(bars.close)
        self._touches: dict[tuple[Horizon, float], Touches] = {}

    def in_deviations(self, values: FloatArray, seen: Seen) -> FloatArray:
        """Return ``values / (σ·√H)``: the root of time is that of returns without memory.

        σ is the standard deviation (ddof=1) of the last 20 simple returns at t: NaN where it is
        zero, or a close of t−20 … t is missing.
        """
        return values / (self._root(seen) * self._sigma[seen.own])

    def _root(self, seen: Seen) -> FloatArray | float:
        """Return √H, which turns the deviation of a return into that of the horizon's.

        Returns between rows of a symbol that lacks bars span more than a bar of the clock: by the
        clock, H is divided by the mean of what they span.
        """
        if seen.horizon.unit == "rows":
            return math.sqrt(seen.bars)
        root: FloatArray = np.sqrt(seen.bars / self._mean_step[seen.own])
        return root

    def upper_touches(self, seen: Seen, distance: float) -> Touches:
        """Find when a high first reaches ``close[t]·(1 + distance·σ·√H)``, at equality too."""
        key = (seen.horizon, distance)
        if key not in self._touches:
            width = distance * self._root(seen) * self._sigma[seen.own]
            levels = self.close[seen.own] * (1.0 + width)
            self._touches[key] = find_touches(self.high, self.open, levels, seen.own, seen.last)
        return self._touches[key]

    def lower_touches(self, seen: Seen, distance: float) -> Touches:
        """Find when a low first reaches ``close[t]·(1 − distance·σ·√H)``, at equality too."""
        key = (seen.horizon, -distance)
        if key not in self._touches:
            width = distance * self._root(seen) * self._sigma[seen.own]
            levels = self.close[seen.own] * (1.0 - width)
            # A low reaches down to a level where the negated low reaches up to the negated level.
            self._touches[key] = find_touches(-self.low, -self.open, -levels, seen.own, seen.last)
        return self._touches[key]

    @cached_property
    def _mean_step(self) -> FloatArray:
        """Return the mean step of the last 20 returns, 1 where none is missing."""
        places = np.cumsum(self._steps)
        spanned = places - shift(places.astype(np.float64), SIGMA_RETURNS)
        return np.maximum(spanned, 1.0) / SIGMA_RETURNS

    @cached_property
    def _sigma(self) -> FloatArray:
        returns = ratio(self.close, shift(self.close, 1)) - 1.0
        sigma = rolling_std(returns, SIGMA_RETURNS)
        return np.where(sigma > _SMALLEST_SIGMA, sigma, np.nan)
