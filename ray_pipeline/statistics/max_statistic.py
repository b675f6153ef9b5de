"""Many tests judged by the largest of their statistics, on data that hold nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["max_statistic_p_values"]

Floats = NDArray[np.float64]


def max_statistic_p_values(observed: Floats, shifted: Floats) -> Floats:
    """Adjust p-values for many tests, whatever their dependence: step-down maxT.

    A test is compared with the largest statistic that it and all weaker tests reach under each
    shift of the labels (Westfall & Young 1993, "Resampling-Based Multiple Testing", algorithm
    4.1, as in Ge, Dudoit & Speed 2003, TEST 12, box 2). ``p ≤ alpha`` holds the chance of any
    false discovery at alpha, and so the false-discovery rate too. Adjusting the p-values of
    `n_shifts` shifts one by one cannot do this: none is below ``1 / (n_shifts + 1)``, and with m
    tests a lone discovery would need m times fewer.

    Parameters
    ----------
    observed
        Statistics on a scale on which their nulls resemble each other, shape (n_tests,). NaN
        marks a test that was not made.
    shifted
        The same under each shift, the same shifts for all tests, shape (n_tests, n_shifts). NaN
        where a shift left too little to measure: it counts for no test.

    Returns
    -------
    ndarray
        Shape (n_tests,), at least ``1 / (n_shifts + 1)``; NaN where the test was not made.

    Examples
    --------
    >>> observed = np.array([5.0, 1.0])
    >>> shifted = np.array([[0.0, 1.0, 2.0], [0.5, 3.0, -1.0]])
    >>> max_statistic_p_values(observed, shifted).tolist()
    [0.25, 0.5]
    """
    adjusted = np.full(len(observed), np.nan)
    made = np.flatnonzero(~np.isnan(observed))
    weakest_first = made[np.argsort(observed[made], kind="stable")]
    largest = np.full(shifted.shape[1], -np.inf)
    for test in weakest_first.tolist():
        np.fmax(largest, shifted[test], out=largest)
        adjusted[test] = (1 + np.sum(largest >= observed[test])) / (1 + len(largest))
    adjusted[weakest_first] = np.maximum.accumulate(adjusted[weakest_first[::-1]])[::-1]
    return adjusted
