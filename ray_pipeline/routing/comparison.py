"""Comparing symbols' own models with the pooled one, on the same rows (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ray_pipeline.samples.evidence import Evidence
from ray_pipeline.statistics.false_discoveries import q_values
from ray_pipeline.statistics.shrinkage import shrink_to_zero
from ray_pipeline.statistics.tails import t_upper_tail

__all__ = ["PairedVerdict", "RoutingThresholds", "better_model", "paired_verdicts"]


@dataclass(frozen=True, slots=True)
class RoutingThresholds:
    """Settings of the routes.

    Attributes
    ----------
    alpha
        False-discovery rate of each comparison.
    min_difference
        Difference in skill by which a model must be better, significantly and after shrinkage:
        below it, two models are interchangeable.
    """

    alpha: float
    min_difference: float
    method: Literal["bh", "by"]


@dataclass(frozen=True, slots=True)
class PairedVerdict:
    """Which of a symbol's two models is better.

    Attributes
    ----------
    q_value
        Of the difference exceeding `min_difference` in size; NaN if nothing was measured.
    shrunk
        The difference after shrinkage estimated from all symbols; NaN if it has no error.
    better
        1 (own), −1 (pooled) or 0.
    """

    q_value: float
    shrunk: float
    better: int


def paired_verdicts(
    differences: Sequence[Evidence], n_tries: int, thresholds: RoutingThresholds
) -> list[PairedVerdict]:
    """Find the symbols for which own − pooled exceeds `min_difference` in size.

    It must do so significantly, and after shrinkage: the largest of many noisy differences is the
    luckiest, and a symbol with little data is served like the others until there is evidence.

    Parameters
    ----------
    differences
        Paired evidence, one per symbol; NaN figures are not tested.
    n_tries
        Number of own families tried; the better one was kept, which favours own models.
    """
    p_values = [_difference_p_value(item, n_tries, thresholds) for item in differences]
    q = q_values(np.array(p_values, dtype=np.float64), thresholds.method)
    shrunk = shrink_to_zero(
        np.array([item.skill for item in differences], dtype=np.float64),
        np.array([item.std_error for item in differences], dtype=np.float64),
        np.array([item.degrees_of_freedom for item in differences], dtype=np.float64),
    )
    return [
        PairedVerdict(
            value, left, better_model(value, left, thresholds.alpha, thresholds.min_difference)
        )
        for value, left in zip(q.tolist(), shrunk.tolist(), strict=True)
    ]


def _difference_p_value(item: Evidence, n_tries: int, thresholds: RoutingThresholds) -> float:
    if math.isnan(item.std_error) or math.isnan(item.skill):
        return math.nan
    excess = abs(item.skill) - thresholds.min_difference
    if excess <= 0 or item.std_error == 0:
        return 1.0
    tries = n_tries if item.skill > 0 else 1
    tail = float(t_upper_tail(excess / item.std_error, item.degrees_of_freedom))
    return min(1.0, 2.0 * tries * tail)


def better_model(q_value: float, shrunk: float, alpha: float, min_difference: float) -> int:
    """Return 1 (own), −1 (pooled) or 0: significant, and large enough after shrinkage."""
    if q_value <= alpha and abs(shrunk) > min_difference:
        return 1 if shrunk > 0 else -1
    return 0
