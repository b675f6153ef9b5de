"""The pipeline's steps: run a stage, write its tables, account for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.driving.study import Study
from ray_pipeline.errors import ConfigError
from ray_pipeline.evaluating import evaluate_models
from ray_pipeline.execution.runner import UnitRunner
from ray_pipeline.leakage.screening import screen_features
from ray_pipeline.panel.cross_section.computing import (
    compute_cross_section,
    needs_cross_section,
    require_members,
)
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.inspecting import Panel, build_panel, inspect_panel, summarise
from ray_pipeline.panel.inspection import SymbolInspection
from ray_pipeline.panel.summary import PanelSummary
from ray_pipeline.ranking.ranking import Ranking, rank_targets
from ray_pipeline.records import ColumnRoles, SymbolPartition
from ray_pipeline.routing.assigning import route_symbols
from ray_pipeline.routing.plan import (
    TrainingPlan,
    plan_training,
    without_lonely_averages,
)
from ray_pipeline.samples.shared_pool import PooledPanel, build_pool
from ray_pipeline.selection.selecting import Selection, select_features
from ray_pipeline.training.predictions import JoinedPredictions, join_predictions
from ray_pipeline.training.search.choices import JobSearch
from ray_pipeline.training.search.searching import SearchSettings, search_hyperparameters
from ray_pipeline.training.stream_slices import stream_rows, without_stream
from ray_pipeline.training.training import Training, train_models
from ray_pipeline.wording import iso_time, some_of

__all__ = [
    "Subject",
    "cross_section_step",
    "evaluate_step",
    "inspect_step",
    "plan_step",
    "pool_step",
    "rank_step",
    "screen_step",
    "search_step",
    "select_step",
    "train_step",
]


@dataclass(frozen=True, slots=True)
class Subject:
    """What the stages work on: the frame, and the symbols that are still in.

    Attributes
    ----------
    roles
        Roles of the columns.
    rows_per_position
        Symbols at each timestamp, shape (n_timestamps,).
    """

    frame: PanelFrame
    partitions: Mapping[str, SymbolPartition]
    roles: ColumnRoles
    rows_per_position: NDArray[np.int64]


def inspect_step(study: Study, runner: UnitRunner) -> Subject:
    """Read every symbol once; fix columns, time axis and folds."""
    with study.journal.stage("inspect"):
        inspections = inspect_panel(runner, study.batch.partitions, study.config)
        study.inspections = inspections
        study.publish_symbols()
        partitions = study.ledger.healthy(study.batch.partitions)
        summary = summarise(inspections, study.config, study.batch.interval)
        panel = build_panel(study.run, inspections, summary, study.config)
    study.warn([*panel.warnings, *_unequal_columns(summary)])
    _describe(study, panel, summary, inspections)
    return Subject(panel.frame, partitions, summary.roles, panel.rows_per_position)


def cross_section_step(study: Study, runner: UnitRunner, subject: Subject) -> Subject:
    """Compute the columns that compare a symbol with its batch, if the config names any.

    The symbols compared are recorded: predictions on new data compare with the same ones.
    """
    request = subject.frame.request
    if not needs_cross_section(request):
        return subject
    with study.journal.stage("cross_section"):
        members = list(subject.partitions)
        request = compute_cross_section(runner, study.run, subject.partitions, request, members)
        partitions = study.ledger.healthy(subject.partitions)
        require_members(request)
        study.journal.note(cross_section={"members": sorted(partitions)})
    frame = replace(subject.frame, request=request)
    return replace(subject, frame=frame, partitions=partitions)


def screen_step(study: Study, runner: UnitRunner, subject: Subject) -> Subject:
    """Look for features that know the future, and leave them out as the policy says."""
    with study.journal.stage("leakage"):
        screening = screen_features(
            runner, subject.frame, subject.partitions, subject.roles, study.config
        )
        study.publish.leakage(screening.rows)
        study.journal.count(leaks=len(screening.rows))
    study.warn(
        [f"leak, {row['action']}: {row['feature']} {row['reason']}" for row in screening.rows]
    )
    frame = subject.frame.without_features(screening.dropped)
    if not frame.request.features:
        raise ConfigError("every feature is a leak (leakage.parquet says of what); none is left.")
    partitions = study.ledger.healthy(subject.partitions)
    return Subject(frame, partitions, subject.roles, subject.rows_per_position)


def pool_step(study: Study, runner: UnitRunner, subject: Subject) -> PooledPanel | None:
    """Build the pooled panel, if the cross-sectional view is asked for and possible."""
    settings = study.config.target_ranking
    if "cross_sectional" not in settings.views:
        return None
    if len(subject.partitions) < settings.min_cs:
        missing = (
            f"{len(subject.partitions)} symbols are too few for the cross-sectional view: "
            f"target_ranking.min_cs needs {settings.min_cs}."
        )
        if settings.views == ("cross_sectional",):
            raise ConfigError(f"{missing} Add symbols, or the view symbol_specific.")
        study.warn([f"{missing} Only the symbol-specific view is ranked."])
        return None
    with study.journal.stage("pool"):
        pool = build_pool(
            runner,
            subject.frame,
            subject.partitions,
            subject.rows_per_position,
            settings.max_cs_rows,
        )
        study.pooled = list(study.ledger.healthy(subject.partitions))
    return pool


def rank_step(
    study: Study, runner: UnitRunner, subject: Subject, pool: PooledPanel | None
) -> Ranking:
    """Find out which targets can be predicted, in both views."""
    with study.journal.stage("target_ranking"):
        partitions = study.ledger.healthy(subject.partitions)
        ranking = rank_targets(runner, study.run, subject.frame, partitions, pool, study.config)
        study.ledger.healthy(partitions)
        study.publish.ranking(ranking)
        study.ranked = ranking.targets
        predictable = {row.target for row in ranking.targets if row.predictable}
        study.journal.count(
            predictable_targets=len(predictable), chosen_targets=len(ranking.chosen)
        )
    n_targets = len(subject.frame.targets)
    study.reporter.say(f"{len(predictable)} of {n_targets} targets predictable")
    return ranking


def select_step(
    study: Study,
    runner: UnitRunner,
    subject: Subject,
    pool: PooledPanel | None,
    ranking: Ranking,
) -> Selection:
    """Choose the features that carry the chosen targets."""
    with study.journal.stage("feature_selection"):
        selection = select_features(
            runner, subject.frame, subject.partitions, pool, ranking, study.config
        )
        study.publish.selection(selection, study.config.feature_selection.methods)
    return selection


def plan_step(
    study: Study, subject: Subject, ranking: Ranking, selection: Selection
) -> TrainingPlan:
    """Route every symbol, and plan the models that the routes lead to."""
    symbols = list(study.ledger.healthy(subject.partitions))
    with study.journal.stage("routing"):
        routes = route_symbols(ranking, symbols, study.config)
        study.publish.routes(routes)
        plan = plan_training(routes, selection, ranking.chosen, study.pooled, study.config)
        study.publish.plan(plan)
        study.journal.count(jobs=len(plan.jobs))
    return plan


def search_step(
    study: Study,
    runner: UnitRunner,
    subject: Subject,
    pool: PooledPanel | None,
    plan: TrainingPlan,
) -> Mapping[str, JobSearch]:
    """Search the hyperparameters of the plan's jobs, if the config asks for it."""
    settings = SearchSettings.from_config(study.config)
    if settings is None or not plan.jobs:
        return {}
    with study.journal.stage("search"):
        min_cs = study.config.target_ranking.min_cs
        searches = search_hyperparameters(
            runner, subject.frame, subject.partitions, pool, plan, settings, min_cs
        )
        study.publish.trials(searches)
        study.journal.count(trials=len(searches.rows))
    study.warn(searches.left_out)
    return searches.jobs


