"""How often a prediction is on the right side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["agreement", "agreement_by_chance", "sides"]

Floats = NDArray[np.float64]


def sides(values: Floats, centre: Floats | float) -> Floats:
    """Side of its centre that a value is on: 1 above, 0 below, ½ on it; NaN stays NaN.

    Examples
    --------
    >>> sides(np.array([0.2, 0.5, 0.9]), 0.5).tolist()
    [0.0, 0.5, 1.0]
    """
    return (np.sign(values - centre) + 1.0) / 2.0


def agreement(calls: Floats, outcomes: Floats) -> Floats:
    """Whether call and outcome are on the same side: 1, 0, or ½ when one is on neither."""
    return calls * outcomes + (1.0 - calls) * (1.0 - outcomes)


def agreement_by_chance(calls: Floats, outcomes: Floats) -> float:
    """Agreement of calls and outcomes that are as frequent but know nothing of each other.

    The expected agreement of Cohen (1960), "A Coefficient of Agreement for Nominal Scales":
    ``c·o + (1 − c)·(1 − o)`` with the shares of ups among calls and outcomes.
    """
    called, came = float(calls.mean()), float(outcomes.mean())
    return called * came + (1.0 - called) * (1.0 - came)
