"""Predictions compared with outcomes, with errors honest about overlap and common dates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.hac import overlapping_mean
from ray_pipeline.statistics.tails import t_upper_tail

__all__ = ["Gap", "label_reach", "mean_gap", "tenths_of", "with_shared_error"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_N_TENTHS = 10


@dataclass(frozen=True, slots=True)
class Gap:
    """The mean of what was predicted, and of what was observed on the same rows.

    Attributes
    ----------
    n_rows, n_times
        Rows, and the timestamps that they are of.
    std_error, degrees_of_freedom
        Of observed less predicted. The error is NaN where there are too few timestamps for the
        overlap of their labels.
    p_value
        Two-sided, for a true gap of 0; NaN where the error is.
    """

    n_rows: int
    n_times: int
    predicted: float
    observed: float
    std_error: float
    degrees_of_freedom: float
    p_value: float


def mean_gap(
    times: Ints,
    predicted: Floats,
    observed: Floats,
    reach: float,
    variance: Floats | None = None,
) -> Gap:
    """Compare the means of what was predicted and observed.

    The gap is the mean over rows of observed less predicted: a ratio of two sums over timestamps.
    Its error is that of the timestamps' contributions, linearised about the gap (Cochran 1977,
    section 6.4), by `overlapping_mean`: rows of one timestamp count together, and timestamps whose
    labels overlap are not independent. Only timestamps with rows count, so that a tenth that was
    predicted in one stretch of time alone has the evidence of that stretch and no more.

    Parameters
    ----------
    times
        Any numbers that order the timestamps, shape (n_rows,), at least one row.
    predicted, observed
        Shape (n_rows,).
    reach
        Timestamps that a label reaches over, at least 1.
    variance
        Of each outcome, if what was predicted is right; as of a coin ``p·(1 − p)``. The error is
        at least that of as many independent outcomes: where all outcomes are alike, they show no
        variance of their own.

    Examples
    --------
    >>> heads = np.array([1.0, 0.0] * 50)
    >>> found = mean_gap(np.arange(100), np.full(100, 0.75), heads, 1.0, np.full(100, 0.1875))
    >>> found.observed - found.predicted, round(found.std_error, 3)
    (-0.25, 0.043)
    """
    _, place = np.unique(times, return_inverse=True)
    n_rows, n_times = len(place), int(place.max()) + 1
    errors = observed - predicted
    gap = float(errors.mean())
    shares: Floats = np.bincount(place, errors - gap).astype(np.float64) * (n_times / n_rows)
    found = overlapping_mean(shares, reach)
    std_error = found.std_error
    if variance is not None and not math.isnan(std_error):
        std_error = max(std_error, math.sqrt(float(variance.sum())) / n_rows)
    return Gap(
        n_rows=n_rows,
        n_times=n_times,
        predicted=float(predicted.mean()),
        observed=float(observed.mean()),
        std_error=std_error,
        degrees_of_freedom=found.degrees_of_freedom,
        p_value=_two_sided(gap, std_error, found.degrees_of_freedom),
    )


def with_shared_error(gaps: Sequence[Gap]) -> list[Gap]:
    """Return the gaps of stretches of time, none with a smaller error than they have on average.

    In a short stretch the misses that come together are often all there or all missing, and an
    error from them alone is too small just when the gap is large. Variances are averaged as those
    of one timestamp; each is about the mean of its own stretch, so that a gap that differs from
    one to the next adds nothing.
    """
    variances = [gap.std_error**2 * gap.n_times for gap in gaps if not math.isnan(gap.std_error)]
    if not variances:
        return list(gaps)
    shared = sum(variances) / len(variances)
    found = []
    for gap in gaps:
        error = max(gap.std_error, math.sqrt(shared / gap.n_times))
        if math.isnan(gap.std_error):
            error = math.nan
        p_value = _two_sided(gap.observed - gap.predicted, error, gap.degrees_of_freedom)
        found.append(replace(gap, std_error=error, p_value=p_value))
    return found


def _two_sided(gap: float, std_error: float, freedom: float) -> float:
    if math.isnan(std_error):
        return math.nan
    if std_error == 0.0:
        return 0.0 if gap else 1.0
    return min(1.0, 2.0 * float(t_upper_tail(abs(gap) / std_error, freedom)))


def tenths_of(predicted: Floats) -> Ints:
    """Sort rows into tenths by what was predicted, from 0; equal predictions are of one tenth.

    Where many predictions are equal some tenths have more rows, and others none.

    Examples
    --------
    >>> tenths_of(np.array([0.2, 0.2, 0.9])).tolist()
    [5, 5, 9]
    """
    inner = np.quantile(predicted, np.arange(1, _N_TENTHS) / _N_TENTHS)
    found: Ints = np.searchsorted(inner, predicted, side="right")
    return found


def label_reach(times: Ints, time_ns: Ints, known_ns: Ints) -> float:
    """Return how many timestamps a label reaches over, in the median of rows.

    Parameters
    ----------
    times
        All timestamps, sorted, each once.
    time_ns, known_ns
        Of rows whose label became known: when they were scored, and when that was.
    """
    if not len(time_ns):
        return 1.0
    return max(
        1.0, float(np.median(np.searchsorted(times, known_ns) - np.searchsorted(times, time_ns)))
    )
