"""The training plan: which models to train, for whom, on which features, and why (pure)."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.ranking.decide import is_hinted
from ray_pipeline.records import View
from ray_pipeline.routing.decide import RouteRow, serving_views
from ray_pipeline.routing.jobs import (
    MIN_MEMBERS,
    RANK_AVERAGE,
    Job,
    JobVerdict,
    LeftOutModel,
    TrainingPlan,
)
from ray_pipeline.selection.selected import ModelFeatures, Selection
from ray_pipeline.wording import agreeing, plural

__all__ = ["plan_training", "without_lonely_averages"]


def plan_training(
    routes: Sequence[RouteRow],
    selection: Selection,
    targets: Sequence[str],
    pool_symbols: Sequence[str],
    config: ExperimentConfig,
) -> TrainingPlan:
    """Turn routes into jobs.

    Parameters
    ----------
    targets
        Chosen targets, strongest first.
    pool_symbols
        Symbols of the pooled panel: a pooled model is trained on all of them, because that model's
        skill was measured.
    """
    jobs: list[Job] = []
    left_out: list[LeftOutModel] = []
    for target in targets:
        rows = [row for row in routes if row.target == target]
        pooled = [row for row in rows if _uses_pooled(row, config.routing.train_experimental)]
        wanted = [_Wanted.pooled(target, pooled, pool_symbols)] if pooled else []
        wanted.extend(
            _Wanted.own(row)
            for row in rows
            if _uses_own(row, config.routing.train_experimental, config.symbol_alpha)
        )
        for model in wanted:
            planned = {
                family: _job(model, family, features, config)
                for family in config.training.families
                if (features := selection.features(target, model.symbol, family)) is not None
            }
            if not planned:
                why = "feature selection gave no features; see failures.parquet"
                left_out.append(LeftOutModel(target, model.symbol, None, why))
                continue
            average = planned.pop(RANK_AVERAGE, None)
            jobs.extend(planned.values())
            if average is not None:
                members = tuple(job.job_id for job in planned.values())
                jobs.append(replace(average, members=members))
    kept = jobs[: config.training.max_jobs]
    left_out.extend(
        LeftOutModel.of(job, f"beyond training.max_jobs={config.training.max_jobs}")
        for job in jobs[len(kept) :]
    )
    plan = without_lonely_averages(
        TrainingPlan(tuple(kept), tuple(left_out)), {job.job_id for job in kept}, "planned"
    )
    numbered = (replace(job, priority=priority) for priority, job in enumerate(plan.jobs, start=1))
    return replace(plan, jobs=tuple(numbered))


def without_lonely_averages(
    plan: TrainingPlan, there: Container[str], what: str = "trained"
) -> TrainingPlan:
    """Move averages of fewer than two models to the left-out jobs.

    Parameters
    ----------
    there
        Jobs that can be members.
    what
        Description of these jobs, for the reason.
    """
    kept: list[Job] = []
    left_out = list(plan.left_out)
    for job in plan.jobs:
        n_there = sum(member in there for member in job.members)
        if job.family == RANK_AVERAGE and n_there < MIN_MEMBERS:
            reason = (
                f"an average needs {MIN_MEMBERS} models, and {n_there} of its "
                f"{plural(len(job.members), 'member')} {agreeing(n_there, 'was', 'were')} {what}"
            )
            left_out.append(LeftOutModel.of(job, reason))
        else:
            kept.append(job)
    return TrainingPlan(tuple(kept), tuple(left_out))


def _in_path(name: str) -> str:
    """Encode characters that a path cannot hold, or that look like the ``__`` between parts."""
    encoded = quote(name, safe=" ").replace("__", "_%5F")
    if encoded.startswith("_"):
        encoded = "%5F" + encoded[1:]
    if encoded.endswith("_"):
        encoded = encoded[:-1] + "%5F"
    return encoded


def _uses_pooled(row: RouteRow, experimental: bool) -> bool:
    if "cross_sectional" in serving_views(row.route):
        return True
    return experimental and row.route == "EXPERIMENTAL_ONLY" and row.pooled_predictable


def _uses_own(row: RouteRow, experimental: bool, alpha: float) -> bool:
    if "symbol_specific" in serving_views(row.route):
        return True
    # Features are selected for own models that show evidence before the correction.
    hinted = is_hinted(row.own_skill, row.own_p_value, alpha)
    return experimental and row.route == "EXPERIMENTAL_ONLY" and hinted


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A model that routes require, of any family; `symbol` is None for a pooled one."""

    target: str
    view: View
    symbol: str | None
    trained_on: tuple[str, ...]
    serves: tuple[str, ...]
    verdict: JobVerdict
    why: str

    @classmethod
    def pooled(cls, target: str, rows: Sequence[RouteRow], pool_symbols: Sequence[str]) -> _Wanted:
        first = rows[0]
        verdict: JobVerdict = "predictable across symbols"
        return cls(
            target=target,
            view="cross_sectional",
            symbol=None,
            trained_on=tuple(pool_symbols),
            serves=tuple(row.symbol for row in rows),
            verdict=verdict,
            why=f"{verdict} (skill {first.pooled_skill:+.4f}, q {first.pooled_q_value:.2g}); "
            f"serves {plural(len(rows), 'symbol')}",
        )

    @classmethod
    def own(cls, row: RouteRow) -> _Wanted:
        return cls(
            target=row.target,
            view="symbol_specific",
            symbol=row.symbol,
            trained_on=(row.symbol,),
            serves=(row.symbol,),
            verdict=row.route,
            why=f"{row.route}: {row.reason}",
        )


def _job(model: _Wanted, family: str, features: ModelFeatures, config: ExperimentConfig) -> Job:
    symbol = model.symbol
    parts = [model.target, family] if symbol is None else [model.target, symbol, family]
    prefix = "cs" if symbol is None else "sym"
    hyperparameters: Mapping[str, Any] = config.training.hyperparameters.get(family, {})
    return Job(
        job_id=f"{prefix}_" + "__".join(_in_path(part) for part in parts),
        target=model.target,
        view=model.view,
        symbols=model.trained_on,
        serves=model.serves,
        family=family,
        features=features.final,
        fold_features=tuple(sorted(features.folds.items())),
        hyperparameters=tuple(sorted(hyperparameters.items())),
        priority=0,
        why=model.why,
        verdict=model.verdict,
        feature_set="selected" if features.are_selected else "all",
        n_feature_sets=features.n_sets,
    )
