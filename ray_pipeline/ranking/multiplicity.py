"""Correcting p-values for multiple tests (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.false_discoveries import q_values
from ray_pipeline.statistics.max_statistic import max_statistic_p_values

__all__ = ["Correction", "SingleTest", "corrected_p_values"]

Correction = Literal["bh", "by", "max_statistic"]


@dataclass(frozen=True, slots=True)
class SingleTest:
    """One of many tests.

    Attributes
    ----------
    p_value
        NaN if nothing was measured.
    z_score
        Its statistic, as the standard normal value of the same one-sided p-value.
    shifted
        Statistics of the same search on each circular shift of the labels, shape (n_shifts,);
        None for the analytic null.
    """

    p_value: float
    z_score: float = np.nan
    shifted: NDArray[np.float64] | None = None


def corrected_p_values(tests: Sequence[SingleTest], method: Correction) -> NDArray[np.float64]:
    """Return the q-values of tests that were made together, shape (n_tests,).

    With ``max_statistic`` the tests that have circular shifts are judged by the largest of their
    statistics. Tests without enough shifts are corrected for all tests (Bonferroni); if none has
    shifts, Benjamini–Hochberg is used.
    """
    p_values = np.array([test.p_value for test in tests], dtype=np.float64)
    by_shift = [place for place, test in enumerate(tests) if test.shifted is not None]
    if method != "max_statistic" or not by_shift:
        return q_values(p_values, "bh" if method == "max_statistic" else method)
    n_made = int(np.sum(~np.isnan(p_values)))
    corrected: NDArray[np.float64] = np.minimum(1.0, p_values * n_made)
    largest = max_statistic_p_values(
        np.array([tests[place].z_score for place in by_shift]),
        np.array([tests[place].shifted for place in by_shift]),
    )
    # A single test counts only the shifts that it was measured on, which may be fewer.
    corrected[by_shift] = np.maximum(largest, p_values[by_shift])
    return corrected
