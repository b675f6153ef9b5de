"""Routing: every (target, symbol) gets a route and its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.inspecting.subject import current_subject
from ray_pipeline.ranking.decide import SymbolRow, TargetRow
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.records import QUESTIONS, View
from ray_pipeline.routing.comparison import RoutingThresholds
from ray_pipeline.routing.decide import Obstacle, RouteRow, RouteVerdict, decide_routes
from ray_pipeline.routing.jobs import TrainingPlan
from ray_pipeline.routing.plan import plan_training
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.selection.selected import Selection
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage

__all__ = ["PLAN", "ROUTES", "ROUTING", "plan_document", "route_symbols"]

ROUTES = "routing/routes.parquet"
PLAN = "training_plan.json"


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
) -> Obstacle | None:
    """Say what prevents a target from being served at all, if anything."""
    if target in ranking.chosen:
        return None
    doubted = next((each for each in ranking.doubted if each.target == target), None)
    if doubted is not None:
        return Obstacle("the target is doubtful", f"the target is doubtful ({doubted})", True)
    if any(row.predictable for row in by_view.values()):
        verdict: RouteVerdict = "the target is predictable but not among the top_n_targets"
        return Obstacle(verdict, f"{verdict}={top_n}")
    verdict = "the target is not predictable over the batch"
    return Obstacle(verdict, verdict)


def plan_document(plan: TrainingPlan) -> dict[str, Any]:
    """Return the content of ``training_plan.json``."""
    jobs = []
    for job in plan.jobs:
        plain = asdict(job) | {"hyperparameters": dict(job.hyperparameters)}
        plain["question"] = QUESTIONS[job.view]
        del plain["fold_features"], plain["n_feature_sets"]
        if not job.members:
            del plain["members"]
        jobs.append(plain)
    left_out = [{"what": each.name} | asdict(each) for each in plan.left_out]
    return {"jobs": jobs, "left_out": left_out}


def _route(context: StageContext) -> None:
    """Route every symbol, and plan the models that the routes lead to."""
    symbols = list(current_subject(context).partitions)
    ranking, pool = context.get(Ranking), context.find(PooledPanel)
    routes = route_symbols(ranking, symbols, context.config)
    context.write.rows(ROUTES, RouteRow, routes)
    pooled = () if pool is None else pool.symbols
    plan = plan_training(routes, context.get(Selection), ranking.chosen, pooled, context.config)
    context.put(plan)
    context.write.json(PLAN, plan_document(plan))
    context.account.count(jobs=len(plan.jobs))


ROUTING = Stage(
    name="routing",
    run=_route,
    sections=("routing", "target_ranking", "training"),
    tables=(ROUTES, PLAN),
    needs=("target_ranking", "feature_selection"),
)
