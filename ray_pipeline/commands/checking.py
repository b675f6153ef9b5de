"""``ray-pipeline check``: what a run would work on, told from one partition; trains nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import Batch, choose_batch
from ray_pipeline.driving.places import (
    place_of_data,
    place_of_results,
    require_usable,
)
from ray_pipeline.driving.standing import require_same_config, stands
from ray_pipeline.errors import ConfigError, DataError, DiscoveryError
from ray_pipeline.inspecting.panel import request_of, summarise
from ray_pipeline.intervals import parse_interval
from ray_pipeline.panel.inspection import SymbolInspection, inspect_symbol
from ray_pipeline.panel.misfits import find_misfits
from ray_pipeline.panel.quality import ASSUMED_RULES
from ray_pipeline.pipeline import check_families, find_user_stages
from ray_pipeline.ranking.doubt import DoubtLimits, TargetLimits, unused_limits
from ray_pipeline.records import Compare, TargetSpec
from ray_pipeline.statistics.folds import walk_forward_folds
from ray_pipeline.storage import RunDirectory, open_filesystem

__all__ = ["check_config", "check_lines"]

_MAX_TRIED = 20
"""Unusable symbols after which the look for a usable one ends: it must not read a whole panel."""

_WIDTH = 100

_DAY_SECONDS = 86_400

_COMPARED: Mapping[Compare, str] = {
    "rank": "pooled models learn ranks within the timestamp",
    "z_score": "pooled models learn z-scores within the timestamp",
    "demean": "pooled models learn labels less the mean of the timestamp",
    "raw": "pooled models learn labels as they are, not compared within the timestamp",
}


def check_config(
    config: ExperimentConfig, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Choose the batch, read its first usable symbol, and resolve columns and folds.

    Parameters
    ----------
    progress
        Called with the number of files listed so far.

    Raises
    ------
    ConfigError, DiscoveryError
        When config and data do not fit together.
    """
    check_families(config)
    stages = find_user_stages(config)
    require_usable(place_of_results(config), config, place_of_data(config))
    batch = choose_batch(config, progress)
    inspection, unusable = _first_usable(config, batch)
    summary = summarise({inspection.symbol: inspection}, config, batch.interval)
    roles = summary.roles
    problems = _fold_problems(config, summary.targets, inspection.n_rows)
    doubt = DoubtLimits.from_config(config, summary.bar_seconds, summary.session_bars)
    ranked = [target for target in summary.targets if target.name not in problems]
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
        "unusable": unusable,
        "n_rows": inspection.n_rows,
        "kind": summary.kind,
        "bar_seconds": summary.bar_seconds,
        "interval_found": str(summary.interval),
        "session_bars": summary.session_bars,
        "periods_per_year": summary.clocks.sessions[0][1],
        "roles": {
            "time": roles.time,
            "symbol": roles.symbol,
            "bars": list(roles.bars),
            "by_products": list(roles.by_products),
            "features": list(roles.features),
            "ignored": [{"column": name, "reason": reason} for name, reason in roles.ignored],
        },
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
        "assumed": [each.message for each in inspection.findings if each.rule in ASSUMED_RULES],
        "findings": [finding.message for finding in inspection.findings],
        "warnings": [
            *batch.warnings,
            *summary.warnings,
            *unused_limits(config, [target.name for target in summary.targets]),
            *_search_warnings(config, ranked, inspection.n_rows),
            *_standing_warnings(config),
        ],
        "stages": [
            {"name": stage.name, "function": stage.function, "options": dict(stage.options)}
            for stage in stages.stages
        ],
        "views": list(config.target_ranking.views),
        "families": list(config.target_ranking.families),
        "compare": config.target_ranking.compare,
        "run_dir": config.output.run_dir,
    }


def _limits(limits: TargetLimits) -> dict[str, float | None]:
    """Return the figures beyond which a target is doubtful, None for those without a limit."""
    known = limits.limits
    return {"skill": known.skill, "hit_rate": known.hit_rate, "sharpe": known.sharpe}


