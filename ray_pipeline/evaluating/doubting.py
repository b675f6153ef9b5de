"""Reporting targets that trained models make doubtful, with the features behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from ray_pipeline.doubt.carriers import DoubtRow
from ray_pipeline.doubt.doubting import (
    DOUBT_TABLE,
    MAX_SYMBOLS,
    Doubts,
    carry_pooled,
    carry_symbols,
    named,
    shared_carriers,
)
from ray_pipeline.errors import ExecutionError
from ray_pipeline.evaluating.records import EvaluatedRow
from ray_pipeline.inspecting.subject import current_subject
from ray_pipeline.ranking.decide import SymbolRow, TargetRow
from ray_pipeline.ranking.doubt import DoubtedFigure, with_doubted_models
from ray_pipeline.ranking.ranking import RANKED_TARGETS, Ranking
from ray_pipeline.ranking.settings import RankingSettings
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.stages.context import StageContext
from ray_pipeline.wording import agreeing, plural

__all__ = ["doubt_models", "own_models_to_look_at", "pooled_models_to_look_at"]

MAX_WARNED = 10
"""Number of doubtful models to report one by one."""


def doubt_models(
    context: StageContext,
    jobs: Sequence[EvaluatedRow],
    doubted: Sequence[DoubtedFigure],
    all_of_them: str,
) -> None:
    """Report models with doubtful figures, and what carries their skill.

    Parameters
    ----------
    jobs
        Evaluated ones, in the order of the plan.
    doubted
        A figure of each target that they make doubtful.
    all_of_them
        The table of the evaluated jobs.

    Raises
    ------
    ExecutionError
        When a target is doubtful and ``leakage.policy`` is ``fail``.
    """
    ranking = context.get(Ranking)
    doubtful = [row for row in jobs if row.doubtful]
    targets = {each.target for each in (*ranking.doubted, *doubted)}
    predictable = {row.target for row in ranking.targets if row.predictable} - targets
    context.account.count(
        predictable_targets=len(predictable),
        doubtful_targets=len(targets),
        doubtful_models=len(doubtful),
    )
    if not doubtful:
        return
    if doubted:
        rows = with_doubted_models(ranking.targets, doubted)
        context.write.rows(RANKED_TARGETS, TargetRow, rows)
    found = _carriers(context, ranking, doubtful)
    earlier = context.find(Doubts)
    context.write.rows(DOUBT_TABLE, DoubtRow, [*(earlier.rows if earlier else ()), *found])
    told = [f"doubtful: {row.job_id}: {row.doubt}" for row in doubtful[:MAX_WARNED]]
    if len(doubtful) > MAX_WARNED:
        told.append(f"{len(doubtful)} models are doubtful; {all_of_them} has them")
    heads = {row.target: row for row in reversed(found) if row.reason}
    told += [f"doubtful: {target}. {named(row)}" for target, row in sorted(heads.items())]
    told += shared_carriers({each.target for each in doubted}, sorted(predictable), found)
    context.account.warn(told)
    if doubted and context.config.leakage.policy == "fail":
        first = doubted[0]
        carried = f" {named(heads[first.target])}." if first.target in heads else ""
        n_targets = len({row.target for row in ranking.targets})
        raise ExecutionError(
            f"{len(doubted)} of {plural(n_targets, 'target')} "
            f"{agreeing(len(doubted), 'is doubtful by its', 'are doubtful by their')} trained "
            f"models, and leakage.policy is 'fail'. The first: {first}.{carried} Look for features "
            "that know the future among those of its models and leave them out by "
            f"columns.exclude_features; or raise the limit for {first.target} (section doubt of "
            "the config), if you know why it is so high; or set leakage.policy to 'drop'."
        )


def _carriers(
    context: StageContext, ranking: Ranking, doubtful: Sequence[EvaluatedRow]
) -> list[DoubtRow]:
    """Find what carries the skill of doubtful models, as for targets that ranking doubts."""
    subject, pool = current_subject(context), context.find(PooledPanel)
    settings = RankingSettings.from_config(context.config)
    runner, frame, partitions = context.runner, subject.frame, subject.partitions
    found: list[DoubtRow] = []
    pooled = pooled_models_to_look_at(ranking.targets, doubtful)
    if pooled and pool is not None:
        found += carry_pooled(runner, frame, pool, partitions, pooled, settings)
    own = own_models_to_look_at(ranking.symbols, doubtful)
    if own:
        found += carry_symbols(runner, frame, partitions, own, settings)
    return found


def pooled_models_to_look_at(
    ranked: Iterable[TargetRow], doubtful: Iterable[EvaluatedRow]
) -> list[TargetRow]:
    """Return the rows of targets whose pooled models are doubtful, without a limit of skill.

    It is another figure that is beyond its limit, or the skill of a larger model: the family that
    ranked the target shows by its own skill what carries it.
    """
    targets = dict.fromkeys(row.target for row in doubtful if row.symbol is None)
    rows = {row.target: row for row in ranked if row.view == "cross_sectional"}
    return [replace(rows[name], max_skill=math.nan) for name in targets if name in rows]


def own_models_to_look_at(
    ranked: Iterable[SymbolRow], doubtful: Iterable[EvaluatedRow]
) -> list[SymbolRow]:
    """Return the rows of symbols whose own models are doubtful, of each target the most doubtful.

    Those whose figure is the furthest beyond its limit come first, as shares of the limit.
    """
    beyond: dict[tuple[str, str], float] = {}
    for row in doubtful:
        if row.symbol is not None:
            key = (row.target, row.symbol)
            beyond[key] = max(beyond.get(key, 0.0), row.doubted_value / row.doubted_limit)
    rows = {(row.target, row.symbol): row for row in ranked if row.view == "symbol_specific"}
    chosen: list[SymbolRow] = []
    for target in dict.fromkeys(target for target, _ in beyond):
        keys = [key for key in beyond if key[0] == target and key in rows]
        keys.sort(key=lambda key: (-beyond[key], key[1]))
        chosen += [replace(rows[key], max_skill=math.nan) for key in keys[:MAX_SYMBOLS]]
    return chosen
