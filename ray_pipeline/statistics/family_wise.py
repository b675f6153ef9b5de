"""The chance of a single false rejection among several tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["holm"]


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values so that ``p ≤ alpha`` anywhere is false with a chance of alpha at most.

    Holm (1979, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Stat. 6):
    the k-th smallest of m counts m − k + 1 times, and none less than a smaller one. It holds
    whatever the dependence between the tests.

    Parameters
    ----------
    p_values
        Shape (n_tests,); NaN marks a test that was not made and stays NaN, uncounted.

    Examples
    --------
    >>> holm(np.array([0.04, 0.01, np.nan])).tolist()
    [0.04, 0.02, nan]
    """
    adjusted = np.full(len(p_values), np.nan)
    made = np.flatnonzero(~np.isnan(p_values))
    order = made[np.argsort(p_values[made], kind="stable")]
    times = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * times), 1.0)
    return adjusted
