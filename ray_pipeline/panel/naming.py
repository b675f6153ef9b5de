"""Columns under the package's names, whatever their names in the file.

Prices, volume and the symbol are named after their roles (``close``). Differences in case need no
mapping, nor do the names that pandas writes for column tuples (``('Close', 'AAPL')``).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ray_pipeline.errors import DataError
from ray_pipeline.panel.quality import QualityFinding
from ray_pipeline.records import BAR_FIELDS, TIME_COLUMNS
from ray_pipeline.wording import some_of

__all__ = [
    "TIME_OF_DAY",
    "UNMAPPED",
    "Naming",
    "adjusted_price",
    "bare",
    "name_columns",
    "name_findings",
    "require_mapped",
    "tuple_parts",
]

UNMAPPED = " (unmapped)"
"""Suffix of a column whose own name is a role that the config reads from another column."""

TIME_OF_DAY = "time of day (of the time column)"
"""Internal name of the column with the clock of dates."""

_ADJUSTED = re.compile(r"(\d*)(adj(usted|ustd)?(open|high|low|close|volume)|closeadj)")
_KNOWN = frozenset({*BAR_FIELDS, *TIME_COLUMNS, "symbol", "adj close"})


@dataclass(frozen=True, slots=True)
class Naming:
    """The package's names for the columns of a file.

    Attributes
    ----------
    own
        Name in the file by internal name, in the file's order.
    symbol
        Symbol in the column tuples, else None.
    raw_close
        Internal name of the unadjusted close, if the close is adjusted and open, high and low are
        not; else None.
    """

    own: Mapping[str, str]
    symbol: str | None
    raw_close: str | None = None


def name_columns(names: Sequence[str], given: Mapping[str, str | None], subject: str) -> Naming:
    """Name the columns of one file.

    An exact name wins over one that differs only in case. Columns without a role keep their names.

    Parameters
    ----------
    names
        Names in the file, each once.
    given
        The config's ``data.columns``: name in the file by role. If the symbol is None, it is
        ignored.
    subject
        The file, for messages.

    Raises
    ------
    DataError
        When two columns differ only in case and either would match, or when column tuples name
        several symbols.

    Examples
    --------
    >>> dict(name_columns(["Date", "Open", "Adj Close"], {"close": "Adj Close"}, "a.parquet").own)
    {'date': 'Date', 'open': 'Open', 'close': 'Adj Close'}
    """
    plain, symbol = _plain_names(names, subject)
    by_case: dict[str, list[str]] = {}
    for name in plain:
        by_case.setdefault(name.casefold(), []).append(name)
    inside: dict[str, str] = {}  # plain name to name inside
    for role, wanted in given.items():
        if wanted is not None:
            found = wanted if wanted in plain else _like(wanted, by_case, subject, role)
            if found is None and wanted in names:  # a column tuple, written out
                found = next(name for name, own in plain.items() if own == wanted)
            if found is not None:
                inside[found] = {"time": wanted, "time_of_day": TIME_OF_DAY}.get(role, role)
    looked_for = [field for field in (*BAR_FIELDS, "symbol") if field not in given]
    if "time" not in given and not any(name in plain for name in TIME_COLUMNS):
        looked_for += TIME_COLUMNS
    for role in looked_for:
        found = role if role in plain else _like(role, by_case, subject, role)
        if found is not None:
            inside.setdefault(found, role)
    taken = set(inside.values())
    own: dict[str, str] = {}
    for name, in_file in plain.items():
        role = name.casefold()
        is_replaced = role in given and (role in taken or given[role] is None)
        own[inside.get(name, role + UNMAPPED if is_replaced else name)] = in_file
    close, raw_close = given.get("close"), "close" + UNMAPPED
    adjusts = close is not None and adjusted_price(close) and raw_close in own
    adjusts = adjusts and not {"open", "high", "low"} & set(given)
    return Naming(own, symbol, raw_close if adjusts else None)


def adjusted_price(name: str) -> bool:
    """Tell whether a column is an adjusted price or volume by its name (``Adj Close``)."""
    return _ADJUSTED.fullmatch(bare(name)) is not None


def bare(name: str) -> str:
    """Return a name in lower case, without spaces and signs."""
    return re.sub(r"[\W_]+", "", name).casefold()


def require_mapped(namings: Iterable[Naming], given: Iterable[tuple[str, str | None]]) -> None:
    """Require that each column of ``data.columns`` is in one of a symbol's files at least.

    Raises
    ------
    DataError
        Naming the role, and the columns that are there.
    """
    columns = {inside: own for naming in namings for inside, own in naming.own.items()}
    for role, wanted in given:
        # The time column is searched for by name, with its own error.
        inside = TIME_OF_DAY if role == "time_of_day" else role
        if wanted is not None and role != "time" and inside not in columns:
            found = some_of(list(columns.values()))
            raise DataError(f"data.columns.{role}={wanted!r} is not a column; found {found}.")


def name_findings(namings: Collection[Naming]) -> tuple[QualityFinding, ...]:
    """Say which columns have different names in the package and in the files."""
    others: dict[str, dict[str, None]] = {}
    for naming in namings:
        for inside, own in naming.own.items():
            if inside != own and tuple_parts(own) is None:
                others.setdefault(inside, {})[own] = None
    findings = []
    if others:
        names = [f"{inside} is {' or '.join(map(repr, own))}" for inside, own in others.items()]
        message = f"columns by their names in the files: {', '.join(names)}"
        findings.append(QualityFinding("columns_named", None, len(others), message))
    adjusting = [each for each in namings if each.raw_close is not None]
    if adjusting:
        message = (
            "open, high and low were multiplied by the ratio of the adjusted to the traded close"
        )
        findings.append(QualityFinding("prices_adjusted", "close", len(adjusting), message))
    return tuple(findings)


def tuple_parts(name: str) -> tuple[str, ...] | None:
    """Return the parts of a column tuple that was written as text, else None.

    Examples
    --------
    >>> tuple_parts("('Close', 'AAPL')"), tuple_parts("close")
    (('Close', 'AAPL'), None)
    """
    if not (name.startswith("(") and name.endswith(")")):
        return None
    try:
        parts = ast.literal_eval(name)
    except (ValueError, SyntaxError):
        return None
    is_tuple = isinstance(parts, tuple) and all(isinstance(part, str) for part in parts)
    return tuple(part for part in parts if part) if is_tuple else None


def _like(wanted: str, by_case: Mapping[str, list[str]], subject: str, role: str) -> str | None:
    """Return the one column whose name differs only in case, if there is one."""
    found = by_case.get(wanted.casefold(), [])
    if len(found) > 1:
        raise DataError(
            f"{subject}: columns {some_of([repr(name) for name in found])} differ only in case, "
            f"and each could be {wanted!r}. Set data.columns.{role} to one of them."
        )
    return found[0] if found else None


def _plain_names(names: Sequence[str], subject: str) -> tuple[dict[str, str], str | None]:
    """Return the names in the file by name without the symbol of column tuples; and that symbol."""
    tuples = {name: parts for name in names if (parts := tuple_parts(name))}
    if not tuples:
        return {name: name for name in names}, None
    place = _place_of_fields(tuples.values())
    plain: dict[str, str] = {}
    symbols: dict[str, None] = {}
    for name in names:
        parts = tuples.get(name)
        if parts is None or len(parts) > 2:
            plain[name] = name
            continue
        field = parts[place] if len(parts) > 1 else parts[0]
        if len(parts) > 1:
            symbols[parts[1 - place]] = None
        # Two symbols would have the same fields; the message below reports them.
        plain.setdefault(name if field in names else field, name)
    if len(symbols) > 1:
        raise DataError(
            f"{subject} holds columns of several symbols ({some_of(list(symbols))}), as column "
            "tuples. Write one file for each symbol."
        )
    return plain, next(iter(symbols), None)


def _place_of_fields(tuples: Iterable[tuple[str, ...]]) -> int:
    """Return which part of column tuples is the column: the one with more known names."""
    pairs = [parts for parts in tuples if len(parts) == 2]
    counts = [len({pair[place].casefold() for pair in pairs} & _KNOWN) for place in (0, 1)]
    return int(counts[1] > counts[0])
