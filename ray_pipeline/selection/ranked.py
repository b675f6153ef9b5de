"""What features say of a label by their ranks: each alone, and all together (pure)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ray_pipeline.records import Task
from ray_pipeline.selection.consensus import Scored
from ray_pipeline.selection.sample import FoldSample
from ray_pipeline.statistics.scaling import winsorise_label
from ray_pipeline.statistics.tails import average_ranks

__all__ = ["FeaturesInRanks", "linear", "univariate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PENALTY = 0.1
"""Of the linear method, per sample. Fixed: one that is learnt would be larger for labels that mean
nothing, and make all features look strong beside them."""

LEAST_SPREAD = 1e-6
"""Of ranks in units of their number: below it a feature does not vary, but for rounding."""


@dataclass(frozen=True, slots=True)
class FeaturesInRanks:
    """Ranks of the features on the rows of a target.

    Attributes
    ----------
    values
        In standard deviations, 0 where missing, shape (n_features, n_rows).
    weighted
        The same times `weights`.
    weights
        Of the rows, with a mean of 1, shape (n_rows,).
    present
        Share of the rows where each feature is, shape (n_features,).
    """

    values: NDArray[np.float32]
    weighted: NDArray[np.float32]
    weights: NDArray[np.float32]
    present: Floats

    @classmethod
    def of(cls, sample: FoldSample, rows: Ints, weights: Floats | None) -> FeaturesInRanks:
        """Take sorted rows of a sample.

        Parameters
        ----------
        weights
            Of all rows of the sample, with a mean of 1 over `rows`; None: all count alike.
        """
        # Where no row is left out between the first and the last, a view needs no copy.
        is_range = len(rows) > 0 and rows[-1] - rows[0] == len(rows) - 1
        some = slice(int(rows[0]), int(rows[-1]) + 1) if is_range else rows
        values, n_rows = sample.ranks[:, some], len(rows)
        counted = (np.ones(n_rows) if weights is None else weights[some]).astype(np.float32)
        values = values - (values @ counted / np.float32(n_rows))[:, np.newaxis]
        spread = np.sqrt((values * values) @ counted / n_rows)
        values *= np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > LEAST_SPREAD)[
            :, np.newaxis
        ]
        weighted = values if weights is None else values * counted
        present = 1.0 - np.isnan(sample.X[some]).mean(axis=0)
        return cls(values, weighted, counted, present)

    def products(self, labels: Floats, rolled: Ints) -> Floats:
        """Mean products with labels in standard deviations, shape (n_features, 1 + n_rolls).

        Parameters
        ----------
        labels
            Shape (n_rows,).
        rolled
            Of `rolled_rows`.
        """
        labels = labels - np.average(labels, weights=self.weights)
        spread = float(np.sqrt(np.average(labels * labels, weights=self.weights)))
        labels = labels / spread if spread > 0.0 else np.zeros(len(labels))
        of_rolls = labels.astype(np.float32)[rolled]
        found: Floats = (self.weighted @ of_rolls.T).astype(np.float64) / len(labels)
        return found

    def covariance(self) -> Floats:
        """Mean products with each other, shape (n_features, n_features)."""
        found: Floats = (self.weighted @ self.values.T).astype(np.float64) / self.values.shape[1]
        return found


def univariate(features: FeaturesInRanks, y: Floats, rolled: Ints) -> Scored:
    """Return |rank correlations| with labels, shape (n_rows,), beside those with their rolls.

    Too few present rows make a strong relation by chance: weighed by what is present.
    """
    products = features.products(average_ranks(y), rolled)
    return _beside_rolled(np.abs(products) * np.sqrt(features.present)[:, np.newaxis])


def linear(features: FeaturesInRanks, y: Floats, task: Task, rolled: Ints) -> Scored:
    """Return |ridge coefficients| of labels, shape (n_rows,), beside those of their rolls."""
    labels = winsorise_label(y) if task == "regression" else y
    covariance = features.covariance()
    covariance[np.diag_indices_from(covariance)] += PENALTY
    products = features.products(labels, rolled)
    return _beside_rolled(np.abs(linalg.solve(covariance, products, assume_a="pos")))


def _beside_rolled(found: Floats) -> Scored:
    """Hold each feature against itself on rolled labels, shape (n_features, 1 + n_rolls)."""
    return Scored(found[:, 0], np.sqrt((found[:, 1:] ** 2).mean(axis=1)))
