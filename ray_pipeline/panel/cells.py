"""The types of cells that readers return, and the conversion of columns to them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.errors import DataError

__all__ = ["UNION_TYPES", "cast", "own_type", "plain_type", "scaled"]

_NO_PRICE = np.iinfo(np.int64).max

UNION_TYPES: Mapping[str, pa.DataType] = {
    "null": pa.null(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "large_string": pa.large_string(),
    "timestamp[ns, tz=UTC]": pa.timestamp("ns", "UTC"),
}
"""Every type that `ray_pipeline.panel.columns.unified_type` returns when files differ."""


def own_type(arrow_type: pa.DataType) -> pa.DataType:
    """Return the type of a column's values; for a dictionary, that of its entries."""
    return arrow_type.value_type if pa.types.is_dictionary(arrow_type) else arrow_type


def plain_type(arrow_type: pa.DataType) -> pa.DataType:
    """Return the type in which values are returned: booleans and decimals are ``double``."""
    if pa.types.is_boolean(arrow_type) or pa.types.is_decimal(arrow_type):
        return pa.float64()
    if pa.types.is_float16(arrow_type):
        return pa.float32()
    return arrow_type


def cast(
    column: pa.ChunkedArray | pa.Array, target: pa.DataType, subject: str
) -> pa.ChunkedArray | pa.Array:
    """Convert a column.

    Raises
    ------
    DataError
        Naming `subject`, when a cell does not fit.
    """
    if column.type == target:
        return column
    try:
        # Integers beyond 2**53 lose their last digits as float64, which no model could use.
        return column.cast(target, safe=not pa.types.is_floating(target))
    except pa.ArrowInvalid as error:
        raise DataError(f"{subject} cannot be read as {target}: {error}") from error


def scaled(
    column: pa.ChunkedArray | pa.Array, factor: float, subject: str
) -> pa.ChunkedArray | pa.Array:
    """Return prices that were written in units of `factor` as ``double``.

    In fixed-point prices, the largest 64-bit integer means a missing value.
    """
    if pa.types.is_integer(column.type):
        no_price = pc.equal(column, pa.scalar(_NO_PRICE, pa.int64()))
        column = pc.if_else(no_price, pa.scalar(None, column.type), column)
    return pc.multiply(cast(column, pa.float64(), subject), pa.scalar(factor))
