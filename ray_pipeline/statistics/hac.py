"""The mean of a serially dependent series, with an error that can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.tails import t_upper_tail

__all__ = ["MeanEstimate", "best_of", "hac_lag", "hac_mean", "overlap_share", "overlapping_mean"]

MIN_DEGREES_OF_FREEDOM = 4.0
"""Below about four effective observations no significance is claimed."""

OVERLAP_FACTOR = 3
"""Bartlett weights at lag k are 1 − k/M: with M = h they would count two thirds of the overlap of
h-bar labels, with M = 3h nearly nine tenths of it; the rest is divided out."""


@dataclass(frozen=True, slots=True)
class MeanEstimate:
    """Mean, HAC standard error and one-sided p-value for ``mean > 0``.

    `p_value` is 1 and `std_error` NaN where the series is too short for its dependence.
    """

    mean: float
    std_error: float
    t_stat: float
    p_value: float
    degrees_of_freedom: float
    n: int


def hac_lag(n: int, horizon: float, spacing: float = 1.0) -> int:
    """Bandwidth that covers the overlap of the labels and the memory of the features.

    The larger of three horizons and ``1.3·√n``, the rule of Lazarus, Lewis, Stock & Watson
    (2018, "HAR Inference: Recommendations for Practice", JBES 36) for Newey–West with fixed-b
    critical values.

    Parameters
    ----------
    n
        Length of the series.
    horizon
        Label horizon in bars.
    spacing
        Bars from one element of the series to the next (above 1 for sampled timestamps).
    """
    return max(math.ceil(OVERLAP_FACTOR * horizon / spacing), math.ceil(1.3 * math.sqrt(n)))


def hac_mean(series: NDArray[np.float64], lag: int, overlap: float = 1.0) -> MeanEstimate:
    """Estimate the mean of a series by Newey–West with small-sample corrections.

    The long-run variance is Newey & West (1987) with Bartlett weights ``1 − k/M``,
    ``M = lag + 1``. With ``b = M/n`` its downward bias ``1 − b + b²/3`` (Kiefer & Vogelsang
    2005, the mean of the fixed-b limit) is divided out, and the statistic is referred to
    Student's t with the equivalent degrees of freedom ``3/(2b)`` of the Bartlett kernel
    (Priestley 1981, §6.2.4). Without both, a test over long lags rejects far too often.
    Labels that overlap by h elements have autocovariances ``1 − k/h`` (Hansen & Hodrick 1980), of
    which the weights take too little: `overlap_share` is divided out as well.

    Parameters
    ----------
    series
        Finite values in time order, shape (n,).
    lag
        Largest autocovariance used, in elements of the series.
    overlap
        Elements that a label reaches over; 1 where labels do not overlap.

    Examples
    --------
    >>> hac_mean(np.array([1.0, 1.0, 1.0, 1.0, -4.0] * 20), lag=1).mean
    0.0
    """
    n = len(series)
    mean = float(series.mean()) if n else 0.0
    bandwidth = lag + 1
    freedom = 1.5 * n / bandwidth
    if freedom < MIN_DEGREES_OF_FREEDOM:
        return MeanEstimate(mean, math.nan, 0.0, 1.0, freedom, n)
    centred = series - mean
    variance = float(centred @ centred)
    for k in range(1, lag + 1):
        variance += 2.0 * (1.0 - k / bandwidth) * float(centred[k:] @ centred[:-k])
    b = bandwidth / n
    counted = (1.0 - b + b * b / 3.0) * overlap_share(overlap, bandwidth)
    std_error = math.sqrt(max(variance, 0.0) / counted) / n
    if std_error == 0.0:
        # A skill that is the same throughout (a perfect copy) is certain, none at all is not.
        t_stat = math.copysign(math.inf, mean) if mean else 0.0
        return MeanEstimate(mean, 0.0, t_stat, 0.0 if mean > 0 else 1.0, freedom, n)
    t_stat = mean / std_error
    p_value = float(t_upper_tail(t_stat, freedom))
    return MeanEstimate(mean, std_error, t_stat, p_value, freedom, n)


def overlapping_mean(
    series: NDArray[np.float64], horizon: float, spacing: float = 1.0
) -> MeanEstimate:
    """Estimate the mean of figures that rest on labels which reach over `horizon`.

    `hac_mean` with the bandwidth of `hac_lag`, and the overlap of the labels divided out.

    Parameters
    ----------
    series
        Finite values in time order, shape (n,).
    horizon, spacing
        Of the labels, and from one element to the next, in the same unit.
    """
    return hac_mean(series, hac_lag(len(series), horizon, spacing), horizon / spacing)


def overlap_share(overlap: float, bandwidth: int) -> float:
    """Tell how much of the variance of overlapping labels Bartlett weights count.

    ``Σ (1 − k/h)·(1 − k/M) / Σ (1 − k/h)`` over all lags on both sides; for whole h ≤ M that is
    ``1 − (h² − 1) / (3·h·M)``.

    Parameters
    ----------
    overlap
        Elements h that a label reaches over, at least 1 or taken as 1.
    bandwidth
        M, the first lag whose weight is 0.
    """
    k = np.arange(1, math.ceil(overlap))
    covariance = 1.0 - k / max(overlap, 1.0)
    counted = covariance * np.maximum(1.0 - k / bandwidth, 0.0)
    return float((1.0 + 2.0 * counted.sum()) / (1.0 + 2.0 * covariance.sum()))


def best_of(p_values: NDArray[np.float64]) -> tuple[int, float]:
    """Pick the smallest of several p-values and pay for the choice (Bonferroni).

    Returns
    -------
    tuple
        Index of the smallest (the first of equals) and ``min(1, n · p)``.
    """
    index = int(np.argmin(p_values))
    return index, min(1.0, len(p_values) * float(p_values[index]))
