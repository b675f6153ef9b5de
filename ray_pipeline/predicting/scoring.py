"""Scoring a symbol's table with its models: the code behind both the command and Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.calibration.scores import score_column, target_scores
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.predicting.serving import quantile_columns
from ray_pipeline.predicting.times import since_ns
from ray_pipeline.routing.jobs import RANK_AVERAGE
from ray_pipeline.statistics.familiar import unfamiliar
from ray_pipeline.statistics.percentile_scale import mean_percentile
from ray_pipeline.training.models import TrainedModel
from ray_pipeline.training.predictions import GROUP
from ray_pipeline.training.served_jobs import ServedJob

__all__ = [
    "N_UNUSUAL",
    "UNUSUAL",
    "Replayed",
    "Scores",
    "first_predictable_row",
    "known_from",
    "replay",
    "score_table",
    "scores_schema",
]

Floats = NDArray[np.float64]

N_UNUSUAL, UNUSUAL = "n_unusual", "unusual"
"""Columns with the number and names of a row's features that differ from the training's."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of one symbol.

    Attributes
    ----------
    table
        ``ts``, ``in_sample``, a score per target, raw columns, the group if the run had groups.
    first_row
        First row of the symbol's table that can be predicted, from 0; it may lie beyond its end.
    known_ns
        When the last label that one of the models learned from became known: earlier rows are
        in-sample.
    """

    table: pa.Table
    first_row: int
    known_ns: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a model's predictions of its last training rows compare with those made in training.

    Attributes
    ----------
    n_compared, n_different
        Rows that the symbol's table still has, and those with another prediction.
    largest_difference
        Between two of them, NaN if undefined.
    """

    n_compared: int
    n_different: int
    largest_difference: float


def scores_schema(
    targets: Sequence[str],
    raw: Sequence[str],
    calibrated: Sequence[str] = (),
    *,
    is_grouped: bool = False,
) -> pa.Schema:
    """Return the columns of scores: time, facts about a row, scores, predictions.

    Each row says whether it is in-sample, when the last label of the training was known, and how
    many of its features are unlike the training's and which. If symbols are compared within
    groups, that of the row comes last.

    Parameters
    ----------
    calibrated
        Columns of what scores mean, as `ray_pipeline.calibration.meanings` names them.
    """
    names = (*map(score_column, targets), *calibrated, *raw)
    numbers = [(name, pa.float64()) for name in names]
    groups = [(GROUP, pa.string())] if is_grouped else []
    head = [
        ("ts", pa.timestamp("ns", "UTC")),
        ("in_sample", pa.bool_()),
        ("known_ts", pa.timestamp("ns", "UTC")),
        (N_UNUSUAL, pa.int32()),
        (UNUSUAL, pa.string()),
    ]
    return pa.schema([*head, *numbers, *groups])


def known_from(models: Sequence[TrainedModel]) -> int:
    """Return from when on the models learned from no row's label.

    Runs before version 0.5.0 record the time of their last training row, but not when its label
    became known.
    """
    found = []
    for model in models:
        trained = model.metadata["trained_on"]
        known = trained.get("known_ts")
        found.append(since_ns(trained["last_ts"]) + 1 if known is None else since_ns(known))
    return max(found)


def first_predictable_row(models: Sequence[TrainedModel]) -> int:
    """Return the first row with enough history for the features of all models."""
    return max(int(model.metadata["first_predictable_row"]) for model in models)


def score_table(
    table: SymbolTable,
    jobs: Sequence[ServedJob],
    models: Mapping[str, TrainedModel],
    schema: pa.Schema,
    since: int | None,
    *,
    in_sample: bool,
) -> Scores:
    """Score the rows of one symbol independently.

    The score of a target is the mean of percentiles in [0, 1]: over the families of each view, then
    over the views. An average among the jobs has its raw column but does not count separately,
    because the families that it averages already do.

    Parameters
    ----------
    table
        With every feature that a model needs.
    jobs
        What serves the symbol, at least one.
    models
        By job.
    schema
        Columns to return; those that no job fills are null.
    since
        Leave out rows before this time; None for none.
    in_sample
        Also return rows whose labels one of the models learned from.
    """
    known_ns = known_from([models[job.job_id] for job in jobs])
    if not in_sample:
        since = known_ns if since is None else max(since, known_ns)
    first_row = first_predictable_row([models[job.job_id] for job in jobs])
    start = first_row
    if since is not None:
        start = max(start, int(np.searchsorted(table.time_ns, since)))
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
    columns |= target_scores(jobs, percentiles)
    times = table.time_ns[start:]
    cells: dict[str, pa.Array] = {
        name: pa.array(values, from_pandas=True) for name, values in columns.items()
    }
    if table.groups is not None:
        cells[GROUP] = table.groups.at(slice(start, None)).to_arrow().cast(pa.string())
    cells |= _unusual(table, start, [models[job.job_id] for job in jobs])
    cells["ts"] = pa.array(times, schema.field("ts").type)
    cells["in_sample"] = pa.array(times < known_ns)
    cells["known_ts"] = pa.array(np.full(len(times), known_ns), schema.field("known_ts").type)
    arrays = [
        cells[name] if name in cells else pa.nulls(len(times), kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return Scores(pa.table(arrays, schema=schema), first_row, known_ns)


def _unusual(table: SymbolTable, start: int, models: Sequence[TrainedModel]) -> dict[str, pa.Array]:
    """Count and name the features of each row that are unlike those a model learned from.

    Nothing for models of versions before 0.5.0, which do not record their training features.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    for model in models:
        ranges = model.ranges
        if ranges is None:
            return {}
        cells = unfamiliar(_matrix(table, model, slice(start, None)), ranges)
        for name, column in zip(model.features, cells.T, strict=True):
            found[name] = found[name] | column if name in found else column
    names = np.array(list(found), dtype=object)
    cells = np.column_stack(list(found.values()))
    counts = cells.sum(axis=1)
    told = np.full(len(counts), None, dtype=object)
    for row in np.flatnonzero(counts):
        told[row] = ", ".join(names[cells[row]])
    return {
        N_UNUSUAL: pa.array(counts.astype(np.int32)),
        UNUSUAL: pa.array(told, pa.string()),
    }


def replay(table: SymbolTable, model: TrainedModel) -> Replayed:
    """Predict the remaining rows of a model's last training rows again, and compare bit by bit.

    Rows without enough history in this table are skipped: their features differ from the
    training's, but that does not indicate other data.
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
    """Return the model's features in its order, C-ordered as in training."""
    place = {name: j for j, name in enumerate(table.feature_names)}
    features = table.features[rows]
    return np.ascontiguousarray(features[:, [place[name] for name in model.features]])
