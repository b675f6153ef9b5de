"""Monitoring as lines for a terminal (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ray_pipeline.monitoring.records import LiveFigure, Monitoring, WatchedRow
from ray_pipeline.results.calibration import figure_name, figure_of
from ray_pipeline.results.figures import (
    DASH,
    count,
    is_measured,
    moment,
    probability,
    signed,
    with_error,
)
from ray_pipeline.stages.writing import nulls
from ray_pipeline.wording import plural

__all__ = ["monitoring_document", "monitoring_lines"]

_PROMISED = (
    "promised: skill of the scores in the walk-forward (the families' mean, of the symbols that "
    "have live ones), less what having been chosen for it added; explain tells that of each job, "
    "versions that of rank_average or the mean over the jobs"
)

_HEADS = (
    "target",
    "view",
    "promised",
    "live",
    "lately",
    "95 % at every look",
    "times",
    "p",
    "verdict",
)


_FIGURE_HEADS = (
    "target",
    "of",
    "live rows",
    "said",
    "came",
    "said and came before",
    "verdict",
)


def monitoring_lines(found: Monitoring) -> list[str]:
    """Say what holds, what does not and since when, and what to do."""
    if found.last_ts is None:
        return [
            f"{found.run}: no live prediction yet. `ray-pipeline update {found.run}` makes them."
        ]
    alarms = found.alarms
    head = plural(len(alarms), "alarm") if alarms else "no alarm"
    lines = [f"{found.run}: {head}, live until {moment(found.last_ts)}", *_table(found.skills)]
    lines += ["", _PROMISED] if found.skills else []
    for row in found.skills:
        if row.is_alarm:
            lines += ["", f"ALARM  {row.reason}", f"       {row.to_do}"]
    if found.figures:
        lines += ["", *_aligned([_FIGURE_HEADS, *(_figure_cells(row) for row in found.figures)])]
        lines.append("Told at this look alone; no alarm rests on it.")
    for notice in found.notices:
        lines += ["", f"{'ALARM' if notice.is_alarm else 'note '}  {notice.text}"]
        lines.append(f"       {notice.to_do}")
    return lines


def _table(rows: Sequence[WatchedRow]) -> list[str]:
    return _aligned([_HEADS, *(_cells(row) for row in rows)])


def _aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]


def _cells(row: WatchedRow) -> tuple[str, ...]:
    since = f" since {moment(row.since)}" if row.since else ""
    return (
        row.target,
        row.view,
        with_error(row.promised, row.std_error),
        signed(row.skill),
        signed(row.lately),
        f"{signed(row.low)} to {signed(row.high)}",
        str(row.n_live),
        probability(row.p_adjusted),
        f"{row.verdict}{since}",
    )


def _figure_cells(row: LiveFigure) -> tuple[str, ...]:
    shown = figure_of(row.figure)
    before = DASH
    if is_measured(row.before_observed):
        before = f"{shown(row.before_predicted)}, {shown(row.before_observed)}"
    return (
        row.target,
        figure_name(row.figure),
        count(row.n_rows),
        shown(row.predicted),
        f"{shown(row.observed)} ± {shown(row.std_error)}",
        before,
        row.sentence.partition(":")[0],
    )


def monitoring_document(found: Monitoring) -> dict[str, Any]:
    """Return what ``--json`` prints."""
    return {
        "run": found.run,
        "name": found.name,
        "last_ts": found.last_ts,
        "alarms": found.alarms,
        "skills": [nulls(asdict(row)) for row in found.skills],
        "calibration": [nulls(asdict(row)) for row in found.figures],
        "drift": [nulls(asdict(row)) for row in found.drift],
        "notices": [nulls(asdict(row)) for row in found.notices],
    }
