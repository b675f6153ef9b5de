"""A panel with planted truths, as arrays: what `ranking_speed` times and `planted_panels` judges.

Features are AR(1) series of unit variance. The change of a target from one bar to the next
follows the features of the bar before as planted, plus noise of which the symbols share a part;
a label is the sum of the next h changes, so that labels overlap as they do in the field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ray_pipeline.records import TargetSpec
from ray_pipeline.routing.decide import Route

__all__ = ["CARRIERS", "LEAK", "PLANTS", "Plant", "draw_panel"]

Floats = NDArray[np.float64]

CARRIERS = ("c0", "c1", "c2", "c3", "c4", "c5")
"""Features that mean something; all others are noise."""

LEAK = ("n0", "y_noise_5h", 2)
"""A noise feature that may be made a copy of the label that a target has so many rows later."""

STRENGTH = 0.12
"""Change per standard deviation of a feature, in standard deviations of the noise."""

COMMON = 0.3
"""Of the noise's variance: what all symbols share."""


@dataclass(frozen=True)
class Plant:
    """One target: what carries it, and the routes that serve its symbols rightly.

    A shared effect shows in a symbol's own history as well, if that is long enough: the pooled
    model then serves it alone or together with its own, and both are right. Noise must lead to
    no model: a single chance finding before the correction for many tests is told from none
    (`EXPERIMENTAL_ONLY`), and trains nothing either.
    """

    target: TargetSpec
    carriers: tuple[str, ...]
    routes: tuple[Route, ...]


_SHARED: tuple[Route, ...] = ("CROSS_SECTIONAL", "BOTH")
_NOTHING: tuple[Route, ...] = ("BLOCKED", "EXPERIMENTAL_ONLY")

PLANTS = (
    Plant(TargetSpec("y_linear_5h", 5, "regression"), ("c0", "c1"), _SHARED),
    Plant(TargetSpec("y_linear_20h", 20, "regression"), ("c0", "c1"), _SHARED),
    Plant(TargetSpec("y_interaction_5h", 5, "regression"), ("c2", "c3"), _SHARED),
    Plant(TargetSpec("y_opposite_5h", 5, "regression"), ("c4",), ("SYMBOL_SPECIFIC",)),
    Plant(TargetSpec("y_up_5h", 5, "binary"), ("c1", "c5"), _SHARED),
    Plant(TargetSpec("y_noise_5h", 5, "regression"), (), _NOTHING),
    Plant(TargetSpec("y_noise_20h", 20, "regression"), (), _NOTHING),
)


def draw_panel(
    n_symbols: int, n_bars: int, n_noise: int, seed: int
) -> tuple[NDArray[np.float32], Floats]:
    """Draw features and labels.

    Returns
    -------
    tuple
        Features, shape (n_symbols, n_bars, n_features), the carriers first; labels in the order
        of `PLANTS`, NaN where the future ends before, shape (n_symbols, n_bars, n_targets).
    """
    random = np.random.default_rng(seed)
    n_features = len(CARRIERS) + n_noise
    shocks = random.standard_normal((n_symbols, n_bars, n_features))
    phi = np.where(np.arange(n_features) % 2, 0.95, 0.9)
    X = np.stack(
        [
            signal.lfilter([np.sqrt(1 - p**2)], [1.0, -p], shocks[..., j], axis=1)
            for j, p in enumerate(phi.tolist())
        ],
        axis=2,
    )
    Y = np.full((n_symbols, n_bars, len(PLANTS)), np.nan)
    drifts = _drifts(X)
    for j, plant in enumerate(PLANTS):
        changes = np.sqrt(1 - COMMON) * random.standard_normal((n_symbols, n_bars))
        changes += np.sqrt(COMMON) * random.standard_normal(n_bars)
        if plant.target.name in drifts:
            changes[:, 1:] += STRENGTH * drifts[plant.target.name][:, :-1]
        horizon = plant.target.horizon_bars
        labels = np.lib.stride_tricks.sliding_window_view(changes[:, 1:], horizon, 1).sum(axis=2)
        Y[:, : labels.shape[1], j] = labels > 0 if plant.target.task == "binary" else labels
    return X.astype(np.float32), Y


def _drifts(X: Floats) -> dict[str, Floats]:
    sign = np.where(np.arange(len(X)) % 2, -1.0, 1.0)[:, np.newaxis]
    return {
        "y_linear_5h": X[..., 0] + X[..., 1],
        "y_linear_20h": X[..., 0] + X[..., 1],
        # Neither feature says anything without the other.
        "y_interaction_5h": 2.0 * X[..., 2] * X[..., 3],
        # In every other symbol it is the other way round: over all of them there is nothing.
        "y_opposite_5h": sign * X[..., 4] * np.sqrt(2.0),
        "y_up_5h": X[..., 1] + X[..., 5],
    }
