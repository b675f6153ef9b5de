"""Evaluation as units of work: read a job's predictions, return its figures, write its curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_pipeline.evaluating.comparison import TestRange
from ray_pipeline.evaluating.measure import evaluate_job
from ray_pipeline.evaluating.records import (
    Curve,
    EvaluatedJob,
    EvaluationSettings,
    Predictions,
    Returns,
)
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.statistics.cells import cells_of
from ray_pipeline.training.predictions import GROUP

__all__ = [
    "CurvesSpec",
    "EvaluationSpec",
    "curves_schema",
    "evaluate_unit",
    "join_curves",
    "predictions_of",
    "read_predictions",
    "sliced_returns",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_COLUMNS = ("ts", "symbol", "fold", "prediction", "actual")


@dataclass(frozen=True, slots=True)
class EvaluationSpec:
    """One pooled job, or all jobs of a symbol; `axis` names the panel's timestamps."""

    axis: str
    tested: TestRange
    jobs: tuple[EvaluatedJob, ...]
    settings: EvaluationSettings


@dataclass(frozen=True, slots=True)
class CurvesSpec:
    """Tables of curves, pooled jobs before symbols; their names hash what they depend on."""

    tables: tuple[str, ...]


def curves_schema() -> pa.Schema:
    """Columns of ``evaluation/equity.parquet``."""
    return pa.schema(
        [
            ("job_id", pa.string()),
            ("ts", pa.timestamp("ns", tz="UTC")),
            ("gross", pa.float64()),
            ("net", pa.float64()),
        ]
    )


def evaluate_unit(reader: PanelReader, spec: EvaluationSpec) -> dict[str, Any]:
    """Evaluate jobs one after the other (unit function)."""
    jobs, curves, slices = {}, [], {}
    for job in spec.jobs:
        rows = read_predictions(reader, job, spec.axis, is_grouped=spec.settings.is_grouped)
        found = evaluate_job(rows, job, spec.settings)
        jobs[job.job_id] = {
            "job": asdict(found.job),
            "quantiles": [asdict(row) for row in found.quantiles],
            "decay": [asdict(row) for row in found.decay],
        }
        if found.curve is not None:
            curves.append(_curve_table(job.job_id, found.curve))
        if found.returns is not None:
            axis = reader.axis(spec.axis)
            slices[job.job_id] = sliced_returns(found.returns, axis, spec.tested)
    return {
        "jobs": jobs,
        "curves": _write(reader, "equity", curves),
        "slices": _write(reader, "slices", [pa.table(slices)] if slices else []),
    }


def sliced_returns(returns: Returns, axis: NDArray[np.int64], tested: TestRange) -> Floats:
    """Sum net returns over slices of the test range, shape (n_slices,).

    A slice in which nothing was formed earned nothing; before the first one and after the last
    the job did not trade, which is NaN.
    """
    slices = tested.slices_of(np.searchsorted(axis, returns.time_ns))
    found: Floats = np.zeros(tested.n_slices)
    np.add.at(found, slices, returns.net)
    found[: slices[0]] = found[slices[-1] + 1 :] = np.nan
    return found


def join_curves(reader: PanelReader, spec: CurvesSpec) -> dict[str, Any]:
    """Write the curves of all jobs into one file (unit function)."""
    name = table_name("equity")
    reader.run.write_tables(name, curves_schema(), reader.run.read_tables(spec.tables))
    return {"table": name}


def read_predictions(
    reader: PanelReader, job: EvaluatedJob, axis: str, *, is_grouped: bool = False
) -> Predictions:
    """Read the table of a job's predictions, by symbol and time."""
    table = reader.run.read_table(job.table, (*_COLUMNS, GROUP) if is_grouped else _COLUMNS)
    pooled_on = reader.axis(axis) if job.view == "cross_sectional" else None
    return predictions_of(table, job.job_id, pooled_on, is_grouped=is_grouped)


def predictions_of(
    table: pa.Table, job_id: str, pooled_on: Ints | None, *, is_grouped: bool
) -> Predictions:
    """Sort a job's out-of-sample predictions by symbol and time.

    Parameters
    ----------
    table
        ``ts``, ``symbol``, ``fold``, ``prediction``, ``actual``, and the group if there are groups.
    pooled_on
        Timestamps of the panel in nanoseconds; None: the job is of single symbols.
    """
    names = pc.unique(table.column("symbol")).sort()
    symbols = pc.index_in(table.column("symbol"), value_set=names).to_numpy().astype(np.int64)
    time_ns = table.column("ts").cast(pa.int64()).to_numpy()
    order = np.lexsort((time_ns, symbols))
    symbols, time_ns = symbols[order], time_ns[order]
    folds = table.column("fold").to_numpy()[order].astype(np.int64)
    if pooled_on is None:
        positions = np.arange(len(time_ns))
    else:
        positions = np.searchsorted(pooled_on, time_ns)
    cells = positions
    if is_grouped and pooled_on is not None:
        groups = RowGroups.from_column(table.column(GROUP), f"{job_id}: the group")
        cells = cells_of(positions, groups.codes[order])
    return Predictions(
        symbols=symbols,
        positions=positions,
        cells=cells,
        # Within a symbol folds follow each other; where one is missing so are its rows.
        stretches=np.cumsum(np.diff(folds, prepend=folds[:1]) > 1),
        time_ns=time_ns,
        prediction=table.column("prediction").to_numpy()[order],
        label=table.column("actual").to_numpy(zero_copy_only=False)[order],
    )


def _curve_table(job_id: str, curve: Curve) -> pa.Table:
    columns = [
        pa.repeat(job_id, len(curve.time_ns)),
        pa.array(curve.time_ns, pa.timestamp("ns", tz="UTC")),
        pa.array(curve.gross),
        pa.array(curve.net),
    ]
    return pa.table(columns, schema=curves_schema())


def _write(reader: PanelReader, kind: str, tables: Sequence[pa.Table]) -> str | None:
    if not tables:
        return None
    name = table_name(kind)
    reader.run.write_table(name, pa.concat_tables(tables))
    return name
