"""Models of targets that a run found doubtful, and why (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ray_pipeline.evaluating.doubt import doubted_worth
from ray_pipeline.ranking.decide import TargetRow
from ray_pipeline.ranking.doubt import doubted_skills
from ray_pipeline.training.served_jobs import ServedJob
from ray_pipeline.wording import plural, some_of

__all__ = ["doubt_warnings", "doubted_models", "doubted_targets"]

_N_SHOWN = 3


def doubted_targets(
    ranked: Sequence[TargetRow], evaluated: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Return the doubted figure of each doubtful target, by ranking or by its trained models.

    Parameters
    ----------
    ranked, evaluated
        Rows of ``target_ranking/targets.parquet`` and ``evaluation/jobs.parquet``.
    """
    figures = [*doubted_skills(ranked), *doubted_worth(evaluated)]
    return {each.target: str(each) for each in reversed(figures)}


def doubted_models(
    jobs: Iterable[ServedJob],
    targets: Mapping[str, str],
    evaluated: Sequence[Mapping[str, Any]],
) -> dict[str, str]:
    """Return why models are doubtful, by job: for their own figure, or for their target's.

    Parameters
    ----------
    targets
        Of `doubted_targets`.
    """
    own = {row["job_id"]: row["doubt"] for row in evaluated if row["doubtful"]}
    found: dict[str, str] = {}
    for job in jobs:
        if job.job_id in own:
            found[job.job_id] = own[job.job_id]
        elif job.target in targets:
            found[job.job_id] = f"its target is doubtful: {targets[job.target]}"
    return found


def doubt_warnings(
    jobs: Sequence[ServedJob], doubted: Mapping[str, str], targets: Mapping[str, str], run: str
) -> list[str]:
    """Say which models of each target are doubtful, and why.

    Parameters
    ----------
    jobs
        The scoring jobs, each once.
    doubted, targets
        Of `doubted_models` and `doubted_targets`.
    run
        Address of the run.
    """
    warnings = []
    for target in dict.fromkeys(job.target for job in jobs if job.job_id in doubted):
        names = [job.job_id for job in jobs if job.target == target and job.job_id in doubted]
        models = plural(len(names), "model that scores", "models that score")
        are = "is" if len(names) == 1 else "are"
        reason = targets.get(target, f"{names[0]}: {doubted[names[0]]}")
        warnings.append(
            f"doubtful: {models} {target} {are} not to be believed ({some_of(names, _N_SHOWN)}): "
            f"{reason}. `ray-pipeline explain {run} --target {target}` tells what carries it."
        )
    return warnings
