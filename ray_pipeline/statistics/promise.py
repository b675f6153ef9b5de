"""A live skill beside the one that was promised, by a test that is valid at every look.

Skills of timestamps depend on each other: labels overlap, and what a model bets on persists. So
what is compared are means of blocks, long enough to be taken for independent and normal, before
and after the promise was made: a two-sample sequential t-test
(`ray_pipeline.statistics.sequential_t`), whose error holds that of the promise too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.hac import hac_lag, overlap_share, overlapping_mean
from ray_pipeline.statistics.sequential_t import log_e_lower, radius
from ray_pipeline.statistics.tails import normal_upper_tail

__all__ = ["SkillPromise", "SkillWatch", "after_selection", "change_point", "promise_of", "watch"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCALES = ((1.0, 2.0 / 3.0), (4.0, 1.0 / 3.0))
"""Sizes of a loss that evidence is sought of, in deviations of a block, and the weight of each. A
skill five standard errors above 0 over twenty blocks is worth about one, and strong ones many, of
which a few blocks must tell. They are the same for all promises: a size taken from the promise
would know of its luck."""

SEQUENCE_SCALE = 1.0
"""The same for confidence sequences: narrowest after about ten blocks."""

MIN_BLOCKS = 3
"""Of the promise: with fewer nobody knows how much a block varies."""

LEAST_DEVIATION = 1e-9


@dataclass(frozen=True, slots=True)
class SkillPromise:
    """What the skills before say of those to come.

    Attributes
    ----------
    estimate, std_error
        Mean and HAC error of the skills before; NaN where they are too few.
    skill
        What is promised: the mean, less what having been chosen for it has added.
    block
        Elements of the series in a block.
    n_blocks, squares
        Whole blocks, and the squared deviations of their means from their mean.
    overlap
        Share of the variance of a mean that whole blocks show; see `overlap_share`.
    """

    estimate: float
    std_error: float
    skill: float
    block: int
    n_blocks: int
    squares: float
    overlap: float


@dataclass(frozen=True, slots=True)
class SkillWatch:
    """How a live skill stands after each of its whole blocks, all of shape (n_blocks,).

    Attributes
    ----------
    ends
        Elements of the live series until then.
    mean, low, high
        Mean of the blocks, and its confidence sequence: all of it holds at once.
    p_value
        Of the skill being as promised. Never rises, and is ever below α with a probability of at
        most α if no skill was lost.
    """

    ends: Ints
    mean: Floats
    low: Floats
    high: Floats
    p_value: Floats


def after_selection(t_stat: float, threshold: float) -> float:
    """Take from a t statistic what having been chosen for it has added: the winner's curse.

    The mean m of a normal variable that is seen only above c is estimated by maximum likelihood:
    ``m + φ(c − m)/Φ(m − c) = t`` (Zhong & Prentice 2008, "Bias-reduced estimators and confidence
    intervals for odds ratios in genome-wide association studies", Biostatistics 9, eq. 2.3), and
    is not taken below 0. Far above c nothing is lost, just above it all.

    Parameters
    ----------
    t_stat
        Of what was chosen.
    threshold
        Above which it was chosen; −∞ where it was not.

    Examples
    --------
    >>> [round(after_selection(t, 2.0), 2) for t in (2.1, 3.0, 6.0)]
    [0.0, 2.48, 6.0]
    """
    if t_stat <= 0.0 or threshold == -math.inf:
        return t_stat

    def expected(mean: float) -> float:
        density = math.exp(-0.5 * (threshold - mean) ** 2) / math.sqrt(2.0 * math.pi)
        return mean + density / float(normal_upper_tail(threshold - mean))

    low, high = 0.0, t_stat
    if expected(low) >= t_stat:
        return 0.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if expected(middle) < t_stat else (low, middle)
    return 0.5 * (low + high)


def promise_of(
    skills: Floats, horizon: float, spacing: float = 1.0, threshold: float = -math.inf
) -> SkillPromise:
    """Say what skills that were measured out of sample promise.

    A block is as long as the bandwidth of their HAC error (`hac_lag`): three horizons at least.

    Parameters
    ----------
    skills
        In time order, shape (n,).
    horizon, spacing
        Of the labels, and from one element to the next, in the same unit.
    threshold
        The t statistic above which models were chosen, −∞ where all were kept.
    """
    block = hac_lag(len(skills), horizon, spacing)
    found = overlapping_mean(skills, horizon, spacing)
    means = _block_means(skills, block)
    overlap = overlap_share(horizon / spacing, block)
    if len(means) < MIN_BLOCKS or math.isnan(found.std_error):
        return SkillPromise(found.mean, math.nan, math.nan, block, len(means), math.nan, overlap)
    left = after_selection(found.t_stat, threshold) if math.isfinite(found.t_stat) else math.inf
    skill = found.mean if math.isinf(left) else left * found.std_error
    squares = float(np.sum((means - means.mean()) ** 2))
    return SkillPromise(found.mean, found.std_error, skill, block, len(means), squares, overlap)


def watch(promise: SkillPromise, live: Floats, alpha: float = 0.05) -> SkillWatch:
    """Compare the skills since with the promise, after every whole block.

    A loss may begin with any block. The e-process is the mean of those that begin with block k,
    with weights 1/((k + 1)(k + 2)) that leave 1/(k + 1) to later ones, so that a good start
    does not hide what comes after it (a mixture over change points, as of Shin, Ramdas & Rinaldo
    2024, "E-detectors: a nonparametric framework for sequential change detection", New Engl. J.
    Statist. Data Sci. 2, but with weights that sum to 1: the chance of ever raising a false alarm
    is limited, instead of the time until it).

    It assumes that means of blocks are independent, normal and, without a loss, of one variance,
    and that their mean is at least the promised skill.

    Parameters
    ----------
    promise
        Of the skills before.
    live
        Skills since, in time order, with the spacing that those had, shape (n,).
    alpha
        Probability with which the confidence sequence may ever miss the mean.
    """
    means = _block_means(live, promise.block)
    n = len(means)
    ends = promise.block * np.arange(1, n + 1)
    running = np.cumsum(means) / np.arange(1, n + 1)
    if math.isnan(promise.skill):
        nothing = np.ones(n)
        return SkillWatch(ends, running, -nothing, nothing, nothing)
    sums = np.concatenate(([0.0], np.cumsum(means)))
    squares = np.concatenate(([0.0], np.cumsum(means**2)))
    evidence, low, high = np.ones(n), np.empty(n), np.empty(n)
    for end in range(1, n + 1):
        starts = np.arange(end)
        counts = (end - starts).astype(np.float64)
        mean = (sums[end] - sums[starts]) / counts
        spread = np.maximum(squares[end] - squares[starts] - counts * mean**2, 0.0)
        freedom = promise.n_blocks + counts - 2.0
        deviation = np.sqrt((promise.squares + spread) / (freedom * promise.overlap))
        deviation = np.maximum(deviation, LEAST_DEVIATION)
        worth = promise.n_blocks * counts / (promise.n_blocks + counts)
        t = (mean - promise.skill) * np.sqrt(worth) / deviation
        of_starts = np.zeros(end)
        for scale, share in SCALES:
            of_starts += share * np.exp(np.minimum(log_e_lower(t, freedom, worth, scale), 500.0))
        weights = 1.0 / ((starts + 1.0) * (starts + 2.0))
        evidence[end - 1] = weights @ of_starts + 1.0 / (end + 1.0)
        half = radius(float(freedom[0]), end, SEQUENCE_SCALE, alpha) * deviation[0] / math.sqrt(end)
        low[end - 1], high[end - 1] = max(-1.0, mean[0] - half), min(1.0, mean[0] + half)
    p_value = 1.0 / np.maximum(np.maximum.accumulate(evidence), 1.0)
    return SkillWatch(ends, running, low, high, p_value)


def change_point(live: Floats, promised: float, shortest: int) -> int:
    """Estimate where a series fell below what was promised.

    The start k whose mean m of all that follows is least likely to be as promised,
    ``(n − k) · (promised − m)²``: the estimate of maximum likelihood for a change from a known
    mean to an unknown lower one (Hinkley 1970, "Inference about the change-point in a sequence
    of random variables", Biometrika 57).

    Parameters
    ----------
    live
        Shape (n,), at least one element.
    promised
        Mean until the change.
    shortest
        Elements that a change has lasted, at least.

    Returns
    -------
    int
        Number of the first element after the change; 0 where the series was lower throughout.

    Examples
    --------
    >>> change_point(np.array([1.0, 1.1, 0.9, 0.1, -0.1, 0.0]), 1.0, 1)
    3
    """
    shortfall = np.cumsum((promised - live)[::-1])[::-1]
    counts = np.arange(len(live), 0, -1)
    likelihood = np.where(shortfall > 0, shortfall**2 / counts, -1.0)
    last = max(1, len(live) - shortest + 1)
    return int(np.argmax(likelihood[:last]))


def _block_means(series: Floats, block: int) -> Floats:
    """Means of the whole blocks, shape (n // block,)."""
    n = len(series) // block
    found: Floats = series[: n * block].reshape(n, block).mean(axis=1)
    return found
