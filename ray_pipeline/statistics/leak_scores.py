"""A feature beside a target at every shift: the figures that tell a leak from an honest feature.

What they mean is said in `ray_pipeline.statistics.leakage`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.statistics.hac import hac_lag
from ray_pipeline.statistics.lagged import LaggedCorrelation, RankedSeries, correlation_errors

__all__ = ["LeakScore", "score_leaks"]

Floats = NDArray[np.float64]

EDGE_Z = 6.0
"""The edge is the largest of 4·h correlations of nearly independent pairs."""


@dataclass(frozen=True, slots=True)
class LeakScore:
    """Correlations of one (feature, target) pair.

    Attributes
    ----------
    leaking, leaking_shift
        Largest |correlation| over shifts that need the future, and that shift in rows: positive
        when the feature agrees with a label of a later row.
    honest
        Largest |correlation| over shifts known at the time.
    present
        Correlation at shift 0.
    horizon_earlier
        Correlation when the feature is taken one horizon earlier.
    known
        Correlation with the label of one horizon ago, the last one that is known.
    present_z
        `present` in standard errors.
    after_z, before_z
        Mean of c(s) − c(0)·a(s) over the h shifts after and before 0, towards the sign of c(0),
        in standard errors: about standard normal for a feature that drives the label.
    beyond_z
        How much stronger the feature agrees with the label a horizon on than with the known one,
        in standard errors; 0 where the label is scaled by what came before it.
    edge, edge_shift
        Largest |correlation| of the feature's change with the label's change 2 … h rows later,
        and that shift; 0 where h < 2 or the label is scaled by what came before it.
    pairs
        Rows with both a feature and a label.
    """

    leaking: float
    leaking_shift: int
    honest: float
    present: float
    horizon_earlier: float
    known: float
    present_z: float
    after_z: float
    before_z: float
    beyond_z: float
    edge: float
    edge_shift: int
    pairs: int


def score_leaks(
    features: Floats,
    targets: Floats,
    horizons: Sequence[int],
    max_rows: int = 20_000,
    *,
    scaled: Sequence[bool] = (),
) -> list[list[LeakScore | None]]:
    """Correlate every feature with every target over shifts −2h … +h.

    Parameters
    ----------
    features
        Shape (n_rows, n_features), NaN = missing.
    targets
        Shape (n_rows, n_targets), NaN = missing.
    horizons
        Bars that each label looks ahead, n_targets of them.
    max_rows
        The newest rows are enough to recognise a copy.
    scaled
        For each target whether it is known to be measured by earlier bars, such as in trailing
        deviations; empty: none is. The same old bar then leaves the window of such a label and
        that of an honest feature, so that changes of the two agree, and the deviation of the known
        label is of the very bars that the feature reads.

    Returns
    -------
    list
        By target, one score per feature; None where there is nothing to correlate.
    """
    features, targets = features[-max_rows:], targets[-max_rows:]
    n_rows = len(targets)
    reaches = [min(horizon, n_rows // 4) for horizon in horizons]
    lags = [min(max(hac_lag(n_rows, h), 2 * h), n_rows - 1) for h in reaches]
    correlation = LaggedCorrelation(n_rows, max([*lags, *(2 * h for h in reaches)], default=0))
    is_scaled = scaled or [False] * len(reaches)
    labels = [
        _Label.of(column, horizon, lag, correlation, by_past) if horizon >= 1 else None
        for column, horizon, lag, by_past in zip(targets.T, reaches, lags, is_scaled, strict=True)
    ]
    scores: list[list[LeakScore | None]] = [[] for _ in labels]
    for column in np.ascontiguousarray(features.T):
        feature = _Feature.of(column, correlation) if any(labels) else None
        for label, of_label in zip(labels, scores, strict=True):
            of_label.append(_score(feature, label, correlation) if feature and label else None)
    return scores


@dataclass(frozen=True, slots=True)
class _Label:
    """A target's ranks, their memory, and the ranks of its changes, None where unusable."""

    horizon: int
    level: RankedSeries
    memory: Floats
    change: RankedSeries | None

    @classmethod
    def of(
        cls,
        values: Floats,
        horizon: int,
        lag: int,
        correlation: LaggedCorrelation,
        is_scaled: bool,
    ) -> _Label | None:
        level = correlation.prepare(values)
        if level.is_constant:
            return None
        memory, _ = correlation.at(level, level, np.arange(lag + 1))
        change = None if is_scaled else correlation.prepare(_changes(values))
        return cls(horizon, level, memory, change)


