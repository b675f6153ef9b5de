"""The driver: discover → batch → rank → select → route → plan → train → evaluate → report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray_pipeline.config import ExperimentConfig
from ray_pipeline.discovery.choosing import Batch, choose_batch
from ray_pipeline.driving.places import place_of_data, place_of_results, require_usable
from ray_pipeline.driving.progress import Reporter
from ray_pipeline.driving.study import Study, open_study
from ray_pipeline.driving.symbols import batch_sentence
from ray_pipeline.driving.verdict import next_commands, predictable_targets, verdict
from ray_pipeline.driving.workers import open_executor
from ray_pipeline.errors import ConfigError
from ray_pipeline.evaluating.evaluating import Evaluation
from ray_pipeline.families import load_family
from ray_pipeline.inspecting.schedule import UpTo
from ray_pipeline.inspecting.stages import INSPECT
from ray_pipeline.promoting.judging import judge_challenger
from ray_pipeline.ranking.ranking import Ranking
from ray_pipeline.results.stages import STAGES, taken_names
from ray_pipeline.results.tables import REPORT, SYMBOLS
from ray_pipeline.routing.jobs import MIN_MEMBERS, RANK_AVERAGE, TrainingPlan
from ray_pipeline.stages.context import StageContext
from ray_pipeline.training.search.searching import SearchSettings
from ray_pipeline.training.training import Training
from ray_pipeline.user_code.stages import find_stage
from ray_pipeline.user_stages.fan_out import UserStages

__all__ = ["RunResult", "check_families", "find_user_stages", "run_pipeline"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: one sentence, and where everything is.

    Attributes
    ----------
    targets
        Those that can be predicted, strongest first.
    next_commands
        Commands that a person will want next.
    """

    message: str
    run_dir: str
    report: str
    targets: tuple[str, ...] = ()
    next_commands: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The same, for a person."""
        labels = ("next:", *[""] * len(self.next_commands))
        following = zip(labels, self.next_commands, strict=False)
        return [
            f"done: {self.message}",
            f"report: {self.report}",
            *(f"{label:5} {command}" for label, command in following),
        ]


def run_pipeline(
    config: ExperimentConfig,
    reporter: Reporter,
    *,
    fresh: bool = False,
    replace: bool = False,
    until: UpTo | None = None,
) -> RunResult:
    """Run the whole pipeline; on a run directory with finished work, continue from there.

    Parameters
    ----------
    reporter
        Receives events while it works.
    fresh
        Forget the units that earlier runs finished in this directory.
    replace
        Put the result in place of one of another config, once it is complete.
    until
        With `training.retrain_every`: the date of retraining to stop at; None: the last one.

    Raises
    ------
    ConfigError, DiscoveryError
        When config and data do not fit together, or the run directory holds another's result.
    RunInUseError
        When another driver works on the run directory.
    ExecutionError
        When the run as a whole failed; ``run.json`` and the report say why.
    """
    check_families(config)
    user_stages = find_user_stages(config)
    require_usable(place_of_results(config), config, place_of_data(config))
    batch = choose_batch(config, reporter.listed)
    sources = {stage.name: stage.source_sha256 for stage in user_stages.stages}
    with open_study(
        config, batch, reporter, fresh=fresh, replace=replace, sources=sources
    ) as study:
        _announce(study, batch)
        with open_executor(config, study.run, reporter) as executor:
            context = study.context(executor)
            context.put(user_stages)
            if until is not None:
                context.put(until)
            _run_stages(study, context)
            message = _verdict(study, context)
            decision = judge_challenger(context, executor, reporter)
        study.finish(message, decision)
    ranking, n_models = context.get(Ranking), len(context.get(Training).results)
    targets = predictable_targets(ranking, context.get(Evaluation).doubted)
    uri = study.run.uri
    following = next_commands(uri, ranking, targets, n_models)
    return RunResult(message, uri, f"{uri}/{REPORT}", tuple(targets), tuple(following))


def _run_stages(study: Study, context: StageContext) -> None:
    for stage in STAGES:
        if not stage.applies(context):
            continue
        if stage.is_timed:
            with study.stage(stage.name):
                stage.run(context)
        else:
            stage.run(context)
        study.write_symbols()
        if stage is INSPECT:
            study.foresee()


def _verdict(study: Study, context: StageContext) -> str:
    return verdict(
        context.get(Ranking),
        context.get(TrainingPlan),
        len(context.get(Training).results),
        study.ledger.n_failed,
        context.config.target_ranking.alpha,
        context.get(Evaluation).doubted,
        study.ledger.n_left_out,
    )


def find_user_stages(config: ExperimentConfig) -> UserStages:
    """Find the functions named by the config's ``stages``, in its order.

    Raises
    ------
    ConfigError
        When a name is taken, a function cannot be found, or it does not accept its options.
    """
    for name in config.stages:
        if name in taken_names():
            raise ConfigError(
                f"stages.{name}: the pipeline has a stage of that name; choose another."
            )
    return UserStages(
        tuple(
            find_stage(name, section.function, section.options)
            for name, section in config.stages.items()
        )
    )


def _announce(study: Study, batch: Batch) -> None:
    found, selected = batch.discovery, batch.partitions
    study.warn(batch.warnings)
    study.count(discovered=len(found.symbols), rejected=len(found.rejected), selected=len(selected))
    study.write_symbols()  # which has all of them, even if the sentence is cut
    study.say(
        batch_sentence(batch, study.config, f"{study.place.uri}/{SYMBOLS}"),
        "batch",
        data_dir=found.data_dir,
        interval=batch.interval,
        n_discovered=len(found.symbols),
        n_rejected=len(found.rejected),
        n_selected=len(selected),
        seed=study.config.experiment.seed,
        symbols=list(selected),
    )


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
            f"{RANK_AVERAGE} averages trained models, and cannot rank targets. Name it only in "
            "training.families."
        )
    if hyperparameters.get(RANK_AVERAGE):
        raise ConfigError(f"{RANK_AVERAGE} has no hyperparameters: it weights its models equally.")
    if RANK_AVERAGE in names and len(names) <= MIN_MEMBERS:
        others = [name for name in names if name != RANK_AVERAGE]
        raise ConfigError(
            f"{RANK_AVERAGE} needs {MIN_MEMBERS} other families to average; training.families has "
            f"{', '.join(others) or 'no other'}. Add one, or remove {RANK_AVERAGE}."
        )


def _check_no_stopping(name: str, hyperparameters: Mapping[str, Any]) -> None:
    if "early_stopping_rounds" in hyperparameters:
        raise ConfigError(
            f"{name}: early_stopping_rounds only applies to training: ranking fits many small "
            "models, each for all of its rounds. Remove it there."
        )
