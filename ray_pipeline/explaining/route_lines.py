"""Routes in lines for a person (pure)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ray_pipeline.columns import aligned, wrapped
from ray_pipeline.results.capping import Capped
from ray_pipeline.results.contents import ROUTING_ALONE
from ray_pipeline.results.figures import (
    count,
    is_measured,
    probability,
    signed,
    with_error,
)
from ray_pipeline.results.tables import ROUTES
from ray_pipeline.routing.decide import ROUTE_ORDER
from ray_pipeline.wording import some_of

__all__ = ["route_lines"]

Row = Mapping[str, Any]

MAX_SYMBOLS = 30
MAX_LEFT_OUT = 5

_LEGEND = (
    "pooled here: the pooled model over the symbol's own time; own q: over the symbols of all "
    "targets; its q: over those of this target"
)
_SHRUNK = "; shrunk: own − pooled after shrinkage towards 0, estimated from all of them"


def route_lines(found: Row) -> list[str]:
    """Count the routes with their causes, then list one symbol per line."""
    return list(_lines(found))


def _lines(found: Row) -> Iterator[str]:
    rows = found["routes"]["rows"]
    yield "routes"
    if not rows:
        yield from wrapped(found["routes"]["absent"])
    else:
        yield from _counts(rows)
        yield ""
        yield from _table(found, rows)
    routed = {row["symbol"] for row in rows}
    lost = [
        f"{item['symbol']} (in {item['stage']}: {item['reason']})"
        for item in found["data"]["quarantined"]
        if item["symbol"] not in routed
    ]
    if lost:
        yield from wrapped(f"{count(len(lost))} left out: {some_of(lost, MAX_LEFT_OUT)}")


def _counts(rows: Sequence[Row]) -> list[str]:
    counts = Counter((row["route"], row["verdict"] or row["reason"]) for row in rows)
    ordered = sorted(counts, key=lambda key: (ROUTE_ORDER.index(key[0]), -counts[key], key[1]))
    return aligned(
        ["route", "because", "symbols"],
        [[route, why, count(counts[route, why])] for route, why in ordered],
        n_left=2,
    )


def _table(found: Row, rows: Sequence[Row]) -> Iterator[str]:
    shown = strongest_of_each_route(rows, MAX_SYMBOLS)
    shrinks = "difference_shrunk" in rows[0]
    header = ["symbol", "route", "pooled here", "own", "own q", "own − pooled", "its q"]
    yield from aligned(
        [*header, "shrunk"] if shrinks else header,
        [
            [
                row["symbol"],
                row["route"],
                signed(row["pooled_time_skill"]),
                signed(row["own_skill"]),
                probability(row["own_q_value"]),
                with_error(row["difference"], row["difference_std_error"]),
                probability(row["difference_q_value"]),
                *([signed(row["difference_shrunk"])] if shrinks else []),
            ]
            for row in shown
        ],
        n_left=2,
    )
    yield from wrapped(_LEGEND + (_SHRUNK if shrinks else ""))
    if found["skills"]["pooled_serve_routing_alone"]:
        yield from wrapped(f"pooled here: {ROUTING_ALONE}")
    capped = Capped(tuple(shown), len(rows), "strongest evidence of each route first", ROUTES)
    if capped.note:
        yield from wrapped(f"{capped.note} --symbol explains one, --json lists all.")


def strongest_of_each_route(rows: Sequence[Row], limit: int) -> list[Row]:
    """Pick as many symbols of each route as fit, route by route, strongest first."""
    placed = [
        (place, order, row)
        for order, route in enumerate(ROUTE_ORDER)
        for place, row in enumerate(
            sorted((row for row in rows if row["route"] == route), key=_weakness)
        )
    ]
    kept = sorted(placed, key=lambda item: item[:2])[:limit]
    return [row for _, _, row in sorted(kept, key=lambda item: (item[1], item[0]))]


def _weakness(row: Row) -> tuple[float, str]:
    """Order symbols by the t-statistic of the model that serves them, or that could have."""
    model = "pooled_time" if row["route"] == "CROSS_SECTIONAL" else "own"
    skill, error = row[f"{model}_skill"], row[f"{model}_std_error"]
    measured = is_measured(skill) and is_measured(error) and error > 0
    return (-skill / error if measured else math.inf), row["symbol"]
