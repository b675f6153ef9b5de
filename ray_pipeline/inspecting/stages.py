"""The stages that read every symbol once and compare the symbols of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from ray_pipeline.discovery.choosing import fingerprint
from ray_pipeline.discovery.universe import has_dates
from ray_pipeline.inspecting.cross_section import (
    compute_cross_section,
    needs_cross_section,
    require_members,
)
from ray_pipeline.inspecting.digests import DIGESTS, digest_rows, digested, known_by_rows
from ray_pipeline.inspecting.folds import fold_records, window_of
from ray_pipeline.inspecting.groups import describe_groups
from ray_pipeline.inspecting.panel import (
    Panel,
    build_panel,
    inspect_panel,
    summarise,
)
from ray_pipeline.inspecting.schedule import UpTo, read_until, told_until
from ray_pipeline.inspecting.subject import Inspections, Subject, current_subject
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.panel.quality import ASSUMED_RULES
from ray_pipeline.panel.summary import PanelSummary
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.storage import absolute_uri
from ray_pipeline.wording import iso_time, plural

__all__ = ["CROSS_SECTION", "INSPECT"]

_MOST_ASSUMED = 50
_MOST_NAMED = 5
"""Number of assumptions in run.json; symbols.json has all of them, by symbol."""


def _inspect(context: StageContext) -> None:
    """Read every symbol once; fix columns, time axis and folds."""
    config, batch = context.config, context.batch
    runner, interval = context.runner, batch.interval
    until = read_until(runner, context.run, batch.partitions, config, interval, context.find(UpTo))
    inspections = inspect_panel(runner, batch.partitions, config, interval, until)
    context.put(Inspections(inspections))
    partitions = context.healthy(batch.partitions)
    summary = summarise(inspections, config, interval, until_ns=until)
    memberships = {symbol: each.membership for symbol, each in batch.partitions.items()}
    panel = build_panel(context.run, inspections, summary, config, memberships)
    context.account.warn(panel.warnings)
    describe_groups(context, panel.frame, inspections, memberships)
    _describe(context, panel, summary, inspections)
    if until is not None:
        context.account.say(told_until(until, config))
        digests, table = digest_rows(runner, context.run, partitions, panel.frame.request)
        context.write.table(DIGESTS, table)
        partitions = known_by_rows(partitions, digests)
        context.input_fingerprint = fingerprint(partitions)
        context.account.note(digested=digested(panel.frame.request))
    context.put(
        Subject(
            panel.frame,
            partitions,
            summary.roles,
            panel.rows_per_position,
            summary.bar_seconds,
            summary.session_bars,
        )
    )


def _describe(
    context: StageContext,
    panel: Panel,
    summary: PanelSummary,
    inspections: Mapping[str, SymbolInspection],
) -> None:
    frame, found = panel.frame, context.batch.discovery
    n_rows = sum(inspection.n_rows for inspection in inspections.values())
    axis = context.run.read_table(frame.axis).column("time_ns").to_numpy()
    context.account.count(
        used=len(inspections),
        targets=len(frame.targets),
        features=len(frame.request.features),
    )
    context.account.note(
        data={
            "data_dir": found.data_dir,
            "data_uri": absolute_uri(found.data_dir),
            "interval": found.interval,
            "layout": found.layout,
            "universe": context.config.data.universe,
            "universe_has_dates": has_dates(
                each.membership for each in context.batch.partitions.values()
            ),
            "kind": summary.kind,
            "bar_seconds": summary.bar_seconds,
            "bar_months": frame.request.bar_months,
            "session_bars": summary.session_bars,
            "periods_per_year": summary.clocks.sessions[0][1],
            "sessions": [
                {"session_bars": bars, "periods_per_year": periods, "n_symbols": len(symbols)}
                for bars, periods, symbols in summary.clocks.sessions
            ],
            "not_targets": [
                asdict(each) for each in summary.known if each.name not in summary.roles.targets
            ],
            "not_features": [
                {"column": name, "kind": telltale, "reason": reason}
                for name, telltale, reason in summary.dropped
            ],
            "feature_functions": [asdict(function) for function in summary.functions],
            "own_columns": list(summary.own_columns),
            "assumptions": _assumptions(inspections),
            "n_timestamps": frame.n_timestamps,
            "n_rows": n_rows,
            "until": None if summary.rules.until_ns is None else iso_time(summary.rules.until_ns),
            "first_ts": iso_time(int(axis[0])),
            "last_ts": iso_time(int(axis[-1])),
        },
        window=window_of(context.config),
        folds=fold_records(frame.folds, axis),
    )
    context.account.say(
        f"{plural(len(inspections), 'symbol')}, {plural(n_rows, 'row')}, "
        f"{plural(len(frame.request.features), 'feature')}, {plural(len(frame.targets), 'target')}"
    )


def _assumptions(inspections: Mapping[str, SymbolInspection]) -> list[dict[str, Any]]:
    """Return the assumptions about the data with their symbols, the most common first."""
    by_text: dict[str, list[str]] = {}
    for symbol, inspection in sorted(inspections.items()):
        for finding in inspection.findings:
            if finding.rule in ASSUMED_RULES:
                by_text.setdefault(finding.message, []).append(symbol)
    ordered = sorted(by_text.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        {"text": text, "n_symbols": len(symbols), "symbols": symbols[:_MOST_NAMED]}
        for text, symbols in ordered[:_MOST_ASSUMED]
    ]


def _has_cross_section(context: StageContext) -> bool:
    return needs_cross_section(context.get(Subject).frame.request)


def _compare_symbols(context: StageContext) -> None:
    """Compute the columns that compare a symbol with its batch.

    The compared symbols are recorded, so that predictions on new data compare with the same ones.
    """
    subject = current_subject(context)
    request = compute_cross_section(
        context.runner,
        context.run,
        subject.partitions,
        subject.frame.request,
        list(subject.partitions),
    )
    partitions = context.healthy(subject.partitions)
    require_members(request)
    context.account.note(cross_section={"members": sorted(partitions)})
    frame = replace(subject.frame, request=request)
    context.put(replace(subject, frame=frame, partitions=partitions))


INSPECT = Stage(
    name="inspect",
    run=_inspect,
    units=(
        UnitKind("look_at_times", "reading times"),
        UnitKind("inspect", "inspecting"),
        UnitKind("digest_rows", "digesting rows"),
    ),
    sections=(
        *("experiment", "data", "columns", "labeling", "validation", "target_ranking"),
        "training",
    ),
    tables=(DIGESTS,),
)

CROSS_SECTION = Stage(
    name="cross_section",
    run=_compare_symbols,
    units=(
        UnitKind("cross_section_base", "comparing symbols, their columns"),
        UnitKind("cross_section", "comparing symbols, blocks of time"),
    ),
    sections=("data",),
    needs=("inspect",),
    applies=_has_cross_section,
)
