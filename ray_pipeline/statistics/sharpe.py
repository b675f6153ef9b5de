"""Sharpe ratios with their errors, and what the best of many worthless ones would show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ray_pipeline.statistics.hac import overlapping_mean
from ray_pipeline.statistics.tails import normal_upper_quantile, t_upper_tail

__all__ = [
    "SharpeRatio",
    "best_ratio_p_value",
    "deflated_sharpe_ratio",
    "effective_trials",
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
    hac_error
        Standard error that knows of serial dependence; None to take periods for independent.
    degrees_of_freedom
        Of that error; infinite for a normal distribution.
    """

    ratio: float
    skewness: float
    kurtosis: float
    n_periods: float
    hac_error: float | None = None
    degrees_of_freedom: float = math.inf

    @property
    def std_error(self) -> float:
        """The HAC error where there is one, else ``√((1 − γ₃·SR + (γ₄ − 1)/4·SR²) / (n − 1))``.

        Lo (2002), "The Statistics of Sharpe Ratios", Fin. Anal. J. 58, for normal returns;
        Mertens (2002), "Comments on Variance of the IID estimator in Lo (2002)", for others;
        n − 1 as in Bailey & López de Prado (2012).
        """
        if self.hac_error is not None:
            return self.hac_error
        kurtosis_term = (self.kurtosis - 1.0) / 4.0 * self.ratio**2
        spread = max(0.0, 1.0 - self.skewness * self.ratio + kurtosis_term)
        return math.sqrt(spread / (self.n_periods - 1.0))

    def probability_below(self, benchmark: float) -> float:
        """Probability of so high a ratio were the true one at the benchmark, in its upper tail."""
        difference, error = self.ratio - benchmark, self.std_error
        if error == 0.0:
            return float(difference <= 0)
        if math.isinf(self.degrees_of_freedom):
            return float(special.ndtr(-difference / error))
        return float(t_upper_tail(difference / error, self.degrees_of_freedom))


def sharpe_ratio(
    returns: NDArray[np.float64], n_periods: float, horizon: float = 1.0, spacing: float = 1.0
) -> SharpeRatio | None:
    """Estimate a Sharpe ratio from returns of periods that may overlap.

    Overlapping returns each have the distribution of a period's return, so mean, deviation and
    higher moments use all of them. Its error is the HAC error of the mean of its influence
    function ``z − SR/2·(z² − 1)``, z being the standardised returns, whose variance for
    independent returns is that of Mertens (2002); serial dependence as in Lo (2002, §"Non-IID
    returns") and Ledoit & Wolf (2008, "Robust Performance Hypothesis Testing with the Sharpe
    Ratio", J. Empir. Finance 15). To count overlapping periods as one each would overstate it
    where positions change within a period, as those of most models do: returns of 20 bars would
    pass for evidence at a nominal 5 % in 1 % of null cases. Returns that happen to alternate would
    make the error smaller than that of independent ones; such luck is not believed.

    Parameters
    ----------
    returns
        Finite, in time order, shape (n,).
    n_periods
        Periods among them that do not overlap, above 1.
    horizon, spacing
        Of a period, and from one return to the next, in the same unit.

    Returns
    -------
    SharpeRatio or None
        None where the returns do not vary. With some twenty returns or fewer no HAC error can be
        told, and periods are taken for independent.
    """
    centred = returns - returns.mean()
    variance = float(np.mean(centred**2))
    # A constant that is not a sum of powers of two leaves a rounding error.
    if len(returns) < 2 or variance <= 1e-24 * float(np.mean(returns**2)):
        return None
    deviation = math.sqrt(variance)
    ratio = float(returns.mean()) / (deviation * math.sqrt(len(returns) / (len(returns) - 1)))
    z = centred / deviation
    influence = z - ratio / 2.0 * (z**2 - 1.0)
    found = overlapping_mean(influence, horizon, spacing)
    is_told = not math.isnan(found.std_error)
    least = math.sqrt(float(np.mean(influence**2)) / len(returns))
    return SharpeRatio(
        ratio=ratio,
        skewness=float(np.mean(centred**3)) / deviation**3,
        kurtosis=float(np.mean(centred**4)) / variance**2,
        n_periods=n_periods,
        hac_error=max(found.std_error, least) if is_told else None,
        degrees_of_freedom=found.degrees_of_freedom if is_told else math.inf,
    )


def probabilistic_sharpe_ratio(found: SharpeRatio, benchmark: float = 0.0) -> float:
    """Probability that the true ratio is above a benchmark.

    Bailey & López de Prado (2012), "The Sharpe Ratio Efficient Frontier", J. Risk 15; by
    Student's t where the error has degrees of freedom.

    Parameters
    ----------
    benchmark
        A ratio per period.
    """
    return 1.0 - found.probability_below(benchmark)


def min_track_record_length(
    found: SharpeRatio, benchmark: float = 0.0, confidence: float = 0.95
) -> float:
    """Periods after which a ratio like this one is above the benchmark with some confidence.

    Bailey & López de Prado (2012); NaN for a ratio that is not above the benchmark.
    """
    if found.ratio <= benchmark:
        return math.nan
    quantile = float(special.ndtri(confidence))
    spread = found.std_error**2 * (found.n_periods - 1.0)
    return 1.0 + spread * (quantile / (found.ratio - benchmark)) ** 2


def effective_trials(n_trials: float, correlation: float) -> float:
    """Count the independent trials that so many trials of a mean correlation stand for.

    ``ρ + (1 − ρ)·N``, Bailey & López de Prado (2014), appendix A.3.

    Examples
    --------
    >>> effective_trials(21, 0.5)
    11.0
    """
    return correlation + (1.0 - correlation) * n_trials


def best_ratio_p_value(found: SharpeRatio, n_trials: float) -> float:
    """Probability that the best of so many independent worthless trials shows such a ratio.

    ``1 − PSR^N`` (Šidák's inequality, as in López de Prado & Lewis 2019, "Detection of False
    Investment Strategies Using Unsupervised Learning Methods", Quant. Finance 19). The deflated
    ratio asks for more: it takes the mean of the best for what a single trial would show, whose
    error comes on top, although the best of many lies close to its mean. At a nominal 5 % it
    passes the best of 20 worthless trials in 0.5 % of cases.

    Examples
    --------
    Two standard errors, as the best of ten:

    >>> ratio = SharpeRatio(0.2, skewness=0.0, kurtosis=1.0, n_periods=101)
    >>> round(best_ratio_p_value(ratio, 1), 4), round(best_ratio_p_value(ratio, 10), 4)
    (0.0228, 0.2056)
    """
    missing = found.probability_below(0.0)
    return float(-np.expm1(n_trials * np.log1p(-missing))) if missing < 1.0 else 1.0


def expected_maximum(n_trials: float) -> float:
    """Mean of the largest of so many independent standard normal values.

    ``(1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))`` with Euler's γ, the approximation of Bailey &
    López de Prado (2014), "The Deflated Sharpe Ratio", J. Portf. Manag. 40; 0 for one
    trial, which is not a choice. Between one and two, where the approximation fails, it is on the
    line.
    """
    if n_trials < 2:
        return max(0.0, n_trials - 1.0) * expected_maximum(2)
    first = normal_upper_quantile(1.0 / n_trials)
    second = normal_upper_quantile(1.0 / (n_trials * math.e))
    return float((1.0 - np.euler_gamma) * first + np.euler_gamma * second)


def deflated_sharpe_ratio(
    found: SharpeRatio, n_trials: float, variance: float
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
