"""Trained models in lines for a person (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ray_pipeline.columns import aligned, wrapped
from ray_pipeline.records import QUESTIONS
from ray_pipeline.results.capping import capped
from ray_pipeline.results.figures import count, probability, with_error
from ray_pipeline.results.tables import PLAN

__all__ = ["MAX_MODELS", "model_lines"]

MAX_MODELS = 20
MAX_LEFT_OUT = 5

_SKILL = (
    "Skill is that of each job's own walk-forward predictions. The served score is the mean of the "
    "families' ranks: `versions` shows the skill of rank_average, which is that mean, or else the "
    "mean over the jobs; `monitor` measures that mean and promises its skill minus the bias of "
    "having been chosen."
)


def model_lines(found: Mapping[str, Any]) -> list[str]:
    """List the planned models by priority, with their skill or why there is none."""
    return list(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    models, symbol = found["models"], found["symbol"]
    jobs = models["jobs"]
    title = "models" if symbol is None else f"models that serve {symbol}"
    if jobs:
        title += f": {sum(job['trained'] for job in jobs)} of {len(jobs)} trained"
    yield title
    if models["absent"]:
        yield from wrapped(models["absent"])
    shown = capped(jobs, MAX_MODELS, "most important first", PLAN)
    if shown.rows:
        yield from aligned(
            ["job", "question", "serves", "features", "out-of-sample skill", "p"],
            [_row(job) for job in shown.rows],
            n_left=2,
        )
        yield from wrapped(_SKILL if any(job["trained"] for job in shown.rows) else "")
    if shown.note:
        yield from wrapped(shown.note)
    for job in shown.rows:
        if not job["trained"]:
            yield from wrapped(f"not trained: {job['job_id']}: {job['error'] or 'not yet'}")
    left_out = capped(models["left_out"], MAX_LEFT_OUT, "in the order of the plan", PLAN)
    for item in left_out.rows:
        yield from wrapped(f"not planned: {item['what']}: {item['why']}")
    if left_out.note:
        yield from wrapped(left_out.note)


def _row(job: Mapping[str, Any]) -> list[str]:
    evidence = job["out_of_sample"] or {}
    return [
        job["job_id"],
        QUESTIONS[job["view"]],
        count(len(job["serves"])),
        count(len(job["features"])),
        with_error(evidence.get("skill"), evidence.get("std_error")),
        probability(evidence.get("p_value")),
    ]
