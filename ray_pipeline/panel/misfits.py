"""Symbols whose tables differ from most others: each is left out, without failing the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from ray_pipeline.panel.columns import column_kind, merge_columns
from ray_pipeline.panel.inspection import TableKind
from ray_pipeline.panel.outlines import Outlined
from ray_pipeline.panel.own_symbols import is_same_symbol
from ray_pipeline.panel.roles import ColumnPatterns, resolve_roles
from ray_pipeline.wording import agreeing, plural

__all__ = ["find_misfits", "other_symbols"]

_KIND_NAMES: dict[TableKind, str] = {
    "labeled": "a labeled table",
    "bars": "bars",
    "series": "a series",
}


def find_misfits(
    inspections: Iterable[Outlined],
    patterns: ColumnPatterns,
    symbols: Collection[str] = (),
) -> dict[str, str]:
    """Find symbols that differ from more than half of the batch in required common properties.

    That is whether a table is labeled or bars and, of labeled ones, whether a feature or target is
    a number. Without such a majority, neither side is known to be wrong, and no symbol is named. A
    symbol whose files contain another symbol is named as well: another one of the batch, or any
    other if most files agree with their paths.

    Parameters
    ----------
    inspections
        Of all symbols that can be read.
    patterns
        The config's ``columns``.
    symbols
        All of the batch, including those that cannot be read.

    Returns
    -------
    dict
        The reason by symbol, ordered by symbol.
    """
    ordered = sorted(inspections, key=lambda each: each.symbol)
    found = _misfiled(ordered, symbols)
    ordered = [each for each in ordered if each.symbol not in found]
    found |= _of_other_kind(ordered)
    fitting = [each for each in ordered if each.symbol not in found]
    if fitting and fitting[0].kind == "labeled" and len({each.kind for each in fitting}) == 1:
        found |= _with_other_types(fitting, patterns)
    return dict(sorted(found.items()))


def _misfiled(inspections: Sequence[Outlined], symbols: Collection[str]) -> dict[str, str]:
    others = other_symbols(inspections)
    n_named = sum(bool(each.own_symbols) for each in inspections)
    batch = [*symbols, *(each.symbol for each in inspections)]
    found = {}
    for symbol, named in others.items():
        of_batch = [pair for pair in named if any(is_same_symbol(pair[0], each) for each in batch)]
        if of_batch or 2 * len(others) <= n_named:
            value, uri = (of_batch or named)[0]
            found[symbol] = (
                f"symbol {symbol}: {uri} says inside that it is of {value!r}. Move the file to "
                "where it belongs; if the column is not a symbol, set data.columns: {symbol: null}."
            )
    return found


def other_symbols(
    inspections: Iterable[Outlined],
) -> dict[str, list[tuple[str, str]]]:
    """Return by symbol the other symbol that its files contain."""
    found = {}
    for each in inspections:
        named = [pair for pair in each.own_symbols if not is_same_symbol(pair[0], each.symbol)]
        if named:
            found[each.symbol] = named
    return found


def _of_other_kind(inspections: Sequence[Outlined]) -> dict[str, str]:
    counts = Counter(each.kind for each in inspections)
    for kind, count in counts.items():
        if 2 * count > counts.total():
            most = (
                f"{count} of {plural(counts.total(), 'symbol')} {agreeing(count, 'is', 'are')} "
                f"{_KIND_NAMES[kind]}"
            )
            return {
                each.symbol: f"symbol {each.symbol}: it is {_KIND_NAMES[each.kind]}, and {most}. "
                "Give it the same columns, or set data.kind."
                for each in inspections
                if each.kind != kind
            }
    return {}


def _with_other_types(inspections: Sequence[Outlined], patterns: ColumnPatterns) -> dict[str, str]:
    found: dict[str, str] = {}
    columns = {each.symbol: dict(each.columns) for each in inspections}
    for name in merge_columns({each.symbol: each.columns for each in inspections}).conflicts:
        if not _is_used(name, inspections[0].time_column, patterns):
            continue
        types = {symbol: own[name] for symbol, own in columns.items() if name in own}
        holders = {each: kind for each, kind in types.items() if column_kind(kind) != "null"}
        others = {
            symbol: kind
            for symbol, kind in holders.items()
            if column_kind(kind) not in ("numeric", "bool")
        }
        if 2 * len(others) >= len(holders):
            continue
        most = f"a number in {len(holders) - len(others)} of {plural(len(holders), 'symbol')}"
        for symbol, kind in others.items():
            found.setdefault(
                symbol,
                f"symbol {symbol}: column {name!r} is {kind} here and {most}. "
                "Write it as numbers, or leave it out by columns.exclude_features.",
            )
    return found


def _is_used(name: str, time: str, patterns: ColumnPatterns) -> bool:
    """Whether a column would be a feature or a target if it held numbers."""
    roles = resolve_roles(((time, "int64"), (name, "double")), patterns, time)
    return name in (*roles.features, *roles.targets)
