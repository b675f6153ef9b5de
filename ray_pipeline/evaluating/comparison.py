"""Inputs and results of comparing the returns of all models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_SLICES", "Likeness", "OverfittingRow", "TestRange"]

Ints = NDArray[np.int64]

MAX_SLICES = 240
"""Of the test range, in which the returns of all jobs stand side by side: fifteen for each of
sixteen blocks."""


@dataclass(frozen=True, slots=True)
class TestRange:
    """Panel positions of the test folds, split into equal slices.

    Attributes
    ----------
    first, n_positions
        The range is ``[first, first + n_positions)``.
    """

    # Not a test, whatever its name looks like to pytest.
    __test__ = False

    first: int
    n_positions: int

    @property
    def n_slices(self) -> int:
        """Number of slices: one for each position if there are few."""
        return min(MAX_SLICES, self.n_positions)

    def slices_of(self, positions: Ints) -> Ints:
        """Return the slice of each position."""
        return (positions - self.first) * self.n_slices // self.n_positions


@dataclass(frozen=True, slots=True)
class Likeness:
    """Mean correlation of the net returns of pairs of models, NaN without a pair.

    Attributes
    ----------
    families
        Of the families of the same question: (target, view, symbol).
    questions
        Of models of different questions.
    """

    families: float
    questions: float


@dataclass(frozen=True, slots=True)
class OverfittingRow:
    """One row of ``evaluation/overfitting.parquet``: models of the run, or of one target.

    Attributes
    ----------
    target
        None for the row of all models of the run.
    n_models, n_left_out
        Models whose net returns were compared, and those with a portfolio that traded for less
        than most of the time that the others did.
    n_slices, n_blocks
        Slices of time with the returns of all of them, and blocks that were made of these.
    probability
        Probability of backtest overfitting: share of ways to halve time in which the model with
        the best Sharpe ratio of one half was below the median of the other. NaN where there are
        fewer than two models, or too few slices.
    loss_probability
        Share in which it lost money there.
    degradation
        Slope of its ratio in the other half on that in the first.
    reason
        Why no probability was measured; empty if it was.
    """

    target: str | None
    n_models: int
    n_left_out: int
    n_slices: int
    n_blocks: int
    probability: float
    loss_probability: float
    degradation: float
    reason: str
