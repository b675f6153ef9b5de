"""Skill of pooled models over time: its sum with the band of chance, and fold by fold (pure)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.report.timelines import MAX_POINTS, DrawnLine, LivePlot, TimeFigure, compared
from ray_pipeline.results.cumulated import cumulated_skill, thinned
from ray_pipeline.results.steadiness import DatedSkill, FoldSkills

__all__ = ["compared_skills", "skill_timeline"]


def skill_timeline(row: TargetRow, found: FoldSkills, picture: Markup, sentence: str) -> TimeFigure:
    """Draw the sum of a target's skill over time, and its mean in each fold below.

    Parameters
    ----------
    row
        Of the target across symbols.
    picture
        The skills of the folds without a script.
    sentence
        What there is to see.
    """
    plots, none = [], np.empty(0)
    if found.dated:
        sums = cumulated_skill(found.dated, row.horizon_bars)
        kept = thinned(sums.totals, MAX_POINTS)
        band = sums.half_widths[kept]
        is_known = bool(np.isfinite(band).all())
        name = "Cumulative rank IC" if row.task == "regression" else "Cumulative skill"
        line = DrawnLine(name, "yes", sums.totals[kept])
        plots.append(
            LivePlot(
                name + ("; grey: two standard errors of chance" if is_known else ""),
                sums.seconds[kept],
                (line,),
                band if is_known else none,
                "Chance",
            )
        )
        times, means = _steps(found)
        steps = (DrawnLine("Skill of the fold", "yes", means),)
        plots.append(
            LivePlot(
                "Skill in each test fold", times, steps, np.empty(0), picture=picture, height=110
            )
        )
    return TimeFigure(f"Skill of {row.target} over time. {sentence}", tuple(plots), picture)


def compared_skills(skills: Mapping[str, FoldSkills]) -> TimeFigure | None:
    """Draw the sums of several targets' skills together; None where there are no two."""
    lines = []
    for target, found in skills.items():
        if found.dated:
            sums = cumulated_skill(found.dated, 1.0)
            lines.append((target, sums.seconds, sums.totals))
    if len(lines) < 2:
        return None
    name = "Cumulative skill of the pooled models, all targets"
    label = f"{name}: {', '.join(target for target, _, _ in lines)}"
    return TimeFigure(label, (compared(name, lines),))


def _steps(found: FoldSkills) -> tuple[np.ndarray, np.ndarray]:
    """Return the folds as level lines from their first timestamp to their last."""
    spans: dict[int, list[DatedSkill]] = {}
    for each in found.dated:
        spans.setdefault(each.fold, []).append(each)
    times: list[float] = []
    means: list[float] = []
    for fold, skill in zip(found.folds, found.skills, strict=True):
        first, last = spans[fold][0].seconds, spans[fold][-1].seconds
        if times and times[-1] >= first:
            first = times[-1] + 1.0
        times += [first, max(last, first + 1.0), max(last, first + 1.0) + 1.0]
        means += [skill, skill, np.nan]
    return np.array(times[:-1]), np.array(means[:-1])
