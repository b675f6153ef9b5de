"""Roles of a batch's columns, by names, types and content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ray_pipeline.bars.horizons import resolve_horizon
from ray_pipeline.errors import ConfigError
from ray_pipeline.intervals import Interval
from ray_pipeline.panel.clocks import read_clocks
from ray_pipeline.panel.columns import MergedColumns
from ray_pipeline.panel.inspection import SymbolInspection, TableKind
from ray_pipeline.panel.known_targets import KnownTarget, find_known_targets
from ray_pipeline.panel.roles import ColumnPatterns, columns_beside, resolve_roles
from ray_pipeline.panel.telltales import Telltale, find_telltales
from ray_pipeline.records import BAR_FIELDS, VALUE, ColumnRoles
from ray_pipeline.wording import some_of

__all__ = [
    "HorizonPatterns",
    "computed_roles",
    "known_targets_of",
    "require_columns",
    "union_roles",
    "with_own_columns",
    "without_telltales",
]


class HorizonPatterns(Protocol):
    """The part of the config's ``columns`` section that gives horizons, by pattern."""

    @property
    def horizons(self) -> Mapping[str, str | int]: ...  # noqa: D102 (the class says what they are)


def union_roles(
    merged: MergedColumns,
    inspections: Sequence[SymbolInspection],
    columns_config: ColumnPatterns,
    time_column: str | None,
) -> ColumnRoles:
    """Assign a role to every column of the batch; columns of conflicting types are ignored."""
    roles = resolve_roles(merged.columns, columns_config, time_column)
    ignored = tuple((name, merged.conflicts.get(name, reason)) for name, reason in roles.ignored)
    return replace(roles, ignored=ignored)


def with_own_columns(
    kind: TableKind,
    roles: ColumnRoles,
    inspections: Sequence[SymbolInspection],
    patterns: ColumnPatterns,
) -> tuple[ColumnRoles, tuple[str, ...], tuple[tuple[str, Telltale, str], ...]]:
    """Return the roles, the file's own feature columns, and the dropped columns."""
    features, ignored = columns_beside(kind, roles, patterns)
    roles = replace(roles, features=features, ignored=(*roles.ignored, *ignored))
    roles, dropped = without_telltales(roles, inspections, patterns)
    return roles, roles.features, dropped


def computed_roles(
    kind: TableKind,
    roles: ColumnRoles,
    targets: tuple[str, ...],
    computed: tuple[str, ...],
    own_columns: tuple[str, ...],
) -> ColumnRoles:
    """Replace the table's features and targets with the computed ones and its own columns."""
    what = "bars" if kind == "bars" else "a series"
    reasons = dict.fromkeys(roles.targets, f"the table is read as {what}: targets are computed")
    if kind == "series":
        reasons |= dict.fromkeys(
            roles.bars, "named like a field of bars, but the table is a series"
        )
    reasons |= dict.fromkeys(roles.features, "labeling computes a feature of this name")
    kept = {*own_columns, *targets}
    return replace(
        roles,
        bars=BAR_FIELDS if kind == "bars" else (),
        value=VALUE if kind == "series" else None,
        targets=targets,
        features=(*computed, *own_columns),
        ignored=(*roles.ignored, *(pair for pair in reasons.items() if pair[0] not in kept)),
    )


def known_targets_of(
    roles: ColumnRoles,
    inspections: Sequence[SymbolInspection],
    columns_config: HorizonPatterns,
    bar: Interval,
) -> tuple[KnownTarget, ...]:
    """Find targets that earlier rows determine, with the config's horizons."""

    def horizon_bars(name: str) -> int | None:
        try:
            horizon = resolve_horizon(name, bar, columns_config.horizons)
        except ConfigError:
            return None
        return horizon.in_bars(read_clocks(inspections, bar, []).longest_session)

    return find_known_targets(roles, inspections, horizon_bars)


def without_telltales(
    roles: ColumnRoles,
    inspections: Sequence[SymbolInspection],
    columns_config: ColumnPatterns,
) -> tuple[ColumnRoles, tuple[tuple[str, Telltale, str], ...]]:
    """Return the roles without columns that identify rows, times or symbols, and those columns."""
    found = find_telltales(roles.features, inspections, columns_config.features)
    kept = tuple(name for name in roles.features if name not in found)
    ignored = tuple((name, reason) for name, (_, reason) in found.items())
    dropped = tuple((name, kind, reason) for name, (kind, reason) in found.items())
    return replace(roles, features=kept, ignored=(*roles.ignored, *ignored)), dropped


def require_columns(kind: TableKind, roles: ColumnRoles, known: Sequence[KnownTarget]) -> None:
    """Raise ConfigError when no target or no feature is left."""
    if not roles.targets:
        where = "columns.targets" if kind == "labeled" else "labeling.targets"
        reasons = some_of([f"{each.name} ({each.reason})" for each in known])
        why = f": earlier rows determine {reasons}" if known else ""
        raise ConfigError(f"no target is left in any symbol{why}. Set {where}.")
    if not roles.features:
        reasons = some_of([f"{name} ({reason})" for name, reason in roles.ignored])
        raise ConfigError(f"no feature is left; ignored: {reasons}. Set columns.features.")
