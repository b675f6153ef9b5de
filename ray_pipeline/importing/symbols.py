"""The symbol of each row: from a column, from several columns together, or from the path."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_pipeline.errors import DataError
from ray_pipeline.importing.columns import JOINS, FileColumns

__all__ = ["with_symbols"]


def with_symbols(
    table: pa.Table, columns: FileColumns, uri: str
) -> tuple[pa.Table, pa.DictionaryArray]:
    """Return the rows with a symbol, and their symbols.

    Several columns are joined by a plus: ``HOBBIES_1_001+CA_1``.

    Raises
    ------
    DataError
        When a column is neither text nor whole numbers, or one of several contains a plus.
    """
    if columns.symbol is None:
        codes = pa.array(np.zeros(table.num_rows, dtype=np.int32))
        return table, pa.DictionaryArray.from_arrays(codes, pa.array([columns.told]))
    for name in columns.symbols:
        kind = table[name].type
        if pa.types.is_floating(kind) or pa.types.is_nested(kind):
            raise DataError(
                f"{uri}: the symbol column {name!r} is {kind}; text or whole numbers are needed."
            )
    column = table[columns.symbol]
    if len(columns.symbols) > 1:
        column = _joined(table, columns, uri)
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    symbols = column.unify_dictionaries().combine_chunks()
    if isinstance(symbols, pa.ChunkedArray):
        symbols = pa.concat_arrays(symbols.chunks)
    names = symbols.dictionary.cast(pa.string())
    symbols = pa.DictionaryArray.from_arrays(symbols.indices, names)
    is_named = symbols.is_valid()
    empty = pc.index(names, pa.scalar("")).as_py() if len(names) else -1
    if empty >= 0:
        is_named = pc.and_(is_named, pc.fill_null(pc.not_equal(symbols.indices, empty), False))
    if pc.all(is_named, min_count=0).as_py():
        return table, symbols
    return table.filter(is_named), symbols.filter(is_named)


def _joined(table: pa.Table, columns: FileColumns, uri: str) -> pa.ChunkedArray:
    parts = [table[name].cast(pa.string()) for name in columns.symbols]
    for name, part in zip(columns.symbols, parts, strict=True):
        if pc.any(pc.match_substring(part, JOINS), min_count=0).as_py():
            raise DataError(
                f"{uri}: column {name!r} has a {JOINS!r} in it, which joins the parts of a symbol: "
                "two symbols could become one. Rename these values."
            )
    return pc.binary_join_element_wise(*parts, JOINS)
