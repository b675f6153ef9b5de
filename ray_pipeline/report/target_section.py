"""The target ranking: a dot-and-interval chart and the figures, per view (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from markupsafe import Markup

from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.records import VIEW_NAMES, View
from ray_pipeline.report.charts import interval, scale_axis
from ray_pipeline.report.curves import level_chart
from ray_pipeline.report.scales import Scale, skill_scale
from ray_pipeline.report.skill_timelines import compared_skills, skill_timeline
from ray_pipeline.report.timelines import TimeFigure
from ray_pipeline.results.capping import Capped
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.documents import FoldSpan
from ray_pipeline.results.figures import (
    count,
    is_measured,
    moment,
    period,
    probability,
    signed,
    unsigned,
)
from ray_pipeline.results.steadiness import FoldSkills, steadiness_sentence
from ray_pipeline.results.tables import RANKED_TARGETS

__all__ = [
    "RankedTarget",
    "RankedView",
    "TargetByFold",
    "TargetSection",
    "interval_scale",
    "write_target_section",
]

MAX_TARGETS = 100
"""Targets per view that are drawn and listed."""

_MEANINGS = {
    "cross_sectional": "Across symbols: who beats whom at a timestamp. One pooled model; skill "
    "averaged over timestamps.",
    "symbol_specific": "Over time: what a symbol does over its own time. One model per symbol; "
    "skill averaged over symbols.",
}


@dataclass(frozen=True, slots=True)
class RankedTarget:
    """One row of the chart and of the table, as text."""

    rank: int
    target: str
    chart: Markup
    family: str
    task: str
    horizon: str
    skill: str
    std_error: str
    t_stat: str
    p_value: str
    q_value: str
    n_symbols: str
    n_rows: str
    predictable: bool
    doubtful: bool
    chosen: bool
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class RankedView:
    """One view's targets by rank."""

    key: str
    title: str
    meaning: str
    n_targets: int
    n_predictable: int
    n_doubtful: int
    targets: Capped[RankedTarget]


@dataclass(frozen=True, slots=True)
class TargetByFold:
    """The skill of a target's pooled model over time; the figure of it is one of the page's."""

    target: str
    sentence: str
    figure: TimeFigure


@dataclass(frozen=True, slots=True)
class TargetSection:
    """Both views on one scale; no views and a reason where there is no ranking.

    `together` compares the targets of `folds`; None where there are no two.
    """

    absent: str
    axis: Markup
    views: tuple[RankedView, ...]
    folds: tuple[TargetByFold, ...] = ()
    together: TimeFigure | None = None


def write_target_section(
    contents: RunContents, skills: Mapping[str, FoldSkills] = MappingProxyType({})
) -> TargetSection:
    """Lay out the target ranking.

    Parameters
    ----------
    skills
        Of pooled models fold by fold, by target.
    """
    rows = contents.targets
    if rows is None:
        return TargetSection(contents.why_absent(RANKED_TARGETS), Markup(""), ())
    shown = {
        view: sorted((row for row in rows if row.view == view), key=lambda row: row.rank)
        for view in VIEW_NAMES
    }
    scale = interval_scale([row for members in shown.values() for row in members[:MAX_TARGETS]])
    chosen = frozenset(contents.chosen)
    groups = contents.record.groups
    within = "" if groups is None else f" Symbols are {groups.told}."
    views = tuple(
        _view(view, members, scale, chosen, within if view == "cross_sectional" else "")
        for view, members in shown.items()
        if members
    )
    absent = "" if views else "The ranking has no rows."
    spans = {span.index: span for span in contents.record.folds}
    pooled = {row.target: row for row in shown["cross_sectional"]}
    folds = tuple(
        _by_fold(pooled[target], found, spans)
        for target, found in skills.items()
        if target in pooled
    )
    together = compared_skills(skills)
    return TargetSection(absent, scale_axis(scale), views, folds, together)


def _by_fold(row: TargetRow, found: FoldSkills, spans: Mapping[int, FoldSpan]) -> TargetByFold:
    known = [spans.get(fold, FoldSpan(index=fold)) for fold in found.folds]
    titles = [
        f"fold {span.index}, {period(span.test_start, span.test_end)}: {signed(skill)}"
        for span, skill in zip(known, found.skills, strict=True)
    ]
    # As many rows each, and not the same time: no other date has a known place.
    names = [(0.0, moment(known[0].test_start)), (1.0, moment(known[-1].test_end))]
    scale = skill_scale(found.skills, n_ticks=4)
    nothing = [None] * len(titles)
    chart = level_chart(found.skills, nothing, 0.0, (), names, titles, scale)
    sentence = steadiness_sentence(found, tuple(spans.values()))
    return TargetByFold(row.target, sentence, skill_timeline(row, found, chart, sentence))


def interval_scale(rows: Sequence[TargetRow]) -> Scale:
    """Return a scale with all skills and all intervals of ordinary width.

    An interval several times as wide as the others (a target with few labels) would press all
    of them into a point: it is cut where the widest ordinary one ends.
    """
    measured = [row for row in rows if is_measured(row.skill) and is_measured(row.std_error)]
    errors = sorted(row.std_error for row in measured)
    widest = 3 * errors[len(errors) // 2] if errors else 0.0
    ordinary = [row for row in measured if row.predictable or row.std_error <= widest]
    limit = max((abs(row.skill) + 2 * row.std_error for row in ordinary), default=0.0)
    ends = [row.skill + sign * 2 * row.std_error for row in measured for sign in (-1, 1)]
    skills = [row.skill for row in rows if is_measured(row.skill)]
    return skill_scale([*skills, *(min(limit, max(-limit, end)) for end in ends)])


def _view(
    view: View, rows: Sequence[TargetRow], scale: Scale, chosen: frozenset[str], within: str
) -> RankedView:
    return RankedView(
        key=view,
        title=VIEW_NAMES[view].capitalize(),
        meaning=_MEANINGS[view] + within,
        n_targets=len(rows),
        n_predictable=sum(row.predictable for row in rows),
        n_doubtful=sum(row.doubtful for row in rows),
        targets=Capped(
            tuple(_target(row, scale, row.target in chosen) for row in rows[:MAX_TARGETS]),
            len(rows),
            "by rank",
            RANKED_TARGETS,
        ),
    )


def _target(row: TargetRow, scale: Scale, chosen: bool) -> RankedTarget:
    title = f"{row.target}: skill {signed(row.skill, 4)} ± {unsigned(row.std_error, 4)}"
    return RankedTarget(
        rank=row.rank,
        target=row.target,
        chart=interval(row.skill, 2 * row.std_error, scale, marked=row.predictable, title=title),
        family=row.family or "",
        task=row.task,
        horizon=count(row.horizon_bars),
        skill=signed(row.skill),
        std_error=unsigned(row.std_error),
        t_stat=signed(row.t_stat, 2),
        p_value=probability(row.p_value),
        q_value=probability(row.q_value),
        n_symbols=count(row.n_symbols),
        n_rows=count(row.n_rows),
        predictable=row.predictable,
        doubtful=row.doubtful,
        chosen=chosen,
        verdict=row.verdict,
        reason=row.reason,
    )
