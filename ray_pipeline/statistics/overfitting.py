"""How often the best of several models in one half of time is below the middle in the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "MIN_ROWS_PER_BLOCK",
    "Overfitting",
    "mean_correlation",
    "probability_of_overfitting",
]

Floats = NDArray[np.float64]

MIN_ROWS_PER_BLOCK = 5
"""Rows that a block needs: fewer say nothing of a deviation."""

MIN_BLOCKS = 4
"""Six ways to halve time are the fewest that give a share."""

SPLITS_AT_ONCE = 512
"""Splits whose figures of all models are in memory together."""


@dataclass(frozen=True, slots=True)
class Overfitting:
    """How the best model of each half of time did in the other half.

    Attributes
    ----------
    probability
        Share of splits in which it was below the median model; at the median counts half, so
        that it is one half for models that are alike, whatever their number.
    logits
        ``ln(ω / (1 − ω))`` of its relative rank ω out of sample, shape (n_splits,).
    in_sample, out_of_sample
        Its Sharpe ratio per row in both halves, shape (n_splits,).
    n_models, n_blocks
        Compared, and blocks that time was cut into.
    """

    probability: float
    logits: Floats
    in_sample: Floats
    out_of_sample: Floats
    n_models: int
    n_blocks: int

    @property
    def loss_probability(self) -> float:
        """Share of splits in which it lost money out of sample."""
        return float(np.mean(self.out_of_sample < 0.0))

    @property
    def degradation(self) -> float:
        """Slope of its ratio out of sample on that in sample; NaN where the latter never varies.

        Negative: the better it looked, the worse it did.
        """
        centred = self.in_sample - self.in_sample.mean()
        spread = float(centred @ centred)
        return float(centred @ self.out_of_sample) / spread if spread > 1e-24 else math.nan


def probability_of_overfitting(returns: Floats, n_blocks: int = 16) -> Overfitting | None:
    """Estimate the probability of backtest overfitting by symmetric cross-validation (CSCV).

    Time is cut into equal blocks. For each choice of half of them, the model with the highest
    Sharpe ratio there is looked up among all models in the other half. Bailey, Borwein, López de
    Prado & Zhu (2017), "The Probability of Backtest Overfitting", J. Comput. Finance 20. Near
    one half where no model is better than the others, near 0 where one truly is.

    Parameters
    ----------
    returns
        Of each model at the same times, finite, shape (n_rows, n_models).
    n_blocks
        Even; fewer are used where a block would have less than `MIN_ROWS_PER_BLOCK` rows. The
        first rows that do not fill a block are left out.

    Returns
    -------
    Overfitting or None
        None with fewer than two models, or too few rows for `MIN_BLOCKS` blocks. A model whose
        returns do not vary has a ratio of 0. Of models that are equally good in sample the first
        counts, and equal ones out of sample share their rank.

    Examples
    --------
    Three models of which the last is always the best, with noise that is the same for all:

    >>> noise = np.tile([1.0, -1.0, 0.5, -0.5, 0.0], 8)[:, None]
    >>> probability_of_overfitting(noise + np.array([0.0, 0.1, 0.2]), 8).probability
    0.0
    """
    n_rows, n_models = returns.shape
    n_blocks = min(n_blocks, n_rows // MIN_ROWS_PER_BLOCK) // 2 * 2
    if n_models < 2 or n_blocks < MIN_BLOCKS:
        return None
    per_block = n_rows // n_blocks
    blocks = returns[n_rows - per_block * n_blocks :].reshape(n_blocks, per_block, n_models)
    sums, squares = blocks.sum(axis=1), np.square(blocks).sum(axis=1)
    chosen = np.array(list(combinations(range(n_blocks), n_blocks // 2)))
    halves = np.zeros((len(chosen), n_blocks))
    halves[np.arange(len(chosen))[:, None], chosen] = 1.0
    n = per_block * n_blocks // 2
    found = [
        _split(halves[start : start + SPLITS_AT_ONCE], sums, squares, n)
        for start in range(0, len(halves), SPLITS_AT_ONCE)
    ]
    logits, inside, outside = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Overfitting(
        probability=float(np.mean(logits < 0.0) + np.mean(logits == 0.0) / 2.0),
        logits=logits,
        in_sample=inside,
        out_of_sample=outside,
        n_models=n_models,
        n_blocks=n_blocks,
    )


def _split(halves: Floats, sums: Floats, squares: Floats, n: int) -> tuple[Floats, Floats, Floats]:
    """Logit, and ratios in and out of sample, of the best model of each half, shape (n_halves,)."""
    inside = _sharpe(halves @ sums, halves @ squares, n)
    outside = _sharpe((1.0 - halves) @ sums, (1.0 - halves) @ squares, n)
    rows, best = np.arange(len(halves)), inside.argmax(axis=1)
    own = outside[rows, best]
    below = (outside < own[:, None]).sum(axis=1)
    ties = (outside == own[:, None]).sum(axis=1)
    rank = below + (ties + 1) / 2.0
    n_models = outside.shape[1]
    # ω / (1 − ω) with ω = rank / (n + 1), so that the middle rank is 0 to the bit.
    return np.log(rank / (n_models + 1.0 - rank)), inside[rows, best], own


def _sharpe(sums: Floats, squares: Floats, n: int) -> Floats:
    """Mean over deviation from sums over n rows, 0 where nothing varies."""
    mean = sums / n
    variance = squares / n - mean**2
    varies = variance > 1e-12 * squares / n
    return np.divide(mean, np.sqrt(variance), out=np.zeros_like(mean), where=varies)


def mean_correlation(returns: Floats) -> float:
    """Mean correlation of all pairs of columns, without a matrix of pairs.

    The square of the sum of standardised columns holds every pair twice and every column once.

    Parameters
    ----------
    returns
        Finite, shape (n_rows, n_models); a column that does not vary correlates with none.

    Returns
    -------
    float
        NaN with fewer than two columns.
    """
    n_rows, n_models = returns.shape
    if n_models < 2 or n_rows < 2:
        return math.nan
    centred = returns - returns.mean(axis=0)
    size = np.sqrt(np.square(centred).sum(axis=0))
    varies = size > 1e-12 * np.sqrt(np.square(returns).sum(axis=0))
    unit = np.divide(centred, size, out=np.zeros_like(centred), where=varies)
    total = unit.sum(axis=1)
    pairs = float(total @ total) - float(varies.sum())
    return float(pairs / (n_models * (n_models - 1)))
