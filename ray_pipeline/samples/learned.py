"""The labels that a model learns: as they are, or compared within their cell (pure)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import LabelForm, Problem
from ray_pipeline.records import Compare, Task
from ray_pipeline.samples.walk import is_trainable
from ray_pipeline.statistics.compared_labels import ComparedLabels, compare_labels
from ray_pipeline.statistics.folds import Fold, train_rows

__all__ = ["LabelComparison", "LearnedLabels"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelComparison:
    """How pooled models compare labels within their timestamp.

    Attributes
    ----------
    how
        See `compare_labels`.
    min_labels
        Labels that a timestamp, or a group of it, needs to teach anything.
    """

    how: Literal["z_score", "rank", "demean"]
    min_labels: int

    @classmethod
    def of(cls, compare: Compare, min_cs: int) -> LabelComparison | None:
        """Take what the config says; None leaves labels as they are."""
        return None if compare == "raw" else cls(compare, min_cs)


@dataclass(frozen=True, slots=True)
class LearnedLabels:
    """Labels of one target as a model learns them; all arrays have shape (n_rows,).

    Attributes
    ----------
    y
        NaN where a row has nothing to teach.
    label_ends
        Last position that a row's label has seen, whatever labels it was compared with.
    task
        Of the fit: what is compared is real-valued, except binary labels beside `offsets`.
    target_task
        Of the target.
    weights, offsets, groups
        See `Problem`; None where there are none.
    how
        How they were compared.
    """

    y: Floats
    label_ends: Ints
    task: Task
    target_task: Task
    weights: Floats | None = None
    offsets: Floats | None = None
    groups: Ints | None = None
    how: Compare = "raw"

    @classmethod
    def as_they_are(cls, y: Floats, label_ends: Ints, task: Task) -> LearnedLabels:
        """Learn the labels themselves, every row counting alike."""
        return cls(y, label_ends, task, task)

    @classmethod
    def compared(
        cls,
        y: Floats,
        positions: Ints,
        cells: Ints,
        label_ends: Ints,
        task: Task,
        comparison: LabelComparison,
        form: LabelForm,
    ) -> LearnedLabels:
        """Learn what labels say beside those of their cell, every timestamp counting alike.

        See `ray_pipeline.statistics.cells` for what a cell is.
        """
        if form == "as_they_are":
            return cls.as_they_are(y, label_ends, task)
        how, least = comparison.how, comparison.min_labels
        found = compare_labels(y, positions, label_ends, how, least, cells)
        learned = cls._from_compared(y, found, task, form)
        return replace(learned, groups=cells, how=comparison.how)

    @classmethod
    def _from_compared(
        cls, y: Floats, found: ComparedLabels, task: Task, form: LabelForm
    ) -> LearnedLabels:
        """Give compared labels the form of a family; `y` are the labels as they are."""
        if task == "binary" and form == "offsets":
            teaches = np.isfinite(found.values)
            offsets = np.log(found.means) - np.log1p(-found.means)
            labels = np.where(teaches, y, np.nan)
            return cls(labels, found.ends, "binary", task, found.weights, offsets)
        return cls(found.values, found.ends, "regression", task, found.weights)

    def at(self, rows: Ints | slice) -> LearnedLabels:
        """Return the labels of some rows."""
        return replace(
            self,
            y=self.y[rows],
            label_ends=self.label_ends[rows],
            weights=None if self.weights is None else self.weights[rows],
            offsets=None if self.offsets is None else self.offsets[rows],
            groups=None if self.groups is None else self.groups[rows],
        )

    def fold_problem(self, fold: Fold, embargo: int, seed: int) -> Problem | None:
        """Return the problem of the purged rows before a test fold, None where they are too few.

        `self` is of the rows before it alone.
        """
        return self.problem(train_rows(self.label_ends, fold, embargo), seed)

    def problem(self, usable: NDArray[np.bool_], seed: int) -> Problem | None:
        """Return the problem of the usable rows that have something to teach, if enough do."""
        rows = np.flatnonzero(usable & np.isfinite(self.y))
        labels = self.y[rows]
        # A compared label lies above its timestamp's base rate where it is 1, and below where 0.
        classes = (labels > 0.0).astype(np.float64) if self.target_task == "binary" else labels
        if not is_trainable(classes, self.target_task):
            return None
        return Problem(
            y=self.y,
            rows=rows,
            task=self.task,
            seed=seed,
            weights=_even_out(self.weights, rows),
            offsets=self.offsets,
            groups=self.groups,
        )


def _even_out(weights: Floats | None, rows: Ints) -> Floats | None:
    """Scale weights to a mean of 1 over some rows; None where these all count alike."""
    if weights is None:
        return None
    kept = weights[rows]
    if kept.min() == kept.max():
        return None
    scaled: Floats = weights / kept.mean()
    return scaled
