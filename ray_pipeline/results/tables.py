"""Names of the files that a run leaves, and those that its content hash covers."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ray_pipeline.calibration.stage import CALIBRATION_TABLE as CALIBRATION
from ray_pipeline.doubt.doubting import DOUBT_TABLE as DOUBT
from ray_pipeline.evaluating.evaluating import (
    DECAY,
    EQUITY,
    EVALUATED_JOBS,
    OVERFITTING,
    QUANTILES,
)
from ray_pipeline.evaluating.policies import POLICY_FOLDS
from ray_pipeline.evaluating.policies import POLICY_TABLE as POLICIES
from ray_pipeline.execution.protocol import Failed
from ray_pipeline.leakage.screening import LEAKAGE_TABLE as LEAKAGE
from ray_pipeline.ranking.ranking import RANKED_SYMBOLS, RANKED_TARGETS
from ray_pipeline.results.stages import STAGES, table_place
from ray_pipeline.routing.assigning import PLAN, ROUTES
from ray_pipeline.selection.selecting import FEATURES, KEPT
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.effects import EFFECTS
from ray_pipeline.training.entry import MODELS
from ray_pipeline.training.predictions import PREDICTIONS
from ray_pipeline.training.search.searching import TRIALS
from ray_pipeline.user_stages.fan_out import USER_TABLES as USER_STAGES

__all__ = [
    "ACCOUNT",
    "CALIBRATION",
    "CONFIG",
    "DECAY",
    "DOUBT",
    "EFFECTS",
    "EQUITY",
    "EVALUATED_JOBS",
    "EVALUATION",
    "FAILURES",
    "FEATURES",
    "KEPT",
    "LEAKAGE",
    "MODELS",
    "OVERFITTING",
    "PLAN",
    "POLICIES",
    "POLICY_FOLDS",
    "PREDICTIONS",
    "QUANTILES",
    "RANKED_SYMBOLS",
    "RANKED_TARGETS",
    "RECORD",
    "REPORT",
    "RESULTS",
    "ROUTES",
    "SYMBOLS",
    "TRIALS",
    "UNITS",
    "USER_STAGES",
    "content_names",
    "failures_table",
]

RECORD = "run.json"
CONFIG = "config.yaml"
SYMBOLS = "symbols.json"
FAILURES = "failures.parquet"
REPORT = "report.html"

UNITS = "units.json"
"""The units that a result was made of: those that the same command takes up again."""

EVALUATION = "evaluation"
"""Folder of what the predictions would have been worth."""

ACCOUNT = (RECORD, CONFIG, SYMBOLS, FAILURES, REPORT, UNITS)
"""What the driver writes of a run as a whole."""

RESULTS = (*ACCOUNT, *(table for stage in STAGES for table in stage.tables))
"""Files and folders of a whole result, at the top of the run directory."""


def content_names(run: RunDirectory) -> list[str]:
    """Name the files that ``content_sha256`` covers, in the order in which stages write them.

    It covers what was computed. Failures hold attempts and tracebacks, metadata and the records
    hold places and versions: they are not in it. A run that is not finished lacks some.
    """
    tables = [table for stage in STAGES for table in stage.tables]
    found = [name for table in tables for name in run.list(table)]
    return sorted(
        (name for name in found if not name.endswith("/metadata.json")),
        key=lambda name: (table_place(name), name),
    )


def failures_table(failures: Sequence[Failed], symbols: Sequence[str]) -> pa.Table:
    """Return the table of failed units; `symbol` is null for units of no single symbol.

    A symbol whose data cannot be used has its reason there, and no traceback.
    """
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
    rows = []
    for failure in failures:
        symbol = failure.unit.key if failure.unit.key in known else None
        # Where in the code a symbol's bad data were met helps nobody.
        is_left_out = failure.is_of_data and symbol is not None
        rows.append(
            {
                "unit": f"{failure.unit.stage}/{failure.unit.key}",
                "symbol": symbol,
                "stage": failure.unit.stage,
                "kind": failure.kind,
                "attempts": failure.attempts,
                "error": failure.reason,
                "traceback": "" if is_left_out else failure.traceback,
            }
        )
    return pa.Table.from_pylist(rows, schema=schema)
