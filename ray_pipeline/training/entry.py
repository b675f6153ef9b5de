"""The stage that trains the plan's models and joins their out-of-sample predictions."""

from __future__ import annotations

from collections.abc import Mapping

from ray_pipeline.inspecting.subject import Subject, current_subject
from ray_pipeline.routing.assigning import PLAN, plan_document
from ray_pipeline.routing.jobs import TrainingPlan
from ray_pipeline.routing.plan import without_lonely_averages
from ray_pipeline.samples.shared_pool import PooledPanel
from ray_pipeline.selection.selected import SelectedFeatures, Selection
from ray_pipeline.stages.context import StageContext
from ray_pipeline.stages.stage import Stage, UnitKind
from ray_pipeline.training.effects import EFFECTS, EffectRow, effect_rows
from ray_pipeline.training.pooled_stream import StreamSpec
from ray_pipeline.training.predictions import PREDICTIONS, join_predictions, predictions_schema
from ray_pipeline.training.search.searching import Searches
from ray_pipeline.training.settings import TrainingSettings
from ray_pipeline.training.stream_slices import stream_rows, without_stream
from ray_pipeline.training.training import Training, train_models

__all__ = ["MODELS", "TRAINING"]

MODELS = "models"
"""Folder of the trained models, a folder per job."""


def _train(context: StageContext) -> None:
    plan = context.get(TrainingPlan)
    subject, pool = current_subject(context), context.find(PooledPanel)
    searches = context.find(Searches)
    training = train_models(
        context.runner,
        subject.frame,
        subject.partitions,
        pool,
        plan,
        TrainingSettings.from_config(context.config),
        context.input_fingerprint,
        {} if searches is None else searches.jobs,
        _stream(context, subject, pool, plan),
        _selected(context),
    )
    context.put(training)
    trained = without_lonely_averages(plan, training.results)
    if trained != plan:
        context.write.json(PLAN, plan_document(trained))
    is_grouped = subject.frame.request.group is not None
    predictions = join_predictions(context.runner, training, is_grouped=is_grouped)
    _publish_models(context, training, trained)
    if predictions is None:
        context.write.table(PREDICTIONS, predictions_schema(is_grouped=is_grouped).empty_table())
    else:
        context.put(predictions)
        # The worker that joined the predictions has hashed them: reading millions of rows is not
        # the driver's work.
        context.write.copy(predictions.table, PREDICTIONS, predictions.digest)
    context.write.rows(EFFECTS, EffectRow, effect_rows(plan.jobs, training.results))
    context.account.count(models=len(training.results))
    # Scoring compares the models' folders with them.
    context.account.note(
        models={job_id: result["seal"] for job_id, result in training.results.items()}
    )


def _selected(context: StageContext) -> Mapping[tuple[str, str | None], SelectedFeatures]:
    selection = context.find(Selection)
    return {} if selection is None else selection.choices


def _stream(
    context: StageContext, subject: Subject, pool: PooledPanel | None, plan: TrainingPlan
) -> StreamSpec | None:
    """Write the rows beyond the pool on which pooled models train, if any."""
    if pool is None:
        return None
    pooled = plan.fitted("cross_sectional")
    stream = stream_rows(
        context.runner,
        subject.frame,
        subject.partitions,
        subject.rows_per_position,
        pool,
        pooled,
        context.config.training.max_cs_rows,
    )
    if stream is not None:
        context.account.warn(without_stream(pooled))
    return stream


def _publish_models(context: StageContext, training: Training, plan: TrainingPlan) -> None:
    """Copy the models out of ``units/``, where each is stored under a hash of its inputs."""
    # The symbols that a pooled model serves are not part of its training: routes can change without
    # it.
    serves = {job.job_id: job.serves for job in plan.jobs if job.view == "cross_sectional"}
    copies: list[tuple[str, str]] = []
    pooled: list[tuple[str, str]] = []
    for job_id, result in training.results.items():
        for source in result["files"]:
            name = source.rsplit("/", 1)[-1]
            amended = name == "metadata.json" and job_id in serves
            (pooled if amended else copies).append((source, f"{MODELS}/{job_id}/{name}"))
    context.write.copies(copies)
    for source, name in pooled:
        metadata = context.run.read_json(source)
        context.write.json(name, metadata | {"serves": serves[metadata["job_id"]]})


TRAINING = Stage(
    name="training",
    run=_train,
    units=(
        UnitKind("training_slice", "gathering rows to train on"),
        UnitKind("train_pooled_fold", "training, pooled"),
        UnitKind("train_pooled", "training, pooled"),
        UnitKind("train_symbol", "training, per symbol"),
        UnitKind("train_average", "averaging models"),
        UnitKind("join_predictions", "joining predictions"),
    ),
    sections=("training", "target_ranking"),
    tables=(PREDICTIONS, MODELS, EFFECTS),
    needs=("routing", "search"),
)
