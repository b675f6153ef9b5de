"""The likely value column of a table that is neither labeled nor bars."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ray_pipeline.errors import DataError
from ray_pipeline.panel.columns import column_kind
from ray_pipeline.panel.naming import bare
from ray_pipeline.panel.vendors import propose_columns
from ray_pipeline.records import BAR_FIELDS, TARGET_PATTERNS, TIME_COLUMNS, VALUE, first_match
from ray_pipeline.wording import some_of, yaml_text

__all__ = [
    "ValueColumns",
    "ValueProposal",
    "propose_value",
    "require_value",
    "value_advice",
    "value_columns",
]

# Usual names of a table's value column, in lower case, without spaces and signs.
_VALUES = (
    *("value", "y", "target", "ret", "return", "returns", "totalreturn", "excessreturn", "r"),
    *("sold", "sales", "unitsales", "unitssold", "units", "quantity", "qty", "demand", "orders"),
    *("consumption", "load", "usage", "kwh", "mw", "count", "cnt", "visits", "views", "rides"),
    *("reading", "measurement", "level", "rate", "index"),
)
_NO_VALUES = re.compile(
    r"(.*(id|code|key|number|flag)|(item|store|dept|cat|state|family|unnamed)[a-z]*[0-9]*"
    r"|year|yyyymm|yearmonth|period|ds|quarter|month|week|day|weekday|wday|hour|minute|dayofweek|isholiday|holiday|snap[a-z]*"
    r"|(on)?promo(tion)?|weight|lat|lon|latitude|longitude|i|n|row|open|high|low)"
)


_PRICES = ("close", "price", "last", "adjclose", "nav", "volume")
_LOOKS_LIKE_BARS = 3


@dataclass(frozen=True, slots=True)
class ValueColumns:
    """Numeric columns that could be the value, the most plausible first.

    Attributes
    ----------
    names
        All of them.
    only
        The one that is more plausible than all others, None if there are several.
    """

    names: tuple[str, ...]
    only: str | None


@dataclass(frozen=True, slots=True)
class ValueProposal:
    """What `init` says about a table that could be a series.

    Attributes
    ----------
    line
        Value of ``data.columns`` as YAML, None if no column is more plausible than all others.
    told
        The reason, or which columns could be named; empty if there is none.
    """

    line: str | None
    told: str


def value_columns(columns: Sequence[tuple[str, str]]) -> ValueColumns:
    """Infer the possible value columns from names and types.

    None for a table that looks like bars or a labeled one, with columns named like targets.

    Parameters
    ----------
    columns
        (name, Arrow type string), in any order.

    Examples
    --------
    >>> value_columns([("month", "string"), ("ret", "double")]).only
    'ret'
    >>> value_columns([("time", "int64"), ("y", "double")]).only
    'y'
    >>> value_columns([("date", "date32"), ("price", "float"), ("sold", "int64")]).names
    ('sold', 'price')
    """
    time = propose_columns([name for name, _ in columns]).columns.get("time")
    numeric = [
        name
        for name, arrow_type in sorted(columns)
        if column_kind(arrow_type) == "numeric"
        and name != time
        and name.casefold() not in TIME_COLUMNS
        and not _NO_VALUES.fullmatch(bare(name))
    ]
    numbers = [name for name, kind in columns if column_kind(kind) in ("numeric", "bool")]
    targets = [name for name in numbers if first_match(name, TARGET_PATTERNS)]
    n_fields = len({*BAR_FIELDS} & {name.casefold() for name in numbers})
    if n_fields >= _LOOKS_LIKE_BARS or (targets and len(numeric) > 1):
        return ValueColumns((), None)
    known = sorted(
        (name for name in numeric if bare(name) in _VALUES),
        key=lambda name: (_VALUES.index(bare(name)), name),
    )
    others = [name for name in numeric if name not in known]
    names = (*known, *others)
    # With a price alone, people mean returns, which a series does not have.
    is_plain = len(others) == 1 and bare(others[0]) not in _PRICES
    return ValueColumns(names, names[0] if known or is_plain else None)


def propose_value(columns: Sequence[tuple[str, str]], time: str | None) -> ValueProposal:
    """Return the line of a config for a table that could be a series.

    Parameters
    ----------
    columns
        (name, Arrow type string), in any order.
    time
        The column to name as the time, None if it is found by its name.
    """
    found = value_columns(columns)
    others = [name for name in found.names if name not in (time, found.only)]
    if found.only is None or found.only == time:
        if not others:
            return ValueProposal(None, "")
        told = (
            f"the table could be a series of {some_of(others, at_most=5)}: name the one that it is "
            f"about, data.columns: {{value: {yaml_text(others[0])}}}"
        )
        return ValueProposal(None, told)
    pairs = [] if time is None else [f"time: {yaml_text(time)}"]
    pairs.append(f"{VALUE}: {yaml_text(found.only)}")
    beside = f"; it could be of {some_of(others, at_most=5)} too" if others else ""
    told = f"a series of {found.only}, since neither bars nor targets are there{beside}"
    return ValueProposal(f"{{{', '.join(pairs)}}}", told)


def value_advice(columns: Sequence[tuple[str, str]]) -> str:
    """Suggest a value column of a series, as a sentence that begins with a space.

    If the time has to be named too, the line includes it. Empty if there is no such column.
    """
    found = value_columns(columns).names
    if not found:
        return ""
    time = propose_columns([name for name, _ in columns]).needed.get("time")
    pairs = [] if time is None else [f"time: {yaml_text(time)}"]
    names = [name for name in found if name != time]
    if not names:
        return ""
    line = ", ".join([*pairs, f"{VALUE}: {yaml_text(names[0])}"])
    others = f" (or {some_of(names[1:], at_most=4)})" if len(names) > 1 else ""
    return f" If it is a series, name the column it is about: data.columns: {{{line}}}{others}."


def require_value(columns: Sequence[tuple[str, str]]) -> None:
    """Require the value of a series.

    Raises
    ------
    DataError
        When it is missing, or is not a number.
    """
    types = dict(columns)
    if VALUE not in types:
        raise DataError(
            f"not a series: no column {VALUE!r}; found "
            f"{some_of([f'{name} ({kind})' for name, kind in columns])}.{value_advice(columns)}"
        )
    if column_kind(types[VALUE]) not in ("numeric", "bool", "null", "mixed"):
        raise DataError(f"not a series: the value is {types[VALUE]}; numbers are needed.")