def _first_usable(
    config: ExperimentConfig, batch: Batch
) -> tuple[SymbolInspection, list[dict[str, str]]]:
    """Inspect symbols until one can be used; return it, and those that could not be."""
    fs, _ = open_filesystem(config.data.data_dir, config.data.storage_options)
    request = request_of(config, batch.interval)
    unusable: list[dict[str, str]] = []
    for partition in list(batch.partitions.values())[:_MAX_TRIED]:
        try:
            inspection = inspect_symbol(partition, fs, request)
            misfits = find_misfits([inspection], config.columns, batch.partitions)
            if not misfits:
                return inspection, unusable
            unusable.append({"symbol": partition.symbol, "reason": misfits[partition.symbol]})
        except DataError as error:
            unusable.append({"symbol": partition.symbol, "reason": str(error)})
    of_how_many = "" if len(unusable) == len(batch.partitions) else "first "
    raise DiscoveryError(
        f"None of the {of_how_many}{len(unusable)} selected symbols can be used: "
        f"{unusable[0]['reason']}"
    )


def _fold_problems(
    config: ExperimentConfig, targets: Sequence[TargetSpec], n_rows: int
) -> dict[str, str]:
    """Say of which targets the rows cannot hold the folds, and why."""
    validation = config.validation
    problems = {}
    for target in targets:
        try:
            walk_forward_folds(
                n_rows,
                validation.n_splits,
                validation.min_train_fraction,
                target.horizon_bars,
                validation.embargo_bars,
            )
        except DataError as error:
            problems[target.name] = str(error)
    return problems


def _standing_warnings(config: ExperimentConfig) -> list[str]:
    """Say what a run would be refused for: another config's result in its directory."""
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
    """Say where a search for hyperparameters would find no room for its own folds."""
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
                f"training.search.n_splits={search.n_splits}: the {n_rows:,} rows that were looked "
                f"at cannot hold so many folds for {target.name}, and folds of training rows hold "
                "fewer still; without room a search keeps the configured hyperparameters. Lower it."
            ]
    return []


def check_lines(found: dict[str, Any]) -> list[str]:
    """Format what `check_config` found for a person."""
    roles = found["roles"]
    interval = f", interval {found['interval']}" if found["interval"] else ""
    lines = [
        f"data      {found['data_dir']}  ({found['layout']} layout{interval})",
        f"symbols   {len(found['selected'])} of {found['n_discovered']} selected, "
        f"{len(found['rejected'])} rejected",
        *(f"          {item['symbol']}: {item['reason']}" for item in found["rejected"][:10]),
        *([f"universe  members by {found['universe']}"] if found["universe"] else []),
        f"looked at {found['looked_at']}: {found['n_rows']:,} rows, {found['kind']}, bars of "
        f"{_length(found)}, {found['periods_per_year']:,} a year",
        *(f"          {item['symbol']}: {item['reason']}" for item in found["unusable"][:10]),
        f"time      {roles['time']}",
        *_listed(f"features  {len(roles['features'])}: ", roles["features"]),
    ]
    if roles["bars"]:
        lines.append(f"bars      {', '.join(roles['bars'])}")
    if roles["by_products"]:
        lines += _listed("          never features, they know the future: ", roles["by_products"])
    lines.extend(f"ignored   {item['column']}: {item['reason']}" for item in roles["ignored"])
    lines.append(f"targets   {len(found['targets'])}")
    lines.extend(
        f"          {target['name']}: {target['task']}, horizon {target['horizon_bars']} bars"
        + _doubted(target["doubted_beyond"])
        + (f"; not ranked: {target['problem']}" if target["problem"] else "")
        for target in found["targets"]
    )
    if "cross_sectional" in found["views"]:
        lines.append(f"labels    {_COMPARED[found['compare']]}")
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
        lines.append("          a panel of this length stops there: no target can be ranked")
    lines.append(
        f"would run {', '.join(found['views'])} with {', '.join(found['families'])} into "
        f"{found['run_dir']}"
    )
    return lines


def _length(found: Mapping[str, Any]) -> str:
    """Say how long a bar is, and how many there are in a session."""
    interval = parse_interval(found["interval_found"])
    is_within_days = interval.seconds <= _DAY_SECONDS
    a_day = f", {found['session_bars']} a day" if is_within_days else ""
    return f"{interval.told}{a_day}"


def _doubted(limits: Mapping[str, float | None]) -> str:
    """Say beyond which figures a target is doubtful."""
    names = {"skill": "skill", "hit_rate": "hit rate", "sharpe": "Sharpe ratio"}
    told = [f"{name} {limits[key]:g}" for key, name in names.items() if limits[key] is not None]
    return f"; doubted beyond {', '.join(told)}" if told else "; no figure of it is doubted"


def _listed(title: str, names: list[str]) -> list[str]:
    return textwrap.wrap(
        title + ", ".join(names),
        _WIDTH,
        subsequent_indent=" " * 10,
        break_long_words=False,
        break_on_hyphens=False,
    )