@dataclass(frozen=True, slots=True)
class _Feature:
    """A feature's ranks, their memory, and the ranks of its first and second changes."""

    level: RankedSeries
    memory: Floats
    changes: tuple[RankedSeries, RankedSeries]

    @classmethod
    def of(cls, values: Floats, correlation: LaggedCorrelation) -> _Feature | None:
        level = correlation.prepare(values)
        if level.is_constant:
            return None
        memory, _ = correlation.at(level, level, np.arange(correlation.reach + 1))
        first = _changes(values)
        changes = (correlation.prepare(first), correlation.prepare(_changes(first)))
        return cls(level, memory, changes)


def _score(feature: _Feature, label: _Label, correlation: LaggedCorrelation) -> LeakScore:
    h = label.horizon
    shifts = np.arange(-2 * h, h + 1)
    leaks = shifts > -h
    found, pairs = correlation.at(feature.level, label.level, shifts)
    strength = np.abs(found)
    best = int(np.argmax(np.where(leaks, strength, -1.0)))
    memory = feature.memory[: len(label.memory)]
    profile = found[h:]  # of the shifts −h … h
    sign = 1.0 if profile[h] >= 0 else -1.0
    # Weights over the shifts −h … h; a driver's expectation is 0 for the first two.
    weights = np.zeros((4, 2 * h + 1))
    after, before, beyond, present = weights
    after[h + 1 :] = before[:h] = sign / h
    after[h] = before[h] = -sign * memory[1 : h + 1].mean()
    beyond[2 * h], beyond[0] = sign, -np.sign(profile[0])
    present[h] = sign
    z = (weights @ profile) / correlation_errors(weights, memory, label.memory, pairs[2 * h])
    edge, edge_shift = _edge(feature, label, correlation)
    return LeakScore(
        leaking=float(strength[best]),
        leaking_shift=int(shifts[best]),
        honest=float(strength[~leaks].max()),
        present=float(profile[h]),
        horizon_earlier=float(profile[2 * h]),
        known=float(profile[0]),
        present_z=float(z[3]),
        after_z=float(z[0]),
        before_z=float(z[1]),
        beyond_z=0.0 if label.change is None else float(z[2]),
        edge=edge,
        edge_shift=edge_shift,
        pairs=int(pairs[2 * h]),
    )


def _changes(values: Floats) -> Floats:
    """Change from the row before, NaN in the first row, shape (n_rows,)."""
    with np.errstate(invalid="ignore"):  # infinite less infinite is missing
        return np.diff(values, prepend=np.nan)


def _edge(feature: _Feature, label: _Label, correlation: LaggedCorrelation) -> tuple[float, int]:
    """Correlate a feature's first and second changes with the label's changes to come.

    The label's change s rows on is the return of row t+s+h less that of row t+s. From s = 2 on
    neither is known nor the next one, which an honest feature may predict.
    """
    if label.horizon < 2 or label.change is None or label.change.is_constant:
        return 0.0, 0
    shifts = np.arange(2, label.horizon + 1)
    best, where = 0.0, 0
    for change in feature.changes:
        if change.is_constant:
            break
        found, pairs = correlation.at(change, label.change, shifts)
        strength = np.abs(found) * (np.abs(found) * np.sqrt(pairs) >= EDGE_Z)
        place = int(np.argmax(strength))
        if strength[place] > best:
            best, where = float(strength[place]), int(shifts[place])
    return best, where
