"""Training as units of work: fit, write the model, its metadata and its predictions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.execution.artifacts import unit_folder
from ray_pipeline.families import load_family
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import QUESTIONS, SymbolPartition, TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.memo import FoldMemo
from ray_pipeline.samples.pool import Pool
from ray_pipeline.training.job_fit import FittedJob, fit_job
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.metadata import (
    feature_facts,
    fitted_facts,
    library_versions,
    request_facts,
)
from ray_pipeline.training.pooled_folds import read_walked
from ray_pipeline.training.pooled_stream import PooledStream, StreamSpec
from ray_pipeline.training.seal import sealed
from ray_pipeline.training.settings import TrainingSettings

__all__ = ["TrainingSpec", "train_pooled", "train_symbol"]


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """Jobs on one design: a symbol's own rows, or the pool named by its slices.

    `inputs` is the run's input fingerprint, for the models' metadata; `stream` names the rows that
    pooled models are trained on where those of the pool are not enough; `walked` names what the
    folds of a pooled job predicted, of `train_pooled_fold`.
    """

    frame: PanelFrame
    jobs: tuple[JobSpec, ...]
    settings: TrainingSettings
    inputs: str
    partition: SymbolPartition | None = None
    pool: tuple[str, ...] = ()
    stream: StreamSpec | None = None
    walked: tuple[str, ...] = ()


def train_symbol(reader: PanelReader, spec: TrainingSpec) -> dict[str, Any]:
    """Train a symbol's own models (unit function)."""
    if spec.partition is None:
        raise DataError("train_symbol needs a partition")
    rows = reader.rows(spec.partition, spec.frame)
    targets = {target.name: target for target in spec.frame.targets}
    return {
        "jobs": {
            job.job_id: _train(
                reader,
                Design.of_symbol(rows, targets[job.target], spec.frame),
                targets[job.target],
                job,
                spec,
            )
            for job in spec.jobs
        }
    }


def train_pooled(reader: PanelReader, spec: TrainingSpec, pool: Pool) -> dict[str, Any]:
    """Join the folds of pooled models, and train what serves (unit function)."""
    targets = {target.name: target for target in spec.frame.targets}
    return {
        "jobs": {
            job.job_id: _train(
                reader,
                Design.of_pool(pool, targets[job.target], spec.frame),
                targets[job.target],
                job,
                spec,
            )
            for job in spec.jobs
        }
    }


def _train(
    reader: PanelReader, design: Design, target: TargetSpec, job: JobSpec, spec: TrainingSpec
) -> dict[str, Any]:
    axis = reader.axis(spec.frame.axis)
    arguments = (design, target, job, spec.frame, axis, spec.settings)
    if job.view == "cross_sectional":
        stream = PooledStream(reader.run, spec.stream) if spec.stream else None
        fitted = fit_job(*arguments, stream, walked=read_walked(reader.run, spec.walked))
    else:
        with FoldMemo.kept(reader.run, spec.frame, __name__, "train", job.job_id) as memo:
            fitted = fit_job(*arguments, memo=memo)
    folder = f"{unit_folder()}/{job.job_id}"
    files = fitted.model.to_files()
    for name, content in sorted(files.items()):
        reader.run.write_bytes(f"{folder}/{name}", content)
    metadata = sealed(_metadata(design, target, job, spec, fitted, axis, files))
    reader.run.write_json(f"{folder}/metadata.json", metadata)
    predictions = f"{folder}/out_of_sample.parquet"
    reader.run.write_table(predictions, fitted.out_of_sample)
    return {
        "files": [f"{folder}/{name}" for name in (*sorted(files), "metadata.json")],
        "seal": metadata["sha256"],
        "predictions": predictions,
        "n_rows": fitted.n_rows,
        "spacing": design.spacing,
        "out_of_sample": fitted.evidence.to_record(),
        "effects": list(fitted.effects),
        **_search_record(fitted),
    }


def _search_record(fitted: FittedJob) -> dict[str, Any]:
    return {} if fitted.search is None else {"search": fitted.search.to_record()}


def _metadata(
    design: Design,
    target: TargetSpec,
    job: JobSpec,
    spec: TrainingSpec,
    fitted: FittedJob,
    axis: NDArray[np.int64],
    files: dict[str, bytes],
) -> dict[str, Any]:
    request = spec.frame.request
    return {
        "job_id": job.job_id,
        **request_facts(target, request),
        "view": job.view,
        "question": QUESTIONS[job.view],
        "family": job.family,
        **feature_facts(job.features, request),
        "feature_set": job.feature_set,
        "hyperparameters": dict(fitted.hyperparameters),
        "seed": fitted.seed,
        "fitting": fitted.fitting,
        # Routes decide which symbols a pooled model serves, and no fit depends on them: see
        # publishing.
        "serves": list(design.symbols) if job.view == "symbol_specific" else [],
        **fitted_facts(design, job.features, fitted, axis),
        "out_of_sample": fitted.evidence.to_record(),
        **_search_record(fitted),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        "libraries": library_versions(load_family(job.family).libraries),
        "input_fingerprint": spec.inputs,
    }
