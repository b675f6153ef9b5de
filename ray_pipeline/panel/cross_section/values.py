"""Ranks, z-scores and deviations within groups of rows; a group is the rows of one timestamp.

Every function takes the rows of all symbols, ordered by symbol: shape (n_rows,) each.

`groups` is the number of each row's group and `n_groups` how many there are. `is_member` says which
rows belong to the reference set: the symbols of the run's batch. Rows of other symbols are compared
with the members by the same formula, but do not affect any figure.

Sums run over a group's members from left to right, in the order of rows (`numpy.bincount` adds
one by one): the order of symbols fixes every bit, and how the rows were cut into blocks of time,
or who computed them, does not matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MIN_MEMBERS",
    "deviations",
    "group_rows",
    "mid_ranks",
    "robust_deviations",
    "z_scores",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_WINSOR = 5.0
"""Robust deviations from the median beyond which a value counts as one at that distance.

A normal value lies there in 6 of 10 million cases, a five-minute return of a stock in 1 or 2 of
100: where no tick is wrong, the mean is hardly another.
"""

_WITHIN = 0.75  # of the members lie nearer to the median than the distance that tells the spread
_DISTANCE_TO_STD = 1 / 1.1503  # of a normal law
_MEAN_DISTANCE_TO_STD = 1.2533  # the same

MIN_MEMBERS = 3
"""Minimum number of members with a value: with two, a rank only says which is larger, and a
z-score is always ±0.71."""


def group_rows(*keys: Ints) -> tuple[Ints, int]:
    """Assign a number to each group of rows that are equal in all keys.

    Returns
    -------
    groups
        int64 (n_rows,), from 0, ascending with the keys.
    n_groups
        How many there are.

    Examples
    --------
    >>> groups, n_groups = group_rows(np.array([7, 5, 7, 5]), np.array([1, 1, 2, 1]))
    >>> groups.tolist(), n_groups
    ([1, 0, 2, 0], 3)
    """
    groups = np.zeros(len(keys[0]), dtype=np.int64)
    n_groups = 1
    for key in keys:
        distinct, numbers = np.unique(key, return_inverse=True)
        found, groups = np.unique(groups * max(len(distinct), 1) + numbers, return_inverse=True)
        n_groups = len(found)
    return groups, n_groups


def mid_ranks(values: NDArray[np.float32], groups: Ints, is_member: Bools, n_groups: int) -> Floats:
    """Return each value's rank among the members of its group, ties in the middle.

    ``(n_less + ½·n_equal) / n``, where n members have a value, of which n_less are smaller and
    n_equal the same (the row's own included, if it is a member's). A member's rank lies in
    [½/n, 1 − ½/n]; a stranger's may be 0 or 1.

    Parameters
    ----------
    values
        float32 (n_rows,), NaN where missing.

    Returns
    -------
    float64 (n_rows,)
        NaN where the value is missing or fewer than `MIN_MEMBERS` members have one.
    """
    ranks = np.full(len(values), np.nan)
    present = np.flatnonzero(~np.isnan(values))
    # One integer per row that sorts by group first and then by value: sorting integers is
    # several times faster than sorting by two keys.
    keys = (groups[present].astype(np.uint64) << np.uint64(32)) | _ordered_bits(values[present])
    order = np.argsort(keys)
    keys, rows = keys[order], present[order]
    members = keys[is_member[rows]]
    n_below = np.searchsorted(members, keys, side="left")
    n_equal = np.searchsorted(members, keys, side="right") - n_below
    firsts = np.searchsorted(members, np.arange(n_groups, dtype=np.uint64) << np.uint64(32))
    counts = np.diff(firsts, append=len(members))
    of_row = groups[rows]
    n_members = counts[of_row]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (n_below - firsts[of_row] + 0.5 * n_equal) / n_members
    ranks[rows] = np.where(n_members >= MIN_MEMBERS, shares, np.nan)
    return ranks


def z_scores(values: NDArray[np.float32], groups: Ints, is_member: Bools, n_groups: int) -> Floats:
    """Return each value's distance from its group's mean in standard deviations (ddof=1).

    ``(x − mean) / std`` over the members that have a value. It is not clipped: among n members
    no z-score exceeds (n − 1)/√n, and the models clip features anyway.

    Parameters
    ----------
    values
        float32 (n_rows,), NaN where missing.

    Returns
    -------
    float64 (n_rows,)
        NaN where the value is missing, fewer than `MIN_MEMBERS` members have one, or all that
        have one have the same.

    Notes
    -----
    Of equal numbers of float32 precision the mean in float64 is exact (up to 2²⁹ of them), and
    so the deviation exactly 0: no rounding passes for a spread.
    """
    exact = values.astype(np.float64)
    distances = deviations(exact, groups, is_member, n_groups)
    counted = is_member & ~np.isnan(distances)
    counts = np.bincount(groups[counted], minlength=n_groups)
    squares = np.bincount(groups[counted], distances[counted] ** 2, minlength=n_groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        spreads = np.sqrt(squares / (counts - 1))
    spreads[~(spreads > 0.0)] = np.nan
    scores: Floats = distances / spreads[groups]
    return scores


def deviations(values: Floats, groups: Ints, is_member: Bools, n_groups: int) -> Floats:
    """Return each value minus the mean of its group's members, its own included.

    Parameters
    ----------
    values
        float64 (n_rows,), NaN where missing.

    Returns
    -------
    float64 (n_rows,)
        NaN where the value is missing or fewer than `MIN_MEMBERS` members have one.
    """
    counted = is_member & ~np.isnan(values)
    counts = np.bincount(groups[counted], minlength=n_groups)
    sums = np.bincount(groups[counted], values[counted], minlength=n_groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(counts >= MIN_MEMBERS, sums / counts, np.nan)
    distances: Floats = values - means[groups]
    return distances


def robust_deviations(values: Floats, groups: Ints, is_member: Bools, n_groups: int) -> Floats:
    """Return each value minus the winsorised mean of its group's members, its own included.

    Members further from the median than five robust standard deviations count as that far: one
    wrong tick does not decide what the others are compared with. Winsorised means go back to Tukey
    & McLaughlin (1963, *Sankhyā* A 25), limits by the distances from the median to Hampel (1974,
    *JASA* 69). The deviation is that distance which three quarters of the members do not exceed,
    and never the largest, over its value under a normal law: with few symbols, the median distance
    can be small by chance. If most are equal, the mean distance is used instead.

    Parameters
    ----------
    values
        float64 (n_rows,), NaN where missing.

    Returns
    -------
    float64 (n_rows,)
        NaN where the value is missing or fewer than `MIN_MEMBERS` members have one.
    """
    counted = np.flatnonzero(is_member & ~np.isnan(values))
    known, of_group = values[counted], groups[counted]
    counts = np.bincount(of_group, minlength=n_groups)
    low = _order_statistics(known, of_group, counts, (counts - 1) // 2)
    centre = 0.5 * (low + _order_statistics(known, of_group, counts, counts // 2))
    distances = np.abs(known - centre[of_group])
    place = np.minimum(np.ceil(_WITHIN * counts).astype(np.int64) - 1, counts - 2)
    spread = _DISTANCE_TO_STD * _order_statistics(distances, of_group, counts, place)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_distance = np.bincount(of_group, distances, minlength=n_groups) / counts
    spread = np.where(spread > 0.0, spread, _MEAN_DISTANCE_TO_STD * mean_distance)
    limit = _WINSOR * spread
    clipped = np.clip(known, (centre - limit)[of_group], (centre + limit)[of_group])
    winsorised = values.copy()
    winsorised[counted] = clipped
    # The rest is a plain mean; a value that was moved is restored first.
    return deviations(winsorised, groups, is_member, n_groups) + (values - winsorised)


def _order_statistics(values: Floats, groups: Ints, counts: Ints, places: Ints) -> Floats:
    """Return the value at a position in each sorted group, (n_groups,); NaN for an empty one."""
    in_order = values[np.lexsort((values, groups))]
    first = np.cumsum(counts) - counts
    found = np.full(len(counts), np.nan)
    there = counts > 0
    found[there] = in_order[first[there] + np.clip(places, 0, counts - 1)[there]]
    return found


def _ordered_bits(values: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Return 32-bit integers in the same order as the values; −0 equals 0."""
    bits = (values + np.float32(0.0)).view(np.uint32)
    sign = np.uint32(1 << 31)
    return np.where(bits & sign, ~bits, bits | sign).astype(np.uint64)
