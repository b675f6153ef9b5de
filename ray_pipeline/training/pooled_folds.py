"""The folds of pooled jobs as units of work: what each predicts, for the job to join.

Pooled models are the largest of a run. One unit per job would walk its folds one after the other
while all other workers wait; one per fold lets them share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.memo import FoldMemo
from ray_pipeline.samples.pool import Pool
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.pooled_stream import PooledStream, StreamSpec
from ray_pipeline.training.settings import TrainingSettings
from ray_pipeline.training.walking import JobWalk, WalkedFold

__all__ = ["TrainedFoldSpec", "read_walked", "train_pooled_fold"]


@dataclass(frozen=True, slots=True)
class TrainedFoldSpec:
    """One fold of one pooled job; see `ray_pipeline.training.units.TrainingSpec`."""

    frame: PanelFrame
    job: JobSpec
    settings: TrainingSettings
    pool: tuple[str, ...]
    fold: int
    stream: StreamSpec | None = None


def train_pooled_fold(reader: PanelReader, spec: TrainedFoldSpec, pool: Pool) -> dict[str, Any]:
    """Predict the test rows of a fold (unit function).

    Returns
    -------
    dict
        Name of the table with what it says of them; None where it cannot be trained.
    """
    frame, job, fold = spec.frame, spec.job, spec.frame.folds[spec.fold]
    target = next(each for each in frame.targets if each.name == job.target)
    stream = PooledStream(reader.run, spec.stream) if spec.stream else None
    design = Design.of_pool(pool, target, frame)
    _, _, end = design.split(fold)
    design = design.until(end)  # no later row is looked at
    walk = JobWalk.of(design, target, job, frame, spec.settings, stream)
    names = ("train_pooled_fold", job.job_id, str(spec.fold))
    with FoldMemo.kept(reader.run, frame, __name__, *names) as memo:
        walked = walk.fold(fold, memo)
    if walked is None:
        return {"walked": None}
    name = table_name("walked")
    reader.run.write_table(name, walked.to_table())
    return {"walked": name}


def read_walked(run: RunDirectory, names: Iterable[str]) -> list[WalkedFold]:
    """Read what units of folds left."""
    return [WalkedFold.from_table(table) for table in run.read_tables(names)]
