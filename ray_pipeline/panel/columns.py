"""Column types by their Arrow names, and the union of the columns of several tables.

Types are passed as Arrow's own strings (``double``, ``timestamp[us, tz=UTC]``): plain text that
fits into records and crosses processes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ray_pipeline.wording import some_of

__all__ = [
    "ColumnKind",
    "MergedColumns",
    "column_kind",
    "dictionary_values",
    "merge_columns",
    "unified_type",
]

ColumnKind = Literal["numeric", "bool", "text", "time", "null", "nested", "mixed", "other"]

_DICTIONARY = re.compile(r"dictionary<values=(.*), indices=\w+, ordered=\d>")
_MIXED = "mixed<"
_KIND_PATTERNS: tuple[tuple[ColumnKind, re.Pattern[str]], ...] = (
    ("numeric", re.compile(r"u?int(8|16|32|64)|halffloat|float|double|decimal\d*\(.*\)")),
    ("bool", re.compile(r"bool")),
    ("text", re.compile(r"(large_)?string|string_view")),
    ("time", re.compile(r"(timestamp|time32|time64|date32|date64|duration)\b.*")),
    ("null", re.compile(r"null")),
    ("nested", re.compile(r"(large_|fixed_size_)?list(_view)?<.*|struct<.*|map<.*")),
    ("mixed", re.compile(re.escape(_MIXED) + ".*")),
)
_INTEGER = re.compile(r"u?int(8|16|32)|int64")


@dataclass(frozen=True, slots=True)
class MergedColumns:
    """The union of the columns of a batch of symbols.

    Attributes
    ----------
    columns
        (name, type) of every column, ordered by name. A column of conflicting types has a type
        ``mixed<…>``.
    lacking
        The symbols that lack a column, sorted, by column. Columns that all symbols have are not
        listed.
    conflicts
        The reason, naming symbols, for each column of type ``mixed<…>``.
    """

    columns: tuple[tuple[str, str], ...]
    lacking: Mapping[str, tuple[str, ...]]
    conflicts: Mapping[str, str]


def column_kind(arrow_type: str) -> ColumnKind:
    """Classify an Arrow type string; a dictionary has the kind of its values.

    Examples
    --------
    >>> column_kind("decimal128(10, 2)"), column_kind("large_string"), column_kind("bool")
    ('numeric', 'text', 'bool')
    """
    dictionary = _DICTIONARY.fullmatch(arrow_type)
    if dictionary:
        return column_kind(dictionary.group(1))
    for kind, pattern in _KIND_PATTERNS:
        if pattern.fullmatch(arrow_type):
            return kind
    return "other"


def unified_type(types: Iterable[str]) -> str:
    """Return one type that holds the values of all given types, or ``mixed<…>`` if there is none.

    Integers stay integers (``int64``); any other blend of numbers and truth values is ``double``.
    Timestamps and dates of any unit and zone become ``timestamp[ns, tz=UTC]``. A column without a
    value (``null``) takes the type of the others.
    """
    distinct = sorted({dictionary_values(arrow_type) for arrow_type in types} - {"null"})
    if not distinct:
        return "null"
    if len(distinct) == 1:
        return distinct[0]
    kinds = {column_kind(arrow_type) for arrow_type in distinct}
    if kinds <= {"numeric", "bool"}:
        integers = all(_INTEGER.fullmatch(arrow_type) for arrow_type in distinct)
        return "int64" if integers else "double"
    if kinds == {"text"}:
        return "large_string"
    if all(arrow_type.startswith(("timestamp", "date")) for arrow_type in distinct):
        return "timestamp[ns, tz=UTC]"
    return f"{_MIXED}{' | '.join(distinct)}>"


def dictionary_values(arrow_type: str) -> str:
    """Return the type of a decoded dictionary column; other types unchanged."""
    dictionary = _DICTIONARY.fullmatch(arrow_type)
    return dictionary.group(1) if dictionary else arrow_type


def merge_columns(per_symbol: Mapping[str, Sequence[tuple[str, str]]]) -> MergedColumns:
    """Unite the columns of a batch, regardless of the order of symbols and columns.

    Parameters
    ----------
    per_symbol
        Symbol to its columns, (name, Arrow type string).
    """
    types: dict[str, dict[str, list[str]]] = {}
    for symbol in sorted(per_symbol):
        for name, arrow_type in per_symbol[symbol]:
            types.setdefault(name, {}).setdefault(arrow_type, []).append(symbol)
    columns = tuple((name, unified_type(by_type)) for name, by_type in sorted(types.items()))
    lacking = {}
    for name, by_type in sorted(types.items()):
        holders = {symbol for symbols in by_type.values() for symbol in symbols}
        if len(holders) < len(per_symbol):
            lacking[name] = tuple(sorted(set(per_symbol) - holders))
    conflicts = {
        name: _conflict_reason(types[name])
        for name, arrow_type in columns
        if column_kind(arrow_type) == "mixed"
    }
    return MergedColumns(columns, lacking, conflicts)


def _conflict_reason(by_type: Mapping[str, Sequence[str]]) -> str:
    parts = [
        f"{arrow_type} in {some_of(symbols, at_most=3)}"
        for arrow_type, symbols in sorted(by_type.items())
    ]
    return "conflicting types: " + "; ".join(parts)
