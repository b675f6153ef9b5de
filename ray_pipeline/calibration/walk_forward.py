"""The walk-forward of a run, symbol by symbol: out-of-sample predictions, scores and outcomes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ray_pipeline.calibration.meanings import Meaning, known_times, outcome_table
from ray_pipeline.calibration.scores import score_column, target_scores
from ray_pipeline.records import View
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.predictions import GROUP, PREDICTIONS
from ray_pipeline.training.served_jobs import ServedJob

__all__ = ["history_outcomes", "history_source_rows", "placed", "read_walks"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_COLUMNS = ("ts", "symbol", "target", "view", "family", "prediction", "actual", "standing")
_JOB = ("target", "view", "family")
_KEPT = ("ts", "prediction", "actual", "standing", GROUP)


def read_walks(
    run: RunDirectory,
    symbols: Sequence[tuple[str, tuple[ServedJob, ...]]],
    name: str = PREDICTIONS,
) -> Iterator[tuple[str, pa.Table]]:
    """Read the out-of-sample predictions of symbols, and give them one symbol after the other.

    Parameters
    ----------
    symbols
        What serves each symbol.
    name
        Of the table.
    """
    jobs: set[tuple[str, str, str]] = {
        (job.target, job.view, job.family) for _, each in symbols for job in each
    }
    wanted = pa.array([symbol for symbol, _ in symbols], pa.string())
    with run.open_table(name) as file:
        names = [each for each in (*_COLUMNS, GROUP) if each in file.schema_arrow.names]
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
        jobs[i].job_id: placed(
            table["standing"].filter(pa.array(which == i)), at[which == i], len(times)
        )
        for i in places
    }
    scores = target_scores([jobs[i] for i in places], standings)[score_column(target)]
    return times, scores, placed(table["actual"], at, len(times))


def history_source_rows(
    walked: pa.Table, jobs: Sequence[ServedJob], meaning: Meaning, views: Sequence[View]
) -> pa.Table:
    """Return a symbol's walk-forward as `OUTCOMES`.

    A label is known at the symbol's row a horizon on. Those of the last rows are not learned from:
    when they were known, the walk-forward does not say.
    """
    times, scores, actual = history_outcomes(walked, jobs, meaning.target, views)
    return outcome_table(times, known_times(times, meaning.horizon_bars), scores, actual)


def placed(values: pa.ChunkedArray, at: np.ndarray[Any, Any], n_rows: int) -> np.ndarray[Any, Any]:
    """Put values where they belong, with NaN everywhere else."""
    found = np.full(n_rows, np.nan)
    found[at] = values.to_numpy()
    return found


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
