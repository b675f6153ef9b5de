"""A run's tables by short names, with their columns even if there was nothing to write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import pyarrow as pa

from ray_pipeline.errors import ArtifactError, ConfigError
from ray_pipeline.results import tables
from ray_pipeline.results.contents import read_contents
from ray_pipeline.results.reading import Results
from ray_pipeline.results.schemas import TABLES
from ray_pipeline.training.predictions import predictions_schema
from ray_pipeline.wording import closest

__all__ = ["TableName", "read_result_table", "table_file"]

TableName = Literal[
    "targets",
    "symbols",
    "features",
    "kept",
    "routes",
    "leaks",
    "doubt",
    "predictions",
    "effects",
    "evaluation",
    "quantiles",
    "decay",
    "equity",
    "overfitting",
    "calibration",
    "policies",
    "policy_folds",
    "failures",
]

_FILES: dict[str, str] = {
    "targets": tables.RANKED_TARGETS,
    "symbols": tables.RANKED_SYMBOLS,
    "features": tables.FEATURES,
    "kept": tables.KEPT,
    "routes": tables.ROUTES,
    "leaks": tables.LEAKAGE,
    "doubt": tables.DOUBT,
    "predictions": tables.PREDICTIONS,
    "effects": tables.EFFECTS,
    "evaluation": tables.EVALUATED_JOBS,
    "quantiles": tables.QUANTILES,
    "decay": tables.DECAY,
    "equity": tables.EQUITY,
    "overfitting": tables.OVERFITTING,
    "calibration": tables.CALIBRATION,
    "policies": tables.POLICIES,
    "policy_folds": tables.POLICY_FOLDS,
    "failures": tables.FAILURES,
}

_TYPES = {
    "string": pa.string(),
    "double": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "timestamp[ns, tz=UTC]": pa.timestamp("us", "UTC"),
}

_NOT_OF_EVERY_RUN = (
    "calibration",
    "doubt",
    "effects",
    "kept",
    "overfitting",
    "policies",
    "policy_folds",
)
"""Tables that a run writes only on request, or in newer versions."""


def table_file(name: str) -> str:
    """Return the file of a table in the run directory.

    Raises
    ------
    ConfigError
        When there is no table of that name.
    """
    if name not in _FILES:
        near = closest(name, _FILES)
        meant = f" Did you mean {near!r}?" if near else ""
        raise ConfigError(f"no table {name!r}; there are {', '.join(get_args(TableName))}.{meant}")
    return _FILES[name]


def read_result_table(
    results: Results, name: str, columns: Sequence[str] | None = None
) -> pa.Table:
    """Read a table of a run; without rows if a finished run had nothing to write.

    Raises
    ------
    ConfigError
        When there is no table, or no column, of that name.
    ArtifactError
        When the run did not get as far as writing it, or it is missing.
    """
    file = table_file(name)
    if name == "predictions":
        found = results.files.read_table(file) if results.files.exists(file) else None
    else:
        found = results.table(file)
    if found is None:
        found = _nothing(results, name, file)
    unknown = [each for each in columns or () if each not in found.column_names]
    if unknown:
        raise ConfigError(
            f"{name} has no column {', '.join(unknown)}; it has {', '.join(found.column_names)}."
        )
    return found if columns is None else found.select(list(columns))


def _nothing(results: Results, name: str, file: str) -> pa.Table:
    contents = read_contents(results, max_models=0)
    found_nothing = contents.targets is not None and not contents.chosen
    if contents.status != "done" or not (found_nothing or name in _NOT_OF_EVERY_RUN):
        raise ArtifactError(f"{results.uri}: {contents.why_absent(file)}")
    if name == "predictions":
        return predictions_schema().empty_table()
    known = TABLES[file]
    schema = pa.schema([(column, _TYPES[each.type]) for column, each in known.items()])
    return schema.empty_table()
