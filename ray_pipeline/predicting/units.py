"""Scoring as units of work: one symbol's file in, one file of scores out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.identity import Identity
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.membership import members_at
from ray_pipeline.panel.reading import PartitionReader
from ray_pipeline.panel.table import SymbolTable
from ray_pipeline.predicting.history import history_scores
from ray_pipeline.predicting.models import ScoringReader
from ray_pipeline.predicting.scoring import (
    N_UNUSUAL,
    UNUSUAL,
    replay,
    score_table,
    scores_schema,
)
from ray_pipeline.predicting.serving import ServedJob
from ray_pipeline.records import SymbolPartition
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.model_checks import check_columns, check_interval
from ray_pipeline.training.models import TrainedModel, changed_libraries
from ray_pipeline.training.predictions import GROUP

__all__ = ["PredictSpec", "check_table", "columns_read", "predict_symbol", "replay_record"]

_NS = 10**9
_N_NAMED = 3


@dataclass(frozen=True, slots=True)
class PredictSpec:
    """One symbol to score.

    Attributes
    ----------
    run_uri, run_options
        Where the models are; workers read them themselves.
    jobs
        What serves the symbol.
    seals
        The ``sha256`` of their models' metadata, members' among them, which stands for the models'
        files; none of a model that cannot be used.
    families
        Identities of the families of all models that could: these load and predict by code that no
        import leads to.
    targets, raw
        Columns of the file.
    interval
        As the run names it, for messages.
    since_ns
        Rows before it are left out.
    in_sample
        Whether rows are scored whose labels the models learned from.
    history
        Name of the table of the symbol's walk-forward, whose rows come before the models'; None:
        they are left out.
    name
        Of the file to write.
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
    interval: str | None
    since_ns: int | None
    in_sample: bool
    history: str | None
    name: str


def predict_symbol(reader: ScoringReader, spec: PredictSpec) -> dict[str, Any]:
    """Score a symbol and write its file (unit function).

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
    table = reader.table(spec.partition, spec.request)
    read = columns_read(spec.request)
    if (read is None or read) and np.isnan(table.features).all(axis=0).any():
        # A column that is not there and one without a value look alike by now.
        with PartitionReader(spec.partition, reader.fs, spec.request.rules) as file:
            columns = [name for name, _ in file.columns]
        for model in models.values():
            check_columns(model.metadata, columns, table.symbol, read)
    check_table(table, spec.request, spec.interval)
    is_grouped = spec.request.group is not None
    schema = scores_schema(spec.targets, spec.raw, is_grouped=is_grouped)
    scores = score_table(table, spec.jobs, models, schema, spec.since_ns, in_sample=spec.in_sample)
    first, written, n_history = scores.first_row, scores.table, 0
    if spec.history is not None:
        walked = reader.run.read_table(spec.history)
        earlier = history_scores(walked, spec.jobs, schema, scores.known_ns)
        if spec.since_ns is not None:
            is_asked = pc.greater_equal(earlier["ts"].cast(pa.int64()), spec.since_ns)
            earlier = earlier.filter(is_asked)
        n_history = earlier.num_rows
        written = pa.concat_tables([earlier, written])
    n_scored = written.num_rows
    times = written.column("ts").cast("int64").to_numpy()
    inside = members_at(spec.partition.membership, times)
    if inside is not None:
        # Where a symbol is no member it has no standing.
        written, times = written.filter(pa.array(inside)), times[inside]
    reader.run.write_table(spec.name, written)
    unusual = written.filter(pc.greater(written[N_UNUSUAL], 0))
    return {
        "n_rows": written.num_rows,
        "n_outside_universe": n_scored - written.num_rows,
        "n_without_group": written.column(GROUP).null_count if is_grouped else 0,
        "n_history": n_history,
        "n_unusual": unusual.num_rows,
        "unusual": _most_frequent(unusual[UNUSUAL].to_pylist()),
        "known_ns": scores.known_ns,
        "has_later_rows": bool(len(table.time_ns)) and int(table.time_ns[-1]) >= scores.known_ns,
        "first_time_ns": int(times[0]) if len(times) else None,
        "last_time_ns": int(times[-1]) if len(times) else None,
        "first_predictable_row": first,
        "first_predictable_time_ns": int(table.time_ns[first]) if first < table.n_rows else None,
        "models": {name: dict(model.metadata["files"]) for name, model in models.items()},
        "replay": replay_record(table, models),
    }


def _most_frequent(texts: Iterable[str]) -> list[str]:
    """Return the features that are named most often."""
    counts = Counter(name for text in texts for name in text.split(", "))
    return sorted(counts, key=lambda name: (-counts[name], name))[:_N_NAMED]


def columns_read(request: TableRequest) -> tuple[str, ...] | None:
    """Return the features that are columns of a table, None where all of them are."""
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
    """Compare what the models say of their last training rows with what they said then.

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
