"""The role of each column: time, symbol, bar field, target, by-product or feature."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, Protocol

from ray_pipeline.errors import DataError
from ray_pipeline.panel.columns import column_kind
from ray_pipeline.panel.cross_section.names import is_cross_sectional
from ray_pipeline.panel.named import named_columns
from ray_pipeline.panel.naming import TIME_OF_DAY, UNMAPPED, adjusted_price
from ray_pipeline.panel.value_columns import value_advice
from ray_pipeline.panel.vendors import beside_bars, propose_columns
from ray_pipeline.records import (
    BAR_FIELDS,
    TARGET_PATTERNS,
    TIME_COLUMNS,
    VALUE,
    ColumnRoles,
    first_match,
)
from ray_pipeline.wording import some_of

__all__ = [
    "ADJUSTED_IGNORED",
    "ColumnPatterns",
    "columns_beside",
    "fields_of",
    "missing_bar_fields",
    "resolve_roles",
    "resolve_time_column",
]

ADJUSTED_IGNORED = (
    "an adjusted price or volume, which is not a feature unless columns.features names it"
)
"""Why such a column is not used with bars, although it may replace another one."""

GROUP_IGNORED = (
    "columns.group: symbols are compared within it, so it is not a feature: it is the same for all "
    "compared symbols"
)

_Role = Literal["time", "symbol", "bars", "targets", "by_products", "features"]
_NOT_NUMBERS = {
    "text": "text",
    "time": "a point in time or a duration, not a number",
    "null": "has no value",
    "nested": "nested",
    "mixed": "numeric in some tables and not in others",
    "other": "neither a number nor a truth value",
}


class ColumnPatterns(Protocol):
    """The part of the config's ``columns`` section that sets roles: lists of glob patterns."""

    @property
    def targets(self) -> Sequence[str]: ...  # noqa: D102 (the class says what they are)

    @property
    def exclude_targets(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def features(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def exclude_features(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def by_products(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def group(self) -> str | None: ...  # noqa: D102 (one name, no pattern)


def resolve_roles(
    columns: Sequence[tuple[str, str]], columns_config: ColumnPatterns, time_column: str | None
) -> ColumnRoles:
    """Give every column exactly one role; the first rule that fits decides.

    1. The time column: `time_column`, else ``ts``, ``timestamp``, ``datetime``, ``date``. Further
       columns of these names are ignored.
    2. ``symbol``. The symbol itself is read from the path, never from this column. The column of
       groups is ignored: it says which symbols are compared, and is not a feature.
    3. Label by-products, before targets, because ``mfe_share_5d`` also looks like ``mfe_*``.
    4. Targets. An excluded one is ignored and never becomes a feature: it knows the future. So does
       a column that is a target by default if ``columns.targets`` asks for fewer, unless
       ``columns.features`` names it.
    5. The bar fields, and adjusted prices. Raw price and volume levels reveal the year, and differ
       between symbols only in their units, so they are not features of a model that has to hold out
       of sample, unless ``columns.features`` names one.
    6. Features: every other numeric or boolean column that ``columns.features`` matches and
       ``columns.exclude_features`` does not. Everything else is ignored, with a reason.

    `named_columns` says what ``columns.features`` names: entries without a wildcard, and patterns
    that match only columns of rules 4 and 5.

    Patterns are case-sensitive globs. A column also matches its own exact name, so that names with
    brackets can be given.

    Within a role the names are sorted by code point, the bar fields keep their own order: a file's
    column order is accidental, and no seed, tie or rounding may depend on it.

    Parameters
    ----------
    columns
        (name, Arrow type string), in any order.
    columns_config
        Glob patterns: `targets`, `exclude_targets`, `features`, `exclude_features`, `by_products`;
        and the name of the column of groups, `group`.
    time_column
        The configured time column, or None for the first of the known names.

    Raises
    ------
    DataError
        When there is no time column.
    """
    time = resolve_time_column([name for name, _ in columns], time_column, columns)
    found: dict[_Role, list[str]] = {}
    ignored: list[tuple[str, str]] = []
    named = _named(columns, columns_config, time)
    for name, arrow_type in sorted(columns):
        role, reason = _role_of(name, arrow_type, columns_config, time, named)
        if role is None:
            ignored.append((name, reason))
        else:
            found.setdefault(role, []).append(name)
    return ColumnRoles(
        time=time,
        symbol=next(iter(found.get("symbol", [])), None),
        bars=tuple(name for name in BAR_FIELDS if name in found.get("bars", [])),
        targets=tuple(found.get("targets", [])),
        by_products=tuple(found.get("by_products", [])),
        features=tuple(found.get("features", [])),
        ignored=tuple(ignored),
    )


def resolve_time_column(
    names: Sequence[str], time_column: str | None, columns: Sequence[tuple[str, str]] = ()
) -> str:
    """Return the name of the time column.

    Parameters
    ----------
    columns
        (name, Arrow type string), used in the message to suggest what else to name.

    Raises
    ------
    DataError
        When the configured column, or every known name, is missing.
    """
    if time_column is not None:
        if time_column in names:
            return time_column
        raise DataError(
            f"data.columns.time={time_column!r} is not a column; found {some_of(names)}."
        )
    for candidate in TIME_COLUMNS:
        if candidate in names:
            return candidate
    proposal = propose_columns(names)
    advice = proposal.advice or " Set data.columns.time."
    if "close" not in proposal.columns:
        advice += value_advice(columns)
    raise DataError(
        f"no time column: looked for {', '.join(TIME_COLUMNS)}; found {some_of(names)}.{advice}"
    )


def fields_of(kind: str) -> tuple[str, ...]:
    """Return the columns from which features and targets are computed; none for a labeled table."""
    return {"bars": BAR_FIELDS, "series": (VALUE,)}.get(kind, ())


def columns_beside(
    kind: str, roles: ColumnRoles, patterns: ColumnPatterns
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the file's columns that are features of bars or a series, and those that are not.

    Returns
    -------
    features
        Other numeric columns that ``columns.features`` takes.
    ignored
        (column, reason) of vendors' extra columns, unless named.
    """
    features, ignored = [], []
    fields = fields_of(kind)
    unusual = [name for name in roles.features if beside_bars(name) is not None]
    named = named_columns(patterns.features, roles.features, unusual)
    for name in roles.features:
        if name in fields:
            continue
        what = beside_bars(name) if kind == "bars" else None
        if is_cross_sectional(name):
            ignored.append((name, "its name is that of a column which compares symbols"))
        elif what is not None and name not in named:
            reason = f"{what}, which is not a feature unless columns.features names it"
            ignored.append((name, reason))
        else:
            features.append(name)
    return tuple(features), tuple(ignored)


def missing_bar_fields(columns: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Return the bar fields that are absent from `columns` or not numeric."""
    numeric = {name for name, arrow_type in columns if column_kind(arrow_type) == "numeric"}
    return tuple(field for field in BAR_FIELDS if field not in numeric)


def _role_of(
    name: str, arrow_type: str, patterns: ColumnPatterns, time: str, named: Collection[str]
) -> tuple[_Role | None, str]:
    """Return the role, or None with the reason for ignoring the column."""
    kind = column_kind(arrow_type)
    unusable = None if kind in ("numeric", "bool") else _NOT_NUMBERS[kind]
    if _is_time(name, time):
        second = f"a second time column; the time axis is {time}"
        return ("time", "") if name == time else (None, second)
    if name in ("symbol", TIME_OF_DAY):
        return ("symbol", "") if name == "symbol" else (None, f"the clock of {time}")
    if name == patterns.group:
        return None, GROUP_IGNORED
    return _role_of_number(name, patterns, unusable, named)


def _role_of_number(
    name: str, patterns: ColumnPatterns, unusable: str | None, named: Collection[str]
) -> tuple[_Role | None, str]:
    if first_match(name, patterns.by_products):
        return "by_products", ""
    if first_match(name, patterns.targets):
        return _target_role(name, patterns, unusable)
    if name in BAR_FIELDS and name not in named:
        return "bars", ""
    return _feature_role(name, patterns, unusable, named)


def _is_time(name: str, time: str) -> bool:
    return name == time or name.casefold() in TIME_COLUMNS


def _named(
    columns: Sequence[tuple[str, str]], patterns: ColumnPatterns, time: str
) -> frozenset[str]:
    """Return bar fields, adjusted prices and targets that are named as features."""
    others = [
        name
        for name, arrow_type in columns
        if column_kind(arrow_type) in ("numeric", "bool")
        and not _is_time(name, time)
        and name != "symbol"
        and not first_match(name, (*patterns.by_products, *patterns.targets))
    ]
    labels = {name for name in others if first_match(name, TARGET_PATTERNS)}
    unusual = labels | {name for name in others if _is_level(name)}
    # A short pattern that happens to match nothing else must not admit the future.
    of_labels = [
        pattern
        for pattern in patterns.features
        if pattern in labels or first_match(pattern, TARGET_PATTERNS)
    ]
    named = named_columns(patterns.features, others, unusual)
    return (named - labels) | (named_columns(of_labels, others, unusual) & labels)


def _is_level(name: str) -> bool:
    return name in BAR_FIELDS or name.endswith(UNMAPPED) or adjusted_price(name)


def _target_role(
    name: str, patterns: ColumnPatterns, unusable: str | None
) -> tuple[_Role | None, str]:
    excluded_by = first_match(name, patterns.exclude_targets)
    if excluded_by:
        return None, f"target excluded by columns.exclude_targets {excluded_by!r}"
    if unusable is not None:
        return None, f"target that is {unusable}"
    return "targets", ""


def _feature_role(
    name: str, patterns: ColumnPatterns, unusable: str | None, named: Collection[str]
) -> tuple[_Role | None, str]:
    if unusable is not None:
        return None, unusable
    excluded_by = first_match(name, patterns.exclude_features)
    if excluded_by:
        return None, f"feature excluded by columns.exclude_features {excluded_by!r}"
    if not first_match(name, patterns.features):
        return None, "matched by no pattern of columns.features"
    if name not in named and (name.endswith(UNMAPPED) or adjusted_price(name)):
        return None, "excluded by data.columns" if name.endswith(UNMAPPED) else ADJUSTED_IGNORED
    usual = first_match(name, TARGET_PATTERNS)
    if usual and name not in named:
        return None, (
            f"a target by its name ({usual}) that columns.targets leaves out; it would know the "
            "future. If it does not, name it in columns.features"
        )
    return "features", ""
