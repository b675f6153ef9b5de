"""The score of a target: the standings of its models' predictions, averaged (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.records import View
from ray_pipeline.routing.jobs import RANK_AVERAGE
from ray_pipeline.statistics.percentile_scale import mean_percentile
from ray_pipeline.training.served_jobs import ServedJob

__all__ = ["score_column", "target_scores"]

Floats = NDArray[np.float64]


def score_column(target: str) -> str:
    """Name the column of a target's score: a standing in [0, 1], and no probability."""
    return f"{target}__score"


def target_scores(
    jobs: Sequence[ServedJob], percentiles: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Return the score of each target by its column, from percentiles by job."""
    return {
        score_column(target): _score([job for job in jobs if job.target == target], percentiles)
        for target in dict.fromkeys(job.target for job in jobs)
    }


def _score(jobs: Sequence[ServedJob], percentiles: Mapping[str, Floats]) -> Floats:
    by_view: dict[View, list[Floats]] = {}
    for job in jobs:
        if job.family != RANK_AVERAGE:
            by_view.setdefault(job.view, []).append(percentiles[job.job_id])
    return mean_percentile([mean_percentile(of_view) for of_view in by_view.values()])
