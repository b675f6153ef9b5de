"""What counts as the same value in a table, for hashing and for comparing alike."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["fixed_width", "is_text", "json_texts", "plain", "type_name", "unequal_values"]


def unequal_values(a: pa.Array, b: pa.Array) -> npt.NDArray[np.bool_]:
    """Find the rows at which two columns of one type (by `type_name`) and length differ.

    Two columns have the same hash exactly where no row differs: −0.0 is not 0.0, every NaN is
    the same NaN, and a null is not a value.

    Examples
    --------
    >>> unequal_values(pa.array([0.0, None, float("nan")]), pa.array([-0.0, 1.0, float("nan")]))
    array([ True,  True, False])
    """
    a, b = plain(a), plain(b)
    null_a, null_b = (column.is_null().to_numpy(zero_copy_only=False) for column in (a, b))
    unequal: npt.NDArray[np.bool_] = null_a != null_b
    in_both = ~(null_a | null_b)
    unequal[in_both] = _unequal_present(a.filter(pa.array(in_both)), b.filter(pa.array(in_both)))
    return unequal


def _unequal_present(a: pa.Array, b: pa.Array) -> npt.NDArray[np.bool_]:
    if is_text(a.type):
        texts = (column.cast(pa.large_binary()) for column in (a, b))
        return np.asarray(pc.not_equal(*texts), dtype=np.bool_)
    numbers_a, numbers_b = fixed_width(a), fixed_width(b)
    if numbers_a is None or numbers_b is None:
        pairs = zip(json_texts(a), json_texts(b), strict=True)
        return np.array([one != other for one, other in pairs], dtype=np.bool_)
    bits = f"u{numbers_a.dtype.itemsize}"
    return np.asarray(numbers_a.view(bits) != numbers_b.view(bits))


def plain(values: pa.Array) -> pa.Array:
    """Return a column without its dictionary."""
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type count by their length and bytes."""
    types = pa.types
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
    )


def type_name(kind: pa.DataType) -> str:
    """Name a type; what differs only in how Arrow holds it in memory has the same name."""
    types = pa.types
    if types.is_dictionary(kind):
        return type_name(kind.value_type)
    if is_text(kind):
        return str(kind).removeprefix("large_").removesuffix("_view")
    if types.is_list(kind) or types.is_large_list(kind):
        return f"list<{type_name(kind.value_type)}>"
    return str(kind)


def fixed_width(values: pa.Array) -> npt.NDArray[Any] | None:
    """Return the values that are not null as numbers; None for a type without a fixed width."""
    kind = values.type
    present = values.drop_null()
    if pa.types.is_boolean(kind):
        present = present.cast(pa.uint8())
    elif pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        present = present.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None
    numbers: npt.NDArray[Any] = present.to_numpy(zero_copy_only=False)
    # There are 2^53 NaNs, and which one an operation returns depends on the processor.
    if pa.types.is_floating(kind) and (missing := np.isnan(numbers)).any():
        numbers = np.where(missing, numbers.dtype.type(np.nan), numbers)
    return np.ascontiguousarray(numbers)


def json_texts(values: pa.Array) -> list[str]:
    """Return every row, nulls too, as one line of JSON: for types such as lists and decimals."""
    return [json.dumps(item, sort_keys=True, default=str) for item in values.to_pylist()]
