"""``ray-pipeline check``: describe what a run would do, from a part of the batch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ray_pipeline.columns import wrapped
from ray_pipeline.commands.checked_groups import groups_seen, lines_of_groups
from ray_pipeline.commands.checked_schedules import (
    glimpse_until,
    schedule_lines,
    schedule_record,
)
from ray_pipeline.commands.checked_windows import (
    policies_lines,
    policies_record,
    window_lines,
    window_record,
)
from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import choose_batch
from ray_pipeline.driving.places import (
    place_of_data,
    place_of_results,
    require_usable,
)
from ray_pipeline.driving.standing import require_same_config, stands
from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.estimating.forecasting import forecast_glimpse
from ray_pipeline.estimating.telling import estimate_document
from ray_pipeline.inspecting.cross_section import needs_cross_section, require_enough_members
from ray_pipeline.inspecting.folds import fold_records
from ray_pipeline.inspecting.glimpse import Glimpse
from ray_pipeline.inspecting.panel import lay_panel, summarise
from ray_pipeline.intervals import parse_interval
from ray_pipeline.panel.cross_section import is_cross_sectional
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.panel.quality import ASSUMED_RULES
from ray_pipeline.panel.summary import PanelSummary, table_request
from ray_pipeline.pipeline import check_families, find_user_stages
from ray_pipeline.ranking.doubt import DoubtLimits, TargetLimits, unused_limits
from ray_pipeline.records import VALUE, ColumnRoles, Compare, TargetSpec
from ray_pipeline.samples.shared_pool import too_few_to_pool
from ray_pipeline.stages.failures import require_tolerable
from ray_pipeline.statistics.folds import walk_forward_folds
from ray_pipeline.storage import RunDirectory
from ray_pipeline.wording import plural

__all__ = ["check_config", "check_lines", "length_of_bars"]

_MAX_UNUSABLE = 10
"""Number of unusable symbols whose reason is shown."""


_DAY_SECONDS = 86_400

_COMPARED: Mapping[Compare, str] = {
    "rank": "pooled models learn ranks within {where}",
    "z_score": "pooled models learn z-scores within {where}",
    "demean": "pooled models learn labels minus the mean of {where}",
    "raw": "pooled models learn raw labels, not compared within {where}",
}


def check_config(
    config: ExperimentConfig, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Choose the batch, read a part of it, and judge that part as a run would.

    See `glimpse_batch` for what is read. If a run would refuse these data, so does this; it gives
    every warning that a run would give.

    Parameters
    ----------
    progress
        Called with the number of files listed so far.

    Raises
    ------
    ConfigError, DiscoveryError
        When config and data do not fit together.
    ExecutionError
        When more symbols are unusable than a run tolerates.
    """
    check_families(config)
    stages = find_user_stages(config)
    require_usable(place_of_results(config), config, place_of_data(config))
    batch = choose_batch(config, progress)
    seen, until = glimpse_until(batch, config)
    inspection = next(iter(seen.inspections.values()))
    _require_few_left_out(config, seen, len(batch.partitions))
    summary = summarise(
        seen.inspections, config, batch.interval, list(seen.outlines.values()), until
    )
    memberships = {symbol: each.membership for symbol, each in batch.partitions.items()}
    laid = lay_panel(seen.inspections, summary, config, memberships)
    if seen.is_whole:
        laid.require_targets()
    groups = groups_seen(config, seen, batch, laid.axis)
    problems = {name: why for why, names in laid.problems.items() for name in names}
    doubt = DoubtLimits.from_config(config, summary.bar_seconds, summary.session_bars)
    ranked = [target for target in summary.targets if target.name not in problems]
    estimate = forecast_glimpse(config, batch.partitions, seen, summary, laid)
    few_symbols = _few_symbols(config, summary, seen.n_usable)
    return {
        "data_dir": batch.discovery.data_dir,
        "interval": batch.interval,
        "layout": batch.discovery.layout,
        "universe": config.data.universe,
        "n_discovered": len(batch.discovery.symbols),
        "selected": list(batch.partitions),
        "rejected": [
            {"symbol": rejection.symbol, "reason": rejection.reason}
            for rejection in batch.discovery.rejected
        ],
        "looked_at": inspection.symbol,
        "read": {
            "whole": list(seen.inspections),
            "n_schemas": len(seen.outlines),
            "n_unseen": seen.n_unseen,
        },
        "unusable": [
            {"symbol": symbol, "reason": reason} for symbol, reason in seen.left_out.items()
        ],
        "n_rows": inspection.n_rows,
        "kind": summary.kind,
        "bar_seconds": summary.bar_seconds,
        "interval_found": str(summary.interval),
        "session_bars": summary.session_bars,
        "sessions": [
            {"session_bars": bars, "periods_per_year": periods, "n_symbols": len(symbols)}
            for bars, periods, symbols in summary.clocks.sessions
        ],
        "periods_per_year": summary.clocks.sessions[0][1],
        "roles": _roles(summary.roles, config.data.columns.get(VALUE)),
        "targets": [
            {
                "name": target.name,
                "horizon_bars": target.horizon_bars,
                "task": target.task,
                "problem": problems.get(target.name),
                "doubted_beyond": _limits(doubt.of(target)),
            }
            for target in summary.targets
        ],
        "schedule": schedule_record(until, config),
        "window": window_record(laid, config.validation.window),
        "policies": policies_record(config, laid),
        "folds": fold_records(laid.folds, laid.axis),
        "assumed": _told(seen.inspections, ASSUMED_RULES),
        "findings": _told(seen.inspections),
        "warnings": [
            *batch.warnings,
            *summary.warnings,
            *laid.warnings,
            *few_symbols,
            *([] if groups is None else groups.warnings(config.target_ranking.min_cs)),
            *unused_limits(config, [target.name for target in summary.targets]),
            *_search_warnings(config, ranked, inspection.n_rows),
            *_standing_warnings(config),
        ],
        "stages": [
            {"name": stage.name, "function": stage.function, "options": dict(stage.options)}
            for stage in stages.stages
        ],
        "views": ["symbol_specific"] if few_symbols else list(config.target_ranking.views),
        "families": list(config.target_ranking.families),
        "compare": config.target_ranking.compare,
        "groups": None if groups is None else groups.to_record(config.target_ranking.min_cs),
        "run_dir": config.output.run_dir,
        "estimate": None
        if estimate is None
        else estimate_document(estimate, config.output.run_dir),
    }


