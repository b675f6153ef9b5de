"""How much boosted trees may learn, by what a few small ones learn that later rows confirm.

On weak panels large trees and quick steps fit noise; on strong ones small trees and slow steps
leave signal behind. A probe of a few small trees is fitted to the earlier training rows and judged
on the latest; no test row is among them. How much of the loss it surely takes away decides, and
whether a few large trees surely take away more: what features say only together (the product of
two, neither of which says anything by itself) small trees hardly find.
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
    "Signal",
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

PROBE_ROWS = 100_000
"""A probe takes at most so many rows, evenly spaced in time: enough to tell 0.2 % of the loss."""

MIN_PROBE_ROWS = 400
"""Fewer say nothing of the size of a signal: it is taken for weak."""

FITTED, WATCHED = 0.73, 0.25
"""Shares of the rows, earliest and latest; labels of the few between reach into the watched."""

N_CHUNKS = 10
"""Of the watched rows in the order of time: their differences are the error of the probe."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A few trees; `least_share` is that of the rows that a leaf holds at least."""

    num_leaves: int
    learning_rate: float
    n_rounds: int
    least_share: float


SHALLOW = Probe(num_leaves=4, learning_rate=0.25, n_rounds=6, least_share=1 / 40)
DEEP = Probe(num_leaves=16, learning_rate=0.2, n_rounds=8, least_share=1 / 200)


@dataclass(frozen=True, slots=True)
class Signal:
    """What probes surely take away of the loss.

    Attributes
    ----------
    shallow
        Share of the loss that small trees take away, less two standard errors; that of noise is
        below 0.
    deeper
        What large trees take away beyond that, in the same way.
    """

    shallow: float
    deeper: float


@dataclass(frozen=True, slots=True)
class Capacity:
    """Leaves of a tree, and the learning rates of all rounds together."""

    num_leaves: int
    total_rate: float


RUNGS = (
    (-np.inf, Capacity(4, 1.25)),
    (0.002, Capacity(8, 2.5)),
    (0.015, Capacity(8, 5.0)),
    (0.2, Capacity(31, 10.0)),
)
"""Least signal of small trees, and what it is worth: from none that could be told to a fifth of
the variance; `benchmarks/model_strength.py`."""

TOGETHER = Capacity(31, 2.5)
"""Where large trees surely take away more of the loss than small ones, below the highest rung."""


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


def capacity_for(signal: Signal) -> Capacity:
    """Return the highest rung that a signal reaches, or that for features that speak together.

    Examples
    --------
    >>> [capacity_for(Signal(share, 0.0)).num_leaves for share in (-0.01, 0.01, 0.5)]
    [4, 8, 31]
    >>> capacity_for(Signal(-0.01, 0.004)).num_leaves
    31
    """
    least, rung = [each for each in RUNGS if signal.shallow >= each[0]][-1]
    is_highest = least == RUNGS[-1][0]
    return rung if is_highest or signal.deeper <= 0.0 else TOGETHER


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


def probe_signal(data: Any, params: Mapping[str, Any], rows: LabelledRows) -> Signal:
    """Return the shares of the loss that probes surely take away from the latest rows.

    Each is the mean over stretches of the watched rows less two standard errors. Of binary labels
    the loss is the logarithmic one.

    Parameters
    ----------
    data
        The binned `lightgbm.Dataset` of all rows.
    params
        Of LightGBM: the binning, the objective and what is configured.
    """
    n_rows = len(rows.in_time)
    if n_rows < MIN_PROBE_ROWS:
        return Signal(-np.inf, -np.inf)
    kept = rows.in_time[np.linspace(0, n_rows - 1, min(n_rows, PROBE_ROWS)).astype(np.int64)]
    fitted = np.sort(kept[: int(FITTED * len(kept))])
    watched = kept[len(kept) - int(WATCHED * len(kept)) :]
    before = _losses(rows, fitted, watched, None)
    if before.mean() <= 0.0:
        return Signal(-np.inf, -np.inf)
    by_index = np.sort(watched)
    places = np.searchsorted(by_index, watched)
    parts = _part(data, params, rows, fitted), _part(data, params, rows, by_index)
    shallow, deep = (
        before - _losses(rows, fitted, watched, _probed(*parts, params, probe)[places])
        for probe in (SHALLOW, DEEP)
    )
    scale = float(before.mean())
    return Signal(_sure_mean(shallow) / scale, _sure_mean(deep - shallow) / scale)


def _sure_mean(gains: Floats) -> float:
    """Return the mean of stretches of time, less two standard errors."""
    return float(gains.mean() - 2.0 * gains.std(ddof=1) / np.sqrt(len(gains)))


def _probed(fitted: Any, watched: Any, params: Mapping[str, Any], probe: Probe) -> Floats:
    """Return what a probe of the fitted rows gives for the watched ones, shape (n_watched,).

    Both are binned data sets, with their labels.
    """
    seen: list[Floats] = []

    def watch(predictions: Floats, _: Any) -> tuple[str, float, bool]:
        seen[:] = [predictions.copy()]
        return "seen", 0.0, False

    lgb.train(
        {
            **params,
            "num_leaves": probe.num_leaves,
            "learning_rate": probe.learning_rate,
            "min_data_in_leaf": max(20, int(fitted.num_data() * probe.least_share)),
            "metric": "None",
        },
        fitted,
        probe.n_rounds,
        valid_sets=[watched],
        feval=watch,
        keep_training_booster=True,  # nothing is kept: without this a copy is made by way of text
    )
    return seen[0]


def _part(data: Any, params: Mapping[str, Any], rows: LabelledRows, index: Ints) -> Any:
    part = data.subset(index.tolist(), params=dict(params)).construct()
    part.set_label(rows.labels[index].astype(np.float32))
    # A subset inherits what the last problem set on the whole; None takes it off again.
    weights = None if rows.weights is None else rows.weights[index].astype(np.float32)
    part.set_field("weight", weights)
    part.set_field("init_score", None if rows.offsets is None else rows.offsets[index])
    return part


def _losses(rows: LabelledRows, fitted: Ints, watched: Ints, predictions: Floats | None) -> Floats:
    """Return the loss on each stretch of the watched rows; None: without a model."""
    is_binary = rows.task == "binary"
    if predictions is None:
        predictions = _without_model(rows, fitted, watched)
    elif is_binary:  # LightGBM gives probabilities
        predictions = np.log(predictions) - np.log1p(-predictions)
    loss = log_loss if is_binary else squared_error
    losses = np.empty(N_CHUNKS)
    for k, chunk in enumerate(np.array_split(np.arange(len(watched)), N_CHUNKS)):
        index = watched[chunk]
        weights = None if rows.weights is None else rows.weights[index]
        losses[k] = loss(rows.labels[index], predictions[chunk], weights)
    return losses


def _without_model(rows: LabelledRows, fitted: Ints, watched: Ints) -> Floats:
    if rows.offsets is not None:
        return rows.offsets[watched]
    weights = None if rows.weights is None else rows.weights[fitted]
    mean = float(np.average(rows.labels[fitted], weights=weights))
    if rows.task == "binary":
        mean = min(max(mean, 1e-6), 1.0 - 1e-6)
        mean = float(np.log(mean) - np.log1p(-mean))
    return np.full(len(watched), mean)
