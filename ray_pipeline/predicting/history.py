"""Predictions of training rows, taken from the walk-forward and never from the final models."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.calibration.scores import target_scores
from ray_pipeline.calibration.walk_forward import placed, read_walks
from ray_pipeline.errors import ArtifactError
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.results.tables import PREDICTIONS
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.predictions import GROUP
from ray_pipeline.training.served_jobs import ServedJob, only_named

__all__ = [
    "HistorySpec",
    "has_standings",
    "history_scores",
    "read_history",
    "require_standings",
    "split_history",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROWS_AT_ONCE = 4_000_000
"""Rows of the whole table from which one unit extracts its symbols' rows."""


@dataclass(frozen=True, slots=True)
class HistorySpec:
    """Symbols whose rows are extracted from a run's out-of-sample predictions.

    Attributes
    ----------
    run_uri, run_options
        The run.
    content
        Its ``content_sha256``, which identifies the table.
    symbols
        The models that serve each symbol.
    """

    run_uri: str
    run_options: Mapping[str, Any]
    content: str
    symbols: tuple[tuple[str, tuple[ServedJob, ...]], ...]


def has_standings(run: RunDirectory) -> bool:
    """Tell whether a run recorded the ranks of its out-of-sample predictions."""
    if not run.exists(PREDICTIONS):
        return False
    with run.open_table(PREDICTIONS) as file:
        return "standing" in file.schema_arrow.names


def require_standings(run: RunDirectory, otherwise: str = "") -> None:
    """Refuse a walk-forward that has no scores.

    Parameters
    ----------
    otherwise
        An alternative to another run, for the message.

    Raises
    ------
    ArtifactError
        When a version before 0.5.0 wrote it, without standings.
    """
    if not has_standings(run):
        raise ArtifactError(
            f"{run.uri}/{PREDICTIONS} has no standings of its predictions: a version before 0.5.0 "
            f"wrote it, or it is missing. Run again with this one{otherwise}."
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
        Name of each symbol's table in the runner's directory.

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
                tuple((symbol, only_named(served[symbol])) for symbol in symbols[i::n_units]),
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
        The jobs that served the symbol there, whose positions identify its rows.
    targets
        Targets to return, possibly fewer than these jobs have.
    schema
        Of scores.
    before_ns
        From when on the models score rows.
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
        columns[job.column] = placed(own["prediction"], at, len(times))
        standings[job.job_id] = placed(own["standing"], at, len(times))
        if GROUP in own.column_names:
            groups[at] = own[GROUP].to_pylist()
    columns |= target_scores(list(own_places.values()), standings)
    columns[GROUP] = groups
    arrays = [pa.array(times, schema.field("ts").type), pa.array(np.zeros(len(times), dtype=bool))]
    for field in list(schema)[2:]:
        found = columns.get(field.name, np.full(len(times), None, dtype=object))
        arrays.append(pa.array(found, field.type, from_pandas=True))
    return pa.table(arrays, schema=schema)
