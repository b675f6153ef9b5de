"""Labels compared with those of the other symbols at the same timestamp.

Who beats whom at a timestamp is a question about what symbols do not have in common. Most of a
label's variance is common, though: a model fitted to labels as they are spends itself on the
market's moves. Compared labels have nothing in common left, and every timestamp has the same say
however many symbols it has, as it has in the skill across symbols.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.skill import grouped_ranks

__all__ = ["ComparedLabels", "compare_labels"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ComparedLabels:
    """What each row's label says beside those of its timestamp; all of shape (n_rows,).

    Attributes
    ----------
    values
        Mean 0 in every cell, and variance 1 unless only the mean was taken off; NaN where the
        cell teaches nothing. A cell is a timestamp, or a group of one.
    weights
        The cell's share in its timestamp, divided by its labels; NaN where it teaches nothing.
        Over a timestamp they add up to one.
    means
        Mean label of the cell, of binary ones the base rate, strictly between 0 and 1; NaN where
        the cell teaches nothing.
    ends
        Where the latest label of the cell ends: a compared label has seen them all.
    """

    values: Floats
    weights: Floats
    means: Floats
    ends: Ints


def compare_labels(
    y: Floats,
    positions: Ints,
    label_ends: Ints,
    how: Literal["z_score", "rank", "demean"],
    min_labels: int,
    cells: Ints | None = None,
) -> ComparedLabels:
    """Compare each label with those of its timestamp, or of its group at that timestamp.

    Parameters
    ----------
    y
        Labels, NaN = missing, shape (n_rows,).
    positions, label_ends
        Timestamp of each row, and the position at which its label ends, shape (n_rows,).
    how
        ``z_score``: less the timestamp's mean, in its standard deviations. ``rank``: the z-score
        of the average ranks, whose squared error is what Spearman's correlation at the timestamp
        measures. ``demean``: less the mean alone, so that wild timestamps count for more.
    min_labels
        A timestamp, or a group of it, with fewer labels teaches nothing across symbols, nor does
        one whose labels are all alike.
    cells
        What each label is compared within (see `ray_pipeline.statistics.cells`), shape (n_rows,);
        None: its timestamp. Those of a timestamp count by their labels less one, as they do in
        the skill that is measured (`ray_pipeline.statistics.skill.timestamp_skills`).

    Examples
    --------
    >>> found = compare_labels(
    ...     np.array([1.0, 2.0, 6.0, 5.0, 5.0]), np.array([0, 0, 0, 1, 1]), np.arange(5), "rank", 2
    ... )
    >>> found.values.round(2).tolist()
    [-1.22, 0.0, 1.22, nan, nan]
    >>> found.ends.tolist()
    [2, 2, 2, 4, 4]
    """
    values, weights, means = (np.full(len(y), np.nan) for _ in range(3))
    ends = label_ends.copy()
    rows = np.flatnonzero(np.isfinite(y))
    if len(rows) == 0:
        return ComparedLabels(values, weights, means, ends)
    of_row = positions if cells is None else cells
    times, group = np.unique(of_row[rows], return_inverse=True)
    labels = y[rows]
    counts = np.bincount(group)
    largest, least = _extremes(labels, group, len(times))
    teaches = (counts >= min_labels) & (largest > least)
    mean = np.bincount(group, weights=labels) / counts
    compared = labels if how != "rank" else grouped_ranks(labels, group)
    compared = compared - (np.bincount(group, weights=compared) / counts)[group]
    if how != "demean":
        # In units of the largest deviation first, so that no square over- or underflows.
        reach = np.maximum(*np.abs(_extremes(compared, group, len(times))))
        compared = np.divide(
            compared, reach[group], out=np.zeros(len(rows)), where=reach[group] > 0
        )
        spread = np.sqrt(np.bincount(group, weights=compared**2) / counts)
        compared = np.divide(
            compared, spread[group], out=np.zeros(len(rows)), where=spread[group] > 0
        )
    taught = teaches[group]
    values[rows[taught]] = compared[taught]
    share = np.ones(len(times))
    if cells is not None:
        share = _shares(positions[rows], group, counts, teaches)
    weights[rows[taught]] = (share / counts)[group[taught]]
    means[rows[taught]] = mean[group[taught]]
    latest = np.full(len(times), np.iinfo(np.int64).min)
    np.maximum.at(latest, group, label_ends[rows])
    place = np.minimum(np.searchsorted(times, of_row), len(times) - 1)
    labelled = times[place] == of_row
    ends[labelled] = latest[place[labelled]]
    return ComparedLabels(values, weights, means, ends)


def _shares(positions: Ints, group: Ints, counts: Ints, teaches: NDArray[np.bool_]) -> Floats:
    """Share of each cell in the weight of its timestamp, shape (n_cells,).

    Parameters
    ----------
    positions, group
        Timestamp and cell of each label, shape (n_labels,).
    counts, teaches
        Labels of each cell, and whether it teaches anything, shape (n_cells,).
    """
    time_of = np.empty(len(counts), dtype=np.int64)
    time_of[group] = positions
    _, time = np.unique(time_of, return_inverse=True)
    weight = np.where(teaches, counts - 1.0, 0.0)
    total = np.bincount(time, weights=weight)[time]
    shares: Floats = np.divide(weight, total, out=np.zeros(len(counts)), where=total > 0)
    return shares


def _extremes(values: Floats, group: Ints, n_groups: int) -> tuple[Floats, Floats]:
    """Largest and least value of each group, shape (n_groups,)."""
    largest, least = np.full(n_groups, -np.inf), np.full(n_groups, np.inf)
    np.maximum.at(largest, group, values)
    np.minimum.at(least, group, values)
    return largest, least
