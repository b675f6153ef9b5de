"""The comparison as units of work: the current version scores, then both are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.calibration.scores import score_column
from ray_pipeline.errors import ArtifactError, DataError
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.identity import Identity
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.predicting.models import ModelCache
from ray_pipeline.predicting.scoring import score_table, scores_schema
from ray_pipeline.predicting.units import check_table
from ray_pipeline.promoting.deciding import SameRows, compare_rows
from ray_pipeline.records import SymbolPartition, Task, View
from ray_pipeline.samples.pool import row_groups_of
from ray_pipeline.statistics.cells import cells_of
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.predictions import GROUP
from ray_pipeline.training.served_jobs import ServedJob

__all__ = ["PresentSpec", "SameRowsSpec", "compare_versions", "score_present"]

Floats = NDArray[np.float64]

_SCORES = pa.schema(
    [
        ("ts", pa.timestamp("ns", "UTC")),
        ("symbol", pa.string()),
        ("target", pa.string()),
        ("view", pa.string()),
        ("score", pa.float64()),
        ("predicted", pa.float64()),
    ]
)
"""``predicted`` is the mean over families of what they predict, to recognise equal models."""

_OF_NEW = ("ts", "symbol", "standing", "prediction", "actual", "outcome", "fold")
_SAME = 1e-9
"""Relative tolerance for equal predictions: a mean over families may round differently."""


@dataclass(frozen=True, slots=True)
class PresentSpec:
    """Some symbols to score with the models of the serving version.

    Attributes
    ----------
    run_uri, run_options
        Where its models are.
    symbols
        Partition of each symbol, and the jobs that are compared there.
    request
        Features of all of them.
    seals, families
        As of `ray_pipeline.predicting.units.PredictSpec`.
    since_ns
        From when on rows are scored: after the data that the version learned from.
    """

    run_uri: str
    run_options: Mapping[str, Any]
    symbols: tuple[tuple[SymbolPartition, tuple[ServedJob, ...]], ...]
    request: TableRequest
    seals: Mapping[str, str]
    families: tuple[Identity, ...]
    interval: str | None
    since_ns: int


@dataclass(frozen=True, slots=True)
class SameRowsSpec:
    """The comparison of a target and view.

    Attributes
    ----------
    axis
        Table of the panel's timestamps.
    present
        Tables of `score_present`.
    new
        Tables of the new models' out-of-sample predictions, without averages.
    told
        Numbers of the informative new folds; None: all of them.
    span, spacing, min_cs
        As of `ray_pipeline.promoting.deciding.compare_rows`.
    """

    axis: str
    target: str
    view: View
    task: Task
    present: tuple[str, ...]
    new: tuple[str, ...]
    told: tuple[int, ...] | None
    span: int
    spacing: float
    min_cs: int


def score_present(reader: PanelReader, spec: PresentSpec) -> dict[str, Any]:
    """Score the rows that the models have not learned from (unit function).

    A symbol whose table the models cannot score is left out, with the reason.
    """
    run, cache = RunDirectory(spec.run_uri, spec.run_options), ModelCache()
    found: list[pa.Table] = []
    left_out: dict[str, str] = {}
    for partition, jobs in spec.symbols:
        try:
            found.extend(_scores(reader, spec, run, cache, partition, jobs))
        except (ArtifactError, DataError) as error:
            left_out[partition.symbol] = str(error)
    name = table_name("present")
    reader.run.write_table(name, pa.concat_tables([_SCORES.empty_table(), *found]))
    return {"table": name, "left_out": left_out, "n_rows": sum(each.num_rows for each in found)}


def _scores(
    reader: PanelReader,
    spec: PresentSpec,
    run: RunDirectory,
    cache: ModelCache,
    partition: SymbolPartition,
    jobs: Sequence[ServedJob],
) -> list[pa.Table]:
    table = reader.table(partition, spec.request)
    check_table(table, spec.request, spec.interval)
    models = {job.job_id: cache.get(run, job.job_id, spec.seals) for job in jobs}
    pieces = []
    for target, view in dict.fromkeys((job.target, job.view) for job in jobs):
        own = [job for job in jobs if (job.target, job.view) == (target, view)]
        for job in own:
            job.check(models[job.job_id].metadata, run.uri)
        raw = tuple(dict.fromkeys(job.column for job in own))
        schema = scores_schema((target,), raw)
        rows = score_table(table, own, models, schema, spec.since_ns, in_sample=False).table
        n = rows.num_rows
        columns = [
            rows["ts"].combine_chunks(),
            pa.repeat(partition.symbol, n),
            pa.repeat(target, n),
            pa.repeat(view, n),
            rows[score_column(target)].combine_chunks(),
            pa.array(np.mean([rows[name].to_numpy() for name in raw], axis=0)),
        ]
        pieces.append(pa.table(columns, schema=_SCORES))
    return pieces


def compare_versions(reader: PanelReader, spec: SameRowsSpec) -> dict[str, Any]:
    """Compare both versions on the rows that they share (unit function)."""
    rows = _same_rows(reader, spec)
    found = compare_rows(
        spec.target, spec.view, spec.task, rows, spec.span, spec.spacing, spec.min_cs
    )
    return asdict(found)


def _same_rows(reader: PanelReader, spec: SameRowsSpec) -> SameRows:
    present = pa.concat_tables(
        [
            table.filter(
                pc.and_(pc.equal(table["target"], spec.target), pc.equal(table["view"], spec.view))
            )
            for table in reader.run.read_tables(spec.present)
        ]
    )
    since = pc.min(present["ts"])
    new = pa.concat_tables(
        [
            table.select([name for name in (*_OF_NEW, GROUP) if name in table.column_names]).filter(
                pc.greater_equal(table["ts"], since)
            )
            for table in reader.run.read_tables(spec.new)
        ]
    )
    both = _joined(new, present)
    positions = np.searchsorted(reader.axis(spec.axis), both["ts"].cast(pa.int64()).to_numpy())
    order = np.argsort(positions, kind="stable")
    both, positions = both.take(pa.array(order)), positions[order]
    cells = positions
    if GROUP in both.column_names:
        cells = cells_of(positions, row_groups_of(both).codes)
    names = both["symbol"].to_pylist()
    folds = both["fold"].to_numpy().astype(np.int64)
    return SameRows(
        new=both["new"].to_numpy(),
        present=both["present"].to_numpy(),
        actual=both["actual"].to_numpy(),
        outcome=both["outcome"].to_numpy(),
        positions=positions,
        cells=cells,
        symbols=np.unique(np.array(names, dtype=str), return_inverse=True)[1].astype(np.int64),
        folds=folds,
        is_same=np.isclose(
            both["predicted_new"].to_numpy(), both["predicted"].to_numpy(), rtol=_SAME, atol=0.0
        ),
        is_told=np.ones(len(folds), dtype=bool) if spec.told is None else np.isin(folds, spec.told),
    )


def _joined(new: pa.Table, present: pa.Table) -> pa.Table:
    """Return the rows that all families of the new models and the present ones predicted.

    Sorted by symbol and time; ``new`` is the mean standing over the families, and
    ``predicted_new`` and ``predicted`` what both predicted.
    """
    key = ["symbol", "ts"]
    others = [name for name in (*_OF_NEW[4:], GROUP) if name in new.column_names]
    summed = new.group_by(key).aggregate(
        [
            *(("standing", "mean"), ("standing", "count"), ("prediction", "mean")),
            *((name, "min") for name in others),
        ]
    )
    counts = summed["standing_count"]
    whole = summed.filter(pc.equal(counts, pc.max(counts)))
    scored = present.filter(pc.is_finite(present["score"])).select([*key, "score", "predicted"])
    joined = whole.join(scored, key, join_type="inner").sort_by(
        [(name, "ascending") for name in key]
    )
    columns = {
        **{name: joined[name] for name in key},
        "new": joined["standing_mean"],
        "present": joined["score"],
        "predicted_new": joined["prediction_mean"],
        "predicted": joined["predicted"],
        **{name: joined[f"{name}_min"] for name in others},
    }
    for name in ("actual", "outcome"):
        columns[name] = pc.fill_null(columns[name], np.nan)
    return pa.table(columns)
