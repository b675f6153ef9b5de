"""Screening features for leaks before any model sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.errors import ConfigError, ExecutionError
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.subject import Subject, current_subject
from ray_pipeline.leakage.findings import LeakFinding
from ray_pipeline.leakage.tests import LeakSpec, find_leaks, merge_leaks
from ray_pipeline.panel.cross_section import base_of, is_cross_sectional
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.loading import TableRequest
from ray_pipeline.records import ColumnRoles, SymbolPartition
from ray_pipeline.series import find_series_label
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.stages.writing import nulls
from ray_pipeline.statistics.leakage import LeakLimits
from ray_pipeline.statistics.look_ahead import LookAheadLimits
from ray_pipeline.wording import agreeing, plural

__all__ = [
    "LEAKAGE",
    "LEAKAGE_TABLE",
    "Screening",
    "leakage_table",
    "may_be_a_driver",
    "screen_features",
    "structural_leaks",
    "suspected_features",
]

LEAKAGE_TABLE = "leakage.parquet"


@dataclass(frozen=True, slots=True)
class Screening:
    """Leaks found, what was done, and the features that must not be used."""

    rows: list[dict[str, Any]]
    dropped: frozenset[str]


_KEPT = "It is kept: what drives a series may tell as much of its next values as a leak would"


def may_be_a_driver(finding: LeakFinding) -> bool:
    """Tell whether an honest feature could behave like that.

    Prices are hardly predictable, so a feature that says much about the next bars, and nothing a
    horizon earlier, knows them. For sales, a promotion can honestly do the same, and heat for a
    load. A copy of the target by value is a leak in series, too.
    """
    return finding.test != "value" and find_series_label(finding.target) is not None


def structural_leaks(roles: ColumnRoles, feature_patterns: Sequence[str]) -> list[LeakFinding]:
    """Find targets and label by-products that the config names as features.

    They never become features, whatever the policy: a wildcard silently skips them, but an explicit
    name needs an answer.
    """
    knows_future = dict.fromkeys(roles.targets, "a target")
    knows_future |= dict.fromkeys(roles.by_products, "a label by-product")
    return [
        LeakFinding(
            target=name,
            feature=name,
            test="structure",
            value=1.0,
            reason=f"columns.features names {name}, which is {knows_future[name]}",
        )
        for name in feature_patterns
        if name in knows_future
    ]


def suspected_features(request: TableRequest) -> tuple[str, ...]:
    """Return the features that have to be tested.

    Features of the catalogue only look back, to the last bit, as its tests show; statistics could
    only accuse them wrongly, because labels in trailing deviations share bars with them. Features
    that are columns, and those of user-defined functions, are all tested.
    """
    if request.kind == "labeled":
        return request.features
    own = {name for function in request.functions for name in function.names}
    own |= set(request.own_columns)
    return tuple(
        name
        for name in request.features
        if (base_of(name) if is_cross_sectional(name) else name) in own
    )


def screen_features(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    roles: ColumnRoles,
    config: ExperimentConfig,
) -> Screening:
    """Search every symbol for leaks and apply the policy.

    A leaking feature is dropped for all targets, because it also knows much about the other labels'
    future. A feature that may drive a series is kept, whatever the policy, and reported.

    Raises
    ------
    ExecutionError
        When the policy is ``fail`` and there is a finding.
    """
    section = config.leakage
    limits = LeakLimits(
        section.max_abs_correlation,
        section.behaviour_min_correlation,
        section.implausible_correlation,
    )
    look_ahead = LookAheadLimits(
        section.clock_min_correlation,
        section.present_min_explained,
        section.implausible_correlation,
    )
    suspects = suspected_features(frame.request)
    units = [
        Unit(
            "find_leaks",
            symbol,
            find_leaks,
            LeakSpec(partition, frame, limits, suspects, look_ahead),
        )
        for symbol, partition in partitions.items()
        if suspects
    ]
    by_structure = structural_leaks(roles, config.columns.features)
    found = merge_leaks(list(runner.run(units).values()), look_ahead)
    by_figures = [finding for finding in found if not may_be_a_driver(finding)]
    if section.policy == "fail" and (by_structure or by_figures):
        leaks = by_structure + by_figures
        one = len(leaks) == 1
        raise ExecutionError(
            f"{plural(len(leaks), 'leak')} found, and leakage.policy is 'fail'. "
            f"{'It is' if one else 'The first is'} feature {leaks[0].feature!r}, target "
            f"{leaks[0].target!r}: {leaks[0].reason}. Exclude "
            f"{agreeing(len(leaks), 'it', 'them')} by columns.exclude_features, or set "
            "leakage.policy to 'drop'."
        )
    action = "dropped" if section.policy == "drop" else "warned"
    rows = [asdict(finding) | {"action": "dropped"} for finding in by_structure]
    rows += [asdict(finding) | {"action": action} for finding in by_figures]
    rows += [
        asdict(finding) | {"action": "warned", "reason": f"{finding.reason}. {_KEPT}"}
        for finding in found
        if finding not in by_figures
    ]
    dropped = {finding.feature for finding in by_figures} if section.policy == "drop" else set()
    return Screening(rows, frozenset(dropped))


def leakage_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return the table of leaks: target, feature, test, value, action, reason."""
    schema = pa.schema(
        [
            ("target", pa.string()),
            ("feature", pa.string()),
            ("test", pa.string()),
            ("value", pa.float64()),
            ("action", pa.string()),
            ("reason", pa.string()),
        ]
    )
    return pa.Table.from_pylist([nulls(row) for row in rows], schema=schema)


def _screen(context: StageContext) -> None:
    """Search for features that know the future, and drop them according to the policy."""
    subject = current_subject(context)
    screening = screen_features(
        context.runner, subject.frame, subject.partitions, subject.roles, context.config
    )
    context.write.table(LEAKAGE_TABLE, leakage_table(screening.rows))
    context.account.count(leaks=len(screening.rows))
    context.account.warn(
        [
            f"leak of {row['target']}, {row['action']}: {row['feature']} {row['reason']}"
            for row in screening.rows
        ]
    )
    frame = subject.frame.without_features(screening.dropped)
    if not frame.request.features:
        raise ConfigError("every feature is a leak (leakage.parquet says of what); none is left.")
    context.put(replace(context.get(Subject), frame=frame))


LEAKAGE = Stage(
    name="leakage",
    run=_screen,
    units=(UnitKind("find_leaks", "looking for leaks"),),
    sections=("leakage", "columns"),
    tables=(LEAKAGE_TABLE,),
    needs=("inspect",),
)
