"""Predictions of synthetic panels, and jobs that ask about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.evaluating.records import EvaluatedJob, EvaluationSettings, Predictions

DAY_NS = 86_400 * 10**9
SETTINGS = EvaluationSettings(n_quantiles=5, cost_bps=5.0, min_cs=3)
POOLED = EvaluatedJob(
    job_id="cs_fwd_ret_1d__ridge",
    target="fwd_ret_1d",
    view="cross_sectional",
    symbol=None,
    family="ridge",
    task="regression",
    horizon_bars=1,
    is_return=True,
    span=1,
    spacing=1.0,
    table="predictions.parquet",
)
OWN = replace(POOLED, job_id="sym_x__A__ridge", view="symbol_specific", symbol="A")


def panel(prediction: Any, label: Any) -> Predictions:
    """Rows of matrices of shape (n_timestamps, n_symbols); NaN predictions are missing rows."""
    predicted = np.asarray(prediction, dtype=float)
    n_times, n_symbols = predicted.shape
    there = np.isfinite(predicted.T).ravel()
    positions = np.tile(np.arange(n_times), n_symbols)[there]
    return Predictions(
        symbols=np.repeat(np.arange(n_symbols), n_times)[there],
        positions=positions,
        cells=positions,
        stretches=np.zeros(there.sum(), dtype=np.int64),
        time_ns=positions * DAY_NS,
        prediction=predicted.T.ravel()[there],
        label=np.asarray(label, dtype=float).T.ravel()[there],
    )


def series(prediction: Any, label: Any) -> Predictions:
    """Rows of one symbol."""
    return panel(np.asarray(prediction)[:, np.newaxis], np.asarray(label)[:, np.newaxis])


def persistent(
    rng: np.random.Generator, n_times: int, n_symbols: int, memory: float
) -> NDArray[np.float64]:
    """First-order autoregressions of unit variance, shape (n_times, n_symbols)."""
    values = np.empty((n_times, n_symbols))
    values[0] = rng.standard_normal(n_symbols)
    for t in range(1, n_times):
        noise = rng.standard_normal(n_symbols)
        values[t] = memory * values[t - 1] + np.sqrt(1 - memory**2) * noise
    return values


def forward_sums(changes: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Sum of the changes of the rows t+1 … t+horizon; NaN where they are not all there."""
    total = np.cumsum(np.vstack([np.zeros(changes.shape[1]), changes]), axis=0)
    label = np.full_like(changes, np.nan)
    last = len(changes) - horizon
    label[:last] = total[horizon + 1 :] - total[1 : last + 1]
    return label
