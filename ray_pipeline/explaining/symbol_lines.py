"""One symbol's part in a target, in lines for a person (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_pipeline.columns import aligned, wrapped
from ray_pipeline.results.contents import ROUTING_ALONE
from ray_pipeline.results.figures import DASH, count, period, probability, signed, with_error
from ray_pipeline.wording import plural, some_of

__all__ = ["data_lines", "figure_lines", "route_of_symbol_lines"]

Row = Mapping[str, Any]

MAX_FINDINGS = 5


def route_of_symbol_lines(found: Row) -> list[str]:
    """Name a symbol's route, with the full reason."""
    routes = found["routes"]
    title = f"{found['symbol']}, {found['target']}:"
    if not routes["rows"]:
        return [f"{title} no route", *wrapped(routes["absent"])]
    (row,) = routes["rows"]
    return [f"{title} {row['route']}", *wrapped(row["reason"])]


def figure_lines(found: Row) -> list[str]:
    """Show the pooled model, across symbols and over this one's time, and its own model."""
    views = {row["view"]: row for row in found["ranking"]["views"]}
    skills = {row["view"]: row for row in found["skills"]["rows"]}
    models = {
        "pooled, across symbols": views.get("cross_sectional"),
        "pooled, over its time": skills.get("cross_sectional"),
        "own, over its time": skills.get("symbol_specific"),
    }
    measured = {name: row for name, row in models.items() if row is not None}
    if not measured:
        return ["figures", *wrapped(found["skills"]["absent"])]
    routes = found["routes"]["rows"]
    table = [_figure(name, row) for name, row in measured.items()]
    table += [_difference(row) for row in routes]
    lines = aligned(["model", "family", "skill", "t", "p", "q", "rows"], table, n_left=2)
    for name, row in measured.items():
        lines += wrapped(f"{name}: {row['reason']}")
    if "pooled, over its time" in measured and found["skills"]["pooled_serve_routing_alone"]:
        lines += wrapped(f"pooled, over its time: {ROUTING_ALONE}")
    for row in routes:
        lines += wrapped(f"own − pooled: {row['difference_verdict']}")
    return ["figures", *lines]


def _figure(name: str, row: Row) -> list[str]:
    return [
        name,
        row["family"] or DASH,
        with_error(row["skill"], row["std_error"]),
        signed(row["t_stat"], 2),
        probability(row["p_value"]),
        probability(row["q_value"]),
        count(row["n_rows"]),
    ]


def _difference(row: Row) -> list[str]:
    skill = with_error(row["difference"], row["difference_std_error"])
    q = probability(row["difference_q_value"])
    return ["own − pooled", "", skill, "", "", q, count(row["n_paired_rows"])]


def data_lines(found: Row) -> list[str]:
    """Describe the symbol's table, and its failures."""
    data = found["data"]
    known = data["symbol"]
    if known is None:
        return ["data", *wrapped(data["absent"])]
    span = period(known["first_ts"], known["last_ts"])
    # The rows of a symbol that was left out during inspection were not counted.
    n_rows = known["n_rows"]
    rows = f"{DASH} rows" if n_rows is None else plural(n_rows, "row")
    lines = wrapped(f"{rows}, {span}")
    if known["findings"]:
        lines += wrapped(some_of(known["findings"], MAX_FINDINGS))
    for item in data["quarantined"]:
        lines += wrapped(f"left out in {item['stage']}: {item['reason']}")
    return ["data", *lines]
