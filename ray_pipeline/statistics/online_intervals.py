"""Intervals that cover a share of the outcomes, by the errors known so far: of all and of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["OnlineIntervals"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MEMORY_HORIZONS = 100.0
_HALF_LIFE_HORIZONS = 20.0
_SHIFT_PER_HORIZON = 0.15
_FIRST_OWN = 20.0
_FIRST_GIVEN = 20.0
_HORIZONS_AT_FIRST = 2.0
_WIDEST, _N_CELLS = 50.0, 401
_LEAST_SHIFT, _MOST_SHIFT = -0.9, 3.0


class OnlineIntervals:
    """Quantiles of errors in units of each symbol's own, shifted by what each symbol's missed.

    An error is an outcome less what was expected. Each is divided by the scale of its symbol, the
    trailing mean of its own absolute errors (half-life 20 horizons; a new symbol begins with that
    of all), which is a conformal score normalised by a scale known then (Lei et al. 2018, section
    5.2). The quantiles of these, over all symbols and about the last 100 horizons, times the scale,
    are the interval (weighted conformal for drifting data: Barber, Candès, Ramdas & Tibshirani
    2023). Each bound of each symbol is then moved out with every miss beyond it and in with every
    other outcome (Gibbs & Candès 2021, eq. 2, in the bound itself instead of its level:
    the quantile tracking of Angelopoulos, Candès & Tibshirani 2023, eq. 4). A symbol's share of
    misses thus differs from the one asked for by at most what the bound moved, divided by rate and
    number of outcomes, whatever these are.

    Parameters
    ----------
    horizon
        Timestamps that an outcome overlaps with the next ones, at least 1.
    n_symbols
        Symbols are numbered from 0.
    coverage
        Share of the outcomes that is to lie inside, in (0, 1).
    """

    def __init__(self, horizon: int, n_symbols: int, coverage: float) -> None:
        self._horizon = horizon
        self._tail = (1.0 - coverage) / 2.0
        self._kept = 1.0 - 1.0 / (_MEMORY_HORIZONS * horizon)
        self._own_rate = 1.0 - 0.5 ** (1.0 / (_HALF_LIFE_HORIZONS * horizon))
        self._shift_rate = _SHIFT_PER_HORIZON / horizon
        reach = float(np.arcsinh(_WIDEST))
        self._edges = np.sinh(np.linspace(-reach, reach, _N_CELLS))
        self._counts = np.zeros(_N_CELLS + 1)
        self._learned, self._mass = 0.0, 0.0
        self._scale_of_all = 0.0
        self._scale = np.full(n_symbols, np.nan)
        self._learned_by_symbol = np.zeros(n_symbols)
        self._shift_down, self._shift_up = np.zeros(n_symbols), np.zeros(n_symbols)
        self._low, self._high = np.nan, np.nan

    def give(self, symbols: Ints, expected: Floats) -> tuple[Floats, Floats, Floats]:
        """Return lower and upper bounds and scales of rows, shape (n_rows,) each.

        Bounds are NaN until 20 timestamps, or two horizons, are known.
        """
        scale = self._scale_of(symbols)
        if self._learned < max(_FIRST_GIVEN, _HORIZONS_AT_FIRST * self._horizon):
            none = np.full(len(symbols), np.nan)
            return none, none.copy(), scale
        half = (self._high - self._low) / 2.0
        down = np.clip(self._shift_down[symbols], _LEAST_SHIFT, _MOST_SHIFT)
        up = np.clip(self._shift_up[symbols], _LEAST_SHIFT, _MOST_SHIFT)
        low = expected + scale * (self._low - half * down)
        high = expected + scale * (self._high + half * up)
        crossed = low > high
        middle = (low + high) / 2.0
        return np.where(crossed, middle, low), np.where(crossed, middle, high), scale

    def learn(
        self,
        symbols: Ints,
        expected: Floats,
        bounds: tuple[Floats, Floats, Floats],
        outcomes: Floats,
        weights: Floats,
    ) -> None:
        """Learn from outcomes that have become known together.

        Parameters
        ----------
        expected
            What was expected of these rows, shape (n_rows,).
        bounds
            Lower and upper bounds and scales that were given for them; NaN where none was.
        weights
            Of the rows: one over the number of rows of their timestamp.
        """
        low, high, scale = bounds
        errors = outcomes - expected
        sizes = np.abs(errors)
        weight = float(weights.sum())
        kept = self._kept**weight
        self._learned += weight
        self._mass = kept * self._mass + weight
        self._scale_of_all += float((weights * (sizes - self._scale_of_all)).sum()) / self._mass
        own = np.where(np.isnan(scale), self._scale_of_all, scale)
        in_units = np.divide(errors, own, out=np.zeros(len(errors)), where=own > 0.0)
        cells = np.searchsorted(self._edges, in_units)
        self._counts = kept * self._counts + np.bincount(cells, weights, len(self._counts))
        self._low, self._high = self._quantile(self._tail), self._quantile(1.0 - self._tail)
        self._learn_scales(symbols, sizes)
        was_given = np.isfinite(low)
        tail = np.where(was_given, self._tail, 0.0)
        rate, n = self._shift_rate, len(self._scale)
        self._shift_down += rate * np.bincount(symbols, (outcomes < low) - tail, n)
        self._shift_up += rate * np.bincount(symbols, (outcomes > high) - tail, n)

    def _learn_scales(self, symbols: Ints, sizes: Floats) -> None:
        n = len(self._scale)
        counts = np.bincount(symbols, minlength=n)
        seen = np.flatnonzero(counts)
        self._learned_by_symbol += counts
        before = self._scale_of(seen)
        mean = np.bincount(symbols, sizes, n)[seen] / counts[seen]
        rate = np.maximum(self._own_rate, 1.0 / (self._learned_by_symbol[seen] + _FIRST_OWN))
        self._scale[seen] = before + np.minimum(1.0, rate * counts[seen]) * (mean - before)

    def _scale_of(self, symbols: Ints) -> Floats:
        own = self._scale[symbols]
        return np.where(np.isnan(own), self._scale_of_all, own)

    def _quantile(self, level: float) -> float:
        """Interpolate within the cell that holds a quantile of the errors in units."""
        below = np.cumsum(self._counts) / self._counts.sum()
        cell = min(max(int(np.searchsorted(below, level)), 1), _N_CELLS - 1)
        inside = float(below[cell] - below[cell - 1])
        share = (level - float(below[cell - 1])) / inside if inside > 0.0 else 0.0
        left, right = float(self._edges[cell - 1]), float(self._edges[cell])
        return left + min(max(share, 0.0), 1.0) * (right - left)
