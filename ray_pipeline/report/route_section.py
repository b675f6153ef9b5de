"""Which model serves which symbol (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from ray_pipeline.report.charts import stacked_bar
from ray_pipeline.results.capping import Capped
from ray_pipeline.results.contents import ROUTING_ALONE, RunContents
from ray_pipeline.results.figures import DASH, count, probability, with_error
from ray_pipeline.results.tables import ROUTES
from ray_pipeline.routing.decide import ROUTE_ORDER

__all__ = ["RouteCounts", "RouteSection", "RoutedSymbol", "write_route_section"]

MAX_ROUTES = 200
MAX_TARGETS = 60

_POOLED = ("pooled_skill", "pooled_std_error", "pooled_q_value")


@dataclass(frozen=True, slots=True)
class RouteCounts:
    """One target's symbols by route; `n_symbols` and `counts` in the order of `ROUTE_ORDER`.

    The pooled model's evidence is the same for all symbols: it stands here, once.
    """

    target: str
    pooled: str
    pooled_q: str
    chart: Markup
    n_symbols: tuple[int, ...]
    counts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoutedSymbol:
    """One (target, symbol): its route and the figures behind it."""

    target: str
    symbol: str
    route: str
    why: str
    reason: str
    pooled_here: str
    own: str
    own_q: str
    difference: str
    difference_q: str
    n_rows: str


@dataclass(frozen=True, slots=True)
class RouteSection:
    """Counts and rows, or why there are none; `pooled_here` says what the pooled models are.

    `order` has all routed targets, the chosen ones first.
    """

    absent: str
    targets: Capped[RouteCounts]
    symbols: Capped[RoutedSymbol]
    pooled_here: str = ""
    order: tuple[str, ...] = ()


def write_route_section(contents: RunContents) -> RouteSection:
    """Lay out the routes, those of the chosen targets first."""
    table = contents.routes
    if table is None or table.num_rows == 0:
        absent = contents.why_absent(ROUTES) if table is None else "No symbol was routed."
        return RouteSection(absent, Capped((), 0, "", ROUTES), Capped((), 0, "", ROUTES))
    named = table.column("target").unique().to_pylist()
    chosen = [target for target in contents.chosen if target in named]
    targets = chosen + sorted(frozenset(named) - frozenset(chosen))
    counted = _counts(table, targets)
    rows = tuple(_symbol(row) for row in _first_rows(table, targets))
    return RouteSection(
        absent="",
        targets=Capped(counted[:MAX_TARGETS], len(counted), "chosen targets first", ROUTES),
        symbols=Capped(
            rows, table.num_rows, "chosen targets first, symbols that are served first", ROUTES
        ),
        pooled_here=f"Pooled here: {ROUTING_ALONE}." if contents.serves_routing_alone else "",
        order=tuple(targets),
    )


def _counts(table: pa.Table, targets: Sequence[str]) -> tuple[RouteCounts, ...]:
    found: dict[str, dict[str, int]] = {}
    for row in table.group_by(["target", "route"]).aggregate([("symbol", "count")]).to_pylist():
        found.setdefault(row["target"], {})[row["route"]] = row["symbol_count"]
    pooled: dict[str, Mapping[str, Any]] = {
        row["target"]: row for row in table.group_by(["target", *_POOLED]).aggregate([]).to_pylist()
    }
    rows = []
    for target in targets:
        parts = [(str(route), found[target].get(route, 0)) for route in ROUTE_ORDER]
        texts = tuple(count(n) if n else DASH for _, n in parts)
        evidence = pooled[target]
        rows.append(
            RouteCounts(
                target=target,
                pooled=with_error(evidence["pooled_skill"], evidence["pooled_std_error"]),
                pooled_q=probability(evidence["pooled_q_value"]),
                chart=stacked_bar(parts),
                n_symbols=tuple(n for _, n in parts),
                counts=texts,
            )
        )
    return tuple(rows)


def _first_rows(table: pa.Table, targets: Sequence[str]) -> list[Mapping[str, Any]]:
    """Sort in Arrow and take out what is shown: the table may have a million rows."""
    keys = pa.table(
        {
            "target": pc.index_in(table.column("target"), value_set=pa.array(targets)),
            "route": pc.index_in(table.column("route"), value_set=pa.array(ROUTE_ORDER)),
            "symbol": table.column("symbol"),
        }
    )
    order = pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names])
    rows: list[Mapping[str, Any]] = table.take(order.slice(0, MAX_ROUTES)).to_pylist()
    return rows


def _symbol(row: Mapping[str, Any]) -> RoutedSymbol:
    return RoutedSymbol(
        target=row["target"],
        symbol=row["symbol"],
        route=row["route"],
        why=row["verdict"] or row["reason"],
        reason=row["reason"],
        pooled_here=with_error(row["pooled_time_skill"], row["pooled_time_std_error"]),
        own=with_error(row["own_skill"], row["own_std_error"]),
        own_q=probability(row["own_q_value"]),
        difference=with_error(row["difference"], row["difference_std_error"]),
        difference_q=probability(row["difference_q_value"]),
        n_rows=count(row["n_own_rows"]),
    )
