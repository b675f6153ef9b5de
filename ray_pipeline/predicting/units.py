"""Scoring as units of work: one symbol's files in, one file of scores out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.calibration.meanings import OUTCOMES, Meaning, known_times, outcome_table
from ray_pipeline.calibration.scores import score_column
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.identity import Identity
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.membership import members_at
from ray_pipeline.panel.reading import PartitionReader
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.predicting.calibrating import CalibratedRows, read_calibrated
from ray_pipeline.predicting.history import history_scores
from ray_pipeline.predicting.models import ScoringReader
from ray_pipeline.predicting.scoring import (
    N_UNUSUAL,
    UNUSUAL,
    Scores,
    known_from,
    replay,
    score_table,
    scores_schema,
)
from ray_pipeline.records import MembershipSpans, SymbolPartition
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.model_checks import check_columns, check_interval
from ray_pipeline.training.models import TrainedModel, changed_libraries
from ray_pipeline.training.predictions import GROUP
from ray_pipeline.training.served_jobs import ServedJob

__all__ = [
    "PredictSpec",
    "ScoringSpec",
    "check_table",
    "columns_read",
    "later_outcomes",
    "predict_symbol",
    "replay_record",
    "score_symbol",
    "with_meanings",
]

_NS = 10**9
_ROWS_OF_GROUP = 1_000_000
"""Fewer rows than a Parquet writer puts into one row group."""
_N_NAMED = 3


@dataclass(frozen=True, slots=True)
class ScoringSpec:
    """One symbol to score.

    Attributes
    ----------
    run_uri, run_options
        Where the models are; workers read them themselves.
    jobs
        The jobs that serve the symbol, without the other symbols they serve.
    seals
        The ``sha256`` of their models' metadata, including members, which identifies the models'
        files; none for an unusable model.
    families
        Identities of the families of all usable models: they load and predict with code that no
        import reaches.
    targets, raw
        Scores and predictions to write.
    meanings
        Outcomes to which the scores of targets are calibrated; none: they are not.
    interval
        The run's interval, for messages.
    in_sample
        Whether rows are scored whose labels the models learned from.
    until_ns
        As of `later_outcomes`.
    """

    partition: SymbolPartition
    request: TableRequest
    run_uri: str
    run_options: Mapping[str, Any]
    jobs: tuple[ServedJob, ...]
    seals: Mapping[str, str]
    families: tuple[Identity, ...]
    targets: tuple[str, ...]
    raw: tuple[str, ...]
    meanings: tuple[Meaning, ...]
    interval: str | None
    in_sample: bool
    until_ns: int | None


@dataclass(frozen=True, slots=True)
class PredictSpec:
    """One symbol whose scores are written, with their meanings.

    Attributes
    ----------
    scores
        Table that `score_symbol` wrote.
    history, walked
        Table of the symbol's walk-forward, whose rows come first; None: without it. And the jobs by
        which it was sorted, possibly of more targets than are needed here.
    calibrated
        By target.
    columns
        Of the file.
    known_ns
        From when on models score by themselves.
    since_ns
        Rows before it are left out.
    name
        Of the file to write.
    """

    scores: str
    history: str | None
    walked: tuple[ServedJob, ...]
    calibrated: Mapping[str, CalibratedRows]
    targets: tuple[str, ...]
    raw: tuple[str, ...]
    columns: tuple[str, ...]
    is_grouped: bool
    known_ns: int
    in_sample: bool
    since_ns: int | None
    membership: MembershipSpans | None
    name: str


def score_symbol(reader: ScoringReader, spec: ScoringSpec) -> dict[str, Any]:
    """Score a symbol; write the scores and their outcomes (unit function).

    Raises
    ------
    ArtifactError
        When a model cannot be used, here or on this symbol's table.
    DataError
        When the table cannot be used.
    """
    run = RunDirectory(spec.run_uri, spec.run_options)
    models = {job.job_id: reader.models.get(run, job.job_id, spec.seals) for job in spec.jobs}
    for job in spec.jobs:
        job.check(models[job.job_id].metadata, run.uri)
    table = reader.table(spec.partition, _what_it_needs(spec, list(models.values())))
    read = columns_read(spec.request)
    if (read is None or read) and np.isnan(table.features).all(axis=0).any():
        # By now, a missing column looks like one without values.
        with PartitionReader(spec.partition, reader.fs, spec.request.rules) as file:
            columns = [name for name, _ in file.columns]
        for model in models.values():
            check_columns(model.metadata, columns, table.symbol, read)
    check_table(table, spec.request, spec.interval)
    schema = scores_schema(spec.targets, spec.raw, is_grouped=spec.request.group is not None)
    scores = score_table(table, spec.jobs, models, schema, None, in_sample=spec.in_sample)
    name = table_name("scores")
    reader.run.write_table(name, scores.table)
    outcomes, groups = _write_outcomes(reader, spec, table, scores)
    first = scores.first_row
    return {
        "scores": name,
        "outcomes": outcomes,
        "outcome_groups": groups,
        "known_ns": scores.known_ns,
        "has_later_rows": bool(len(table.time_ns)) and int(table.time_ns[-1]) >= scores.known_ns,
        "n_bytes_read": table.n_bytes_read,
        "n_bytes_of_files": sum(file.size_bytes for file in spec.partition.files),
        "first_predictable_row": first,
        "first_predictable_time_ns": int(table.time_ns[first]) if first < table.n_rows else None,
        "models": {name: dict(model.metadata["files"]) for name, model in models.items()},
        "replay": replay_record(table, models),
    }


def _what_it_needs(spec: ScoringSpec, models: Sequence[TrainedModel]) -> TableRequest:
    """Return the request: for labeled tables, only rows that models score or replay.

    Features of bars look back, and the clock of their labels is found from all of a symbol's bars.
    """
    if spec.in_sample or spec.request.kind != "labeled":
        return spec.request
    symbol = spec.partition.symbol
    replayed = [
        row["time_ns"]
        for model in models
        for row in model.metadata["replay"]
        if row["symbol"] == symbol
    ]
    return replace(spec.request, since_ns=min([known_from(models), *replayed]))


def _write_outcomes(
    reader: ScoringReader, spec: ScoringSpec, table: SymbolTable, scores: Scores
) -> tuple[str | None, dict[str, list[int]]]:
    """Write scores with their outcomes; return the table, and its row groups by target."""
    pieces: list[pa.Table] = []
    groups: dict[str, list[int]] = {}
    n_groups = 0
    served = {job.target for job in spec.jobs}
    for meaning in spec.meanings:
        if meaning.target not in served:
            continue
        rows = later_outcomes(table, scores, meaning, spec.until_ns)
        rows = _inside(rows, rows["time_ns"].to_numpy(), spec.partition.membership)
        # An empty piece has a row group too, and a long one several.
        n_pieces = max(1, -(-rows.num_rows // _ROWS_OF_GROUP))
        pieces += [rows.slice(i * _ROWS_OF_GROUP, _ROWS_OF_GROUP) for i in range(n_pieces)]
        groups[meaning.target] = list(range(n_groups, n_groups + n_pieces))
        n_groups += n_pieces
    if not pieces:
        return None, {}
    name = table_name("outcomes")
    reader.run.write_tables(name, OUTCOMES, iter(pieces))
    return name, groups


def later_outcomes(
    table: SymbolTable, scores: Scores, meaning: Meaning, until_ns: int | None
) -> pa.Table:
    """Return the known outcomes of a target's scores for rows that no model learned from.

    Parameters
    ----------
    table
        With the labels of these rows, if available.
    until_ns
        Up to when the run used rows, None if unknown. Outcomes of earlier rows are not used: a
        ledger, which must agree, has no scores of these models for them.
    """
    times = scores.table["ts"].cast(pa.int64()).to_numpy()
    is_new = times >= scores.known_ns
    rows = np.searchsorted(table.time_ns, times[is_new])
    labels = np.full(len(rows), np.nan)
    if meaning.target in table.target_names:
        labels = table.targets[rows, table.target_names.index(meaning.target)]
    if until_ns is not None:
        labels = np.where(times[is_new] < until_ns, np.nan, labels)
    return outcome_table(
        times[is_new],
        known_times(table.time_ns, meaning.horizon_bars)[rows],
        scores.table[score_column(meaning.target)].to_numpy()[is_new],
        labels,
    )


def predict_symbol(reader: ScoringReader, spec: PredictSpec) -> dict[str, Any]:
    """Write the file of a symbol: its scores and their meanings (unit function)."""
    scores = reader.run.read_table(spec.scores)
    if spec.history is not None:
        walked = reader.run.read_table(spec.history)
        plain = scores_schema(spec.targets, spec.raw, is_grouped=spec.is_grouped)
        earlier = history_scores(walked, spec.walked, spec.targets, plain, spec.known_ns)
        scores = pa.concat_tables([earlier, scores])
    if spec.since_ns is not None:
        scores = scores.filter(pc.greater_equal(scores["ts"].cast(pa.int64()), spec.since_ns))
    schema = scores_schema(spec.targets, spec.raw, spec.columns, is_grouped=spec.is_grouped)
    meanings = {
        target: read_calibrated(reader.run, where) for target, where in spec.calibrated.items()
    }
    written = with_meanings(scores, meanings.values(), schema)
    n_scored = written.num_rows
    # Where a symbol is not a member it has no standing.
    written = _inside(written, written["ts"].cast(pa.int64()).to_numpy(), spec.membership)
    times = written["ts"].cast(pa.int64()).to_numpy()
    reader.run.write_table(spec.name, written)
    unusual = written.filter(pc.greater(written[N_UNUSUAL], 0))
    n_before = int((times < spec.known_ns).sum())
    return {
        "n_rows": written.num_rows,
        "n_outside_universe": n_scored - written.num_rows,
        "n_without_group": written.column(GROUP).null_count if spec.is_grouped else 0,
        "n_history": 0 if spec.in_sample else n_before,
        "n_unusual": unusual.num_rows,
        "unusual": _most_frequent(unusual[UNUSUAL].to_pylist()),
        "first_time_ns": int(times[0]) if len(times) else None,
        "last_time_ns": int(times[-1]) if len(times) else None,
    }


def with_meanings(scores: pa.Table, meanings: Iterable[pa.Table], schema: pa.Schema) -> pa.Table:
    """Return scores with the columns that say what they mean; null if nothing was known.

    Parameters
    ----------
    meanings
        For each target ``time_ns`` and its columns, of the same symbol.
    schema
        Schema of the scores, including these columns.
    """
    times = scores["ts"].cast(pa.int64()).to_numpy()
    found: dict[str, pa.Array] = {}
    for meaning in meanings:
        known = meaning["time_ns"].to_numpy()
        at = np.minimum(np.searchsorted(known, times), max(0, len(known) - 1))
        is_there = np.zeros(len(times), dtype=np.bool_)
        if len(known):
            is_there = known[at] == times
        for name in meaning.column_names[1:]:
            values = np.full(len(times), np.nan)
            values[is_there] = meaning[name].to_numpy()[at[is_there]]
            found[name] = pa.array(values, from_pandas=True)
    # Scores of rows that models learned from have no honest meaning.
    learned = scores["in_sample"]
    columns = [
        scores[name]
        if name in scores.column_names
        else pc.if_else(learned, pa.scalar(None, kind), found[name])
        if name in found
        else pa.nulls(len(times), kind)
        for name, kind in zip(schema.names, schema.types, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _inside(
    table: pa.Table, times: NDArray[np.int64], membership: MembershipSpans | None
) -> pa.Table:
    inside = members_at(membership, times)
    return table if inside is None else table.filter(pa.array(inside))


def _most_frequent(texts: Iterable[str]) -> list[str]:
    """Return the most frequent features."""
    counts = Counter(name for text in texts for name in text.split(", "))
    return sorted(counts, key=lambda name: (-counts[name], name))[:_N_NAMED]


def columns_read(request: TableRequest) -> tuple[str, ...] | None:
    """Return the features that are columns of a table, None if all are."""
    return None if request.kind == "labeled" else request.own_columns


def check_table(table: SymbolTable, request: TableRequest, interval: str | None) -> None:
    """Refuse a table at another interval than the models'.

    Raises
    ------
    ArtifactError
        Naming both.
    """
    steps, counts = np.unique(np.diff(table.time_ns), return_counts=True)
    seconds = dict(zip((steps / _NS).tolist(), counts.tolist(), strict=True))
    check_interval(request.interval, seconds, f"symbol {table.symbol}", interval or "")


def replay_record(table: SymbolTable, models: Mapping[str, TrainedModel]) -> dict[str, Any]:
    """Compare the models' predictions of their last training rows with those made in training.

    Returns
    -------
    dict
        Rows compared and different over all models, the largest difference, the models that
        differ, and the libraries that these were written by in another version than is here.
    """
    replayed = {name: replay(table, model) for name, model in models.items()}
    differing = [name for name, each in replayed.items() if each.n_different]
    return {
        "n_compared": sum(each.n_compared for each in replayed.values()),
        "n_different": sum(each.n_different for each in replayed.values()),
        "largest_difference": max(
            (replayed[name].largest_difference for name in differing), default=None
        ),
        "models": differing,
        "libraries": sorted(
            {text for name in differing for text in changed_libraries(models[name])}
        ),
    }