def train_step(
    study: Study,
    runner: UnitRunner,
    subject: Subject,
    pool: PooledPanel | None,
    plan: TrainingPlan,
    searches: Mapping[str, JobSearch],
) -> tuple[Training, JoinedPredictions | None]:
    """Train the plan's models, and join their out-of-sample predictions."""
    config = study.config
    pooled = plan.fitted("cross_sectional")
    with study.journal.stage("training"):
        stream = None
        if pool is not None:
            stream = stream_rows(
                runner,
                subject.frame,
                subject.partitions,
                subject.rows_per_position,
                pool,
                pooled,
                config.training.max_cs_rows,
            )
        if stream is not None:
            study.warn(without_stream(pooled))
        training = train_models(
            runner,
            subject.frame,
            subject.partitions,
            pool,
            plan,
            config.target_ranking.min_cs,
            str(study.journal.record["input_fingerprint"]),
            searches,
            stream,
        )
        trained = without_lonely_averages(plan, training.results)
        if trained != plan:
            study.publish.plan(trained)
        predictions = join_predictions(runner, training)
        study.publish.training(training, predictions, trained)
        study.journal.count(models=len(training.results))
    return training, predictions


def evaluate_step(
    study: Study,
    runner: UnitRunner,
    subject: Subject,
    ranking: Ranking,
    plan: TrainingPlan,
    training: Training,
    predictions: JoinedPredictions | None,
) -> None:
    """Tell what the predictions would have been worth, and hash all that was computed."""
    with study.journal.stage("evaluation"):
        evaluation = evaluate_models(runner, subject.frame, ranking, plan, training, study.config)
        study.publish.evaluation(evaluation)
        study.journal.note(content_sha256=study.publish.content_sha256(predictions))