def _roles(roles: ColumnRoles, value_name: str | None) -> dict[str, Any]:
    """Return the columns for the document; the value of a series under its name in the files."""
    return {
        "time": roles.time,
        "symbol": roles.symbol,
        "bars": list(roles.bars),
        "value": roles.value and (value_name or roles.value),
        "by_products": list(roles.by_products),
        "features": list(roles.features),
        "ignored": [{"column": name, "reason": reason} for name, reason in roles.ignored],
    }


def _limits(limits: TargetLimits) -> dict[str, float | None]:
    """Return the limits beyond which a target is doubtful, None for those without a limit."""
    known = limits.limits
    return {"skill": known.skill, "hit_rate": known.hit_rate, "sharpe": known.sharpe}


def _require_few_left_out(config: ExperimentConfig, seen: Glimpse, n_symbols: int) -> None:
    if seen.left_out:
        symbol, reason = next(iter(seen.left_out.items()))
        require_tolerable(
            len(seen.left_out),
            n_symbols,
            config.execution.max_failed_fraction,
            f"The first, {symbol}: {reason}",
        )


def _few_symbols(config: ExperimentConfig, summary: PanelSummary, n_usable: int) -> list[str]:
    """Refuse or report what needs more symbols than a run would have."""
    request = table_request(
        summary,
        max_rows=config.data.max_rows_per_symbol,
        min_rows=config.data.min_rows_per_symbol,
    )
    if needs_cross_section(request):
        names = (*request.features, *request.targets)
        require_enough_members(n_usable, [name for name in names if is_cross_sectional(name)])
    missing = too_few_to_pool(n_usable, config.target_ranking)
    return [] if missing is None else [missing]


