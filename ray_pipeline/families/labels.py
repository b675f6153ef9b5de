"""Labels as models are fitted to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.protocol import Problem
from ray_pipeline.statistics.scaling import winsorise_label

__all__ = ["LabelScale", "clipped_labels", "weights_of"]

Floats = NDArray[np.float64]


def clipped_labels(problem: Problem) -> Floats:
    """Labels of all rows, shape (n_samples,); NaN outside the training rows.

    Real-valued ones are clipped at their outer quantiles among the training rows. Binary labels
    stay 0 and 1. Ordinal ones stay the numbers that they are: only the order of predictions
    counts, and the mean of the grades keeps it, where a class for each grade would forget that
    grades are ordered, and thin classes would have nothing to learn from.
    """
    labels = np.full(len(problem.y), np.nan)
    values = problem.y[problem.rows]
    labels[problem.rows] = winsorise_label(values) if problem.task == "regression" else values
    return labels


def weights_of(problem: Problem, rows: NDArray[np.int64]) -> Floats | None:
    """Weights of some rows, None when all rows count alike."""
    return None if problem.weights is None else problem.weights[rows]


@dataclass(frozen=True, slots=True)
class LabelScale:
    """Labels in units of their deviation: returns of 1e-4 vanish in the tolerances of libraries."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, problem: Problem, labels: Floats) -> LabelScale:
        """Learn mean and deviation on the training rows; binary labels are left as they are."""
        if problem.task == "binary":
            return cls(0.0, 1.0)
        values = labels[problem.rows]
        deviation = float(values.std())
        return cls(float(values.mean()), deviation if deviation > 0.0 else 1.0)

    def apply(self, labels: Floats) -> Floats:
        """Scale labels."""
        return (labels - self.mean) / self.deviation

    def undo(self, predictions: Floats) -> Floats:
        """Return predictions of scaled labels to the units of the labels."""
        return self.mean + self.deviation * predictions
