"""The search for hyperparameters, nested in the folds and fanned out over the workers.

There is no budget in seconds, because results would then depend on the speed of the machines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.inspecting.subject import current_subject
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.records import SymbolPartition
from ray_pipeline.routing.jobs import RANK_AVERAGE, Job, TrainingPlan
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.training.search.choices import (
    Accept,
    JobSearch,
    TrialRow,
    allot_trials,
    best_trial,
    trial_rows,
)
from ray_pipeline.training.search.fold_search import FoldSearch
from ray_pipeline.training.search.inner import TrialSettings
from ray_pipeline.training.search.optimiser import require_optuna
from ray_pipeline.training.search.rounds import Measuring
from ray_pipeline.training.search.space import Space, search_spaces
from ray_pipeline.wording import agreeing, plural, some_of

__all__ = ["SEARCH", "TRIALS", "SearchSettings", "Searches", "search_hyperparameters"]

TRIALS = "search/trials.parquet"
"""Only for a run that searched hyperparameters."""

SEARCHES_AT_ONCE = 2_000
"""Number of searches whose optimisers are in the driver's memory at once."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a search depends on; see `ray_pipeline.config.stage_sections.SearchConfig`.

    `spaces` holds the space of each family, empty if there is nothing to search.
    """

    n_trials: int
    batch_size: int
    max_trials: int | None
    accept: Accept
    trials: TrialSettings
    spaces: Mapping[str, Space]

    @classmethod
    def from_config(cls, config: ExperimentConfig) -> SearchSettings | None:
        """Resolve the spaces of the families; None if no search is requested.

        Raises
        ------
        ConfigError
            When a space cannot be searched, or Optuna is not installed.
        """
        search = config.training.search
        if search is None:
            return None
        require_optuna()
        return cls(
            n_trials=search.n_trials,
            batch_size=search.batch_size,
            max_trials=search.max_trials,
            accept=search.accept,
            trials=TrialSettings.from_config(config, search),
            spaces=search_spaces(
                [name for name in config.training.families if name != RANK_AVERAGE], search.spaces
            ),
        )


@dataclass(frozen=True, slots=True)
class Searches:
    """The search's results.

    Attributes
    ----------
    jobs
        By job; one that could not be searched at all is missing.
    rows
        All trials, by job in the order of the plan, fold, and number.
    left_out
        Sentences about what was not searched, and why.
    """

    jobs: Mapping[str, JobSearch]
    rows: tuple[TrialRow, ...]
    left_out: tuple[str, ...]


def search_hyperparameters(
    runner: UnitRunner,
    frame: PanelFrame,
    partitions: Mapping[str, SymbolPartition],
    pool: PooledPanel | None,
    plan: TrainingPlan,
    settings: SearchSettings,
) -> Searches:
    """Search for each job inside each of its folds, and on all rows for its final model.

    Optimisers live in the driver, which requests a batch from each, measures all trials of a round,
    and reports their skills in the order of the requests, regardless of the order in which they
    ended. A driver that restarts repeats the requests and finds the recorded results.
    """
    wanted = [
        job
        for job in plan.jobs
        if settings.spaces.get(job.family) and (pool is not None or job.view == "symbol_specific")
    ]
    allotted = allot_trials(
        {job.job_id: len(job.fold_features) + 1 for job in wanted},
        settings.n_trials,
        settings.max_trials,
    )
    searched = [job for job in wanted if job.job_id in allotted]
    measuring = Measuring(runner, frame, partitions, pool, settings.trials)
    places = [(job, place) for job in searched for place in _places(job)]
    searches: dict[str, list[FoldSearch]] = {job.job_id: [] for job in searched}
    for start in range(0, len(places), SEARCHES_AT_ONCE):
        some = [
            _fold_search(frame, job, *place, settings, allotted[job.job_id])
            for job, place in places[start : start + SEARCHES_AT_ONCE]
        ]
        while asked := [(search, batch) for search in some if (batch := search.ask()) is not None]:
            measuring.round(asked)
        for search in some:
            search.close()
            searches[search.job.job_id].append(search)
    found = {job_id: _found(members, settings.accept) for job_id, members in searches.items()}
    return Searches(
        jobs={job_id: search for job_id, search in found.items() if search is not None},
        rows=tuple(
            row
            for job_id, members in searches.items()
            for search in members
            for row in trial_rows(job_id, search.fold, search.trials)
        ),
        left_out=(*_unsearched(plan, settings, allotted), *_unmeasured(searches)),
    )


def _places(job: Job) -> list[tuple[int | None, tuple[str, ...]]]:
    return [*job.fold_features, (None, job.features)]


def _fold_search(
    frame: PanelFrame,
    job: Job,
    fold: int | None,
    features: tuple[str, ...],
    settings: SearchSettings,
    n_trials: int,
) -> FoldSearch:
    own = job.symbols if job.view == "symbol_specific" else ()
    where = "final" if fold is None else f"fold {fold}"
    seed = derive_seed(frame.seed, "search", job.family, job.target, *own, where, "proposals")
    space = settings.spaces[job.family]
    return FoldSearch(job, fold, features, space, n_trials, settings.batch_size, seed)


def _found(searches: Sequence[FoldSearch], accept: Accept) -> JobSearch | None:
    choices = [best_trial(search.fold, search.trials) for search in searches]
    made = [choice for choice in choices if choice is not None]
    if not made:
        return None
    return JobSearch(
        accept=accept,
        n_trials=sum(choice.n_trials for choice in made),
        folds=tuple(choice for choice in made if choice.fold is not None),
        final=next((choice for choice in made if choice.fold is None), None),
    )


def _unsearched(
    plan: TrainingPlan, settings: SearchSettings, allotted: Mapping[str, int]
) -> Iterator[str]:
    without = sorted({job.family for job in plan.jobs if not settings.spaces.get(job.family)})
    if without:
        yield (
            f"{some_of(without)}: no hyperparameters to search, the configured ones are used; "
            "give a space in training.search.spaces"
        )
    wanted = [job.job_id for job in plan.jobs if settings.spaces.get(job.family)]
    fewer = [job_id for job_id in wanted if allotted.get(job_id, 0) < settings.n_trials]
    if fewer:
        none = sum(job_id not in allotted for job_id in fewer)
        yield (
            f"training.search.max_trials={settings.max_trials} is spent: {len(fewer)} of "
            f"{plural(len(wanted), 'job')} {agreeing(len(fewer), 'has', 'have')} fewer trials than "
            f"n_trials={settings.n_trials}, {none} of them none ({some_of(fewer, at_most=5)})"
        )


def _unmeasured(searches: Mapping[str, Sequence[FoldSearch]]) -> Iterator[str]:
    """Say which searches gave no result, one sentence per job."""
    for job_id, members in searches.items():
        failed = [each for each in members if best_trial(each.fold, each.trials) is None]
        if failed:
            names = ", ".join(search.name for search in failed)
            why = failed[0].problem or "the configured hyperparameters have no skill to compare"
            yield f"{job_id}: not searched, {names} (the configured ones are used): {why}"


def _is_asked_for(context: StageContext) -> bool:
    return context.config.training.search is not None and bool(context.get(TrainingPlan).jobs)


def _search(context: StageContext) -> None:
    """Search the hyperparameters of the plan's jobs."""
    settings = SearchSettings.from_config(context.config)
    if settings is None:
        return
    subject = current_subject(context)
    searches = search_hyperparameters(
        context.runner,
        subject.frame,
        subject.partitions,
        context.find(PooledPanel),
        context.get(TrainingPlan),
        settings,
    )
    context.put(searches)
    context.write.rows(TRIALS, TrialRow, searches.rows)
    context.account.count(trials=len(searches.rows))
    context.account.warn(searches.left_out)


SEARCH = Stage(
    name="search",
    run=_search,
    units=(UnitKind("search_trials", "searching hyperparameters"),),
    sections=("training", "validation", "target_ranking"),
    tables=(TRIALS,),
    needs=("routing",),
    applies=_is_asked_for,
)
