"""The rank average: the mean of the percentiles that the families of one route predict.

It fits nothing. Out of sample, it averages the percentiles of its members' fold models, so its
evidence is that of the whole procedure, as for any other model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.execution.artifacts import unit_folder
from ray_pipeline.families import load_family
from ray_pipeline.groups import RowGroups
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import QUESTIONS, TargetSpec
from ray_pipeline.samples.evidence import Evidence, PredictedRows, SkillMeasure, evidence_of
from ray_pipeline.statistics.cells import cells_of
from ray_pipeline.statistics.percentile_scale import mean_percentile, percentile_of
from ray_pipeline.storage.documents import strict_json
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.metadata import feature_facts, library_versions, request_facts
from ray_pipeline.training.predictions import GROUP
from ray_pipeline.training.seal import sealed
from ray_pipeline.training.settings import TrainingSettings

__all__ = ["EnsembleSpec", "Member", "train_average"]

_FILE = "ensemble.json"
_TABLE = "out_of_sample.parquet"


@dataclass(frozen=True, slots=True)
class Member:
    """A trained job as input of the average: names that hash what its files depend on.

    `spacing` is that of the design that it was trained on.
    """

    job_id: str
    family: str
    metadata: str
    predictions: str
    spacing: float


@dataclass(frozen=True, slots=True)
class EnsembleSpec:
    """An average of at least two members of one design."""

    frame: PanelFrame
    job: JobSpec
    members: tuple[Member, ...]
    settings: TrainingSettings
    inputs: str


def train_average(reader: PanelReader, spec: EnsembleSpec) -> dict[str, Any]:
    """Write an average's files, metadata and out-of-sample predictions (unit function).

    Raises
    ------
    DataError
        When the members were not tested on the same rows.
    """
    job, frame = spec.job, spec.frame
    target = next(target for target in frame.targets if target.name == job.target)
    tables = [reader.run.read_table(member.predictions) for member in spec.members]
    documents = [reader.run.read_json(member.metadata) for member in spec.members]
    table = _averaged(job, tables)
    evidence = _evidence(table, target, spec, reader.axis(frame.axis)).paid(job.n_feature_sets)
    files = {
        _FILE: strict_json(
            {
                "family": job.family,
                "members": [member.job_id for member in spec.members],
                "weights": [1] * len(spec.members),
            }
        ).encode()
    }
    folder = unit_folder()
    for name, content in files.items():
        reader.run.write_bytes(f"{folder}/{name}", content)
    metadata = sealed(_metadata(target, spec, documents, evidence, files))
    reader.run.write_json(f"{folder}/metadata.json", metadata)
    reader.run.write_table(f"{folder}/{_TABLE}", table)
    return {
        "jobs": {
            job.job_id: {
                "files": [f"{folder}/{name}" for name in (*sorted(files), "metadata.json")],
                "seal": metadata["sha256"],
                "predictions": f"{folder}/{_TABLE}",
                "n_rows": metadata["trained_on"]["n_rows"],
                "spacing": spec.members[0].spacing,
                "out_of_sample": evidence.to_record(),
            }
        }
    }


def _averaged(job: JobSpec, tables: Sequence[pa.Table]) -> pa.Table:
    """Return the out-of-sample table, with predictions as percentiles and centred percentiles."""
    first = tables[0]
    rows = first.select(["ts", "symbol", "fold"])
    for table in tables[1:]:
        if not table.select(["ts", "symbol", "fold"]).equals(rows):
            raise DataError(f"{job.job_id}: its members were tested on different rows.")
    centred_percentile = mean_percentile(
        [table.column("centred_percentile").to_numpy() for table in tables]
    )
    family = pa.repeat(job.family, first.num_rows)
    return (
        first.set_column(first.column_names.index("family"), "family", family)
        .set_column(
            first.column_names.index("prediction"),
            "prediction",
            pa.array(_uncentred(centred_percentile)),
        )
        .set_column(
            first.column_names.index("standing"),
            "standing",
            pa.array(_uncentred(centred_percentile)),
        )
        .set_column(
            first.column_names.index("centred_percentile"),
            "centred_percentile",
            pa.array(centred_percentile),
        )
    )


def _uncentred(centred_percentile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn centred percentiles in [-1, 1] into percentiles in [0, 1]."""
    return (centred_percentile + 1.0) / 2.0


def _evidence(
    table: pa.Table, target: TargetSpec, spec: EnsembleSpec, axis: NDArray[np.int64]
) -> Evidence:
    prediction, actual, centred_percentile, outcome = (
        table.column(name).to_numpy()
        for name in ("prediction", "actual", "centred_percentile", "outcome")
    )
    view = spec.job.view
    symbol = str(table.column("symbol")[0]) if view == "symbol_specific" else None
    span, spacing = spec.frame.span_of(target, view, symbol), spec.members[0].spacing
    positions = np.searchsorted(axis, table.column("ts").cast(pa.int64()).to_numpy())
    cells = positions
    if GROUP in table.column_names:
        groups = RowGroups.from_column(table.column(GROUP), f"{spec.job.job_id}: the group")
        cells = cells_of(positions, groups.codes)
    return evidence_of(
        SkillMeasure(view, target.task, span, spacing, spec.settings.min_cs),
        PredictedRows(prediction, actual, positions, cells, centred_percentile, outcome),
    )


def _metadata(
    target: TargetSpec,
    spec: EnsembleSpec,
    documents: Sequence[Mapping[str, Any]],
    evidence: Evidence,
    files: Mapping[str, bytes],
) -> dict[str, Any]:
    first, request = documents[0], spec.frame.request
    features = tuple(dict.fromkeys(name for each in documents for name in each["features"]))
    libraries = {name for member in spec.members for name in load_family(member.family).libraries}
    absent = {name: given for each in documents for name, given in each["absent_features"].items()}
    # Members were trained on the same rows.
    ranges = {name: given for each in documents for name, given in each["feature_ranges"].items()}
    return {
        "job_id": spec.job.job_id,
        **request_facts(target, request),
        "view": spec.job.view,
        "question": QUESTIONS[spec.job.view],
        "family": spec.job.family,
        **feature_facts(features, request),
        "feature_set": spec.job.feature_set,
        "hyperparameters": {},
        "seed": None,
        "serves": list(first["serves"]),
        "members": [member.job_id for member in spec.members],
        "trained_on": first["trained_on"],
        "absent_features": absent,
        "feature_ranges": ranges,
        "quantiles": None,
        # Its prediction is already a percentile.
        "percentile_scale": None,
        "replay": _replay(documents),
        "out_of_sample": evidence.to_record(),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
        "libraries": library_versions(sorted(libraries)),
        "input_fingerprint": spec.inputs,
    }


def _replay(documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Average the percentiles of the members' last training rows, which are the same rows."""
    percentiles = [
        percentile_of(
            np.array([row["prediction"] for row in each["replay"]], dtype=np.float64),
            np.array(each["percentile_scale"], dtype=np.float64),
        )
        for each in documents
    ]
    return [
        {**row, "prediction": prediction}
        for row, prediction in zip(
            documents[0]["replay"], mean_percentile(percentiles).tolist(), strict=True
        )
    ]
