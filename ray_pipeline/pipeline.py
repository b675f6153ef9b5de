"""The driver: discover → batch → rank → select → route → plan → train → evaluate → report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import choose_batch
from ray_pipeline.driving.places import place_of_data, place_of_results, require_apart
from ray_pipeline.driving.progress import Reporter
from ray_pipeline.driving.steps import (
    cross_section_step,
    evaluate_step,
    inspect_step,
    plan_step,
    pool_step,
    rank_step,
    screen_step,
    search_step,
    select_step,
    train_step,
)
from ray_pipeline.driving.study import Study, open_study
from ray_pipeline.driving.user_stages import find_user_stages, user_stages_step
from ray_pipeline.driving.verdict import verdict
from ray_pipeline.driving.workers import open_executor
from ray_pipeline.errors import ConfigError
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.families import load_family
from ray_pipeline.report import REPORT
from ray_pipeline.routing.plan import MIN_MEMBERS, RANK_AVERAGE
from ray_pipeline.training.search.searching import SearchSettings
from ray_pipeline.user_code.stages import UserStage

__all__ = ["RunResult", "check_families", "run_pipeline"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: one sentence about it, and where everything is."""

    message: str
    run_dir: str
    report: str


def run_pipeline(config: ExperimentConfig, reporter: Reporter, fresh: bool = False) -> RunResult:
    """Run the whole pipeline; on a run directory with finished work, continue from there.

    Parameters
    ----------
    reporter
        Told what happens while it works.
    fresh
        Forget the units that earlier runs finished in this directory.

    Raises
    ------
    ConfigError, DiscoveryError
        When config and data do not fit together.
    RunInUseError
        When another driver works on the run directory.
    ExecutionError
        When the run as a whole failed; ``run.json`` and the report say why.
    """
    check_families(config)
    stages = find_user_stages(config)
    require_apart(place_of_results(config), place_of_data(config))
    batch = choose_batch(config, reporter.listed)
    with open_study(config, batch, reporter, fresh=fresh) as study:
        _announce(study)
        with open_executor(config, study.run, reporter) as executor:
            message = _run_stages(study, study.runner(executor), stages)
        study.journal.finish("done", message)
    return RunResult(message, study.run.uri, f"{study.run.uri}/{REPORT}")


def _run_stages(study: Study, runner: UnitRunner, stages: tuple[UserStage, ...]) -> str:
    subject = inspect_step(study, runner)
    subject = cross_section_step(study, runner, subject)
    subject = screen_step(study, runner, subject)
    subject = user_stages_step(study, runner, subject, stages)
    pool = pool_step(study, runner, subject)
    ranking = rank_step(study, runner, subject, pool)
    selection = select_step(study, runner, subject, pool, ranking)
    plan = plan_step(study, subject, ranking, selection)
    searches = search_step(study, runner, subject, pool, plan)
    training, predictions = train_step(study, runner, subject, pool, plan, searches)
    evaluate_step(study, runner, subject, ranking, plan, training, predictions)
    alpha = study.config.target_ranking.alpha
    return verdict(ranking, plan, len(training.results), len(study.ledger.failures), alpha)


def _announce(study: Study) -> None:
    found, selected = study.batch.discovery, study.batch.partitions
    study.warn(study.batch.warnings)
    study.journal.count(
        discovered=len(found.symbols), rejected=len(found.rejected), selected=len(selected)
    )
    at = f" at {found.interval}" if found.interval else ""
    study.reporter.say(f"{len(selected)} of {len(found.symbols)} symbols from {found.data_dir}{at}")


def check_families(config: ExperimentConfig) -> None:
    """Raise ConfigError for an unknown family, hyperparameter or space, before any work is done."""
    ranking, training = config.target_ranking, config.training
    for section, names, hyperparameters in (
        ("target_ranking", ranking.families, ranking.hyperparameters),
        ("training", training.families, training.hyperparameters),
    ):
        for name in dict.fromkeys((*names, *hyperparameters)):
            try:
                if name == RANK_AVERAGE:
                    _check_average(section, names, hyperparameters)
                else:
                    load_family(name).check_hyperparameters(hyperparameters.get(name, {}))
                if section == "target_ranking":
                    _check_no_stopping(name, hyperparameters.get(name, {}))
            except ConfigError as error:
                raise ConfigError(f"{section}: {error}") from error
    SearchSettings.from_config(config)


def _check_average(
    section: str, names: Sequence[str], hyperparameters: Mapping[str, Mapping[str, Any]]
) -> None:
    if section != "training":
        raise ConfigError(
            f"{RANK_AVERAGE} averages models that were trained, and ranks no target. Name it in "
            "training.families alone."
        )
    if hyperparameters.get(RANK_AVERAGE):
        raise ConfigError(f"{RANK_AVERAGE} has no hyperparameters: its models count alike.")
    if RANK_AVERAGE in names and len(names) <= MIN_MEMBERS:
        others = [name for name in names if name != RANK_AVERAGE]
        raise ConfigError(
            f"{RANK_AVERAGE} needs {MIN_MEMBERS} other families to average; training.families has "
            f"{', '.join(others) or 'no other'}. Add one, or remove {RANK_AVERAGE}."
        )


def _check_no_stopping(name: str, hyperparameters: Mapping[str, Any]) -> None:
    if "early_stopping_rounds" in hyperparameters:
        raise ConfigError(
            f"{name}: early_stopping_rounds is for training alone: ranking fits many small models, "
            "each for all of its rounds. Remove it there."
        )
