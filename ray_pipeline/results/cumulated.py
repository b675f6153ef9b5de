"""Skill summed over time, with the band that chance stays in; and fewer points of long lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.results.steadiness import DatedSkill
from ray_pipeline.statistics.hac import overlapping_mean

__all__ = ["CumulatedSkill", "beyond_chance_since", "cumulated_skill", "drawdowns", "thinned"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CumulatedSkill:
    """The sum of the skills up to each timestamp, all of shape (n_timestamps,).

    Attributes
    ----------
    half_widths
        Two standard errors of the sum of as many skills that are 0 in the mean and depend on each
        other as these do; NaN where the series is too short to tell.
    """

    seconds: Floats
    totals: Floats
    half_widths: Floats


def cumulated_skill(dated: Sequence[DatedSkill], horizon_bars: float) -> CumulatedSkill:
    """Sum skills over time.

    The band is that of the ranking's t-statistic: with the long-run deviation s of
    `overlapping_mean`, k skills of chance stay within ``2·s·√k`` at a time of one's choosing, and
    the last total is outside where the mean is more than two standard errors from 0. It holds for
    a point of time, not for all of them at once.

    Parameters
    ----------
    dated
        In time order.
    horizon_bars
        What a label spans.

    Examples
    --------
    >>> found = cumulated_skill([DatedSkill(0.0, 0, 0.5), DatedSkill(60.0, 0, -0.25)], 1)
    >>> found.totals.tolist(), found.half_widths.tolist()
    ([0.5, 0.25], [nan, nan])
    """
    skills = np.array([each.skill for each in dated], dtype=np.float64)
    n = len(skills)
    error = overlapping_mean(skills, horizon_bars).std_error if n else math.nan
    deviation = error * math.sqrt(n)
    return CumulatedSkill(
        seconds=np.array([each.seconds for each in dated], dtype=np.float64),
        totals=np.cumsum(skills),
        half_widths=2.0 * deviation * np.sqrt(np.arange(1, n + 1)),
    )


def beyond_chance_since(sums: CumulatedSkill) -> float | None:
    """Return the time from which the sum has been above the band to the end; None: it is not.

    >>> none = np.array([0.0, 60.0, 120.0])
    >>> beyond_chance_since(CumulatedSkill(none, np.array([3.0, 1.0, 4.0]), np.full(3, 2.0)))
    120.0
    """
    above = sums.totals > sums.half_widths
    if not len(above) or not above[-1]:
        return None
    within = np.flatnonzero(~above)
    return float(sums.seconds[within[-1] + 1 if len(within) else 0])


def drawdowns(totals: Floats) -> Floats:
    """Return how far a curve that began at 0 is below its highest point so far; 0 or less.

    >>> drawdowns(np.array([0.25, 0.5, 0.25])).tolist()
    [0.0, 0.0, -0.25]
    """
    fallen: Floats = totals - np.maximum.accumulate(np.maximum(totals, 0.0))
    return fallen


def thinned(values: Floats, at_most: int) -> NDArray[np.int64]:
    """Choose points that keep a long line's shape: the lowest and highest of each stretch.

    Parameters
    ----------
    values
        Finite, shape (n,).
    at_most
        Points that are kept, at least 4; the first and the last are among them.

    Returns
    -------
    ndarray
        Indices in rising order, all of them where there are no more.

    Examples
    --------
    >>> thinned(np.array([0.0, 1.0, 9.0, 1.0, 0.0, -9.0, 0.0, 1.0]), 6).tolist()
    [0, 2, 5, 7]
    """
    n = len(values)
    if n <= at_most:
        return np.arange(n)
    edges = np.linspace(0, n, (at_most - 2) // 2 + 1).astype(np.int64)
    kept = {0, n - 1}
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        stretch = values[start:end]
        kept |= {start + int(np.argmin(stretch)), start + int(np.argmax(stretch))}
    return np.array(sorted(kept), dtype=np.int64)
