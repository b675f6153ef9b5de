"""Skills per symbol: one strip of dots per chosen target and view (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
from markupsafe import Markup

from ray_pipeline.records import VIEW_NAMES
from ray_pipeline.report.charts import StripPoint, scale_axis, strip
from ray_pipeline.report.scales import Scale, skill_scale
from ray_pipeline.results.capping import Capped
from ray_pipeline.results.contents import ROUTING_ALONE, RunContents
from ray_pipeline.results.figures import count, is_measured, signed
from ray_pipeline.results.tables import RANKED_SYMBOLS

__all__ = ["SymbolSection", "SymbolStrip", "write_symbol_section"]

MAX_STRIPS = 20
"""Targets that are drawn, per view."""

_MEANINGS = {
    "cross_sectional": "Over time: one pooled model, over each symbol's own time.",
    "symbol_specific": "Over time: each symbol's own model.",
}


@dataclass(frozen=True, slots=True)
class SymbolStrip:
    """One target in one view: its dots, and the symbols at the ends."""

    target: str
    chart: Markup
    n_symbols: str
    n_predictable: str
    median: str
    worst: str
    best: str


@dataclass(frozen=True, slots=True)
class StripView:
    """One view's strips."""

    title: str
    meaning: str
    strips: Capped[SymbolStrip]


@dataclass(frozen=True, slots=True)
class SymbolSection:
    """Both views on one scale, or why there is nothing to see."""

    absent: str
    axis: Markup
    views: tuple[StripView, ...]


def write_symbol_section(contents: RunContents) -> SymbolSection:
    """Lay out the skills per symbol of the chosen targets."""
    if contents.skills is None:
        return SymbolSection(contents.why_absent(RANKED_SYMBOLS), Markup(""), ())
    chosen = contents.chosen
    if not chosen:
        absent = f"No target was chosen. {RANKED_SYMBOLS} has every symbol's figures."
        return SymbolSection(absent, Markup(""), ())
    drawn = chosen[:MAX_STRIPS]
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in contents.skills.filter(pc.field("target").isin(drawn)).to_pylist():
        if is_measured(row["skill"]):
            groups.setdefault((row["view"], row["target"]), []).append(row)
    scale = skill_scale(row["skill"] for rows in groups.values() for row in rows)
    views = []
    for view, name in VIEW_NAMES.items():
        strips = tuple(
            _strip(target, groups[view, target], scale)
            for target in drawn
            if (view, target) in groups
        )
        if strips:
            # A chosen target without a row in this view is not one that was left out.
            n_total = len(strips) + len(chosen) - len(drawn)
            shown = Capped(strips, n_total, "strongest first", RANKED_SYMBOLS)
            meaning = _MEANINGS[view]
            if view == "cross_sectional" and contents.serves_routing_alone:
                meaning += f" It is {ROUTING_ALONE}."
            views.append(StripView(name.capitalize(), meaning, shown))
    absent = "" if views else "No symbol had enough data for a figure of its own."
    return SymbolSection(absent, scale_axis(scale), tuple(views))


def _strip(target: str, rows: Sequence[Mapping[str, Any]], scale: Scale) -> SymbolStrip:
    ordered = sorted(rows, key=lambda row: (row["skill"], row["symbol"]))
    n_predictable = sum(bool(row["predictable"]) for row in ordered)
    middle = len(ordered) // 2
    median = ordered[middle]["skill"]
    if len(ordered) % 2 == 0:
        median = (median + ordered[middle - 1]["skill"]) / 2
    points = [StripPoint(row["skill"], bool(row["predictable"]), _named(row)) for row in ordered]
    return SymbolStrip(
        target=target,
        chart=strip(points, scale),
        n_symbols=count(len(ordered)),
        n_predictable=count(n_predictable),
        median=signed(median),
        worst=_named(ordered[0]),
        best=_named(ordered[-1]),
    )


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['symbol']} {signed(row['skill'])}"
