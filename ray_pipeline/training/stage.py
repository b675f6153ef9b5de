"""Model training: the plan's jobs, fanned out by what they are trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.ranking.stage import PooledPanel
from ray_pipeline.records import SymbolPartition
from ray_pipeline.routing.plan import Job, TrainingPlan
from ray_pipeline.training.fit import JobSpec
from ray_pipeline.training.search.choices import JobSearch
from ray_pipeline.training.units import TrainingSpec, train_pooled, train_symbol

__all__ = ["Training", "train_models"]


@dataclass(frozen=True, slots=True)
class Training:
    """Results by job, in the order of the plan; a job that failed is missing.

    Each holds the model's files, the table of its out-of-sample predictions, its training rows
    and its out-of-sample evidence; after a search for hyperparameters also ``search``, with what
    that promised and kept, and its ``n_trials``.
    """

    results: Mapping[str, Mapping[str, Any]]


def train_models(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    pool: PooledPanel | None,
    plan: TrainingPlan,
    min_cs: int,
    inputs: str,
    searches: Mapping[str, JobSearch] | None = None,
) -> Training:
    """Train every job of the plan.

    Pooled jobs are one unit each; a symbol's own jobs are one unit, since they read one table.

    Parameters
    ----------
    searches
        What a search for hyperparameters chose, by job.
    """
    found = searches or {}
    results: dict[str, Mapping[str, Any]] = {}
    pooled = [job for job in plan.jobs if job.view == "cross_sectional"]
    if pooled and pool is not None:
        units = [
            Unit(
                "train_pooled",
                job.job_id,
                train_pooled,
                TrainingSpec(frame, (_spec(job, found),), min_cs, inputs, pool=pool.tables),
            )
            for job in pooled
        ]
        for record in runner.run(units, [pool.value]).values():
            results.update(record["jobs"])
    own: dict[str, list[Job]] = {}
    for job in plan.jobs:
        if job.view == "symbol_specific":
            own.setdefault(job.symbols[0], []).append(job)
    units = [
        Unit(
            "train_symbol",
            symbol,
            train_symbol,
            TrainingSpec(
                frame=frame,
                jobs=tuple(_spec(job, found) for job in jobs),
                min_cs=min_cs,
                inputs=inputs,
                partition=partitions[symbol],
            ),
        )
        for symbol, jobs in own.items()
    ]
    for record in runner.run(units).values():
        results.update(record["jobs"])
    return Training({job.job_id: results[job.job_id] for job in plan.jobs if job.job_id in results})


def _spec(job: Job, searches: Mapping[str, JobSearch]) -> JobSpec:
    return JobSpec(
        job_id=job.job_id,
        target=job.target,
        view=job.view,
        family=job.family,
        features=job.features,
        fold_features=job.fold_features,
        hyperparameters=job.hyperparameters,
        search=searches.get(job.job_id),
    )
