"""How fast this machine is beside the one that the costs were measured on."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray_pipeline.estimating.costs import Kind, Speed
from ray_pipeline.execution.threads import ThreadLimits
from ray_pipeline.families import Problem, load_family

__all__ = ["REFERENCE", "measure_speed"]


REFERENCE = Speed(trees=0.0185, linear=0.0048, columns=0.0053)
"""Of the machine that `ray_pipeline.estimating.costs` names."""

_N_ROWS, _N_FEATURES = 2_000, 40
_TREES = {"n_estimators": 30, "num_leaves": 8, "learning_rate": 0.05}
_N_TRIES = 3


def measure_speed(kinds: Collection[Kind] = ("trees", "linear")) -> Speed:
    """Measure this machine by samples of the work: about 0.1 s on one thread.

    The least of three tries counts, of CPU time: other work on the machine disturbs it little.

    Parameters
    ----------
    kinds
        Of the models that a run has; the others are taken to be as quick as on the reference
        machine, and their libraries are not loaded.
    """
    random = np.random.default_rng(0)
    X = random.standard_normal((_N_ROWS, _N_FEATURES)).astype(np.float32)
    y = random.standard_normal(_N_ROWS)
    problem = Problem(y=y, rows=np.arange(_N_ROWS), task="regression", seed=0)
    names = [f"f{j}" for j in range(_N_FEATURES)]

    def fitted_s(kind: Kind, family: str, hyperparameters: dict[str, float]) -> float:
        if kind not in kinds:
            return float(getattr(REFERENCE, kind))
        fit = load_family(family).fit
        return _least(lambda: fit(X, names, [problem], hyperparameters))

    sink = pa.BufferOutputStream()
    table = pa.table({name: X[:, j] for j, name in enumerate(names)})
    pq.write_table(table, sink, compression="zstd", use_dictionary=False)
    content = sink.getvalue()
    with ThreadLimits(1).applied():
        return Speed(
            trees=fitted_s("trees", "lightgbm", _TREES),
            linear=fitted_s("linear", "ridge", {}),
            columns=_least(lambda: _compare(content)),
        )


def _compare(content: pa.Buffer) -> float:
    table = pq.read_table(pa.BufferReader(content), use_threads=False)
    values = np.column_stack([column.to_numpy() for column in table.columns])
    order = np.argsort(values, axis=0, kind="stable")
    return float(np.take_along_axis(values, order, axis=0).sum())


def _least(work: Callable[[], object]) -> float:
    """Return the CPU seconds of this thread for the quickest of some tries."""
    seconds = []
    for _ in range(_N_TRIES):
        start = time.thread_time()
        work()
        seconds.append(time.thread_time() - start)
    return max(min(seconds), 1e-6)
