"""The row weights of a training problem, and the rows that decide when to stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import Family, Problem, Stopping, label_form, stopping_fraction
from ray_pipeline.records import SampleWeights, Task
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.learned import LabelComparison, LearnedLabels
from ray_pipeline.statistics.uniqueness import average_uniqueness

__all__ = [
    "MIN_WATCHED_ROWS",
    "hold_out_latest",
    "learned_labels",
    "refined_problem",
    "weigh_rows",
]

MIN_WATCHED_ROWS = 20
"""Fewer rows say next to nothing about when to stop."""


def learned_labels(
    design: Design, task: Task, family: Family, comparison: LabelComparison | None
) -> LearnedLabels:
    """Return a design's labels in the form for learning: pooled ones compared, if requested."""
    if comparison is None or design.view == "symbol_specific":
        return LearnedLabels.as_they_are(design.y, design.label_ends, task)
    return LearnedLabels.compared(
        design.y,
        design.positions,
        design.cells,
        design.label_ends,
        task,
        comparison,
        label_form(family),
    )


def refined_problem(
    problem: Problem,
    design: Design,
    learned: LearnedLabels,
    scheme: SampleWeights,
    hyperparameters: Mapping[str, Any],
    embargo: int,
) -> Problem:
    """Return the problem with weights, and with rows to watch for early stopping.

    See `weigh_rows` and `hold_out_latest`.
    """
    weighed = weigh_rows(problem, design, scheme)
    fraction = stopping_fraction(hyperparameters)
    return hold_out_latest(weighed, design, learned, fraction, embargo)


def weigh_rows(problem: Problem, design: Design, scheme: SampleWeights) -> Problem:
    """Return the problem with its weights multiplied by one for each row; mean 1.

    Parameters
    ----------
    design
        Its first rows are those of the problem.
    scheme
        ``average_uniqueness``: of each label among those of its own symbol that train, by position,
        regardless of rows that a sampled pool left out. ``none``: all equal.
    """
    if scheme == "none":
        return problem
    rows = problem.rows
    symbols = design.symbol_index[rows]
    weights = np.full(len(problem.y), np.nan)
    for symbol in np.unique(symbols):
        own = rows[symbols == symbol]
        weights[own] = average_uniqueness(design.positions[own], design.label_ends[own])
    if problem.weights is not None:
        weights[rows] *= problem.weights[rows]
    weights[rows] /= weights[rows].mean()
    return replace(problem, weights=weights)


def hold_out_latest(
    problem: Problem,
    design: Design,
    learned: LearnedLabels,
    fraction: float | None,
    embargo: int,
) -> Problem:
    """Return the problem with its latest rows to watch, purged as a test fold is.

    Whole timestamps are watched. Rows whose labels, plus embargo, reach the first of them are
    neither fitted nor watched while the family looks for the number of rounds.

    Parameters
    ----------
    design, learned
        Their first rows are those of the problem; `learned` says where a label ends.
    fraction
        Share of the training rows to watch; None: no early stopping.
    embargo
        Positions between the labels that are fitted and the rows that are watched.

    Returns
    -------
    Problem
        Unchanged, to be fitted for all its rounds, where either side would be too small to fit
        or to watch: fewer than 60 rows to fit, fewer than 20 to watch, or labels all alike.
    """
    if fraction is None:
        return problem
    rows = problem.rows
    positions = design.positions[rows]
    first = positions[min(int(len(rows) * (1.0 - fraction)), len(rows) - 1)]
    fitted = rows[learned.label_ends[rows] + embargo < first]
    watched = rows[positions >= first]
    labels = problem.y[watched]
    if (
        len(watched) < MIN_WATCHED_ROWS
        or labels.min() == labels.max()
        or learned.at(slice(len(problem.y))).problem(_mask(fitted, len(problem.y)), 0) is None
    ):
        return problem
    return replace(problem, stopping=Stopping(fitted, watched))


def _mask(rows: NDArray[np.int64], n_rows: int) -> NDArray[np.bool_]:
    mask = np.zeros(n_rows, dtype=np.bool_)
    mask[rows] = True
    return mask
