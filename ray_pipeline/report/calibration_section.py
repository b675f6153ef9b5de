"""Whether probabilities, expected labels and intervals can be believed (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ray_pipeline.report.curves import level_chart, match_chart
from ray_pipeline.report.scales import share_scale, skill_scale
from ray_pipeline.results.calibration import by_figure, calibration_sentences
from ray_pipeline.results.capping import Capped, capped
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.figures import count, is_measured, moment, period, share, significant
from ray_pipeline.results.tables import CALIBRATION

__all__ = ["CalibrationSection", "JudgedTarget", "write_calibration_section"]

Row = Mapping[str, Any]

MAX_TARGETS = 12
"""Targets with charts; the page must stay small."""


@dataclass(frozen=True, slots=True)
class JudgedTarget:
    """A target: a sentence of each figure, and a chart of each with its title."""

    target: str
    sentences: tuple[str, ...]
    charts: tuple[tuple[str, Markup], ...]


@dataclass(frozen=True, slots=True)
class CalibrationSection:
    """Targets with calibrated numbers, in the order of the plan; none in a run without models."""

    targets: Capped[JudgedTarget]


def write_calibration_section(contents: RunContents) -> CalibrationSection:
    """Lay out how far the numbers of each target can be trusted."""
    rows = [] if contents.calibration is None else contents.calibration.to_pylist()
    by_target: dict[str, list[Row]] = {}
    for row in rows:
        by_target.setdefault(row["target"], []).append(row)
    shown = capped(list(by_target.items()), MAX_TARGETS, "strongest targets first", CALIBRATION)
    judged = tuple(_judged(target, its) for target, its in shown.rows)
    return CalibrationSection(Capped(judged, shown.n_total, shown.order, shown.source))


def _judged(target: str, rows: Sequence[Row]) -> JudgedTarget:
    charts: list[tuple[str, Markup]] = []
    for (_, figure), its in by_figure(rows).items():
        part = "eighth" if figure == "interval" else "tenth"
        drawn = [row for row in its if row["part"] == part]
        if drawn:
            charts.append(_coverage(drawn) if figure == "interval" else _match(figure, drawn))
    return JudgedTarget(target, tuple(calibration_sentences(rows)), tuple(charts))


def _halves(rows: Sequence[Row]) -> list[float | None]:
    errors = [row["std_error"] for row in rows]
    return [2.0 * error if is_measured(error) else None for error in errors]


def _ends(rows: Sequence[Row], halves: Sequence[float | None]) -> list[float]:
    ends = []
    for row, half in zip(rows, halves, strict=True):
        width = half or 0.0
        ends += [row["observed"] - width, row["observed"] + width, row["predicted"]]
    return ends


def _match(figure: str, tenths: Sequence[Row]) -> tuple[str, Markup]:
    halves = _halves(tenths)
    is_share = figure == "probability"
    told = share if is_share else significant
    titles = [
        f"tenth {row['number']}: {told(row['predicted'])} said, {told(row['observed'])} came, "
        f"{count(row['n_rows'])} rows"
        for row in tenths
    ]
    ends = _ends(tenths, halves)
    scale = share_scale(ends) if is_share else skill_scale(ends, n_ticks=4)
    chart = match_chart(
        [row["predicted"] for row in tenths],
        [row["observed"] for row in tenths],
        halves,
        titles,
        scale,
    )
    what = "Probability" if is_share else "Expected label"
    against = "the share that came true" if is_share else "the mean label"
    return f"{what} (across) and {against} (up), by tenths", chart


def _coverage(eighths: Sequence[Row]) -> tuple[str, Markup]:
    halves = _halves(eighths)
    titles = [
        f"{period(row['first_ts'], row['last_ts'])}: {share(row['observed'])}, mean width "
        f"{significant(row['width'])}; the standing interval {share(row['naive_observed'])}"
        for row in eighths
    ]
    beside = [row["naive_observed"] for row in eighths]
    level = eighths[0]["predicted"]
    scale = share_scale([*_ends(eighths, halves), *filter(is_measured, beside)])
    # Eighths have as many timestamps each, and not the same time: no other date has a known place.
    names = [(0.0, moment(eighths[0]["first_ts"])), (1.0, moment(eighths[-1]["last_ts"]))]
    chart = level_chart(
        [row["observed"] for row in eighths], halves, level, beside, names, titles, scale
    )
    return "Labels inside the interval over time, and inside one that stands still (squares)", chart
