"""The models trained for a target, and those that were not (pure)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ray_pipeline.results.contents import RunContents
from ray_pipeline.results.documents import ModelRecord
from ray_pipeline.results.figures import is_measured
from ray_pipeline.results.overfitting import overfitting_of
from ray_pipeline.results.tables import PLAN

__all__ = ["explain_models"]


def explain_models(contents: RunContents, target: str, symbol: str | None) -> dict[str, Any]:
    """Return the planned jobs of a target, the outcome of each, and what was not planned.

    Parameters
    ----------
    symbol
        Keep only what serves this symbol.
    """
    jobs = [
        job
        for job in contents.jobs
        if job.target == target and (symbol is None or symbol in job.serves)
    ]
    errors = {}
    if contents.failures is not None:
        errors = {row["unit"]: row["error"] for row in contents.failures.to_pylist()}
    evaluated: dict[str, dict[str, Any]] = {}
    if contents.evaluated is not None:
        evaluated = {row["job_id"]: row for row in contents.evaluated.to_pylist()}
    described = []
    for job in jobs:
        metadata = contents.models.get(job.job_id, ModelRecord())
        evidence, trained_on = metadata.out_of_sample, metadata.trained_on
        pooled = job.view == "cross_sectional"
        unit = f"train_pooled/{job.job_id}" if pooled else f"train_symbol/{job.symbols[0]}"
        if job.members:
            unit = f"train_average/{job.job_id}"
        described.append(
            {
                **job.told(),
                "trained": job.job_id in contents.trained,
                "out_of_sample": None if evidence is None else evidence.told(),
                "trained_on": None if trained_on is None else trained_on.told(),
                "evaluation": evaluated.get(job.job_id),
                "error": errors.get(unit) or _error_of_fold(errors, job.job_id),
            }
        )
    absent = "" if jobs else "No model was planned: no route leads to one."
    return {
        "absent": contents.why_absent(PLAN) if contents.plan is None else absent,
        "jobs": described,
        "overfitting": _overfitting(contents, target),
        "policies": _policies(contents, [job.job_id for job in jobs]),
        "left_out": [item.told() for item in contents.left_out if item.is_of(target, symbol)],
    }


def _policies(contents: RunContents, jobs: Collection[str]) -> list[dict[str, Any]]:
    """Return what schedules of retraining would have earned with these jobs' models."""
    rows = [] if contents.policies is None else contents.policies.to_pylist()
    return [row for row in rows if row["job_id"] in jobs]


def _error_of_fold(errors: Mapping[str, str], job_id: str) -> str | None:
    """Return the error of the first fold of a pooled job that failed, which ends the job."""
    folds = f"train_pooled_fold/{job_id} fold "
    return next((error for unit, error in errors.items() if unit.startswith(folds)), None)


def _overfitting(contents: RunContents, target: str) -> dict[str, Any] | None:
    """Return the figure of a target's models, else that of all models if it includes them."""
    if contents.overfitting is None or contents.evaluated is None:
        return None
    rows = contents.overfitting.to_pylist()
    traded = {row["target"] for row in contents.evaluated.to_pylist() if is_measured(row["sharpe"])}
    found = overfitting_of(rows, target)
    if found is None and target in traded:
        found = overfitting_of(rows)
    return dict(found) if found is not None else None
