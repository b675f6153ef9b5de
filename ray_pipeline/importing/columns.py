"""Which columns an import takes, their types, and which are left out. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ray_pipeline.discovery.proposing import SYMBOL_KEYS
from ray_pipeline.errors import DataError
from ray_pipeline.panel.naming import TIME_OF_DAY
from ray_pipeline.panel.naming import name_columns as columns_by_name
from ray_pipeline.panel.vendors import propose_columns
from ray_pipeline.records import BAR_FIELDS, TIME_COLUMNS
from ray_pipeline.wording import some_of

__all__ = [
    "JOINS",
    "ROLES",
    "TIME",
    "ColumnPlan",
    "FileColumns",
    "Given",
    "name_columns",
    "plan_columns",
    "wide_symbols",
    "written_type",
]

TIME = "ts"
"""Name of the time in the output; the symbol is only in the path."""

JOINS = "+"
"""Joins the names, and the values, of columns that form the symbol together."""

ROLES = ("time", "time_of_day", "symbol", *BAR_FIELDS)
"""Roles that ``--columns`` may name."""


@dataclass(frozen=True, slots=True)
class FileColumns:
    """The columns of one file.

    Attributes
    ----------
    time, symbol
        Their names in the file; no symbol if the path or header contains it.
    clock
        Its name in the file, if the times are dates and the time of day is a separate column.
    told
        The symbol of all rows, if no column holds it.
    others
        (name in the output, name in the file) of the rest, in the file's order.
    with_symbol
        Further columns that form the symbol together with `symbol`.
    """

    time: str
    symbol: str | None
    clock: str | None
    told: str | None
    others: tuple[tuple[str, str], ...]
    with_symbol: tuple[str, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """All columns that form the symbol; none if the path or header contains it."""
        return () if self.symbol is None else (self.symbol, *self.with_symbol)


@dataclass(frozen=True, slots=True)
class Given:
    """The command line's options for columns.

    Attributes
    ----------
    roles
        (role, name in the files), sorted.
    header
        Column names for text files without a header; empty if they have one.
    wide
        Name of the columns' values if each is a symbol; empty if not.
    encoding
        Encoding of text files, by Python's name.
    """

    roles: tuple[tuple[str, str], ...] = ()
    header: tuple[str, ...] = ()
    wide: str = ""
    encoding: str = "utf-8"

    @property
    def columns(self) -> dict[str, str]:
        """Names in the files by role."""
        return dict(self.roles)


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """The output columns of all files.

    Attributes
    ----------
    given
        From the command line.
    types
        (name, type) of each column except the time, sorted by name; types in Arrow's spelling.
    left_behind
        (name in a file, reason) of columns that are not written.
    """

    given: Given
    types: tuple[tuple[str, str], ...]
    left_behind: tuple[tuple[str, str], ...]


def name_columns(
    names: Sequence[str], given: Mapping[str, str], subject: str, *, told: str | None
) -> FileColumns:
    """Find time, symbol and bar fields among the columns of a file.

    By the rules of ``data.columns``; a role that these do not find is the column that a vendor
    calls so.

    Parameters
    ----------
    names
        Columns of the file.
    given
        Names by role, as on the command line.
    subject
        The file, for messages.
    told
        The symbol in the path or header; a column of it is then ignored.

    Raises
    ------
    DataError
        When a named column, a time, or a symbol is missing.
    """
    parts = _parts(names, given.get("symbol", ""))
    wanted = [(role, name) for role, name in given.items() if not parts or role != "symbol"]
    for role, name in [*wanted, *(("symbol", part) for part in parts)]:
        if name not in names and name.lower() not in {each.lower() for each in names}:
            raise DataError(
                f"{subject}: --columns {role}={name}: there is no such column; found "
                f"{some_of(names)}."
            )
    guessed = propose_columns(names).needed
    taken = set(given.values())
    taken |= set(parts)
    roles = {role: name for role, name in guessed.items() if name not in taken} | dict(wanted)
    naming = columns_by_name(names, roles, subject)
    if naming.raw_close is not None:
        raise DataError(
            f"{subject}: --columns close={given.get('close')}: an import writes prices unchanged. "
            "Omit it, and set data.columns.close in the run's config, which also adjusts open, "
            "high and low."
        )
    own = dict(naming.own)
    times = [roles["time"]] if "time" in roles else list(TIME_COLUMNS)
    time = next((own.pop(name) for name in times if name in own), None)
    if time is None:
        raise DataError(
            f"{subject}: no time column: looked for {', '.join(TIME_COLUMNS)}; found "
            f"{some_of(names)}. Name it: --columns time=NAME."
        )
    further: list[str] = []
    if told is not None:
        symbol = None
    elif parts:
        inside = {name: each for each, name in own.items()}
        symbol, *further = [own.pop(inside[part]) for part in parts]
    else:
        symbol = _symbol(own)
    told = naming.symbol if symbol is None and told is None else told
    if symbol is None and told is None:
        raise DataError(
            f"{subject}: no symbol column: looked for {', '.join(SYMBOL_KEYS[:4])} and the like; "
            f"found {some_of(names)}. Name it (--columns symbol=NAME), or give its place in the "
            "path (--symbol-from-path '{symbol}.csv'), or name the values if each column is a "
            "symbol (--wide NAME)."
        )
    clock = own.pop(TIME_OF_DAY, None)
    return FileColumns(time, symbol, clock, told, tuple(own.items()), tuple(further))


def wide_symbols(names: Sequence[str], given: Given, subject: str) -> tuple[str, Mapping[str, str]]:
    """Separate the time from the symbols, if each other column is one.

    Returns
    -------
    time
        Name of its column.
    symbols
        Name of the column by symbol, in the file's order.

    Raises
    ------
    DataError
        When the time or the symbol is missing, or two columns would be the same symbol.
    """
    columns = {role: name for role, name in given.columns.items() if role == "time"}
    time = name_columns(names, columns, subject, told="all").time
    beside = [name for name in names if name != time and not _is_index(name)]
    symbols = {name.strip(): name for name in beside}
    if not symbols or len(symbols) < len(beside) or "" in symbols:
        raise DataError(
            f"{subject}: --wide {given.wide} takes each column beside {time!r} as a symbol, and "
            f"found {some_of([repr(name) for name in beside])}. Give each its own name."
        )
    return time, symbols


def _is_index(name: str) -> bool:
    return name.startswith(("__index_level_", "Unnamed: "))


def _parts(names: Sequence[str], symbol: str) -> tuple[str, ...]:
    """Return the columns that form a symbol together, none if a single column does."""
    parts = tuple(symbol.split(JOINS))
    return () if symbol in names or len(parts) < 2 else parts


def _symbol(own: dict[str, str]) -> str | None:
    """Take the symbol from columns by their internal names."""
    by_case = {inside.casefold(): inside for inside in own}
    found = next((by_case[key] for key in SYMBOL_KEYS if key in by_case), None)
    return None if found is None else own.pop(found)


def plan_columns(
    files: Sequence[tuple[str, FileColumns, Mapping[str, pa.DataType]]], given: Given
) -> ColumnPlan:
    """Decide the output columns, from those of some or all files.

    Integers stay integers if all files have integers; other numbers, including decimals, become
    float64; text, booleans and dates do not change.

    Parameters
    ----------
    files
        (file, its columns, their types by name in the file).
    given
        From the command line.

    Raises
    ------
    DataError
        When one file has numbers where another has text, with both named; or when a price is not a
        number.
    """
    types: dict[str, tuple[pa.DataType, str]] = {}
    left: dict[str, str] = {}
    for file, columns, kinds in files:
        for name, in_file in columns.others:
            kind = written_type(kinds[in_file])
            if name in BAR_FIELDS and not (kind is None or _is_number(kind)):
                raise DataError(
                    f"{file}: column {in_file!r} is {kinds[in_file]}, and {name} has to be a "
                    "number."
                )
            if kind is None:
                left[in_file] = f"{kinds[in_file]} is not a supported type"
            elif name in (TIME, *TIME_COLUMNS):
                left[in_file] = "a second time"
            elif _is_index(in_file):
                left[in_file] = "the index that pandas wrote"
            elif name not in types or pa.types.is_null(types[name][0]):
                types[name] = (kind, file)
            elif not pa.types.is_null(kind):
                types[name] = (_wider(name, *types[name], kind, file), types[name][1])
    known = {name: kind for name, (kind, _) in types.items() if not pa.types.is_null(kind)}
    left |= {name: "no file has a value" for name in types if name not in known}
    return ColumnPlan(
        given,
        tuple(sorted((name, str(kind)) for name, kind in known.items())),
        tuple(sorted(left.items())),
    )


def written_type(kind: pa.DataType) -> pa.DataType | None:
    """Return the type in which a column is written, None if it cannot be used."""
    if pa.types.is_dictionary(kind):
        return written_type(kind.value_type)
    types = pa.types
    written: pa.DataType | None = None
    if types.is_integer(kind) and kind != pa.uint64():
        written = pa.int64()
    elif types.is_floating(kind) or types.is_decimal(kind) or types.is_integer(kind):
        written = kind if kind == pa.float32() else pa.float64()
    elif types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        written = pa.string()
    elif types.is_timestamp(kind) or types.is_date(kind):
        written = pa.timestamp("ns", kind.tz if types.is_timestamp(kind) else None)
    elif types.is_boolean(kind) or types.is_null(kind):
        written = kind
    return written


def _wider(
    name: str, kind: pa.DataType, file: str, other: pa.DataType, other_file: str
) -> pa.DataType:
    if kind == other:
        return kind
    if _is_number(kind) and _is_number(other):
        return pa.float64()
    raise DataError(
        f"column {name!r} is {kind} in {file} and {other} in {other_file}. Import them separately, "
        "or convert one of them."
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))
