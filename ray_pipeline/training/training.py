"""Model training: the plan's jobs, fanned out by their training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ray_pipeline.execution.protocol import Unit
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import SymbolPartition
from ray_pipeline.routing.jobs import RANK_AVERAGE, Job, TrainingPlan
from ray_pipeline.routing.plan import without_lonely_averages
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.selection.selected import SelectedFeatures
from ray_pipeline.training.effects import described_features, spare_features
from ray_pipeline.training.ensemble import EnsembleSpec, Member, train_average
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.pooled_folds import TrainedFoldSpec, train_pooled_fold
from ray_pipeline.training.pooled_stream import StreamSpec
from ray_pipeline.training.search.choices import JobSearch
from ray_pipeline.training.settings import TrainingSettings
from ray_pipeline.training.units import TrainingSpec, train_pooled, train_symbol

__all__ = ["Training", "job_spec", "train_models"]


@dataclass(frozen=True, slots=True)
class Training:
    """Results by job, in the order of the plan; a job that failed is missing.

    Each holds the model's files and the seal of its metadata, the table of its out-of-sample
    predictions, its training rows, its out-of-sample evidence and the effects of its features;
    after a hyperparameter search also ``search``, with its promise and its result, and its
    ``n_trials``.
    """

    results: Mapping[str, Mapping[str, Any]]


def train_models(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    pool: PooledPanel | None,
    plan: TrainingPlan,
    settings: TrainingSettings,
    inputs: str,
    searches: Mapping[str, JobSearch] | None = None,
    stream: StreamSpec | None = None,
    selected: Mapping[tuple[str, str | None], SelectedFeatures] = MappingProxyType({}),
) -> Training:
    """Train every job of the plan.

    Pooled jobs are a unit per fold, and one that joins these and trains what serves; a symbol's own
    jobs are one unit, because they read one table. Averages follow when their members are trained;
    there is none of fewer than two.

    Parameters
    ----------
    searches
        The choices of a hyperparameter search, by job.
    stream
        Rows for pooled models beyond those of the pool, of `stream_rows`.
    selected
        Features selected, by (target, symbol): the effects of the best are measured.
    """

    def spec_of(job: Job) -> JobSpec:
        symbol = None if job.view == "cross_sectional" else job.symbols[0]
        best = selected.get((job.target, symbol))
        described = described_features(best.final, job) if best else ()
        ranked = (str(row["feature"]) for row in best.rows) if best else ()
        return job_spec(job, searches or {}, described, spare_features(described, ranked, job))

    results: dict[str, Mapping[str, Any]] = {}
    pooled = plan.fitted("cross_sectional")
    if pooled and pool is not None:
        jobs = tuple(map(spec_of, pooled))
        walked = _walked(runner, frame, jobs, settings, pool, stream)
        units = [
            Unit(
                "train_pooled",
                job.job_id,
                train_pooled,
                TrainingSpec(
                    frame,
                    (job,),
                    settings,
                    inputs,
                    pool=pool.tables,
                    stream=stream,
                    walked=walked[job.job_id],
                ),
            )
            for job in jobs
            if job.job_id in walked
        ]
        for record in runner.run(units, [pool.value]).values():
            results.update(record["jobs"])
    own: dict[str, list[Job]] = {}
    for job in plan.fitted("symbol_specific"):
        own.setdefault(job.symbols[0], []).append(job)
    units = [
        Unit(
            "train_symbol",
            symbol,
            train_symbol,
            TrainingSpec(
                frame=frame,
                jobs=tuple(map(spec_of, jobs)),
                settings=settings.for_own_models(),
                inputs=inputs,
                partition=partitions[symbol],
            ),
        )
        for symbol, jobs in own.items()
    ]
    for record in runner.run(units).values():
        results.update(record["jobs"])
    for record in runner.run(_average_units(frame, plan, results, settings, inputs)).values():
        results.update(record["jobs"])
    return Training({job.job_id: results[job.job_id] for job in plan.jobs if job.job_id in results})


def _walked(
    runner: UnitRunner,
    frame: PanelFrame,
    jobs: Sequence[JobSpec],
    settings: TrainingSettings,
    pool: PooledPanel,
    stream: StreamSpec | None,
) -> dict[str, tuple[str, ...]]:
    """Walk the folds of pooled jobs; return the tables by job, without jobs of which one failed."""
    units = {
        job.job_id: [
            Unit(
                "train_pooled_fold",
                f"{job.job_id} fold {fold.index}",
                train_pooled_fold,
                TrainedFoldSpec(frame, job, settings, pool.tables, fold.index, stream),
            )
            for fold in frame.folds
        ]
        for job in jobs
    }
    records = runner.run([unit for of_job in units.values() for unit in of_job], [pool.value])
    found = {}
    for job_id, of_job in units.items():
        tables = [records[unit.key]["walked"] for unit in of_job if unit.key in records]
        if len(tables) == len(of_job):
            found[job_id] = tuple(name for name in tables if name is not None)
    return found


def _average_units(
    frame: PanelFrame,
    plan: TrainingPlan,
    results: Mapping[str, Mapping[str, Any]],
    settings: TrainingSettings,
    inputs: str,
) -> list[Unit]:
    families = {job.job_id: job.family for job in plan.jobs}
    units = []
    for job in without_lonely_averages(plan, results).jobs:
        if job.family != RANK_AVERAGE:
            continue
        members = tuple(
            Member(
                job_id=name,
                family=families[name],
                metadata=results[name]["files"][-1],
                predictions=results[name]["predictions"],
                spacing=results[name]["spacing"],
            )
            for name in job.members
            if name in results
        )
        spec = EnsembleSpec(frame, job_spec(job, {}), members, settings, inputs)
        units.append(Unit("train_average", job.job_id, train_average, spec))
    return units


def job_spec(
    job: Job,
    searches: Mapping[str, JobSearch],
    described: tuple[str, ...] = (),
    spare: tuple[str, ...] = (),
) -> JobSpec:
    """Return the spec of a planned job's fit, with a search's choices for it.

    Parameters
    ----------
    described, spare
        Features whose effects are told, and those whose effects are measured besides.
    """
    return JobSpec(
        job_id=job.job_id,
        target=job.target,
        view=job.view,
        family=job.family,
        features=job.features,
        fold_features=job.fold_features,
        hyperparameters=job.hyperparameters,
        search=searches.get(job.job_id),
        feature_set=job.feature_set,
        n_feature_sets=job.n_feature_sets,
        described=described,
        spare=spare,
    )
