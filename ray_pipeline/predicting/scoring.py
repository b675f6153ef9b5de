"""A symbol's table and its models become scores: the code behind the command and Python alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.predicting.serving import ServedJob, quantile_columns
from ray_pipeline.records import View
from ray_pipeline.routing.jobs import RANK_AVERAGE
from ray_pipeline.statistics.percentile_scale import mean_percentile
from ray_pipeline.training.models import TrainedModel

__all__ = ["Replayed", "Scores", "first_predictable_row", "replay", "score_table", "scores_schema"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of one symbol.

    Attributes
    ----------
    table
        ``ts``, a score per target, raw columns.
    first_row
        First row of the symbol's table that could be predicted, from 0; it may lie beyond its end.
    """

    table: pa.Table
    first_row: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a model's predictions of its last training rows compare with those of then.

    Attributes
    ----------
    n_compared, n_different
        Rows that the symbol's table still has, and those with another prediction.
    largest_difference
        Between two of them, NaN where there is none to take.
    """

    n_compared: int
    n_different: int
    largest_difference: float


def scores_schema(targets: Sequence[str], raw: Sequence[str]) -> pa.Schema:
    """Return the columns of scores: time, a score per target, raw predictions."""
    numbers = [(name, pa.float64()) for name in (*targets, *raw)]
    return pa.schema([("ts", pa.timestamp("ns", "UTC")), *numbers])


def first_predictable_row(models: Sequence[TrainedModel]) -> int:
    """Return the first row at which the features of all models have looked back far enough."""
    return max(int(model.metadata["first_predictable_row"]) for model in models)


def score_table(
    table: SymbolTable,
    jobs: Sequence[ServedJob],
    models: Mapping[str, TrainedModel],
    schema: pa.Schema,
    since_ns: int | None,
) -> Scores:
    """Score the rows of one symbol, each by itself.

    The score of a target is the mean of percentiles in [0, 1]: over the families of each view, then
    over the views. An average among the jobs has its raw column and no voice of its own, since the
    families that it averages have theirs.

    Parameters
    ----------
    table
        With every feature that a model needs.
    jobs
        What serves the symbol, at least one.
    models
        By job.
    schema
        Columns to give; those that no job fills are null.
    since_ns
        Leave out rows before this time; None for none.
    """
    first_row = first_predictable_row([models[job.job_id] for job in jobs])
    start = first_row
    if since_ns is not None:
        start = max(start, int(np.searchsorted(table.time_ns, since_ns)))
    start = min(start, table.n_rows)
    columns: dict[str, Floats] = {}
    percentiles: dict[str, Floats] = {}
    for job in sorted(jobs, key=lambda job: job.family == RANK_AVERAGE):  # members come first
        model = models[job.job_id]
        if model.members and all(member.job_id in percentiles for member in model.members):
            columns[job.column] = mean_percentile(
                [percentiles[member.job_id] for member in model.members]
            )
            continue
        X = _matrix(table, model, slice(start, None))
        columns[job.column] = model.predict(X)
        percentiles[job.job_id] = model.percentile(columns[job.column])
        if model.quantiles:
            names = quantile_columns(job, model.quantiles)
            columns |= zip(names, model.predict_quantiles(X), strict=True)
    for target in dict.fromkeys(job.target for job in jobs):
        columns[target] = _score([job for job in jobs if job.target == target], percentiles)
    n_rows = table.n_rows - start
    arrays = [pa.array(table.time_ns[start:], schema.field("ts").type)]
    arrays += [
        pa.array(columns[name], from_pandas=True) if name in columns else pa.nulls(n_rows, kind)
        for name, kind in zip(schema.names[1:], schema.types[1:], strict=True)
    ]
    return Scores(pa.table(arrays, schema=schema), first_row)


def replay(table: SymbolTable, model: TrainedModel) -> Replayed:
    """Predict what is left of a model's last training rows anew, and compare bit by bit.

    Rows whose features cannot look back far enough in this table are left aside: they are other
    features than those of the training, and no sign of other data.
    """
    first = first_predictable_row([model])
    rows, expected = [], []
    for row in model.metadata["replay"]:
        if row["symbol"] == table.symbol:
            at = int(np.searchsorted(table.time_ns, row["time_ns"]))
            if first <= at < table.n_rows and table.time_ns[at] == row["time_ns"]:
                rows.append(at)
                expected.append(row["prediction"])
    if not rows:
        return Replayed(0, 0, np.nan)
    found = model.predict(_matrix(table, model, np.array(rows)))
    different = found != np.array(expected, dtype=np.float64)
    differences = np.abs(found - np.array(expected, dtype=np.float64))
    largest = float(differences[different].max()) if different.any() else np.nan
    return Replayed(len(rows), int(different.sum()), largest)


def _matrix(
    table: SymbolTable, model: TrainedModel, rows: slice | NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the model's features in its order, C-ordered as they were in training."""
    place = {name: j for j, name in enumerate(table.feature_names)}
    features = table.features[rows]
    return np.ascontiguousarray(features[:, [place[name] for name in model.features]])


def _score(jobs: Sequence[ServedJob], percentiles: Mapping[str, Floats]) -> Floats:
    by_view: dict[View, list[Floats]] = {}
    for job in jobs:
        if job.family != RANK_AVERAGE:
            by_view.setdefault(job.view, []).append(percentiles[job.job_id])
    return mean_percentile([mean_percentile(of_view) for of_view in by_view.values()])
