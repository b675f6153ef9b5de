"""The out-of-sample predictions of all jobs as one table, joined and hashed by a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.storage import file_digest

if TYPE_CHECKING:
    from ray_pipeline.training.training import Training

__all__ = [
    "GROUP",
    "PREDICTIONS",
    "JoinSpec",
    "JoinedPredictions",
    "join_predictions",
    "join_tables",
    "predictions_schema",
]

PREDICTIONS = "predictions/out_of_sample.parquet"
"""All out-of-sample predictions of a run."""

GROUP = "group"
"""Column of each row's group, if the config asks for groups."""


@dataclass(frozen=True, slots=True)
class JoinSpec:
    """Tables of the jobs, in the order of the plan; their names hash what they depend on."""

    tables: tuple[str, ...]
    is_grouped: bool = False


@dataclass(frozen=True, slots=True)
class JoinedPredictions:
    """The joined table, and the digest of its content (`file_digest`)."""

    table: str
    digest: bytes


def predictions_schema(*, is_grouped: bool = False) -> pa.Schema:
    """Columns of the out-of-sample predictions; with groups each row has that of its symbol.

    A ``standing`` is the percentile of a prediction among those of its fold's training rows.
    """
    return pa.schema(
        [
            ("ts", pa.timestamp("ns", tz="UTC")),
            ("symbol", pa.string()),
            ("target", pa.string()),
            ("view", pa.string()),
            ("family", pa.string()),
            ("fold", pa.int32()),
            ("prediction", pa.float64()),
            ("actual", pa.float64()),
            ("standing", pa.float64()),
            *([(GROUP, pa.string())] if is_grouped else []),
        ]
    )


def join_tables(reader: PanelReader, spec: JoinSpec) -> dict[str, Any]:
    """Write one table after the other into one file (unit function).

    This is the only place where all rows of all symbols pass through one process. It is not the
    driver, whose time must not grow with them, and it holds one job's table at a time.
    """
    name = table_name("out_of_sample")
    schema = predictions_schema(is_grouped=spec.is_grouped)
    reader.run.write_tables(name, schema, reader.run.read_tables(spec.tables))
    return {"table": name, "digest": file_digest(reader.run, name).hex()}


def join_predictions(
    runner: UnitRunner, training: Training, *, is_grouped: bool = False
) -> JoinedPredictions | None:
    """Join the tables of all jobs in the order of the plan; None if nothing was trained."""
    tables = [str(result["predictions"]) for result in training.results.values()]
    if not tables:
        return None
    unit = Unit("join_predictions", "all", join_tables, JoinSpec(tuple(tables), is_grouped))
    record = runner.run_required([unit])["all"]
    return JoinedPredictions(record["table"], bytes.fromhex(record["digest"]))
