"""The columns of a run's tables, as their readers rely on them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from types import UnionType
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.calibration.records import CalibrationRow
from ray_pipeline.doubt.carriers import DoubtRow
from ray_pipeline.evaluating.comparison import OverfittingRow
from ray_pipeline.evaluating.policy_records import PolicyFoldRow, PolicyRow
from ray_pipeline.evaluating.records import DecayRow, EvaluatedRow, QuantileRow
from ray_pipeline.ranking.decide import SymbolRow, TargetRow
from ray_pipeline.records import Question
from ray_pipeline.results import tables
from ray_pipeline.routing.decide import RouteRow
from ray_pipeline.selection.consensus import FeatureVerdict
from ray_pipeline.selection.kept import KeptRow
from ray_pipeline.storage import type_name
from ray_pipeline.training.effects import EffectRow
from ray_pipeline.wording import plural

__all__ = ["TABLES", "Column", "Columns", "check_columns", "check_values", "completed"]

_TYPES = {str: "string", float: "double", int: "int64", bool: "bool"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    type
        As `type_name` has it.
    nullable
        Whether it may hold nulls.
    values
        Texts that it may hold; none: any.
    required
        Whether every version wrote it.
    default
        Value of all rows in a table of a version that did not.
    """

    type: str
    nullable: bool = False
    values: tuple[str, ...] = ()
    required: bool = True
    default: object = None


Columns: TypeAlias = Mapping[str, Column]

_TEXT, _TEXT_OR_NULL = Column("string"), Column("string", nullable=True)
_FIGURE, _COUNT, _FLAG = Column("double", nullable=True), Column("int64"), Column("bool")
_VIEW = Column("string", values=("cross_sectional", "symbol_specific"))


def _columns_of(row: type[Any]) -> dict[str, Column]:
    """Describe the columns that rows of a dataclass are written as."""
    hints = get_type_hints(row)
    found = {}
    for field in fields(row):
        parts = get_args(hints[field.name]) if _is_union(hints[field.name]) else ()
        kind = next((part for part in parts if part is not type(None)), hints[field.name])
        values = get_args(kind) if get_origin(kind) is Literal else ()
        default = None if field.default is MISSING or _is_nan(field.default) else field.default
        found[field.name] = Column(
            type="string" if values else _TYPES[kind],
            # NaN is written as null.
            nullable=bool(parts) or kind is float,
            values=values,
            required=field.default is MISSING,
            default=default,
        )
    return found


def _is_union(hint: object) -> bool:
    return isinstance(hint, UnionType)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


TABLES: Mapping[str, Columns] = {
    tables.RANKED_TARGETS: _columns_of(TargetRow),
    tables.RANKED_SYMBOLS: _columns_of(SymbolRow),
    tables.FEATURES: {
        "target": _TEXT,
        "view": _VIEW,
        "symbol": _TEXT_OR_NULL,
        "feature": _TEXT,
        "score": _FIGURE,
        "stability": _FIGURE,
        "set_stability": _FIGURE,
        "symbol_frequency": _FIGURE,
        "symbols_stability": _FIGURE,
        "rank": _COUNT,
        "selected": _FLAG,
        "reason": _TEXT_OR_NULL,
        "verdict": Column("string", values=get_args(FeatureVerdict), required=False, default=""),
        "question": Column("string", values=get_args(Question), required=False, default=""),
    },
    tables.KEPT: _columns_of(KeptRow),
    tables.LEAKAGE: {
        "target": _TEXT,
        "feature": _TEXT,
        "test": _TEXT,
        "value": _FIGURE,
        "action": _TEXT,
        "reason": _TEXT_OR_NULL,
    },
    tables.DOUBT: _columns_of(DoubtRow),
    tables.ROUTES: {
        **_columns_of(RouteRow),
        # The first runs did not draw differences together.
        "difference_shrunk": Column("double", nullable=True, required=False),
    },
    tables.FAILURES: {
        "unit": _TEXT,
        "symbol": _TEXT_OR_NULL,
        "stage": _TEXT,
        "kind": _TEXT,
        "attempts": _COUNT,
        "error": _TEXT,
        "traceback": _TEXT_OR_NULL,
    },
    tables.EFFECTS: _columns_of(EffectRow),
    tables.CALIBRATION: _columns_of(CalibrationRow),
    tables.EVALUATED_JOBS: _columns_of(EvaluatedRow),
    tables.QUANTILES: _columns_of(QuantileRow),
    tables.DECAY: _columns_of(DecayRow),
    tables.OVERFITTING: _columns_of(OverfittingRow),
    tables.POLICIES: _columns_of(PolicyRow),
    tables.POLICY_FOLDS: _columns_of(PolicyFoldRow),
    tables.EQUITY: {
        "job_id": _TEXT,
        "ts": Column("timestamp[ns, tz=UTC]"),
        "gross": _FIGURE,
        "net": _FIGURE,
    },
}
"""By name in the run directory. A table may have more columns: features, one for each method."""

