"""False-discovery rates across many tests."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["q_values"]


def q_values(
    p_values: NDArray[np.float64], method: Literal["bh", "by"] = "bh"
) -> NDArray[np.float64]:
    """Adjust p-values so that ``q ≤ alpha`` controls the false-discovery rate at alpha.

    ``bh`` is Benjamini & Hochberg (1995), valid for independent or positively dependent tests;
    ``by`` is Benjamini & Yekutieli (2001), valid for any dependence, at the price of power.

    Parameters
    ----------
    p_values
        Shape (n_tests,); NaN marks a test that was not made and stays NaN, uncounted.
    """
    adjusted = np.full(len(p_values), np.nan)
    made = ~np.isnan(p_values)
    if made.any():
        made_p = p_values[made]
        order = np.argsort(made_p)
        counts = np.arange(1, len(order) + 1)
        # The least false-discovery rate at which each is among the discoveries, of p₍k₎·n/k.
        scaled = made_p[order] * (len(order) / counts)
        if method == "by":
            scaled *= np.sum(1 / counts)
        least = np.minimum.accumulate(scaled[::-1])[::-1]
        adjusted[np.flatnonzero(made)[order]] = np.minimum(least, 1.0)
    return adjusted
