"""Sharpe ratios with their errors, and what the best of many worthless ones would show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ray_pipeline.statistics.tails import normal_upper_quantile

__all__ = [
    "SharpeRatio",
    "deflated_sharpe_ratio",
    "expected_maximum",
    "min_track_record_length",
    "probabilistic_sharpe_ratio",
    "sharpe_ratio",
]


@dataclass(frozen=True, slots=True)
class SharpeRatio:
    """A Sharpe ratio per period, and what its error depends on.

    Attributes
    ----------
    ratio
        Mean over standard deviation of the returns of a period.
    skewness, kurtosis
        Of these returns; a normal distribution has 0 and 3.
    n_periods
        Periods that do not overlap.
    """

    ratio: float
    skewness: float
    kurtosis: float
    n_periods: float

    @property
    def std_error(self) -> float:
        """Standard error: ``√((1 − γ₃·SR + (γ₄ − 1)/4·SR²) / (n − 1))``.

        Lo (2002), "The Statistics of Sharpe Ratios", Fin. Anal. J. 58, for normal returns;
        Mertens (2002), "Comments on Variance of the IID estimator in Lo (2002)", for others;
        n − 1 as in Bailey & López de Prado (2012).
        """
        return math.sqrt(self._spread / (self.n_periods - 1.0))

    @property
    def _spread(self) -> float:
        kurtosis_term = (self.kurtosis - 1.0) / 4.0 * self.ratio**2
        return max(0.0, 1.0 - self.skewness * self.ratio + kurtosis_term)


def sharpe_ratio(returns: NDArray[np.float64], n_periods: float) -> SharpeRatio | None:
    """Estimate a Sharpe ratio from returns of periods that may overlap.

    Overlapping returns each have the distribution of a period's return, so mean, deviation and
    higher moments use all of them; what they are worth as evidence is `n_periods`.

    Parameters
    ----------
    returns
        Finite, shape (n,).
    n_periods
        Periods among them that do not overlap, above 1.

    Returns
    -------
    SharpeRatio or None
        None where the returns do not vary.
    """
    centred = returns - returns.mean()
    variance = float(np.mean(centred**2))
    # A constant that is no sum of powers of two leaves a rounding error.
    if len(returns) < 2 or variance <= 1e-24 * float(np.mean(returns**2)):
        return None
    deviation = math.sqrt(variance)
    unbiased = deviation * math.sqrt(len(returns) / (len(returns) - 1))
    return SharpeRatio(
        ratio=float(returns.mean()) / unbiased,
        skewness=float(np.mean(centred**3)) / deviation**3,
        kurtosis=float(np.mean(centred**4)) / variance**2,
        n_periods=n_periods,
    )


def probabilistic_sharpe_ratio(found: SharpeRatio, benchmark: float = 0.0) -> float:
    """Probability that the true ratio is above a benchmark.

    Bailey & López de Prado (2012), "The Sharpe Ratio Efficient Frontier", J. Risk 15.

    Parameters
    ----------
    benchmark
        A ratio per period.
    """
    difference, error = found.ratio - benchmark, found.std_error
    if error == 0.0:
        return float(difference > 0)
    return float(special.ndtr(difference / error))


def min_track_record_length(
    found: SharpeRatio, benchmark: float = 0.0, confidence: float = 0.95
) -> float:
    """Periods after which a ratio like this one is above the benchmark with some confidence.

    Bailey & López de Prado (2012); NaN for a ratio that is not above the benchmark.
    """
    if found.ratio <= benchmark:
        return math.nan
    quantile = float(special.ndtri(confidence))
    return 1.0 + found._spread * (quantile / (found.ratio - benchmark)) ** 2


def expected_maximum(n_trials: int) -> float:
    """Mean of the largest of so many independent standard normal values.

    ``(1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))`` with Euler's γ, the approximation of Bailey &
    López de Prado (2014), "The Deflated Sharpe Ratio", J. Portf. Manag. 40; 0 for one
    trial, which is no choice.
    """
    if n_trials < 2:
        return 0.0
    first = normal_upper_quantile(1.0 / n_trials)
    second = normal_upper_quantile(1.0 / (n_trials * math.e))
    return float((1.0 - np.euler_gamma) * first + np.euler_gamma * second)


def deflated_sharpe_ratio(
    found: SharpeRatio, n_trials: int, variance: float
) -> tuple[float, float]:
    """Probability that the true ratio is above 0, given that it is the best of many trials.

    Bailey & López de Prado (2014): the `probabilistic_sharpe_ratio` over
    ``√variance · expected_maximum(n_trials)``, what the best of so many worthless trials shows.

    Parameters
    ----------
    variance
        Of the ratios per period across trials.

    Returns
    -------
    tuple
        The probability, and the ratio per period that luck alone is expected to reach.

    Examples
    --------
    The paper's own: 100 trials, 1250 days, 2.5 a year of 250 days, their variance 1/2 a year.

    >>> best = SharpeRatio(2.5 / 250**0.5, skewness=-3.0, kurtosis=10.0, n_periods=1250)
    >>> probability, by_luck = deflated_sharpe_ratio(best, 100, variance=0.5 / 250)
    >>> round(probability, 4), round(by_luck, 4)
    (0.9004, 0.1132)
    """
    by_luck = math.sqrt(variance) * expected_maximum(n_trials)
    return probabilistic_sharpe_ratio(found, by_luck), by_luck
