"""The page of monitoring: what decays, since when, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from ray_pipeline.monitoring.records import DriftRow, LiveFigure, Monitoring, SkillPoint, WatchedRow
from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.report.curves import curve_chart
from ray_pipeline.report.rendering import rendered
from ray_pipeline.report.scales import date_names, skill_scale
from ray_pipeline.results.calibration import figure_name, figure_of
from ray_pipeline.results.capping import Capped, capped
from ray_pipeline.results.figures import (
    DASH,
    count,
    is_measured,
    moment,
    probability,
    signed,
    unsigned,
    with_error,
)
from ray_pipeline.wording import agreeing, plural

__all__ = ["render_monitoring"]

_MOST_CHARTS = 24
_MOST_DRIFT = 200


@dataclass(frozen=True, slots=True)
class ShownSkill:
    """A row of the page's table of skills, and its chart."""

    target: str
    view: str
    models: str
    promised: str
    estimated: str
    skill: str
    lately: str
    sequence: str
    n_live: str
    p_value: str
    verdict: str
    since: str
    noticed: str
    reason: str
    to_do: str
    is_alarm: bool
    chart: Markup | None


@dataclass(frozen=True, slots=True)
class ShownDrift:
    """A row of the page's table of drift."""

    kind: str
    name: str
    stability_index: str
    largest_difference: str
    separation: str
    q_value: str
    drifted: bool
    detail: str


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """A row of the page's table of what scores were said to mean."""

    target: str
    name: str
    n_rows: str
    said: str
    came: str
    said_before: str
    came_before: str
    sentence: str


def render_monitoring(found: Monitoring) -> str:
    """Return the page as HTML (pure): one file, nothing fetched from elsewhere."""
    skills = [
        _skill(row, found.history, with_chart=place < _MOST_CHARTS)
        for place, row in enumerate(_worst_first(found.skills))
    ]
    alarms = found.alarms
    return rendered(
        "monitoring",
        "monitor.html",
        name=found.name,
        last_ts=moment(found.last_ts),
        is_empty=found.last_ts is None,
        sentence=_sentence(found),
        has_alarm=bool(alarms),
        skills=skills,
        figures=[_figure(row) for row in found.figures],
        notices=sorted(found.notices, key=lambda each: not each.is_alarm),
        drift=_drift(found.drift),
    )


def _sentence(found: Monitoring) -> str:
    if found.last_ts is None:
        return "No live prediction yet."
    alarms = found.alarms
    if alarms:
        return f"{plural(len(alarms), 'alarm')}: {alarms[0]}."
    n, n_hold = len(found.skills), sum(row.verdict == "holds" for row in found.skills)
    others = "" if n_hold == n else ", of the others it is too early to tell"
    return (
        f"No alarm: {n_hold} of {plural(n, 'skill')} {agreeing(n_hold, 'holds', 'hold')}{others}."
    )


def _worst_first(rows: Sequence[WatchedRow]) -> list[WatchedRow]:
    order = ("no skill left", "below promise", "too early", "holds")
    return sorted(rows, key=lambda row: (order.index(row.verdict), row.p_adjusted, row.target))


def _skill(row: WatchedRow, history: Sequence[SkillPoint], *, with_chart: bool) -> ShownSkill:
    own = [
        each
        for each in history
        if (each.target, each.view, each.models) == (row.target, row.view, row.models)
    ]
    return ShownSkill(
        target=row.target,
        view=VIEW_NAMES[row.view],
        models=row.models,
        promised=signed(row.promised),
        estimated=with_error(row.estimated, row.std_error),
        skill=signed(row.skill),
        lately=signed(row.lately),
        sequence=f"{signed(row.low)} to {signed(row.high)}",
        n_live=f"{row.n_live:,}",
        p_value=probability(row.p_adjusted),
        verdict=row.verdict,
        since=moment(row.since) if row.since else "",
        noticed=moment(row.noticed) if row.noticed else "",
        reason=row.reason,
        to_do=row.to_do,
        is_alarm=row.is_alarm,
        chart=_chart(row, own) if with_chart and len(own) > 1 else None,
    )


def _figure(row: LiveFigure) -> ShownFigure:
    shown = figure_of(row.figure)
    before = DASH
    if is_measured(row.before_observed):
        before = f"{shown(row.before_observed)} ± {shown(row.before_std_error)}"
    return ShownFigure(
        target=row.target,
        name=figure_name(row.figure),
        n_rows=count(row.n_rows),
        said=shown(row.predicted),
        came=f"{shown(row.observed)} ± {shown(row.std_error)}",
        said_before=shown(row.before_predicted),
        came_before=before,
        sentence=row.sentence,
    )


def _chart(row: WatchedRow, points: Sequence[SkillPoint]) -> Markup:
    """Draw the mean live skill with its confidence sequence and the promise, block by block.

    The sequence is wide at first: the scale is that of the last half.
    """
    promised = row.promised if is_measured(row.promised) else 0.0
    late = points[len(points) // 2 :]
    scale = skill_scale(
        [promised, *(each.skill for each in points), *(v for p in late for v in (p.low, p.high))]
    )
    times = [datetime.fromisoformat(each.ts) for each in points]
    span = max((times[-1] - times[0]).total_seconds(), 1.0)
    curves = [
        ("no", [each.low for each in points]),
        ("no", [each.high for each in points]),
        ("promise", [promised] * len(points)),
        ("yes", [each.skill for each in points]),
    ]
    shares = [(time - times[0]).total_seconds() / span for time in times]
    last = points[-1]
    told = (
        f"from {moment(points[0].ts)} to {moment(last.ts)}: skill {signed(last.skill)} at the end, "
        f"between {signed(last.low)} and {signed(last.high)}; promised {signed(row.promised)}"
    )
    return curve_chart(curves, shares, date_names(times[0], times[-1]), scale, told)


def _drift(rows: Sequence[DriftRow]) -> Capped[ShownDrift]:
    order = sorted(rows, key=lambda row: (not row.q_value <= 1.0, row.q_value, row.name))
    shown = [
        ShownDrift(
            kind=row.kind,
            name=row.name,
            stability_index=unsigned(row.stability_index, 2),
            largest_difference=unsigned(row.largest_difference, 2),
            separation=unsigned(row.separation, 2),
            q_value=probability(row.q_value),
            drifted=row.drifted,
            detail=row.detail,
        )
        for row in order
    ]
    return capped(shown, _MOST_DRIFT, "likeliest first", "monitoring/drift.parquet")