def _told(
    inspections: Mapping[str, SymbolInspection], rules: Collection[str] | None = None
) -> list[str]:
    """Report each kind of finding once: unchanged if all symbols have it, otherwise with the first.

    Parameters
    ----------
    rules
        Of the findings to report, None for all.
    """
    holders: dict[tuple[str, str | None], list[tuple[str, str]]] = {}
    for symbol, inspection in inspections.items():
        for finding in inspection.findings:
            if rules is None or finding.rule in rules:
                key = (finding.rule, finding.column)
                holders.setdefault(key, []).append((symbol, finding.message))
    told = []
    for found in holders.values():
        symbol, message = found[0]
        symbols = {each for each, _ in found}
        if len(symbols) == len(inspections) and {text for _, text in found} == {message}:
            told.append(message)
        else:
            others = f" and {len(symbols) - 1} more" if len(symbols) > 1 else ""
            told.append(f"{symbol}{others}: {message}")
    return told


def _standing_warnings(config: ExperimentConfig) -> list[str]:
    """Say why a run would be refused: another config's result in its directory."""
    place = place_of_results(config)
    run = RunDirectory(place.uri, place.options)
    try:
        if stands(run):
            require_same_config(run, config)
    except ConfigError as error:
        return [str(error)]
    return []


def _search_warnings(
    config: ExperimentConfig, targets: Sequence[TargetSpec], n_rows: int
) -> list[str]:
    """Say where a hyperparameter search has too few rows for its own folds."""
    search, validation = config.training.search, config.validation
    if search is None:
        return []
    for target in targets:
        try:
            walk_forward_folds(
                n_rows,
                search.n_splits,
                validation.min_train_fraction,
                target.horizon_bars,
                validation.embargo_bars,
            )
        except DataError:
            return [
                f"training.search.n_splits={search.n_splits}: the {n_rows:,} rows that were read "
                f"cannot hold that many folds for {target.name}, and the training rows of folds "
                "hold even fewer; without room, a search keeps the configured hyperparameters. "
                "Lower it."
            ]
    return []


