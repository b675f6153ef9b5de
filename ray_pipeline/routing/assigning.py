"""Routing: every (target, symbol) gets a route and its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.ranking.decide import SymbolRow, TargetRow
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.records import View
from ray_pipeline.routing.comparison import RoutingThresholds
from ray_pipeline.routing.decide import RouteRow, decide_routes

__all__ = ["route_symbols"]


def route_symbols(
    ranking: Ranking, symbols: Sequence[str], config: ExperimentConfig
) -> list[RouteRow]:
    """Route every symbol of every target (pure: it reads evidence, it runs nothing)."""
    thresholds = RoutingThresholds(
        alpha=config.symbol_alpha,
        min_difference=config.routing.min_difference,
        method=config.target_ranking.analytic_correction,
    )
    by_target: dict[str, dict[tuple[str, str], SymbolRow]] = {}
    for row in ranking.symbols:
        by_target.setdefault(row.target, {})[row.symbol, row.view] = row
    rows: list[RouteRow] = []
    for target in sorted({row.target for row in ranking.targets}):
        by_view = {row.view: row for row in ranking.targets if row.target == target}
        rows.extend(
            decide_routes(
                target,
                symbols,
                by_view,
                by_target.get(target, {}),
                ranking.records,
                thresholds,
                _obstacle(target, by_view, ranking, config.target_ranking.top_n_targets),
            )
        )
    return rows


def _obstacle(
    target: str, by_view: Mapping[View, TargetRow], ranking: Ranking, top_n: int
) -> str | None:
    """Say what keeps a target from being served at all, if anything does."""
    if target in ranking.chosen:
        return None
    if any(row.predictable for row in by_view.values()):
        return f"the target is predictable but not among the top_n_targets={top_n}"
    return "the target is not predictable over the batch"
