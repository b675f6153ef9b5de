"""Columns that identify the row, the time or the symbol: not features unless requested."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from ray_pipeline.panel.evidence import InspectedColumns
from ray_pipeline.panel.named import named_columns

__all__ = ["Telltale", "find_telltales", "is_index_name"]

Telltale = Literal["index", "counter", "clock", "identifier", "constant", "empty"]

# Names that pandas gives to an unnamed index, in a file and after a round trip through CSV.
_INDEX = re.compile(r"__index_level_[0-9]+__|Unnamed: [0-9]+|level_[0-9]+")

# Share of the symbols in which it goes one way; not all, because one may be too short to show it.
_MOST = 0.9


def is_index_name(name: str) -> bool:
    """Tell from its name whether a column is an index that pandas kept."""
    return bool(_INDEX.fullmatch(name))


def find_telltales(
    names: Sequence[str], inspections: Sequence[InspectedColumns], patterns: Iterable[str]
) -> dict[str, tuple[Telltale, str]]:
    """Find the `names` that are not features, with kind and reason.

    * ``index``: named like an index that pandas kept.
    * ``counter``, ``clock``: go the same way in every symbol, with every row or resting at times.
      No later row will ever have such a value again.
    * ``identifier``: one number per symbol, not the same in all: it identifies symbols or groups of
      them, and says nothing about a time.
    * ``constant``, ``empty``: one number, or none, everywhere.

    Parameters
    ----------
    names
        Features by their names and types.
    inspections
        Of all symbols.
    patterns
        Entries of ``columns.features``. Columns that they name are found only if empty; see
        `named_columns`.
    """
    seen: dict[str, _Seen] = {name: _Seen() for name in names}
    for each in inspections:
        _look(seen, each)
    kinds = {name: _kind(name, seen[name]) for name in names}
    found = {name: kind for name, kind in kinds.items() if kind is not None}
    named = named_columns(patterns, names, found)
    return {name: each for name, each in found.items() if name not in named or each[0] == "empty"}


class _Seen:
    """What the symbols with values of a column show."""

    def __init__(self) -> None:
        self.n_symbols = 0
        self.n_counters = 0
        self.n_one_way = 0
        self.n_constant = 0
        self.values: set[float] = set()


def _look(seen: Mapping[str, _Seen], each: InspectedColumns) -> None:
    n_missing, constant = dict(each.n_missing), dict(each.constant)
    counters, clocks = set(each.evidence.counters), set(each.evidence.clocks)
    for name in {column for column, _ in each.columns} & set(seen):
        if n_missing.get(name, 0) == each.n_rows:
            continue
        of_column = seen[name]
        of_column.n_symbols += 1
        of_column.n_counters += name in counters
        of_column.n_one_way += name in counters or name in clocks
        if name in constant:
            of_column.n_constant += 1
            of_column.values.add(constant[name])


def _kind(name: str, seen: _Seen) -> tuple[Telltale, str] | None:
    n_symbols = seen.n_symbols
    if not n_symbols:
        return "empty", "no value in any symbol"
    if is_index_name(name):
        return "index", "named like an index that pandas kept"
    if seen.n_counters >= _MOST * n_symbols:
        return "counter", "changes with every row and never turns: it counts rows or tells the time"
    if seen.n_one_way >= _MOST * n_symbols:
        return "clock", "goes one way and never turns: it tells the time"
    return _of_constant(seen) if seen.n_constant == n_symbols else None


def _of_constant(seen: _Seen) -> tuple[Telltale, str]:
    if len(seen.values) == 1:
        return "constant", f"always {min(seen.values):g}, in every symbol"
    return "identifier", (
        f"one number within each symbol, {len(seen.values)} in {seen.n_symbols} symbols: it names "
        "symbols or groups of them"
    )