def _unequal_columns(summary: PanelSummary) -> Iterator[str]:
    """Say which columns are not used, or not in every symbol: one sentence per set of symbols."""
    columns_lacked_by: dict[tuple[str, ...], list[str]] = {}
    for column, symbols in summary.lacking:
        columns_lacked_by.setdefault(symbols, []).append(column)
    for symbols, columns in columns_lacked_by.items():
        yield (
            f"{some_of(columns)}: no such column in {some_of(symbols, at_most=5)}; taken as "
            "missing there"
        )
    for column, reason in summary.dropped:
        yield f"feature {column!r} is not used: {reason}"


def _describe(
    study: Study,
    panel: Panel,
    summary: PanelSummary,
    inspections: Mapping[str, SymbolInspection],
) -> None:
    frame, found = panel.frame, study.batch.discovery
    n_rows = sum(inspection.n_rows for inspection in inspections.values())
    axis = study.run.read_table(frame.axis).column("time_ns").to_numpy()
    study.journal.count(
        used=len(inspections),
        targets=len(frame.targets),
        features=len(frame.request.features),
    )
    study.journal.note(
        data={
            "data_dir": found.data_dir,
            "interval": found.interval,
            "layout": found.layout,
            "kind": summary.kind,
            "bar_seconds": summary.bar_seconds,
            "session_bars": summary.session_bars,
            "feature_functions": [asdict(function) for function in summary.functions],
            "n_timestamps": frame.n_timestamps,
            "n_rows": n_rows,
            "first_ts": iso_time(int(axis[0])),
            "last_ts": iso_time(int(axis[-1])),
        },
        folds=[
            {
                "index": fold.index,
                "test_start": iso_time(int(axis[fold.test_start])),
                "test_end": iso_time(int(axis[fold.test_end - 1])),
            }
            for fold in frame.folds
        ],
    )
    study.reporter.say(
        f"{len(inspections)} symbols, {n_rows:,} rows, {len(frame.request.features)} features, "
        f"{len(frame.targets)} targets"
    )
