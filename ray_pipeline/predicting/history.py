"""Predictions of rows that models were trained on: those of the walk-forward, never the models'."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ray_pipeline.errors import ArtifactError
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.predicting.scoring import score_column, target_scores
from ray_pipeline.predicting.serving import ServedJob
from ray_pipeline.records import View
from ray_pipeline.results.tables import PREDICTIONS
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.predictions import GROUP

__all__ = [
    "HistorySpec",
    "has_standings",
    "history_outcomes",
    "history_scores",
    "read_history",
    "read_walks",
    "require_standings",
    "split_history",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROWS_AT_ONCE = 4_000_000
"""Rows of the whole table for which one unit sorts out those of its symbols."""

_COLUMNS = ("ts", "symbol", "target", "view", "family", "prediction", "actual", "standing")
_JOB = ("target", "view", "family")
_KEPT = ("ts", "prediction", "actual", "standing", GROUP)


@dataclass(frozen=True, slots=True)
class HistorySpec:
    """Symbols whose rows are sorted out of a run's out-of-sample predictions.

    Attributes
    ----------
    run_uri, run_options
        The run.
    content
        Its ``content_sha256``, which stands for the table.
    symbols
        What serves each symbol.
    """

    run_uri: str
    run_options: Mapping[str, Any]
    content: str
    symbols: tuple[tuple[str, tuple[ServedJob, ...]], ...]


def has_standings(run: RunDirectory) -> bool:
    """Tell whether a run says where its out-of-sample predictions stand."""
    if not run.exists(PREDICTIONS):
        return False
    with run.open_table(PREDICTIONS) as file:
        return "standing" in file.schema_arrow.names


def require_standings(run: RunDirectory) -> None:
    """Refuse a walk-forward that has no scores.

    Raises
    ------
    ArtifactError
        When a version before 0.5.0 wrote it, which recorded no standings.
    """
    if not has_standings(run):
        raise ArtifactError(
            f"{run.uri}/{PREDICTIONS} does not say where its predictions stand: a version before "
            "0.5.0 wrote it, or it is missing. Run again with this one, or leave --history out."
        )


def read_history(
    runner: UnitRunner,
    run: RunDirectory,
    run_options: Mapping[str, Any],
    content: str,
    served: Mapping[str, Sequence[ServedJob]],
) -> dict[str, str]:
    """Sort a run's out-of-sample predictions by symbol.

    Returns
    -------
    dict
        Symbol to the name of its table in the runner's directory.

    Raises
    ------
    ExecutionError
        When the table cannot be read.
    """
    with run.open_table(PREDICTIONS) as file:
        n_rows = file.metadata.num_rows
    symbols = sorted(served)
    n_units = max(1, min(len(symbols), -(-n_rows // _ROWS_AT_ONCE)))
    units = [
        Unit(
            "history",
            f"part {i}",
            split_history,
            HistorySpec(
                run.uri,
                run_options,
                content,
                tuple((symbol, tuple(served[symbol])) for symbol in symbols[i::n_units]),
            ),
        )
        for i in range(n_units)
    ]
    records = runner.run_required(units)
    return {symbol: name for record in records.values() for symbol, name in record["files"].items()}


def split_history(reader: PanelReader, spec: HistorySpec) -> dict[str, Any]:
    """Write the out-of-sample predictions of some symbols, a table for each (unit function)."""
    run = RunDirectory(spec.run_uri, spec.run_options)
    files: dict[str, str] = {}
    for i, (symbol, walk) in enumerate(read_walks(run, spec.symbols)):
        files[symbol] = table_name(f"history-{i:05d}")
        reader.run.write_table(files[symbol], walk)
    return {"files": files}


def read_walks(
    run: RunDirectory, symbols: Sequence[tuple[str, tuple[ServedJob, ...]]]
) -> Iterator[tuple[str, pa.Table]]:
    """Read the out-of-sample predictions of symbols, and give them one symbol after the other.

    Parameters
    ----------
    symbols
        What serves each symbol.
    """
    jobs: set[tuple[str, str, str]] = {
        (job.target, job.view, job.family) for _, each in symbols for job in each
    }
    wanted = pa.array([symbol for symbol, _ in symbols], pa.string())
    with run.open_table(PREDICTIONS) as file:
        names = [name for name in (*_COLUMNS, GROUP) if name in file.schema_arrow.names]
        pieces = [
            table.filter(pc.is_in(table["symbol"], wanted))
            for group in range(file.metadata.num_row_groups)
            if _may_hold(file, group, jobs)
            for table in [file.read_row_group(group, columns=names)]
        ]
        rows = pa.concat_tables(pieces) if pieces else file.schema_arrow.empty_table()
    # Sorted once: to look for each symbol in all rows would take symbols times rows.
    places = pc.index_in(rows["symbol"], wanted).to_numpy()
    order = np.argsort(places, kind="stable")
    rows = rows.take(pa.array(order))
    bounds = np.searchsorted(places[order], np.arange(len(wanted) + 1))
    for i, (symbol, its) in enumerate(symbols):
        yield symbol, _of_jobs(rows.slice(bounds[i], bounds[i + 1] - bounds[i]), its)


def history_scores(
    table: pa.Table,
    jobs: Sequence[ServedJob],
    targets: Collection[str],
    schema: pa.Schema,
    before_ns: int,
) -> pa.Table:
    """Return a symbol's walk-forward as rows of scores.

    Parameters
    ----------
    table
        As `split_history` wrote it.
    jobs
        What served the symbol there, by whose places its rows are told apart.
    targets
        Those to give, which may be fewer than these jobs have.
    schema
        Of scores.
    before_ns
        From when on models score by themselves.
    """
    own_places = {i: job for i, job in enumerate(jobs) if job.target in targets}
    table = table.filter(pc.is_in(table["job"], pa.array(list(own_places), pa.int32())))
    table = table.filter(pc.less(table["ts"].cast(pa.int64()), before_ns))
    times = np.unique(table["ts"].cast(pa.int64()).to_numpy())
    columns: dict[str, np.ndarray[Any, Any]] = {}
    standings: dict[str, np.ndarray[Any, Any]] = {}
    groups = np.full(len(times), None, dtype=object)
    for i, job in own_places.items():
        own = table.filter(pc.equal(table["job"], i))
        at = np.searchsorted(times, own["ts"].cast(pa.int64()).to_numpy())
        columns[job.column] = _placed(own["prediction"], at, len(times))
        standings[job.job_id] = _placed(own["standing"], at, len(times))
        if GROUP in own.column_names:
            groups[at] = own[GROUP].to_pylist()
    columns |= target_scores(list(own_places.values()), standings)
    columns[GROUP] = groups
    arrays = [pa.array(times, schema.field("ts").type), pa.array(np.zeros(len(times), dtype=bool))]
    for field in list(schema)[2:]:
        found = columns.get(field.name, np.full(len(times), None, dtype=object))
        arrays.append(pa.array(found, field.type, from_pandas=True))
    return pa.table(arrays, schema=schema)


def history_outcomes(
    table: pa.Table, jobs: Sequence[ServedJob], target: str, views: Collection[View]
) -> tuple[Ints, Floats, Floats]:
    """Return times, scores and labels of a target in a symbol's walk-forward, in time order.

    Parameters
    ----------
    table
        As `split_history` wrote it.
    jobs
        What serves the symbol.
    views
        Those whose models make the scores.
    """
    places = [i for i, job in enumerate(jobs) if job.target == target and job.view in views]
    table = table.filter(pc.is_in(table["job"], pa.array(places, pa.int32())))
    times, at = np.unique(table["ts"].cast(pa.int64()).to_numpy(), return_inverse=True)
    which = table["job"].to_numpy()
    standings = {
        jobs[i].job_id: _placed(
            table["standing"].filter(pa.array(which == i)), at[which == i], len(times)
        )
        for i in places
    }
    scores = target_scores([jobs[i] for i in places], standings)[score_column(target)]
    return times, scores, _placed(table["actual"], at, len(times))


def _of_jobs(rows: pa.Table, jobs: Sequence[ServedJob]) -> pa.Table:
    """Return time, job by its place, prediction, standing and group of jobs of a symbol."""
    pieces = []
    for i, job in enumerate(jobs):
        mine = rows
        for name, value in zip(_JOB, (job.target, job.view, job.family), strict=True):
            mine = mine.filter(pc.equal(mine[name], value))
        place = pa.array(np.full(mine.num_rows, i, dtype=np.int32))
        kept = [name for name in _KEPT if name in mine.column_names]
        pieces.append(mine.select(kept).add_column(1, "job", place))
    return pa.concat_tables(pieces)


def _may_hold(file: pq.ParquetFile, group: int, jobs: set[tuple[str, str, str]]) -> bool:
    """Tell whether a row group can hold rows of these jobs, by what its footer says."""
    bounds = []
    of_group = file.metadata.row_group(group)
    for name in _JOB:
        column = of_group.column(file.schema_arrow.get_field_index(name)).statistics
        if column is None or not column.has_min_max:
            return True
        bounds.append((column.min, column.max))
    return any(
        all(low <= value <= high for value, (low, high) in zip(job, bounds, strict=True))
        for job in jobs
    )


def _placed(values: pa.ChunkedArray, at: np.ndarray[Any, Any], n_rows: int) -> np.ndarray[Any, Any]:
    found = np.full(n_rows, np.nan)
    found[at] = values.to_numpy()
    return found
