"""How much repeated choices of features agree, beyond what their sizes make likely."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["selection_stability"]


def selection_stability(chosen: NDArray[np.bool_]) -> float:
    """Measure the agreement of several choices from the same features.

    ``1 − mean_f s_f² / (p·(1 − p))`` with ``s_f²`` the unbiased variance of the choice of feature
    f and ``p`` the mean share of features chosen (Nogueira, Sechidis & Brown 2018, "On the
    Stability of Feature Selection Algorithms", JMLR 18(174), definition 4). Unlike a mean of
    frequencies it is corrected for chance: choosing 45 of 50 features at random agrees often and
    scores 0. No interval is given: the training ranges of expanding folds hold one another, and
    the paper's asymptotic one takes the choices for independent.

    Parameters
    ----------
    chosen
        Shape (n_choices, n_features).

    Returns
    -------
    float
        1 when all choices are equal, about 0 when they are random; at least
        ``−1 / (n_choices − 1)``. NaN for fewer than two choices, and where every choice is empty
        or holds all features: there was nothing to agree on.

    Examples
    --------
    >>> selection_stability(np.array([[True, False, False], [True, False, False]]))
    1.0
    """
    n_choices, n_features = chosen.shape
    if n_choices < 2 or n_features == 0:
        return math.nan
    share = float(chosen.mean())
    if share in (0.0, 1.0):
        return math.nan
    frequency = chosen.mean(axis=0)
    variance = n_choices / (n_choices - 1) * frequency * (1.0 - frequency)
    return float(1.0 - variance.mean() / (share * (1.0 - share)))
