"""Pooled jobs trained as a run trains them: fold by fold, and then joined."""

from __future__ import annotations

from typing import Any

from training_designs import SETTINGS, training_frame
from unit_calls import call

from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.samples.pool import Pool
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.pooled_folds import TrainedFoldSpec, train_pooled_fold
from ray_pipeline.training.units import TrainingSpec, train_pooled

SLICES = ("slice-a", "slice-b")


def train_on_pool(reader: PanelReader, pool: Pool, *jobs: JobSpec) -> dict[str, Any]:
    """Return the record of each job."""
    frame = training_frame()
    found: dict[str, Any] = {}
    for job in jobs:
        folds = [TrainedFoldSpec(frame, job, SETTINGS, SLICES, fold.index) for fold in frame.folds]
        tables = [call(train_pooled_fold, reader, fold, pool)["walked"] for fold in folds]
        walked = tuple(name for name in tables if name is not None)
        spec = TrainingSpec(frame, (job,), SETTINGS, "fingerprint", pool=SLICES, walked=walked)
        found |= call(train_pooled, reader, spec, pool)["jobs"]
    return found
