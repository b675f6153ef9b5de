"""Which model serves which symbol: five routes, with their evidence and a sentence (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, assert_never

from ray_pipeline.ranking.decide import SymbolRow, TargetRow, is_hinted
from ray_pipeline.records import View
from ray_pipeline.routing.comparison import PairedVerdict, RoutingThresholds, paired_verdicts
from ray_pipeline.samples.evidence import Evidence
from ray_pipeline.wording import plural

__all__ = [
    "NOT_SERVED",
    "ROUTE_ORDER",
    "Obstacle",
    "Route",
    "RouteRow",
    "RouteVerdict",
    "decide_routes",
    "serving_views",
]

Route = Literal["CROSS_SECTIONAL", "SYMBOL_SPECIFIC", "BOTH", "EXPERIMENTAL_ONLY", "BLOCKED"]

RouteVerdict = Literal[
    "",
    "both hold up and the own model is better",
    "both hold up and the pooled model is better",
    "both hold up and neither is better",
    "the pooled model holds up but is worse here than an own one",
    "the pooled model holds up, an own one does not",
    "the own model holds up, the pooled one does not",
    "evidence before the multiplicity correction only",
    "too little data for an own model and no pooled evidence",
    "no evidence",
    "a skill on this symbol is beyond what such a target has ever shown",
    "the target is predictable but not among the top_n_targets",
    "the target is not predictable over the batch",
    "the target is doubtful",
]
"""Beginning of `reason`; empty in tables of version 0.1.0. The last three apply to a target."""

ROUTE_ORDER: tuple[Route, ...] = (
    "CROSS_SECTIONAL",
    "BOTH",
    "SYMBOL_SPECIFIC",
    "EXPERIMENTAL_ONLY",
    "BLOCKED",
)
"""From pooled over both to own; served routes first."""


def serving_views(route: Route) -> tuple[View, ...]:
    """Return the views whose models serve a symbol of this route."""
    match route:
        case "CROSS_SECTIONAL":
            return ("cross_sectional",)
        case "SYMBOL_SPECIFIC":
            return ("symbol_specific",)
        case "BOTH":
            return ("cross_sectional", "symbol_specific")
        case "EXPERIMENTAL_ONLY" | "BLOCKED":
            return ()
        case _:
            assert_never(route)


NOT_SERVED: tuple[Route, ...] = tuple(route for route in ROUTE_ORDER if not serving_views(route))
"""Routes that no model serves."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no symbol of a target may be served: the kind of reason, and the reason in full.

    A doubtful target is not even experimental.
    """

    verdict: RouteVerdict
    reason: str
    is_doubt: bool = False


@dataclass(frozen=True, slots=True)
class RouteRow:
    """One row of ``routing/routes.parquet``; figures are NaN where nothing was measured."""

    target: str
    symbol: str
    route: Route
    reason: str
    pooled_predictable: bool
    pooled_family: str | None
    pooled_skill: float
    pooled_std_error: float
    pooled_p_value: float
    pooled_q_value: float
    pooled_time_skill: float
    pooled_time_std_error: float
    own_predictable: bool
    own_family: str | None
    own_skill: float
    own_std_error: float
    own_p_value: float
    own_q_value: float
    difference: float
    difference_std_error: float
    difference_q_value: float
    difference_shrunk: float
    n_own_rows: int
    n_paired_rows: int
    verdict: RouteVerdict = ""


def decide_routes(
    target: str,
    symbols: Sequence[str],
    target_rows: Mapping[View, TargetRow],
    symbol_rows: Mapping[tuple[str, str], SymbolRow],
    records: Mapping[str, Mapping[str, Any]],
    thresholds: RoutingThresholds,
    obstacle: Obstacle | None = None,
) -> list[RouteRow]:
    """Route every symbol of one target.

    Parameters
    ----------
    target_rows
        The target's rows by view.
    symbol_rows
        Its rows by (symbol, view).
    records
        Results of `rank_symbol` by symbol, for the paired differences.
    obstacle
        Why no symbol of this target may be served, whatever its own evidence; None if it may.
    """
    pooled = target_rows.get("cross_sectional")
    differences = [
        _difference(
            records[symbol]["targets"][target] if symbol in records else None,
            pooled,
            symbol_rows.get((symbol, "symbol_specific")),
        )
        for symbol in symbols
    ]
    n_tries = max((len(record["own_families"]) for record in records.values()), default=1)
    verdicts = paired_verdicts(differences, n_tries, thresholds)
    return [
        _route_row(
            target,
            symbol,
            pooled,
            symbol_rows.get((symbol, "cross_sectional")),
            symbol_rows.get((symbol, "symbol_specific")),
            difference,
            verdict,
            thresholds,
            obstacle,
        )
        for symbol, difference, verdict in zip(symbols, differences, verdicts, strict=True)
    ]


def _difference(
    record: Mapping[str, Any] | None, pooled: TargetRow | None, own: SymbolRow | None
) -> Evidence:
    if record is None or pooled is None or own is None or own.family is None:
        return Evidence.none()
    item = record["paired"].get(pooled.family, {}).get(own.family)
    return Evidence.none() if item is None else Evidence.from_record(item)


def _route_row(
    target: str,
    symbol: str,
    pooled: TargetRow | None,
    shared: SymbolRow | None,
    own: SymbolRow | None,
    difference: Evidence,
    verdict: PairedVerdict,
    thresholds: RoutingThresholds,
    obstacle: Obstacle | None,
) -> RouteRow:
    route, why = _decide(pooled, shared, own, verdict.better, thresholds.alpha, obstacle)
    facts = _facts(pooled, shared, own, difference, verdict)
    nan = math.nan
    return RouteRow(
        target=target,
        symbol=symbol,
        route=route,
        reason=f"{obstacle.reason if obstacle and why == obstacle.verdict else why}: {facts}",
        pooled_predictable=pooled is not None and pooled.predictable,
        pooled_family=pooled.family if pooled else None,
        pooled_skill=pooled.skill if pooled else nan,
        pooled_std_error=pooled.std_error if pooled else nan,
        pooled_p_value=pooled.p_value if pooled else nan,
        pooled_q_value=pooled.q_value if pooled else nan,
        pooled_time_skill=shared.skill if shared else nan,
        pooled_time_std_error=shared.std_error if shared else nan,
        own_predictable=own is not None and own.predictable,
        own_family=own.family if own else None,
        own_skill=own.skill if own else nan,
        own_std_error=own.std_error if own else nan,
        own_p_value=own.p_value if own else nan,
        own_q_value=own.q_value if own else nan,
        difference=difference.skill,
        difference_std_error=difference.std_error,
        difference_q_value=verdict.q_value,
        difference_shrunk=verdict.shrunk,
        n_own_rows=own.n_rows if own else 0,
        n_paired_rows=difference.n_rows,
        verdict=why,
    )


def _decide(  # noqa: PLR0911 (one return per line of the table of routes)
    pooled: TargetRow | None,
    shared: SymbolRow | None,
    own: SymbolRow | None,
    better: int,
    alpha: float,
    obstacle: Obstacle | None,
) -> tuple[Route, RouteVerdict]:
    pooled_holds = pooled is not None and pooled.predictable
    own_holds = own is not None and own.predictable
    hinted = any(
        row is not None and is_hinted(row.skill, row.p_value, alpha) for row in (own, pooled)
    )
    if obstacle is not None and obstacle.is_doubt:
        return "BLOCKED", obstacle.verdict
    if any(row is not None and row.doubtful for row in (shared, own)):
        # Only its table may be at fault: no model measured on it is trusted there.
        return "BLOCKED", "a skill on this symbol is beyond what such a target has ever shown"
    if obstacle is not None:
        return ("EXPERIMENTAL_ONLY" if own_holds or hinted else "BLOCKED"), obstacle.verdict
    if pooled_holds and own_holds:
        if better > 0:
            return "SYMBOL_SPECIFIC", "both hold up and the own model is better"
        if better < 0:
            return "CROSS_SECTIONAL", "both hold up and the pooled model is better"
        return "BOTH", "both hold up and neither is better"
    if pooled_holds:
        if better > 0:
            # Neither can be trusted on this symbol: one is worse, the other unproven.
            return (
                "EXPERIMENTAL_ONLY",
                "the pooled model holds up but is worse here than an own one",
            )
        return "CROSS_SECTIONAL", "the pooled model holds up, an own one does not"
    if own_holds:
        return "SYMBOL_SPECIFIC", "the own model holds up, the pooled one does not"
    if hinted:
        return "EXPERIMENTAL_ONLY", "evidence before the multiplicity correction only"
    if own is not None and math.isnan(own.p_value):
        return "BLOCKED", "too little data for an own model and no pooled evidence"
    return "BLOCKED", "no evidence"


def _facts(
    pooled: TargetRow | None,
    shared: SymbolRow | None,
    own: SymbolRow | None,
    difference: Evidence,
    verdict: PairedVerdict,
) -> str:
    parts = []
    if pooled is not None and not math.isnan(pooled.skill):
        parts.append(f"pooled across symbols {pooled.skill:+.3f} (q {pooled.q_value:.2g})")
    if shared is not None and not math.isnan(shared.skill):
        doubt = f" (beyond {shared.max_skill:g})" if shared.doubtful else ""
        parts.append(f"pooled over this symbol's time {shared.skill:+.3f}{doubt}")
    if own is not None and not math.isnan(own.p_value):
        doubt = f", beyond {own.max_skill:g}" if own.doubtful else ""
        parts.append(f"own {own.skill:+.3f} (q {own.q_value:.2g}{doubt})")
    elif own is not None:
        parts.append(f"own: {own.reason}")
    if not math.isnan(verdict.q_value):
        shrunk = "" if math.isnan(verdict.shrunk) else f", shrunk {verdict.shrunk:+.3f}"
        parts.append(
            f"own - pooled {difference.skill:+.3f} ± {difference.std_error:.3f} "
            f"(q {verdict.q_value:.2g}{shrunk}, {plural(difference.n_rows, 'row')})"
        )
    return ", ".join(parts) if parts else "nothing could be measured"
