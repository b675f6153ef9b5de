"""How long the level of a series lasts, and what that alone foretells of its targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ray_pipeline.bars.rolling import Rolling
from ray_pipeline.series.labels import find_series_label
from ray_pipeline.series.values import FloatArray

__all__ = ["SPANS", "foretold", "lasting"]

SPANS = (1, 3, 7, 28, 90)
"""Rows over which levels are compared."""

_LEAST_PAIRS = 30


def lasting(value: FloatArray) -> tuple[tuple[int, float], ...]:
    """Return how the mean of so many rows correlates with the mean of as many before.

    Parameters
    ----------
    value : float64 (n_rows,)
        NaN where missing.

    Returns
    -------
    tuple of (n_rows, correlation)
        Of those of `SPANS` for which there are enough rows and the means differ.
    """
    rolling = Rolling(np.where(np.isfinite(value), value, np.nan))
    found = []
    for span in SPANS:
        means = rolling.mean(span)
        before, after = means[:-span], means[span:]
        both = ~(np.isnan(before) | np.isnan(after))
        if np.count_nonzero(both) < _LEAST_PAIRS + span:
            continue
        before, after = before[both], after[both]
        scale = max(float(np.abs(before).max()), float(np.abs(after).max()), 1e-300)
        if min(float(before.std()), float(after.std())) > 1e-12 * scale:
            found.append((span, float(np.corrcoef(before, after)[0, 1])))
    return tuple(found)


def foretold(target: str, horizon_bars: int, lasts: Sequence[Mapping[int, float]]) -> float | None:
    """Return the correlation with a target that the level of before has by itself.

    With ρ between the means of two stretches that follow each other, and equal variances, it is ρ
    with the second and ``−√((1 − ρ) / 2)`` with the difference of both.

    Parameters
    ----------
    target
        Name of a label of a series.
    horizon_bars
        Its horizon.
    lasts
        What `lasting` found, by symbol.

    Returns
    -------
    float
        By the symbols' median at the nearest span; None where nothing is known.

    Examples
    --------
    >>> foretold("fwd_change_7d", 7, [{7: 0.0}]), foretold("fwd_mean_7d", 7, [{7: 0.8}])
    (-0.7071067811865476, 0.8)
    """
    kind = find_series_label(target)
    spans = {span for each in lasts for span in each}
    if kind is None or not spans:
        return None
    nearest = min(spans, key=lambda span: (abs(math.log(span / horizon_bars)), span))
    rho = float(np.median([each[nearest] for each in lasts if nearest in each]))
    if kind in ("fwd_change", "y_will_rise"):
        return -math.sqrt(max(1.0 - rho, 0.0) / 2.0)
    return rho
