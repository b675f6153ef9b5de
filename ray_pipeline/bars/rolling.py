"""Rolling statistics of one series; what several of them need is computed once."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ray_pipeline.bars.bars import FloatArray
from ray_pipeline.bars.moments import CoMoments, Moments, constant_removed, decayed_sum
from ray_pipeline.bars.order import Extremes, quantiles, rank_shares

__all__ = ["EMA_LENGTH_IN_SPANS", "Rolling", "ratio", "with_nan"]

# A moving average keeps 1 − e^−6 = 99.75 % of its weight within three spans.
EMA_LENGTH_IN_SPANS = 3


def ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide, NaN where the denominator is zero."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = numerator / denominator
    return with_nan(quotient, denominator == 0.0)


def with_nan(values: FloatArray, is_missing: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the values, NaN where told; nearly free where nothing is missing."""
    if not is_missing.any():
        return values
    return np.where(is_missing, np.nan, values)


class Rolling:
    """Statistics of a series over windows of any length.

    All return float64 (n_rows,); row t holds the statistic of rows ``t − window + 1 … t``, NaN
    where the window is not full or holds a NaN. What is returned may be kept here too and is
    not to be written to.

    Parameters
    ----------
    values
        (n_rows,).
    """

    def __init__(self, values: FloatArray) -> None:
        self.values = values
        self._moments = Moments(values)
        self._deviations: dict[int, FloatArray] = {}
        self._beside: dict[tuple[int, int], CoMoments] = {}

    def sum(self, window: int) -> FloatArray:
        """Return the sum of the window."""
        return self._rows(window, lambda: self._moments.total(window))

    def mean(self, window: int) -> FloatArray:
        """Return the mean of the window."""
        return self._quotient(window, lambda: self._moments.total(window), window)

    def ema(self, span: int) -> FloatArray:
        """Return the exponential moving average, truncated to a window of three spans.

        ``Σ (1−α)^k x[t−k] / Σ (1−α)^k`` over k < 3·span with ``α = 2/(span + 1)``. The
        truncation gives it the finite lookback that a recursive average lacks.
        """
        decay = 1.0 - 2.0 / (span + 1)
        length = EMA_LENGTH_IN_SPANS * span
        weight = (1.0 - decay**length) / (1.0 - decay)
        return self._rows(length, lambda: decayed_sum(self.values, length, decay) / weight)

    def std(self, window: int) -> FloatArray:
        """Return the standard deviation (ddof=1), 0 where the window is constant up to rounding."""
        return self._quotient(window, lambda: self._deviation(window), math.sqrt(window - 1))

    def skewness(self, window: int) -> FloatArray:
        """Return the skewness ``m3 / m2^1.5``, NaN where the window is constant."""

        def compute() -> FloatArray:
            second, third = self._scatter(window) / window, self._moments.cubes(window) / window
            return ratio(third, second * np.sqrt(second))

        return self._rows(window, compute)

    def kurtosis(self, window: int) -> FloatArray:
        """Return the excess kurtosis ``m4 / m2² − 3``, NaN where the window is constant."""

        def compute() -> FloatArray:
            second, fourth = self._scatter(window) / window, self._moments.fourths(window) / window
            return ratio(fourth, second * second) - 3.0

        return self._rows(window, compute)

    def mean_absolute_deviation(self, window: int) -> FloatArray:
        """Return the mean distance to the window's mean, exactly 0 where it is constant."""

        def compute() -> FloatArray:
            mean = self._mean(window)
            total = np.zeros(len(mean))
            for oldest in reversed(range(window)):
                distance = self.values[oldest : oldest + len(mean)] - mean
                total += np.abs(distance, out=distance)
            return np.where(self._scatter(window) == 0.0, 0.0, total / window)

        return self._rows(window, compute)

    def correlation(self, other: Rolling, window: int, lag: int = 0) -> FloatArray:
        """Return the Pearson correlation with a series `lag` rows earlier, itself or another.

        NaN where one of them is constant, and in the first ``window + lag − 1`` rows.
        """

        def compute() -> FloatArray:
            key = (id(other._moments), lag)
            if key not in self._beside:  # which keep the other's moments alive, and so the id
                self._beside[key] = CoMoments(self._moments, other._moments, lag)
            both = self._beside[key]
            x, y = both.lagged(self._deviation(window), other._deviation(window))
            return ratio(both.scatter(window), x * y)

        return self._rows(window + lag, compute)

    def trend(self, window: int) -> FloatArray:
        """Return the Pearson correlation with time, NaN where the window is constant."""
        time_deviation = math.sqrt(_time_scatter(window))
        return self._rows(
            window,
            lambda: ratio(
                self._moments.slope_sum(window), time_deviation * self._deviation(window)
            ),
        )

    def slope(self, window: int) -> FloatArray:
        """Return the slope of the least-squares line over the window, per row."""
        return self._rows(window, lambda: self._slope(window))

    def line_end(self, window: int) -> FloatArray:
        """Return the value of that line in the window's newest row."""
        return self._rows(
            window, lambda: self._mean(window) + self._slope(window) * ((window - 1) / 2)
        )

    def max(self, window: int) -> FloatArray:
        """Return the largest value of the window."""
        return self._rows(window, lambda: self._maxima.value(window))

    def min(self, window: int) -> FloatArray:
        """Return the smallest value of the window."""
        return self._rows(window, lambda: self._minima.value(window))

    def max_place(self, window: int) -> FloatArray:
        """Return where the largest value is, from 0 at the oldest row; of equals the oldest."""
        return self._rows(window, lambda: self._place(self._maxima, window))

    def min_place(self, window: int) -> FloatArray:
        """Return where the smallest value is, from 0 at the oldest row; of equals the oldest."""
        return self._rows(window, lambda: self._place(self._minima, window))

    def quantiles(
        self, windows: tuple[int, ...], shares: tuple[float, ...]
    ) -> list[list[FloatArray]]:
        """Return quantiles, linear between the values around ``share · (window − 1)``.

        Parameters
        ----------
        windows
            Of two rows or more; one pass serves them all.
        shares
            Shares of the window below the quantile, in [0, 1].

        Returns
        -------
        list of list of float64 (n_rows,)
            One list per window, of one array per share.
        """
        n_rows = len(self.values)
        fitting = tuple(w for w in windows if w <= n_rows)
        found = dict(zip(fitting, quantiles(self.values, fitting, shares), strict=True))
        nothing = [np.full(0, np.nan)] * len(shares)
        return [
            [
                self._rows(w, lambda w=w, each=each: self._unless_missing(each, w))  # type: ignore[misc]
                for each in found.get(w, nothing)
            ]
            for w in windows
        ]

    def rank_shares(self, windows: tuple[int, ...]) -> list[FloatArray]:
        """Return the newest value's rank from 1, over the window's length; equals share theirs.

        Parameters
        ----------
        windows
            Increasing; one pass serves them all.
        """
        n_rows = len(self.values)
        found = rank_shares(self.values, tuple(w for w in windows if w <= n_rows))
        found += [np.full(0, np.nan) for w in windows if w > n_rows]
        return [
            self._rows(w, lambda w=w, ranks=ranks: self._unless_missing(ranks, w))  # type: ignore[misc]
            for w, ranks in zip(windows, found, strict=True)
        ]

    @cached_property
    def _maxima(self) -> Extremes:
        return Extremes(self.values, largest=True)

    @cached_property
    def _minima(self) -> Extremes:
        return Extremes(self.values, largest=False)

    def _mean(self, window: int) -> FloatArray:
        return self._moments.total(window) / window

    def _slope(self, window: int) -> FloatArray:
        return self._moments.slope_sum(window) / _time_scatter(window)

    def _place(self, extremes: Extremes, window: int) -> FloatArray:
        place = extremes.place(window).astype(np.float64)
        return with_nan(place, np.isnan(extremes.value(window)))

    def _unless_missing(self, values: FloatArray, window: int) -> FloatArray:
        return with_nan(values, np.isnan(self._moments.total(window)))

    def _scatter(self, window: int) -> FloatArray:
        scatter, total = self._moments.scatter(window), self._moments.total(window)
        return constant_removed(scatter, total, window)

    def _deviation(self, window: int) -> FloatArray:
        if window not in self._deviations:
            self._deviations[window] = np.sqrt(self._scatter(window))
        return self._deviations[window]

    def _rows(self, window: int, compute: Callable[[], FloatArray]) -> FloatArray:
        """Return what is computed of the full windows, beside NaN for the rows before them."""
        full, of_windows = self._empty(window)
        if len(of_windows):
            of_windows[:] = compute()
        return full

    def _quotient(
        self, window: int, compute: Callable[[], FloatArray], divisor: float
    ) -> FloatArray:
        """Return the same over a number, without a copy in between."""
        full, of_windows = self._empty(window)
        if len(of_windows):
            np.divide(compute(), divisor, out=of_windows)
        return full

    def _empty(self, window: int) -> tuple[FloatArray, FloatArray]:
        """Return a series to be filled, NaN in its first rows, and its rows of full windows."""
        full = np.empty(len(self.values))
        full[: window - 1] = np.nan
        return full, full[window - 1 :]


def _time_scatter(window: int) -> float:
    """Return ``Σ (k − mean of k)²`` over k < window."""
    return window * (window * window - 1) / 12
