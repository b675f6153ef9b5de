"""Whether the rows of late are unlike those before, more than stretches of these are each other.

Rows of a panel depend on each other, across symbols and over time: by the distribution theory of
independent rows every feature drifts every day. So stretches of time are compared. The distance of
the newest one from all earlier data is compared with that of each earlier one of the same length
from the others (subsampling: Politis, Romano & Wolf 1999, "Subsampling", ch. 3); what varies slowly
varies between those too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.tails import t_upper_tail

__all__ = [
    "Distances",
    "Stretches",
    "beyond_usual",
    "distances",
    "distribution_distance",
    "stability_index",
    "stretches",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MIN_STRETCHES = 12
"""Earlier ones, so that what is usual is known with 11 degrees of freedom."""

MAX_STRETCHES = 60

N_BINS, BINS_PER_TENTH = 50, 5
"""Fiftieths of the rows before for the largest difference, tenths for the stability index."""

PSEUDO_COUNT = 0.5
"""Rows added to each bin, so that an empty one has a logarithm."""

LEAST_DISTANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Stretches:
    """Stretches of time of one length.

    Attributes
    ----------
    of_rows
        Stretch of each row: 0 … n − 1 before, n the newest, −1 in none; shape (n_rows,).
    n
        Earlier stretches.
    length
        Timestamps of each.
    """

    of_rows: Ints
    n: int
    length: int


@dataclass(frozen=True, slots=True)
class Distances:
    """Distance of the newest rows from those before, by measure and feature.

    Attributes
    ----------
    stability_index, largest_difference
        Population stability index, and Kolmogorov–Smirnov's; shape (n_features,).
    p_stability, p_difference
        One-sided, for a distance beyond what is usual; NaN where there is nothing to compare.
    """

    stability_index: Floats
    largest_difference: Floats
    p_stability: Floats
    p_difference: Floats


def stretches(positions: Ints, first_new: int) -> Stretches | None:
    """Divide the time before into stretches as long as what is new, or as there can be enough of.

    Parameters
    ----------
    positions
        Timestamp of each row, counted from 0, shape (n_rows,).
    first_new
        The first that is new. Of these the newest are taken.

    Returns
    -------
    Stretches or None
        None where nothing is new, or too little is old.
    """
    n_times = int(positions.max(initial=-1)) + 1
    n_new = n_times - first_new
    length = min(n_new, first_new // MIN_STRETCHES)
    if length < 1:
        return None
    n = min(first_new // length, MAX_STRETCHES)
    of_rows = np.where(positions < first_new, (positions - (first_new - n * length)) // length, -1)
    of_rows = np.where(positions >= n_times - length, n, of_rows)
    return Stretches(np.maximum(of_rows, -1), n, length)


def distances(X: NDArray[np.float32], found: Stretches) -> Distances:
    """Measure how far features have gone, and whether that is unusual.

    Parameters
    ----------
    X
        Shape (n_rows, n_features); NaN, missing, is a value of its own.
    found
        Of these rows.
    """
    n_features = X.shape[1]
    figures = np.full((4, n_features), np.nan)
    for j in range(n_features):
        counts = _counts(X[:, j], found)
        if counts is None:
            continue
        measured = np.array(
            [
                (stability_index(one, rest), distribution_distance(one, rest))
                for one, rest in _pairs(counts)
            ]
        )
        figures[:2, j] = measured[-1]
        figures[2:, j] = [beyond_usual(of[-1], of[:-1]) for of in measured.T]
    return Distances(*figures)


def stability_index(counts: Floats, before: Floats) -> float:
    """Return the population stability index over the tenths of the rows before.

    ``Σ (p − q) · ln(p/q)``, Jeffreys' divergence (Siddiqi 2006, "Credit Risk Scorecards", ch. 10;
    Yurdakul & Naranjo 2020, "Statistical properties of the population stability index", J. Risk
    Model Validation 14). By custom 0.1 is small and 0.25 is much.

    Parameters
    ----------
    counts, before
        Rows by fiftieth, the last those without a value, shape (n_bins + 1,).
    """
    p, q = (_shares(each) for each in (counts, before))
    return float(np.sum((p - q) * np.log(p / q)))


def distribution_distance(counts: Floats, before: Floats) -> float:
    """Return the largest difference of two distribution functions (Kolmogorov & Smirnov).

    Parameters
    ----------
    counts, before
        As of `stability_index`; rows without a value do not count.
    """
    p, q = (np.cumsum(each[:-1]) / max(each[:-1].sum(), 1.0) for each in (counts, before))
    return float(np.abs(p - q).max())


def beyond_usual(distance: float, usual: Floats) -> float:
    """Return how likely a distance as large is, by those between earlier stretches.

    Logarithms of distances are taken for normal, the new one too: the prediction of one more has
    ``√(1 + 1/n)`` times their deviation, and Student's t with n − 1 degrees of freedom.

    Parameters
    ----------
    distance
        Of the newest stretch from all before.
    usual
        Of each earlier one from the others, shape (n,).
    """
    usual = usual[np.isfinite(usual)]
    if len(usual) < 3 or not np.isfinite(distance):
        return float("nan")
    logs = np.log(np.maximum(usual, LEAST_DISTANCE))
    deviation = float(logs.std(ddof=1)) * np.sqrt(1.0 + 1.0 / len(logs))
    beyond = float(np.log(max(distance, LEAST_DISTANCE)) - logs.mean())
    if deviation < LEAST_DISTANCE:
        return 1.0 if beyond <= LEAST_DISTANCE else 0.0
    return float(t_upper_tail(beyond / deviation, len(logs) - 1))


def _shares(counts: Floats) -> Floats:
    tenths = counts[:-1].reshape(-1, BINS_PER_TENTH).sum(axis=1)
    filled = np.append(tenths, counts[-1]) + PSEUDO_COUNT
    found: Floats = filled / filled.sum()
    return found


def _counts(values: NDArray[np.float32], found: Stretches) -> Floats | None:
    """Count rows by stretch and bin, shape (n + 1, N_BINS + 1); None of one without a value."""
    there = ~np.isnan(values)
    old = values[there & (found.of_rows >= 0) & (found.of_rows < found.n)]
    if not len(old):
        return None
    edges = np.quantile(old, np.arange(1, N_BINS) / N_BINS)
    bins = np.where(there, np.searchsorted(edges, values, side="left"), N_BINS)
    used = found.of_rows >= 0
    width = N_BINS + 1
    flat = np.bincount(found.of_rows[used] * width + bins[used], minlength=(found.n + 1) * width)
    return flat.reshape(found.n + 1, width).astype(np.float64)


def _pairs(counts: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Give each stretch with all other old ones, and last the newest with all old ones."""
    before = counts[:-1].sum(axis=0)
    for one in counts[:-1]:
        yield one, before - one
    yield counts[-1], before
