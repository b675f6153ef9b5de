"""The shape that features give to what a job's models say, on rows that these had not seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.records import View
from ray_pipeline.routing.jobs import Job
from ray_pipeline.statistics.local_effects import (
    N_BINS,
    ShapeName,
    accumulated_effects,
    effect_shape,
    quantile_edges,
)

__all__ = [
    "EFFECTS",
    "EffectRow",
    "described_features",
    "effect_rows",
    "effects_record",
    "fold_effects",
    "spare_features",
]

EFFECTS = "training/effects.parquet"

Floats = NDArray[np.float64]

MAX_POOLED = 6
MAX_OWN = 3
"""Features of a model whose effects are measured, the best of the selection."""

_POOLED_ROWS, _OWN_ROWS = 600, 200
"""Test rows of a fold that they are measured on."""

_MAX_EDGE_ROWS = 4000
"""Training rows that tell the quantiles of a feature."""

_PLACES = 6


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One row of ``training/effects.parquet``: a point of the curve of one feature of one model.

    Attributes
    ----------
    rank
        Of the feature among those that the model has, by selection.
    shape, strength, n_folds, n_agree
        Of the whole curve; see `ray_pipeline.statistics.local_effects`.
    quantile, value
        Where on the feature: the quantile among the folds' training rows, and the value there, in
        the median over folds.
    effect, std_error
        What the feature adds to the score there, in standard deviations of the score, mean over
        the folds, and its error over them.
    """

    job_id: str
    target: str
    view: View
    symbol: str | None
    family: str
    feature: str
    rank: int
    shape: ShapeName
    strength: float
    n_folds: int
    n_agree: int
    quantile: float
    value: float
    effect: float
    std_error: float


def described_features(best_first: Iterable[str], job: Job) -> tuple[str, ...]:
    """Choose the features whose effects a job's models tell.

    Parameters
    ----------
    best_first
        Features selected for it.
    """
    return tuple(name for name in best_first if name in job.features)[: _n_described(job.view)]


def spare_features(described: Sequence[str], ranked: Iterable[str], job: Job) -> tuple[str, ...]:
    """Choose features whose effects are measured besides.

    What is known of a fold serves a longer panel as well, where the selection ends up with slightly
    different features: the fold need not be fitted again to describe them.

    Parameters
    ----------
    ranked
        All features, best first.
    """
    others = [name for name in ranked if name not in described]
    return tuple(others[: 2 * _n_described(job.view) - len(described)])


def _n_described(view: View) -> int:
    return MAX_POOLED if view == "cross_sectional" else MAX_OWN


def fold_effects(
    predict: Callable[[NDArray[np.float32]], Floats],
    trained: NDArray[np.float32],
    tested: NDArray[np.float32],
    predicted: Floats,
    features: Sequence[str],
    described: Sequence[str],
    view: View,
) -> Floats:
    """Measure the effects of features in one fold, each by itself.

    Parameters
    ----------
    predict
        The fold's model.
    trained, tested
        Features of its training rows and of its test rows.
    predicted
        Its predictions of the test rows.
    features
        Columns of both.
    described
        Features that are measured; those that are not columns have no effect.

    Returns
    -------
    ndarray
        Bounds of the bins, and the effects there in standard deviations of the predictions of the
        test rows, shape (n_described, 2, N_BINS + 1).
    """
    found = np.full((len(described), 2, N_BINS + 1), np.nan)
    columns = {name: j for j, name in enumerate(features)}
    here = [place for place, name in enumerate(described) if name in columns]
    if not (here and len(trained) and len(tested)):
        return found
    at_most = _POOLED_ROWS if view == "cross_sectional" else _OWN_ROWS
    rows = _spread(len(tested), at_most)
    sample = np.ascontiguousarray(tested[rows])
    places = [columns[described[place]] for place in here]
    known = trained[_spread(len(trained), _MAX_EDGE_ROWS)][:, places].astype(np.float64)
    edges = np.array([quantile_edges(column) for column in known.T])
    curves = accumulated_effects(predict, sample, places, edges)
    deviation = float(np.std(predicted[rows]))
    found[here, 0] = edges
    found[here, 1] = (
        curves / deviation if deviation > 0.0 else np.where(np.isnan(curves), np.nan, 0)
    )
    return found


def effects_record(described: Sequence[str], folds: Sequence[Floats]) -> list[dict[str, Any]]:
    """Return what the folds say together, a record for each feature, as plain values.

    Parameters
    ----------
    folds
        Of `fold_effects`.
    """
    records = []
    for place, feature in enumerate(described):
        measured = np.array([fold[place] for fold in folds]).reshape(-1, 2, N_BINS + 1)
        found = effect_shape(measured[:, 1])
        if found is None:
            continue
        known = measured[np.isfinite(measured[:, 1]).all(axis=1), 0]
        records.append(
            {
                "feature": feature,
                "rank": place + 1,
                "shape": found.shape,
                "strength": round(found.strength, _PLACES),
                "n_folds": found.n_folds,
                "n_agree": found.n_agree,
                "values": [float(each) for each in np.median(known, axis=0)],
                "effects": [round(float(each), _PLACES) for each in found.effect],
                "std_errors": [
                    round(float(each), _PLACES) if math.isfinite(each) else None
                    for each in found.std_error
                ],
            }
        )
    return records


def effect_rows(jobs: Sequence[Job], results: Mapping[str, Mapping[str, Any]]) -> list[EffectRow]:
    """Return the rows of all jobs that told of effects, in the order of the plan.

    Parameters
    ----------
    results
        Records of the trained jobs; averages of models tell of none.
    """
    rows = []
    for job in jobs:
        for found in results.get(job.job_id, {}).get("effects", ()):
            curve = zip(found["values"], found["effects"], found["std_errors"], strict=True)
            for place, (value, effect, error) in enumerate(curve):
                rows.append(
                    EffectRow(
                        job_id=job.job_id,
                        target=job.target,
                        view=job.view,
                        symbol=None if job.view == "cross_sectional" else job.symbols[0],
                        family=job.family,
                        feature=found["feature"],
                        rank=found["rank"],
                        shape=found["shape"],
                        strength=found["strength"],
                        n_folds=found["n_folds"],
                        n_agree=found["n_agree"],
                        quantile=place / N_BINS,
                        value=value,
                        effect=effect,
                        std_error=math.nan if error is None else error,
                    )
                )
    return rows


def _spread(n: int, at_most: int) -> NDArray[np.int64]:
    """Return evenly spaced rows, all of them where there are no more."""
    if n <= at_most:
        return np.arange(n)
    return np.linspace(0, n - 1, at_most).astype(np.int64)