PREDICTED: Columns = {
    "ts": Column("timestamp[ns, tz=UTC]"),
    "symbol": _TEXT,
    "target": _TEXT,
    "view": _VIEW,
    "family": _TEXT,
    "fold": Column("int32"),
    "prediction": _FIGURE,
    "actual": _FIGURE,
    "group": Column("string", nullable=True, required=False),
}
"""Of the out-of-sample predictions, what tells how skill went over time."""


def check_columns(schema: pa.Schema, columns: Columns) -> None:
    """Refuse a table that lacks a column, has one twice or of another type.

    Columns that are not in the table's entry hold numbers, text or booleans.

    Raises
    ------
    ValueError
        In words that follow the table's address.
    """
    missing = [name for name, each in columns.items() if each.required and name not in schema.names]
    if missing:
        raise ValueError(
            f"has no column {', '.join(missing)}; it has {', '.join(schema.names) or 'none'}"
        )
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise ValueError(f"has the column {twice[0]} more than once")
    for field in schema:
        kind = type_name(field.type)
        if field.name in columns and kind != columns[field.name].type:
            need = columns[field.name].type
            raise ValueError(f"has the column {field.name} of type {kind}, and {need} is needed")
        if field.name not in columns and not _is_scalar(field.type):
            raise ValueError(
                f"has the column {field.name} of type {kind}, and numbers, text or booleans are "
                "needed"
            )


def check_values(table: pa.Table, columns: Columns) -> None:
    """Refuse nulls and texts that a column never holds, and what no value of its type is.

    Raises
    ------
    ValueError
        As `check_columns`.
    """
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"is damaged: {' '.join(str(error).split()).rstrip('.')}") from None
    for name in table.column_names:
        if name not in columns:
            continue
        column, cells = columns[name], table.column(name)
        if cells.null_count and not column.nullable:
            raise ValueError(
                f"has the column {name} with nothing in {plural(cells.null_count, 'row')}"
            )
        if column.values:
            known = pa.array([*column.values, None], pa.string())
            other = cells.filter(pc.invert(pc.is_in(cells.cast(pa.string()), value_set=known)))
            if len(other):
                raise ValueError(
                    f"has {other[0].as_py()[:60]!r} in the column {name}, where one of "
                    f"{', '.join(column.values)} is needed"
                )


def completed(table: pa.Table, names: Iterable[str], columns: Columns) -> pa.Table:
    """Return a table as it is read from: with what a version of before did not write.

    Figures that are not finite are null, as in JSON, and times are to the microsecond, which is
    what Python can hold.

    Parameters
    ----------
    table
        Checked by `check_columns` and `check_values`.
    names
        Of `columns`: where the table lacks one that has a default, it is added.
    """
    for name in names:
        default = columns[name].default
        if name not in table.column_names and default is not None:
            cells = pa.repeat(pa.scalar(default), table.num_rows)
            table = table.append_column(name, cells)
    for place, field in enumerate(table.schema):
        cells = table.column(place)
        if pa.types.is_floating(field.type):
            finite = pc.is_finite(cells)
            if not pc.all(finite, skip_nulls=True).as_py():
                cells = pc.if_else(finite, cells, pa.scalar(None, field.type))
        elif pa.types.is_timestamp(field.type):
            cells = cells.cast(pa.timestamp("us", field.type.tz), safe=False)
        else:
            continue
        table = table.set_column(place, field.name, cells)
    return table


def _is_scalar(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_null(kind)
        or types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
    )
