"""The panel of a run: inspect every symbol, then build the frame that all later stages share."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.errors import ConfigError, DataError
from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.folds import folds_of
from ray_pipeline.intervals import parse_interval
from ray_pipeline.panel.frame import PanelFrame, positions_spanned
from ray_pipeline.panel.inspection import (
    InspectionRequest,
    InspectionSpec,
    SymbolInspection,
    inspect_one,
    inspection_request,
)
from ray_pipeline.panel.membership import members_at
from ray_pipeline.panel.misfits import find_misfits
from ray_pipeline.panel.outlines import SymbolOutline
from ray_pipeline.panel.reading_rules import ReadingRules, TimeRules
from ray_pipeline.panel.summary import PanelSummary, summarise_panel, table_request
from ray_pipeline.panel.time_axis import decode_runs, merge_axes
from ray_pipeline.panel.time_formats import format_problem
from ray_pipeline.records import MembershipSpans, SymbolPartition, TargetSpec
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.storage import RunDirectory
from ray_pipeline.wording import some_of

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig

_DAY_SECONDS = 86_400

__all__ = [
    "LaidPanel",
    "Panel",
    "build_panel",
    "inspect_panel",
    "lay_panel",
    "request_of",
    "rules_of",
    "summarise",
]


@dataclass(frozen=True, slots=True)
class Panel:
    """The input of the later stages.

    Attributes
    ----------
    frame
        Axis, folds, columns and targets.
    rows_per_position
        Symbols at each timestamp, shape (n_timestamps,).
    warnings
        Sentences for the user.
    """

    frame: PanelFrame
    rows_per_position: NDArray[np.int64]
    warnings: tuple[str, ...]

    def without_features(self, dropped: frozenset[str]) -> Panel:
        """Return the panel without some features."""
        return replace(self, frame=self.frame.without_features(dropped))


def rules_of(config: ExperimentConfig, interval: str | None) -> ReadingRules:
    """Return how every symbol's files are read.

    Parameters
    ----------
    interval
        Length of a bar, from the config or the layout.

    Raises
    ------
    ConfigError
        When keys contradict each other, or the interval.
    """
    data = config.data
    is_close = data.stamp == "close"
    length = None
    if interval is not None and (is_close or data.trading_date):
        length = parse_interval(interval)
    bar_seconds = None if length is None else length.seconds
    if is_close and bar_seconds is None and not data.trading_date:
        raise ConfigError(
            "data.stamp: close moves a time back by a bar, but the length of a bar is unknown. Set "
            "data.interval."
        )
    if is_close and not data.trading_date and length is not None and length.unit == "mo":
        raise ConfigError(
            f"data.stamp: close moves a time back by a bar, and those of {interval} are not "
            "all as long. Leave it out: ends of months are read unchanged."
        )
    if data.trading_date and bar_seconds is not None and bar_seconds < _DAY_SECONDS:
        raise ConfigError(
            f"data.trading_date is for daily and longer bars; those of interval {interval} would "
            "all get the same time of day. Leave it out."
        )
    problem = None if data.time_format is None else format_problem(data.time_format)
    if problem is not None:
        raise ConfigError(f"data.time_format={data.time_format!r}: {problem}.")
    return ReadingRules(
        columns=data.column_names,
        price_scale=data.price_scale,
        time=TimeRules(
            unit=data.time_unit,
            format=data.time_format,
            zone=data.time_zone,
            repeated_hour=data.repeated_hour,
            missing_hour=data.missing_hour,
            stamp=data.stamp,
            bar_seconds=bar_seconds if is_close else None,
            trading_date=data.trading_date,
        ),
        duplicates=data.duplicates,
        ticks=data.ticks,
        splits=data.splits,
    )


def request_of(
    config: ExperimentConfig, interval: str | None, until_ns: int | None = None
) -> InspectionRequest:
    """Return the request for inspecting every symbol; see `ReadingRules` for `until_ns`."""
    return inspection_request(
        config.columns,
        time_column=config.data.time_name,
        kind=config.data.kind,
        max_rows=config.data.max_rows_per_symbol,
        min_rows=config.data.min_rows_per_symbol,
        rules=replace(rules_of(config, interval), until_ns=until_ns),
    )


def inspect_panel(
    runner: UnitRunner,
    partitions: Mapping[str, SymbolPartition],
    config: ExperimentConfig,
    interval: str | None = None,
    until_ns: int | None = None,
) -> dict[str, SymbolInspection]:
    """Inspect every symbol; those that cannot be used are missing from the result.

    So are those that do not fit together with most others; see `find_misfits`.
    """
    request = request_of(config, interval, until_ns)
    units = {
        symbol: Unit("inspect", symbol, inspect_one, InspectionSpec(partition, request))
        for symbol, partition in partitions.items()
    }
    records = runner.run(list(units.values()))
    inspections: dict[str, SymbolInspection] = {}
    known: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}
    while records:
        symbol = next(iter(records))
        inspection = SymbolInspection.from_record(records.pop(symbol))
        # Most symbols have the same columns, which make up most of an inspection.
        columns = known.setdefault(inspection.columns, inspection.columns)
        inspections[symbol] = replace(inspection, columns=columns)
    misfits = find_misfits(inspections.values(), config.columns, partitions)
    if misfits:
        runner.leave_out(units, misfits)
    return {symbol: each for symbol, each in inspections.items() if symbol not in misfits}


def summarise(
    inspections: Mapping[str, SymbolInspection],
    config: ExperimentConfig,
    interval: str | None,
    outlines: Sequence[SymbolOutline] = (),
    until_ns: int | None = None,
) -> PanelSummary:
    """Resolve columns, horizons and tasks over the batch; see `summarise_panel`."""
    return summarise_panel(
        list(inspections.values()),
        config.columns,
        label_targets=config.labeling.targets,
        label_features=config.labeling.features,
        interval=interval,
        time_column=config.data.time_name,
        rules=replace(rules_of(config, interval), until_ns=until_ns),
        outlines=outlines,
    )


@dataclass(frozen=True, slots=True, eq=False)
class LaidPanel:
    """The time axis and the folds of a panel, and the targets that they can hold.

    Attributes
    ----------
    axis
        int64 (n_timestamps,): nanoseconds since 1970, UTC.
    rows_per_position
        Symbols at each timestamp, (n_timestamps,).
    bar_positions
        Positions from one bar to the next, for the symbol with the most.
    clock_positions
        Largest number of positions within the time of a bar.
    folds, embargo
        Those of the last target that fits, and the embargo in positions.
    targets
        Targets to rank.
    problems
        (reason, targets) of targets not ranked because the axis cannot hold their folds.
    warnings
        Sentences for the user.
    final_start
        See `PanelFrame`.
    """

    axis: NDArray[np.int64]
    rows_per_position: NDArray[np.int64]
    bar_positions: float
    clock_positions: float
    folds: tuple[Fold, ...]
    embargo: int
    targets: tuple[TargetSpec, ...]
    problems: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...]
    final_start: int | None = None

    def require_targets(self) -> None:
        """Raise ConfigError when no target can be ranked."""
        if not self.targets:
            raise ConfigError("No target can be ranked. " + " ".join(self.warnings))


def lay_panel(
    inspections: Mapping[str, SymbolInspection],
    summary: PanelSummary,
    config: ExperimentConfig,
    memberships: Mapping[str, MembershipSpans | None],
) -> LaidPanel:
    """Build the time axis and the folds; ``check`` and a run use the same."""
    axis = merge_axes(inspection.runs for inspection in inspections.values())
    rows_per_position, bar_positions = _place_on(axis, inspections, memberships)
    clock_positions = _positions_within(axis, summary.bar_seconds)
    targets, warnings = _limited(summary.targets, config)
    embargo = positions_spanned(config.validation.embargo_bars, bar_positions)
    folds: tuple[Fold, ...] = ()
    final_start: int | None = None
    kept: list[TargetSpec] = []
    problems: dict[str, tuple[str, ...]] = {}
    for target in targets:
        try:
            span = positions_spanned(
                target.horizon_bars, bar_positions if target.clock is None else clock_positions
            )
            folds, final_start = folds_of(axis, config.validation, span, embargo)
        except DataError as error:
            problems[str(error)] = (*problems.get(str(error), ()), target.name)
            continue
        kept.append(target)
    for why, names in problems.items():
        which = f"target {names[0]!r} is" if len(names) == 1 else f"targets {some_of(names)} are"
        warnings.append(f"{which} not ranked: {why}")
    return LaidPanel(
        axis,
        rows_per_position,
        bar_positions,
        clock_positions,
        folds,
        embargo,
        tuple(kept),
        problems,
        tuple(warnings),
        final_start,
    )


def build_panel(
    run: RunDirectory,
    inspections: Mapping[str, SymbolInspection],
    summary: PanelSummary,
    config: ExperimentConfig,
    memberships: Mapping[str, MembershipSpans | None] = MappingProxyType({}),
) -> Panel:
    """Build the time axis and the folds, and keep the targets that fit.

    Parameters
    ----------
    memberships
        When each symbol belongs to the universe; always, if there is none.

    Raises
    ------
    ConfigError
        When the panel is too short for the folds of any target.
    """
    laid = lay_panel(inspections, summary, config, memberships)
    laid.require_targets()
    axis = laid.axis
    name = f"units/axis/{hashlib.sha256(axis.tobytes()).hexdigest()[:32]}.parquet"
    run.write_table(name, pa.table({"time_ns": axis}))
    request = table_request(
        summary,
        max_rows=config.data.max_rows_per_symbol,
        min_rows=config.data.min_rows_per_symbol,
        targets=[target.name for target in laid.targets],
        group=config.columns.group,
    )
    if request.kind == "labeled" and request.rules.until_ns is not None:
        unknown = tuple((target.name, target.horizon_bars) for target in laid.targets)
        request = replace(request, unknown_labels=unknown)
    frame = PanelFrame(
        axis=name,
        n_timestamps=len(axis),
        folds=laid.folds,
        embargo=laid.embargo,
        request=request,
        targets=laid.targets,
        seed=config.experiment.seed,
        bar_positions=laid.bar_positions,
        clock_positions=laid.clock_positions,
        final_start=laid.final_start,
        shorter_sessions=summary.clocks.shorter,
    )
    return Panel(frame, laid.rows_per_position, (*summary.warnings, *laid.warnings))


def _place_on(
    axis: NDArray[np.int64],
    inspections: Mapping[str, SymbolInspection],
    memberships: Mapping[str, MembershipSpans | None],
) -> tuple[NDArray[np.int64], float]:
    """Count the members at each timestamp, and the positions from one bar to the next.

    The latter is the largest of the symbols' medians. Symbols of one market share their timestamps,
    so each distinct axis is located once.
    """
    rows_per_position = np.zeros(len(axis), dtype=np.int64)
    bar_positions = 1.0
    places = Counter((item.runs, memberships.get(name)) for name, item in inspections.items())
    for (runs, membership), n_symbols in places.items():
        time_ns = decode_runs(runs)
        positions = np.searchsorted(axis, time_ns)
        inside = members_at(membership, time_ns)
        rows_per_position[positions if inside is None else positions[inside]] += n_symbols
        if len(positions) > 1:
            bar_positions = max(bar_positions, float(np.median(np.diff(positions))))
    return rows_per_position, bar_positions


def _positions_within(axis: NDArray[np.int64], bar_seconds: int) -> float:
    """Return the median number of positions within the length of a bar."""
    following = np.searchsorted(axis, axis + bar_seconds * 10**9, side="right") - 1
    return max(1.0, float(np.median(following - np.arange(len(axis)))))


def _limited(
    targets: tuple[TargetSpec, ...], config: ExperimentConfig
) -> tuple[list[TargetSpec], list[str]]:
    most = config.target_ranking.max_targets_to_evaluate
    ordered = sorted(targets, key=lambda target: target.name)
    if most is None or len(ordered) <= most:
        return ordered, []
    left_out = ", ".join(target.name for target in ordered[most:])
    return ordered[:most], [
        f"target_ranking.max_targets_to_evaluate={most} leaves out, in alphabetical order: "
        f"{left_out}"
    ]
