"""Rank correlations of two series at many shifts at once, and how far luck takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ray_pipeline.statistics.tails import average_ranks

__all__ = ["LaggedCorrelation", "RankedSeries", "correlation_errors", "normal_scores"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_PAIRS = 50
MIN_PAIRS_SHARE = 0.1
"""Pairs, and share of the rows, below which a correlation counts as 0."""


def normal_scores(values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Standardised average ranks of the finite values, 0 elsewhere, and the mask of the finite.

    Returns
    -------
    tuple
        Two arrays of shape (n_rows,). A constant column is all 0.
    """
    finite = np.isfinite(values)
    scores = np.zeros(len(values))
    if finite.sum() > 2:
        ranks = average_ranks(values[finite])
        spread = ranks.std()
        if spread > 0:
            scores[finite] = (ranks - ranks.mean()) / spread
    return scores, finite


@dataclass(frozen=True, slots=True)
class RankedSeries:
    """A series prepared for `LaggedCorrelation`.

    Attributes
    ----------
    spectrum
        Transform of its `normal_scores`.
    known
        Mask of its finite values, shape (n_rows,).
    n_known
        Finite values before each row, shape (n_rows + 1,).
    span
        First and last + 1 of the finite rows where nothing between them is missing, else None.
    is_constant
        Whether there is nothing to correlate.
    """

    spectrum: NDArray[np.complex128]
    known: NDArray[np.bool_]
    n_known: Ints
    span: tuple[int, int] | None
    is_constant: bool


@dataclass(frozen=True, slots=True)
class LaggedCorrelation:
    """Correlations of series of `n_rows` at shifts up to `reach` (correlation theorem)."""

    n_rows: int
    reach: int

    @property
    def _size(self) -> int:
        size: int = fft.next_fast_len(self.n_rows + self.reach + 1, real=True)
        return size

    def prepare(self, values: Floats) -> RankedSeries:
        """Rank and transform a series, shape (n_rows,)."""
        return self.prepare_scores(*normal_scores(values))

    def prepare_scores(self, scores: Floats, known: NDArray[np.bool_]) -> RankedSeries:
        """Transform a series of standardised scores, 0 where it is not known."""
        n_known = np.concatenate([[0], np.cumsum(known)])
        rows = np.flatnonzero(known)
        whole = len(rows) > 0 and rows[-1] - rows[0] + 1 == len(rows)
        return RankedSeries(
            spectrum=fft.rfft(scores, self._size),
            known=known,
            n_known=n_known,
            span=(int(rows[0]), int(rows[-1]) + 1) if whole else None,
            is_constant=not scores.any(),
        )

    def at(self, x: RankedSeries, y: RankedSeries, shifts: Ints) -> tuple[Floats, Ints]:
        """Correlate x[t] with y[t + s]; with the number of pairs, each of shape (n_shifts,)."""
        products = fft.irfft(np.conj(x.spectrum) * y.spectrum, self._size)[shifts]
        pairs = self._pairs(x, y, shifts)
        enough = pairs >= max(MIN_PAIRS, MIN_PAIRS_SHARE * self.n_rows)
        # Over the pairs at hand the scores' variance is not quite 1.
        correlation = np.where(enough, products / np.maximum(pairs, 1), 0.0).clip(-1.0, 1.0)
        return correlation, pairs

    def _pairs(self, x: RankedSeries, y: RankedSeries, shifts: Ints) -> Ints:
        # Most series have all their values in one piece, and then counting needs no transform.
        if x.span is not None:
            return _counted(y.n_known, x.span[0] + shifts, x.span[1] + shifts)
        if y.span is not None:
            return _counted(x.n_known, y.span[0] - shifts, y.span[1] - shifts)
        spectra = [fft.rfft(series.known.astype(np.float64), self._size) for series in (x, y)]
        found: Floats = fft.irfft(np.conj(spectra[0]) * spectra[1], self._size)[shifts]
        return found.round().astype(np.int64)


def _counted(n_known: Ints, first: Ints, end: Ints) -> Ints:
    last = len(n_known) - 1
    counts: Ints = n_known[end.clip(0, last)] - n_known[first.clip(0, last)]
    return counts


def correlation_errors(
    weights: Floats, x_memory: Floats, y_memory: Floats, n_pairs: float
) -> Floats:
    """Give the standard errors of weighted sums of the correlations at successive shifts.

    Of two unrelated series the correlations at shifts s and s + d covary as
    ``Σ_k a_x(k)·a_y(k + d) / n`` (Bartlett 1946, "On the Theoretical Specification and Sampling
    Properties of Autocorrelated Time-Series", J. R. Stat. Soc. Suppl. 8). No error is below that
    of white noise.

    Parameters
    ----------
    weights
        One row per sum, shape (n_sums, n_shifts).
    x_memory, y_memory
        Autocorrelations at lags 0 … L, shape (L + 1,), with L ≥ n_shifts − 1.
    n_pairs
        Rows with both series.

    Returns
    -------
    ndarray
        Shape (n_sums,).
    """
    both = [np.r_[memory[:0:-1], memory] for memory in (x_memory, y_memory)]
    covariance = _full_correlation(both[0], both[1])
    products = _full_correlation(weights, weights)
    reach, centre = weights.shape[1] - 1, len(covariance) // 2
    variances = products @ covariance[centre - reach : centre + reach + 1]
    errors: Floats = np.sqrt(np.maximum(variances, (weights**2).sum(axis=1)) / max(n_pairs, 1.0))
    return errors


def _full_correlation(x: Floats, y: Floats) -> Floats:
    """Correlate along the last axis at all shifts; of symmetric series also their convolution."""
    # scipy's choice between the direct sum and the transform depends on the length alone; this
    # does not choose.
    length = x.shape[-1] + y.shape[-1] - 1
    size = fft.next_fast_len(length, real=True)
    product = fft.irfft(fft.rfft(x, size) * fft.rfft(y[..., ::-1], size), size)
    full: Floats = product[..., :length]
    return full
