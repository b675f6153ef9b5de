"""The tables of a run: names, columns, and rows turned into Arrow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from types import UnionType
from typing import Any, get_args, get_type_hints

import pyarrow as pa

from ray_pipeline.evaluating.records import DecayRow, EvaluatedRow, QuantileRow
from ray_pipeline.execution.protocol import Failed
from ray_pipeline.ranking.decide import SymbolRow, TargetRow
from ray_pipeline.routing.decide import RouteRow
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.search.choices import TrialRow

__all__ = [
    "CONTENT",
    "DECAY",
    "EQUITY",
    "EVALUATED_JOBS",
    "EVALUATION",
    "FAILURES",
    "FEATURES",
    "LEAKAGE",
    "PLAN",
    "PREDICTIONS",
    "QUANTILES",
    "RANKED_SYMBOLS",
    "RANKED_TARGETS",
    "ROUTES",
    "TRIALS",
    "USER_STAGES",
    "content_names",
    "failures_table",
    "features_table",
    "leakage_table",
    "rows_table",
]

RANKED_TARGETS = "target_ranking/targets.parquet"
RANKED_SYMBOLS = "target_ranking/symbols.parquet"
FEATURES = "feature_selection/features.parquet"
LEAKAGE = "leakage.parquet"
ROUTES = "routing/routes.parquet"
PLAN = "training_plan.json"
PREDICTIONS = "predictions/out_of_sample.parquet"
FAILURES = "failures.parquet"
EVALUATION = "evaluation"
"""Folder of what the predictions would have been worth."""

EVALUATED_JOBS = f"{EVALUATION}/jobs.parquet"
QUANTILES = f"{EVALUATION}/quantiles.parquet"
DECAY = f"{EVALUATION}/decay.parquet"
EQUITY = f"{EVALUATION}/equity.parquet"
TRIALS = "search/trials.parquet"
"""Only of a run that searched hyperparameters."""

USER_STAGES = "stages"
"""Folder of the tables of the user's own stages."""

CONTENT = (RANKED_TARGETS, RANKED_SYMBOLS, FEATURES, LEAKAGE, ROUTES, PLAN, PREDICTIONS)
"""The files that every finished run has among its `content_names`."""

_Row = TargetRow | SymbolRow | RouteRow | EvaluatedRow | QuantileRow | DecayRow | TrialRow

_ARROW = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}


def content_names(run: RunDirectory) -> list[str]:
    """Name the files that ``content_sha256`` covers, in the order in which people read of them.

    It covers what was computed. Failures hold attempts and tracebacks, metadata and the records
    hold places and versions: they are not in it. Of `CONTENT` a run that is not finished lacks
    some; all others are named because they are there.
    """
    models = [name for name in run.list("models") if not name.endswith("/metadata.json")]
    evaluation, stages, trials = map(run.list, (EVALUATION, USER_STAGES, TRIALS))
    return [*CONTENT, *evaluation, *stages, *trials, *models]


def rows_table(kind: type[_Row], rows: Sequence[Any]) -> pa.Table:
    """Turn rows of one dataclass into a table with one column per field, in their order.

    NaN becomes null: a figure that was not measured.
    """
    hints = get_type_hints(kind)
    schema = pa.schema([(field.name, _arrow_type(hints[field.name])) for field in fields(kind)])
    return pa.Table.from_pylist([_nulls(asdict(row)) for row in rows], schema=schema)


def features_table(rows: Sequence[Mapping[str, Any]], methods: Sequence[str]) -> pa.Table:
    """Return the table of feature selection: one column per method."""
    schema = pa.schema(
        [
            ("target", pa.string()),
            ("view", pa.string()),
            ("symbol", pa.string()),
            ("feature", pa.string()),
            ("score", pa.float64()),
            *((method, pa.float64()) for method in methods),
            ("stability", pa.float64()),
            ("set_stability", pa.float64()),
            ("symbol_frequency", pa.float64()),
            ("symbols_stability", pa.float64()),
            ("rank", pa.int64()),
            ("selected", pa.bool_()),
            ("reason", pa.string()),
        ]
    )
    return pa.Table.from_pylist([_nulls(row) for row in rows], schema=schema)


def leakage_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return the table of leaks: target, feature, test, value, action, reason."""
    schema = pa.schema(
        [
            ("target", pa.string()),
            ("feature", pa.string()),
            ("test", pa.string()),
            ("value", pa.float64()),
            ("action", pa.string()),
            ("reason", pa.string()),
        ]
    )
    return pa.Table.from_pylist([_nulls(row) for row in rows], schema=schema)


def failures_table(failures: Sequence[Failed], symbols: Sequence[str]) -> pa.Table:
    """Return the table of failed units; `symbol` is null for units of no single symbol."""
    schema = pa.schema(
        [
            ("unit", pa.string()),
            ("symbol", pa.string()),
            ("stage", pa.string()),
            ("kind", pa.string()),
            ("attempts", pa.int64()),
            ("error", pa.string()),
            ("traceback", pa.string()),
        ]
    )
    known = frozenset(symbols)
    rows = [
        {
            "unit": f"{failure.unit.stage}/{failure.unit.key}",
            "symbol": failure.unit.key if failure.unit.key in known else None,
            "stage": failure.unit.stage,
            "kind": failure.kind,
            "attempts": failure.attempts,
            "error": failure.error,
            "traceback": failure.traceback,
        }
        for failure in failures
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _arrow_type(hint: Any) -> pa.DataType:
    if isinstance(hint, UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if hint not in _ARROW:  # a Literal of strings
        hint = str
    return _ARROW[hint]


def _nulls(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in row.items()
    }
