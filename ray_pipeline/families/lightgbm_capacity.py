"""How much boosted trees may learn, by what a few small ones learn that later rows confirm.

On weak panels large trees and quick steps fit noise; on strong ones small trees and slow steps
leave signal behind. A probe of a few small trees is fitted to the earlier training rows and judged
on the latest; no test row is among them. How much of the loss it surely takes away decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families.hyperparameters import AUTO
from ray_pipeline.families.watching import log_loss, squared_error
from ray_pipeline.records import Task

__all__ = [
    "ADAPTIVE",
    "Capacity",
    "LabelledRows",
    "capacity_for",
    "left_open",
    "probe_signal",
    "settled",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ADAPTIVE = ("learning_rate", "num_leaves")
"""Hyperparameters that are set here unless they are configured."""

WATCHED_RATE = 0.05
"""Learning rate where early stopping finds the number of rounds."""

MOST_RATE = 0.3
"""Learning rate that no few rounds go beyond."""

PROBE: Mapping[str, Any] = {"num_leaves": 4, "learning_rate": 0.25}
PROBE_ROUNDS = 6
PROBE_ROWS = 100_000
"""The probe takes at most so many rows, evenly spaced in time: enough to tell 0.2 % of the loss."""

MIN_PROBE_ROWS = 400
"""Fewer say nothing of the size of a signal: it is taken for weak."""

FITTED, WATCHED = 0.73, 0.25
"""Shares of the rows, earliest and latest; labels of the few between reach into the watched."""

N_CHUNKS = 10
"""Of the watched rows in the order of time: their differences are the error of the probe."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Leaves of a tree, and the learning rates of all rounds together."""

    least_signal: float
    num_leaves: int
    total_rate: float


RUNGS = (
    Capacity(-np.inf, 4, 1.25),
    Capacity(0.002, 8, 2.5),
    Capacity(0.015, 8, 5.0),
    Capacity(0.2, 31, 10.0),
)
"""From no signal that could be told to a fifth of the variance; `benchmarks/model_strength.py`."""


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """What a binned data set's rows are fitted to; all arrays of shape (n_rows,).

    Attributes
    ----------
    in_time
        Indices of the training rows in the order of time, shape (n_train,).
    labels
        As they are fitted.
    """

    in_time: Ints
    labels: Floats
    task: Task
    weights: Floats | None = None
    offsets: Floats | None = None


def capacity_for(signal: float) -> Capacity:
    """Return the highest rung that a signal reaches.

    Examples
    --------
    >>> [capacity_for(signal).num_leaves for signal in (-0.01, 0.01, 0.5)]
    [4, 8, 31]
    """
    return [rung for rung in RUNGS if signal >= rung.least_signal][-1]


def left_open(settings: Mapping[str, Any]) -> list[str]:
    """Name the hyperparameters that are left to the training rows."""
    return [name for name in ADAPTIVE if settings[name] == AUTO]


def settled(
    settings: Mapping[str, Any],
    data: Any,
    params_by: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    rows: LabelledRows,
    n_rounds: int,
    stops_early: bool,
) -> dict[str, Any]:
    """Return settings with numbers for what is left to the training rows.

    Parameters
    ----------
    data
        The binned `lightgbm.Dataset` of all rows.
    params_by
        Gives LightGBM's parameters by settings that are all known.
    n_rounds
        That the total of the learning rates is spread over.
    stops_early
        Whether the number of rounds is found by watching: the rate is a usual one then.
    """
    if not left_open(settings):
        return dict(settings)
    known = {name: value for name, value in settings.items() if value != AUTO}
    capacity = capacity_for(probe_signal(data, params_by(known), rows))
    rate = WATCHED_RATE if stops_early else capacity.total_rate / n_rounds
    found = {"num_leaves": capacity.num_leaves, "learning_rate": min(rate, MOST_RATE)}
    return {name: found[name] if value == AUTO else value for name, value in settings.items()}


def probe_signal(data: Any, params: Mapping[str, Any], rows: LabelledRows) -> float:
    """Return the share of the loss that a probe surely takes away from the latest rows.

    Its mean over stretches of the watched rows, less two standard errors: what is left of noise is
    below 0. Of binary labels the loss is the logarithmic one.

    Parameters
    ----------
    data
        The binned `lightgbm.Dataset` of all rows.
    params
        Of LightGBM: the binning, the objective and what is configured.
    """
    n_rows = len(rows.in_time)
    if n_rows < MIN_PROBE_ROWS:
        return -np.inf
    kept = rows.in_time[np.linspace(0, n_rows - 1, min(n_rows, PROBE_ROWS)).astype(np.int64)]
    fitted = np.sort(kept[: int(FITTED * len(kept))])
    watched = kept[len(kept) - int(WATCHED * len(kept)) :]
    order = np.argsort(watched)
    seen: list[Floats] = []

    def watch(predictions: Floats, _: Any) -> tuple[str, float, bool]:
        seen[:] = [predictions.copy()]
        return "seen", 0.0, False

    lgb.train(
        {**params, **PROBE, "min_data_in_leaf": max(20, len(fitted) // 40), "metric": "None"},
        _part(data, params, rows, fitted),
        PROBE_ROUNDS,
        valid_sets=[_part(data, params, rows, watched[order])],
        feval=watch,
    )
    predictions = np.empty(len(watched))
    predictions[order] = seen[0]
    return _confirmed(rows, fitted, watched, predictions)


def _part(data: Any, params: Mapping[str, Any], rows: LabelledRows, index: Ints) -> Any:
    part = data.subset(index.tolist(), params=dict(params)).construct()
    part.set_label(rows.labels[index].astype(np.float32))
    # A subset inherits what the last problem set on the whole; None takes it off again.
    weights = None if rows.weights is None else rows.weights[index].astype(np.float32)
    part.set_field("weight", weights)
    part.set_field("init_score", None if rows.offsets is None else rows.offsets[index])
    return part


def _confirmed(rows: LabelledRows, fitted: Ints, watched: Ints, predictions: Floats) -> float:
    """Compare the probe's loss on the watched rows with that of no model at all."""
    weights = None if rows.weights is None else rows.weights[fitted]
    mean = float(np.average(rows.labels[fitted], weights=weights))
    is_binary = rows.task == "binary"
    if is_binary:  # LightGBM gives probabilities
        predictions = np.log(predictions) - np.log1p(-predictions)
        mean = min(max(mean, 1e-6), 1.0 - 1e-6)
        mean = float(np.log(mean) - np.log1p(-mean))
    nothing = np.full(len(watched), mean) if rows.offsets is None else rows.offsets[watched]
    loss = log_loss if is_binary else squared_error
    gains, before = np.empty(N_CHUNKS), np.empty(N_CHUNKS)
    for k, chunk in enumerate(np.array_split(np.arange(len(watched)), N_CHUNKS)):
        index = watched[chunk]
        weights = None if rows.weights is None else rows.weights[index]
        before[k] = loss(rows.labels[index], nothing[chunk], weights)
        gains[k] = before[k] - loss(rows.labels[index], predictions[chunk], weights)
    if before.mean() <= 0.0:
        return -np.inf
    error = gains.std(ddof=1) / np.sqrt(N_CHUNKS)
    return float((gains.mean() - 2.0 * error) / before.mean())