def check_lines(found: dict[str, Any]) -> list[str]:
    """Format the findings of `check_config` for a person."""
    roles = found["roles"]
    interval = f", interval {found['interval']}" if found["interval"] else ""
    lines = [
        f"data      {found['data_dir']}  ({found['layout']} layout{interval})",
        f"symbols   {len(found['selected'])} of {found['n_discovered']} selected, "
        f"{len(found['rejected'])} rejected",
        *(f"          {item['symbol']}: {item['reason']}" for item in found["rejected"][:10]),
        *([f"universe  members by {found['universe']}"] if found["universe"] else []),
        f"looked at {found['looked_at']}: {plural(found['n_rows'], 'row')}, {found['kind']}, bars "
        f"of {length_of_bars(found)}",
        _read(found["read"]),
        *_unusable(found["unusable"]),
        f"time      {roles['time']}",
        *_listed(f"features  {len(roles['features'])}: ", roles["features"]),
    ]
    if roles["bars"]:
        lines.append(f"bars      {', '.join(roles['bars'])}")
    if roles["value"]:
        lines.append(f"value     {roles['value']}")
    if roles["by_products"]:
        lines += _listed(
            "          never features, because they know the future: ", roles["by_products"]
        )
    lines.extend(f"ignored   {item['column']}: {item['reason']}" for item in roles["ignored"])
    lines.append(f"targets   {len(found['targets'])}")
    lines.extend(
        f"          {target['name']}: {target['task']}, "
        f"horizon {plural(target['horizon_bars'], 'bar')}"
        + _doubted(target["doubted_beyond"])
        + (f"; not ranked: {target['problem']}" if target["problem"] else "")
        for target in found["targets"]
    )
    if found["folds"]:
        first, last = found["folds"][0]["test_start"], found["folds"][-1]["test_end"]
        lines.append(f"folds     {len(found['folds'])}, tested from {first[:10]} to {last[:10]}")
        lines += schedule_lines(found["schedule"])
        lines += window_lines(found["window"], len(found["read"]["whole"]))
        lines += policies_lines(found["policies"])
    if "cross_sectional" in found["views"]:
        where = "the timestamp"
        if found["groups"]:
            where = f"the {found['groups']['column']} at a timestamp"
        lines.append(f"labels    {_COMPARED[found['compare']].format(where=where)}")
    lines += lines_of_groups(found["groups"])
    lines.extend(
        f"stage     {stage['name']}: {stage['function']}"
        f"({', '.join(['table', *(f'{k}={v!r}' for k, v in stage['options'].items())])})"
        for stage in found["stages"]
    )
    lines.extend(f"assumed   {text}" for text in found["assumed"])
    others = [text for text in found["findings"] if text not in found["assumed"]]
    lines.extend(f"finding   {text}" for text in others)
    lines.extend(f"warning   {text}" for text in found["warnings"])
    if all(target["problem"] for target in found["targets"]):
        lines.append("          the panel is too short: no target can be ranked")
    if found["estimate"] is not None:
        first, *more = found["estimate"]["told"]
        lines += _listed(f"estimate  {first}")
        lines.extend(f"          {text}" for text in more)
    lines.append(
        f"would run {', '.join(found['views'])} with {', '.join(found['families'])} into "
        f"{found['run_dir']}"
    )
    return lines


def length_of_bars(found: Mapping[str, Any]) -> str:
    """Give the length of a bar, and the number of bars in a session and in a year."""
    interval = parse_interval(found["interval_found"])
    if len(found["sessions"]) > 1:
        told = (
            f"{each['session_bars']} a day, {each['periods_per_year']:,} a year in "
            f"{plural(each['n_symbols'], 'symbol')}"
            for each in found["sessions"]
        )
        return f"{interval.told}: {'; '.join(told)}"
    is_within_days = interval.seconds <= _DAY_SECONDS
    a_day = f", {found['session_bars']} a day" if is_within_days else ""
    return f"{interval.told}{a_day}, {found['periods_per_year']:,} a year"


def _read(read: Mapping[str, Any]) -> str:
    """Say which part of the batch was read."""
    text = f"read      all rows of {plural(len(read['whole']), 'symbol')}"
    if read["n_schemas"]:
        text += f", the schemas of {read['n_schemas']:,} more"
    if read["n_unseen"]:
        text += f", nothing of {read['n_unseen']:,}"
    return text


def _unusable(unusable: Sequence[Mapping[str, str]]) -> list[str]:
    lines = [f"          {item['symbol']}: {item['reason']}" for item in unusable[:_MAX_UNUSABLE]]
    if len(unusable) > _MAX_UNUSABLE:
        lines.append(f"          and {len(unusable) - _MAX_UNUSABLE} more that cannot be used")
    return lines


def _doubted(limits: Mapping[str, float | None]) -> str:
    """Give the figures beyond which a target is doubtful."""
    names = {"skill": "skill", "hit_rate": "hit rate", "sharpe": "Sharpe ratio"}
    told = [f"{name} {limits[key]:g}" for key, name in names.items() if limits[key] is not None]
    return f"; doubtful beyond {', '.join(told)}" if told else "; no limit for doubt"


def _listed(title: str, names: Sequence[str] = ()) -> list[str]:
    return wrapped(title + ", ".join(names), indent="", hanging=" " * 10)
