"""How far predictions are from the watched rows' labels: what early stopping looks at.

In NumPy and one order of summation, because a library's own sum over threads differs in its last
bits, and with them, on a plateau, the round that is called the best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_loss", "pinball_loss", "squared_error"]

Floats = NDArray[np.float64]


def _mean(losses: Floats, weights: Floats | None) -> float:
    return float(np.average(losses, weights=weights))


def squared_error(y: Floats, predictions: Floats, weights: Floats | None = None) -> float:
    """Mean of ``(y − p)²``, shape (n_watched,) each."""
    return _mean((y - predictions) ** 2, weights)


def log_loss(y: Floats, log_odds: Floats, weights: Floats | None = None) -> float:
    """Mean of ``log(1 + exp(s)) − y·s``, the negative log-likelihood of labels 0 and 1."""
    return _mean(np.logaddexp(0.0, log_odds) - y * log_odds, weights)


def pinball_loss(
    y: Floats, predictions: Floats, quantile: float, weights: Floats | None = None
) -> float:
    """Mean of ``max(q·(y − p), (q − 1)·(y − p))`` (Koenker & Bassett 1978)."""
    errors = y - predictions
    return _mean(np.maximum(quantile * errors, (quantile - 1.0) * errors), weights)
