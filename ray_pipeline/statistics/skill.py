"""Out-of-sample skill in [-1, 1]: rank IC for ordered targets, 2·AUC − 1 for binary ones.

Across symbols at a timestamp (`timestamp_skills`) and over time (`time_contributions`). Both are
means of a per-row product of centred ranks, and the products are what the HAC standard error is
computed from. Whether a skill over time is luck is told from the same products of bets of even
size (`even_bets`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.records import Task

__all__ = [
    "GroupedSkill",
    "centred_percentile",
    "dated_skills",
    "even_bets",
    "grouped_ranks",
    "grouped_skill",
    "outcome",
    "time_contributions",
    "timestamp_skills",
]

Floats = NDArray[np.float64]

BETS_REMEMBERED = 10
"""Rows over which the usual size of a bet is averaged. One would leave signs alone, which find
signals less often; with forty a wandering level keeps half of its excess."""

UNIFORM_SIZE = 0.5
"""Mean size of a percentile spread evenly over [-1, 1], as those of the training rows are."""


@dataclass(frozen=True, slots=True)
class GroupedSkill:
    """Skill within each group and the row products it is the mean of.

    Attributes
    ----------
    contributions
        Shape (n_rows,); their mean within a group is that group's skill. Zero in groups that
        have no skill to measure (constant prediction); NaN in groups left out.
    groups, skills, counts
        Group label, skill and rows, shape (n_groups,); only groups that could be measured.
    """

    contributions: Floats
    groups: NDArray[np.int64]
    skills: Floats
    counts: NDArray[np.int64]


def grouped_ranks(values: Floats, inverse: NDArray[np.int64]) -> Floats:
    """Average ranks (1 = smallest, ties share their mean) of each value within its group.

    Parameters
    ----------
    values
        Finite values, shape (n_rows,).
    inverse
        Group number of each row, 0 … n_groups − 1, shape (n_rows,).
    """
    n_rows = len(values)
    if n_rows == 0:
        return np.empty(0)
    order = np.lexsort((values, inverse))
    sorted_values, sorted_groups = values[order], inverse[order]
    new_group = np.r_[True, sorted_groups[1:] != sorted_groups[:-1]]
    new_tie = new_group | np.r_[True, sorted_values[1:] != sorted_values[:-1]]
    tie = np.cumsum(new_tie) - 1
    tie_starts = np.flatnonzero(new_tie)
    tie_ends = np.r_[tie_starts[1:], n_rows]
    group_start = np.flatnonzero(new_group)[np.cumsum(new_group) - 1]
    ranks = np.empty(n_rows)
    ranks[order] = (tie_starts + tie_ends - 1)[tie] / 2.0 - group_start + 1.0
    return ranks


def grouped_skill(
    prediction: Floats,
    actual: Floats,
    groups: NDArray[np.int64],
    task: Task,
    min_rows: int = 3,
) -> GroupedSkill:
    """Measure skill within groups of rows: the symbols of a timestamp, or the rows of a fold.

    Ordered targets: Spearman's rank correlation, the Pearson correlation of average ranks.
    Binary targets: ``2·AUC − 1`` by the Mann–Whitney identity
    ``AUC = (mean rank of positives − (n_pos + 1) / 2) / n_neg``.

    Parameters
    ----------
    prediction, actual
        Finite values, shape (n_rows,).
    groups
        Any integer label per row, shape (n_rows,).
    task
        Binary targets hold 0 and 1.
    min_rows
        Smaller groups are left out, as are groups whose `actual` is constant.

    Returns
    -------
    GroupedSkill
        A constant prediction in a measurable group has skill 0.
    """
    labels, inverse = np.unique(groups, return_inverse=True)
    n_groups = len(labels)
    counts = np.bincount(inverse, minlength=n_groups).astype(np.int64)
    sizes = counts.astype(np.float64)
    centre = (sizes + 1.0) / 2.0
    u = grouped_ranks(prediction, inverse) - centre[inverse]
    if task == "binary":
        share = np.bincount(inverse, weights=actual, minlength=n_groups) / counts
        v = actual - share[inverse]
        variation = share * (1.0 - share) * sizes
        # 2·AUC − 1 = 2 Σ u·v / (n_pos · n_neg)
        scale = np.zeros(n_groups)
        np.divide(2.0, variation, out=scale, where=variation > 0)
    else:
        v = grouped_ranks(actual, inverse) - centre[inverse]
        variation = np.bincount(inverse, weights=v * v, minlength=n_groups).astype(np.float64)
        spread = np.sqrt(variation * np.bincount(inverse, weights=u * u, minlength=n_groups))
        scale = np.zeros(n_groups)
        np.divide(sizes, spread, out=scale, where=spread > 0)
    measurable = (counts >= min_rows) & (variation > 0)
    contributions = np.where(measurable[inverse], u * v * scale[inverse], np.nan)
    sums = np.bincount(inverse, weights=contributions, minlength=n_groups)
    return GroupedSkill(
        contributions=contributions,
        groups=labels[measurable].astype(np.int64),
        skills=(sums / counts)[measurable],
        counts=counts[measurable],
    )


def timestamp_skills(
    prediction: Floats,
    actual: Floats,
    positions: NDArray[np.int64],
    cells: NDArray[np.int64],
    task: Task,
    min_rows: int = 3,
) -> Floats:
    """Measure the skill across symbols at each timestamp: in all of them, or within their groups.

    The skill of a timestamp is the mean of those of its cells, each weighted by its rows less one.
    Of predictions that know nothing, a rank correlation of n rows has mean 0 and variance 1 / (n −
    1), with ties or without (Kendall & Gibbons 1990, "Rank Correlation Methods", 5th ed., ch. 4; it
    is the permutation variance of any correlation). Weights in inverse proportion to the variances
    make that of the mean smallest, 1 / Σ(n − 1): 11 groups of 45 tell all but as much as one of
    485. They depend on numbers of rows alone, not on predictions or outcomes. Of binary targets,
    whose ``2·AUC − 1`` is a correlation over a factor of the base rate, they are the same.

    Parameters
    ----------
    positions
        Timestamp of each row, shape (n_rows,).
    cells
        What each row is compared within, ascending with the positions, shape (n_rows,); see
        `ray_pipeline.statistics.cells`.
    min_rows
        Smaller cells are left out.

    Returns
    -------
    ndarray
        In the order of time, of the timestamps that have a cell to measure, shape (n_timestamps,).

    Examples
    --------
    Four rows of one group ordered rightly, two of another the wrong way round:

    >>> order = np.array([1.0, 2.0, 3.0, 4.0, 1.0, 2.0])
    >>> actual = np.array([1.0, 2.0, 3.0, 4.0, 2.0, 1.0])
    >>> cells = np.array([0, 0, 0, 0, 1, 1])
    >>> timestamp_skills(order, actual, np.zeros(6, int), cells, "regression", 2).tolist()
    [0.5]
    """
    return dated_skills(prediction, actual, positions, cells, task, min_rows)[1]


def dated_skills(
    prediction: Floats,
    actual: Floats,
    positions: NDArray[np.int64],
    cells: NDArray[np.int64],
    task: Task,
    min_rows: int = 3,
) -> tuple[NDArray[np.int64], Floats]:
    """Return the timestamps that `timestamp_skills` are of, and these, each (n_timestamps,)."""
    found = grouped_skill(prediction, actual, cells, task, min_rows)
    distinct, first = np.unique(cells, return_index=True)
    times = positions[first[np.searchsorted(distinct, found.groups)]]
    known, time = np.unique(times, return_inverse=True)
    if len(known) == len(times):
        return known, found.skills
    weights = (found.counts - 1).astype(np.float64)
    total = np.bincount(time, weights=weights)
    skills: Floats = np.bincount(time, weights=weights * found.skills) / total
    return known, skills


def centred_percentile(values: Floats, reference: Floats) -> Floats:
    """Return percentiles among reference values: −1 below all, 0 at the median, 1 above all.

    Twice the mid-rank percentile in [0, 1], less one; ties count half.

    Parameters
    ----------
    values
        Shape (n_rows,).
    reference
        What was known before, shape (n_reference,), at least one value.

    Examples
    --------
    >>> centred_percentile(np.array([0.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0])).tolist()
    [-1.0, 0.0, 1.0]
    """
    ordered = np.sort(reference)
    below = np.searchsorted(ordered, values, side="left")
    not_above = np.searchsorted(ordered, values, side="right")
    return (below + not_above) / len(ordered) - 1.0


def outcome(actual: Floats, reference: Floats, task: Task) -> Floats:
    """How a label turned out, compared with the labels of the training rows.

    Ordered targets: its `centred_percentile` among them. Binary targets: the label less their
    base rate.
    """
    if task == "binary":
        return actual - float(reference.mean())
    return centred_percentile(actual, reference)


def even_bets(predicted: Floats) -> Floats:
    """Divide each bet by the usual size of the last ones, so that none weighs for long.

    A model of a price level bets most where the level has wandered far, and how far it wandered
    is made of the very innovations that decide whether the bets paid. The variance of their sum
    is then no constant but depends on the sum itself, and its t-ratio follows the skewed
    distribution of Dickey & Fuller (1979) rather than Student's: 6 to 9 % of null cases lie above
    the 5 % value. Where all bets have the same size the variance is a constant and the ratio is
    normal again, whatever drives the bets: the Cauchy instrument, the sign of the predictor, of
    So & Shin (1999, "Cauchy Estimators for Autoregressive Processes with Applications to Unit
    Root Tests and Confidence Intervals", Econom. Theory 15) and Choi, Jacewitz & Park (2016, "A
    Reexamination of Stock Return Predictability", J. Econom. 192), who divide by volatility too.
    Signs alone waste what a fast model says by the size of a bet, and filters that take the slow
    part out of the predictor (the IVX of Kostakis, Magdalinos & Stamatogiannis 2015, "Robust
    Econometric Inference for Stock Return Predictability", Rev. Financ. Stud. 28) waste what a
    slow one says: over 400 rows they find an AR(1) of 0.98 half as often. So the divisor is an
    exponential mean of absolute sizes, the bet's own included: sizes still differ from row to
    row, but none stays large, or small, for long.

    Parameters
    ----------
    predicted
        As of `time_contributions`, shape (n_rows,).

    Returns
    -------
    ndarray
        At most `BETS_REMEMBERED` in size, of the same signs, shape (n_rows,). Each depends on
        rows up to its own alone.

    Examples
    --------
    A hundred bets of one size are all of size 1 in the end, however small they were:

    >>> even_bets(np.full(100, 0.02))[-1].round(2)
    np.float64(1.0)
    """
    weight = 1.0 / BETS_REMEMBERED
    # SciPy's filters would be faster, but their import takes a third of a second of every process.
    faded = accumulate(
        np.abs(predicted).tolist(),
        lambda usual, size: usual + weight * (size - usual),
        initial=UNIFORM_SIZE,
    )
    usual = np.fromiter(faded, dtype=np.float64, count=len(predicted) + 1)[1:]
    even: Floats = np.divide(predicted, usual, out=np.zeros(len(predicted)), where=usual > 0)
    return even


def time_contributions(predicted: Floats, outcomes: Floats, task: Task) -> Floats:
    """Row products whose mean is the skill over a symbol's own time.

    A prediction is ranked against what was known before it, a label against what came after it,
    and neither against the test rows as a whole. Centring on the mean of the test rows looks
    harmless, but that mean holds the future: after a high price the rest of a window must fall
    short of its mean, so a model that bets on mean reversion shows skill on a random walk (the
    small-sample bias of Stambaugh 1999, "Predictive Regressions", J. Financ. Econ. 54). Fixing
    the labels' centre in training is not enough, since the error of that centre is what a model
    of the same rows bets on: over a panel of random walks with a price level among the features
    it rejects in 30–60 % of cases at a nominal 5 %. So a label counts as its deviation from the
    mean of those to come (forward deviations, Arellano & Bover 1995, J. Econom. 68): given all
    that is known at the row it has mean zero unless the row says something about its label.

    Parameters
    ----------
    predicted
        `centred_percentile` of each prediction among the model's predictions of its training
        rows, in time order, shape (n_rows,).
    outcomes
        `outcome` of each label, shape (n_rows,).

    Returns
    -------
    ndarray
        Shape (n_rows,). Ordered targets: the mean is a rank correlation with these centres, in
        [-1, 1]. Binary targets: it is 2·AUC − 1 for percentiles spread evenly over [-1, 1], to
        which they are scaled; E[u·(y − p)] = p·(1 − p)·(2·AUC − 1). All 0 where predictions or
        labels do not vary.
    """
    deviations = _forward_deviations(outcomes)
    spread = float(np.sqrt(np.mean(predicted**2))) if len(predicted) else 0.0
    if spread == 0.0 or not deviations.any():
        return np.zeros(len(predicted))
    if task == "binary":
        # The labels are outcomes plus a base rate per fold: only two values within a fold, and
        # the sign tells them apart.
        share = float(np.mean(outcomes > 0))
        if share in (0.0, 1.0):
            return np.zeros(len(predicted))
        even: Floats = predicted / (spread * math.sqrt(3.0))
        return even * deviations / (share * (1.0 - share))
    return predicted * deviations / (spread * float(np.sqrt(np.mean(deviations**2))))


def _forward_deviations(values: Floats) -> Floats:
    """Each value less the mean of itself and all later ones, shape (n_rows,)."""
    remaining = np.arange(len(values), 0, -1)
    return values - np.cumsum(values[::-1])[::-1] / remaining
