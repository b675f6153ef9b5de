"""The models that were trained, and those that were not (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from ray_pipeline.report.charts import interval, scale_axis
from ray_pipeline.report.scales import Scale, skill_scale
from ray_pipeline.report.search_section import SearchSection, write_search_section
from ray_pipeline.results.capping import Capped, capped
from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.documents import EvidenceRecord, ModelRecord, PlannedJob, TrainedOn
from ray_pipeline.results.figures import (
    count,
    is_measured,
    period,
    probability,
    signed,
    unsigned,
)
from ray_pipeline.results.tables import PLAN
from ray_pipeline.wording import plural

__all__ = ["ListedModel", "ModelSection", "write_model_section"]

MAX_LEFT_OUT = 50


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model and its out-of-sample evidence; `why` is the kind of its `reason`."""

    job_id: str
    trained_on: str
    family: str
    chart: Markup
    skill: str
    std_error: str
    p_value: str
    n_rows: str
    n_features: str
    n_serves: str
    period: str
    why: str
    reason: str


@dataclass(frozen=True, slots=True)
class ModelSection:
    """Trained models by priority.

    Attributes
    ----------
    absent
        Why there is no model, empty where there are some.
    untrained
        Planned jobs without a model.
    left_out
        (what, why) of what could not be planned.
    search
        What a search for hyperparameters was worth, if there was one.
    """

    absent: str
    axis: Markup
    models: Capped[ListedModel]
    untrained: Capped[str]
    left_out: Capped[tuple[str, str]]
    search: SearchSection


def write_model_section(contents: RunContents) -> ModelSection:
    """Show the training plan and its outcome."""
    left_out = [(item.what, item.why) for item in contents.left_out]
    untrained = [job.job_id for job in contents.jobs if job.job_id not in contents.trained]
    shown = [job for job in contents.jobs if job.job_id in contents.models]
    scale = _scale(contents)
    models = tuple(_model(job, contents.models[job.job_id], scale) for job in shown)
    return ModelSection(
        absent="" if models else _absent(contents),
        axis=scale_axis(scale),
        models=Capped(models, len(contents.trained), "most important first", "models/"),
        untrained=capped(untrained, MAX_LEFT_OUT, "most important first", PLAN),
        left_out=capped(left_out, MAX_LEFT_OUT, "in the order of the plan", PLAN),
        search=write_search_section(contents),
    )


def _absent(contents: RunContents) -> str:
    if contents.plan is None:
        return contents.why_absent(PLAN)
    if not contents.jobs:
        return "Nothing was planned for training, so no model was trained."
    return "No planned model was trained."


def _scale(contents: RunContents) -> Scale:
    ends = []
    for metadata in contents.models.values():
        evidence = metadata.out_of_sample or EvidenceRecord()
        skill, error = evidence.skill, evidence.std_error
        if is_measured(skill):
            width = 2 * error if is_measured(error) else 0.0
            # An interval beyond chance to perfect would say nothing more.
            ends += [max(-1.0, skill - width), min(1.0, skill + width)]
    return skill_scale(ends, n_ticks=3)


def _model(job: PlannedJob, metadata: ModelRecord, scale: Scale) -> ListedModel:
    evidence = metadata.out_of_sample or EvidenceRecord()
    skill, error = evidence.skill, evidence.std_error
    trained_on = metadata.trained_on or TrainedOn()
    symbols = job.symbols
    pooled = job.view == "cross_sectional"
    half_width = 2 * error if is_measured(error) else None
    title = f"{job.job_id}: skill {signed(skill, 4)} ± {unsigned(error, 4)}"
    holds = is_measured(half_width) and is_measured(skill) and skill > half_width
    return ListedModel(
        job_id=job.job_id,
        trained_on=plural(len(symbols), "symbol") if pooled else ", ".join(symbols),
        family=job.family,
        chart=interval(skill, half_width, scale, marked=holds, title=title),
        skill=signed(skill),
        std_error=unsigned(error),
        p_value=probability(evidence.p_value),
        n_rows=count(trained_on.n_rows),
        n_features=count(len(job.features)),
        n_serves=count(len(job.serves)),
        period=period(trained_on.first_ts, trained_on.last_ts),
        why=job.verdict or job.why,
        reason=job.why,
    )
