"""Records of users' functions: checked in the worker, joined into one table in the driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from ray_pipeline.errors import ExecutionError

__all__ = ["plain_record", "records_table"]

_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "text"}
_MAX_INT = 2**63


def plain_record(stage: str, value: object) -> dict[str, Any]:
    """Check a function's record, and convert scalars of NumPy and Arrow to plain ones.

    Raises
    ------
    ExecutionError
        When it is not a flat dict of text, numbers, booleans and None with names as keys.
    """
    if not isinstance(value, Mapping):
        raise ExecutionError(
            f"stage {stage!r}: the function returned {_described(value)}; a dict is needed, {{}} "
            "where there is nothing to say."
        )
    return {_key(stage, key): _scalar(stage, key, item) for key, item in value.items()}


def records_table(stage: str, records: Mapping[str, Mapping[str, Any]]) -> pa.Table:
    """Join the records of all symbols.

    Parameters
    ----------
    stage
        Name of the stage, for messages.
    records
        Record by symbol, as `plain_record` returned it.

    Returns
    -------
    pyarrow.Table
        One row per symbol, sorted. ``symbol`` comes first, then every key that any symbol has,
        sorted: records have no order of their own in the run directory. Missing keys are null, and
        so is NaN. Whole numbers are int64; if one symbol has a fraction (or NaN), the column is
        double.

    Raises
    ------
    ExecutionError
        When a key is of different kinds in two symbols; names both.

    Examples
    --------
    >>> table = records_table("size", {"A": {"n": 1}, "B": {"n": 2.5, "label": "x"}})
    >>> table.column_names, table["n"].to_pylist(), table["label"].to_pylist()
    (['symbol', 'label', 'n'], [1.0, 2.5], [None, 'x'])
    """
    symbols = sorted(records)
    columns = {"symbol": pa.array(symbols, pa.string())}
    for key in sorted({key for record in records.values() for key in record}):
        columns[key] = _column(stage, key, {s: records[s].get(key) for s in symbols})
    return pa.table(columns)


def _key(stage: str, key: object) -> str:
    if not isinstance(key, str) or not key or key == "symbol":
        raise ExecutionError(
            f"stage {stage!r}: the record has the key {key!r}; keys are names of columns: text, "
            "not empty, and not 'symbol', which every row has."
        )
    return key


def _scalar(stage: str, key: object, value: Any) -> Any:
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        value = value.item()
    elif isinstance(value, pa.Scalar):
        value = value.as_py()
    if value is None or type(value) in _KINDS:
        if type(value) is int and not -_MAX_INT <= value < _MAX_INT:
            raise ExecutionError(
                f"stage {stage!r}: record[{key!r}] is {value}, beyond 64 bits; return a float."
            )
        return value
    raise ExecutionError(
        f"stage {stage!r}: record[{key!r}] is {_described(value)}; text, a number, true, false or "
        "None is needed. Give each part a key of its own, or write it as text (json.dumps)."
    )


def _column(stage: str, key: str, values: Mapping[str, Any]) -> pa.Array:
    first: dict[str, str] = {}  # the first symbol with each kind of value
    for symbol, value in values.items():
        if value is not None:
            first.setdefault(_KINDS[type(value)], symbol)
    if len(first) > 1:
        (kind, symbol), (other_kind, other) = list(first.items())[:2]
        raise ExecutionError(
            f"stage {stage!r}: {key!r} is {kind} for {symbol} ({values[symbol]!r}) and "
            f"{other_kind} for {other} ({values[other]!r}); a column holds one kind. Return the "
            "same kind for every symbol, or None."
        )
    if any(isinstance(value, float) for value in values.values()):
        numbers = [None if value is None else float(value) for value in values.values()]
        return pa.array(numbers, pa.float64(), from_pandas=True)
    return pa.array(values.values())


def _described(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
