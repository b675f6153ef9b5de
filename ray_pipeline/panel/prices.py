"""Prices in other units, or adjusted in only one column."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.panel.cells import cast, scaled
from ray_pipeline.panel.naming import Naming
from ray_pipeline.panel.reading_rules import ReadingRules
from ray_pipeline.records import BAR_FIELDS

__all__ = ["columns_in_file", "read_column", "read_type"]

_PRICES = frozenset(BAR_FIELDS) - {"volume"}


def read_type(
    name: str, arrow_type: pa.DataType, naming: Naming, rules: ReadingRules
) -> pa.DataType:
    """Return the type of a column after reading, by its internal name."""
    is_converted = _is_scaled(name, rules) or _is_adjusted(name, naming)
    return pa.float64() if is_converted else arrow_type


def columns_in_file(columns: Sequence[str], naming: Naming) -> list[str]:
    """Return the file's columns, by its own names, that some internal columns need."""
    names = dict.fromkeys(naming.own[name] for name in columns if name in naming.own)
    if naming.raw_close is not None and any(_is_adjusted(name, naming) for name in columns):
        names |= dict.fromkeys((naming.own["close"], naming.own[naming.raw_close]))
    return list(names)


def read_column(
    table: pa.Table, name: str, naming: Naming, rules: ReadingRules, subject: str
) -> pa.ChunkedArray:
    """Return a column, by its internal name, from what was read of a file.

    If there are an adjusted and a traded close, and the other prices are as traded, these are
    multiplied by the ratio of the two: a bar must not mix two kinds of prices.
    """
    column = table.column(naming.own[name])
    if _is_scaled(name, rules):
        column = scaled(column, rules.price_scale, subject)
    if naming.raw_close is not None and _is_adjusted(name, naming):
        adjusted, raw = (
            cast(table.column(naming.own[close]), pa.float64(), subject)
            for close in ("close", naming.raw_close)
        )
        ratio = pc.divide(adjusted, pc.if_else(pc.equal(raw, 0.0), pa.scalar(None), raw))
        column = pc.multiply(cast(column, pa.float64(), subject), ratio)
    return column


def _is_scaled(name: str, rules: ReadingRules) -> bool:
    return rules.price_scale != 1.0 and name in _PRICES


def _is_adjusted(name: str, naming: Naming) -> bool:
    return naming.raw_close is not None and name in _PRICES - {"close"}
