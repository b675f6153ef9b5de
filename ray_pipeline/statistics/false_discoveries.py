"""False-discovery rates across many tests."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

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
        adjusted[made] = stats.false_discovery_control(p_values[made], method=method)
    return adjusted
