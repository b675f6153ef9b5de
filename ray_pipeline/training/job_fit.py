"""One job: out-of-sample predictions with the folds' own features, then the final model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.families import Model, Problem
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.evidence import (
    Evidence,
    PredictedRows,
    SkillMeasure,
    SkillSeries,
    evidence_of,
    skill_series,
)
from ray_pipeline.samples.memo import FoldMemo
from ray_pipeline.training.effects import effects_record
from ray_pipeline.training.fitter import columns_of
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.pooled_stream import PooledStream
from ray_pipeline.training.predictions import GROUP
from ray_pipeline.training.search.choices import JobSearch
from ray_pipeline.training.search.verdict import SearchVerdict, judge_search
from ray_pipeline.training.settings import TrainingSettings
from ray_pipeline.training.walking import FoldPiece, JobWalk, WalkedFold

__all__ = ["FittedJob", "fit_job"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedJob:
    """The final model and facts about it.

    Attributes
    ----------
    out_of_sample
        Rows of ``predictions/out_of_sample.parquet``; and what an average of models needs: the
        centred percentile of each prediction, and the outcome of its label.
    evidence
        Out-of-sample skill of the whole procedure, features chosen inside the folds.
    n_rows
        Number of training rows of the final model, including streamed ones.
    first, last
        Panel positions of the first and the last of them.
    known
        Panel position at which the last of their labels became known.
    window
        First row of the design that could train it.
    rows
        Indices of the training rows in the design, shape (n_rows,).
    predictions
        The final model's predictions of them, shape (n_rows,).
    hyperparameters
        Of the final model.
    search
        The result of a search for them, if there was one.
    fitting
        Its row weights and stopping round, for its metadata.
    effects
        Of the features described, of `effects_record`.
    """

    model: Model
    out_of_sample: pa.Table
    evidence: Evidence
    seed: int
    n_rows: int
    first: int
    last: int
    known: int
    fitting: Mapping[str, Any]
    window: int
    rows: NDArray[np.int64]
    predictions: Floats
    hyperparameters: Mapping[str, Any]
    search: SearchVerdict | None = None
    effects: Sequence[Mapping[str, Any]] = ()


def fit_job(
    design: Design,
    target: TargetSpec,
    job: JobSpec,
    frame: PanelFrame,
    axis: NDArray[np.int64],
    settings: TrainingSettings,
    stream: PooledStream | None = None,
    memo: FoldMemo | None = None,
    walked: Sequence[WalkedFold] | None = None,
) -> FittedJob:
    """Walk forward for out-of-sample skill, then fit the final model on the last labelled rows.

    After a search the walk is made twice, with the hyperparameters that each fold chose and with
    those configured; `judge_search` decides which of the two procedures from which the final model
    and its out-of-sample predictions result.

    Parameters
    ----------
    stream
        Rows to train on, if there are more than the design holds. The test rows are always those of
        the design.
    memo
        Where the folds' predictions may be cached from an earlier panel.
    walked
        The folds, in their order, where others have walked them; None: they are walked here.

    Raises
    ------
    DataError
        When the labelled rows are too few or of one class.
    """
    walk = JobWalk.of(design, target, job, frame, settings, stream)
    hyperparameters = dict(job.hyperparameters)
    if walked is None:
        folds = (walk.fold(fold, memo or FoldMemo()) for fold in frame.folds)
        walked = [fold for fold in folds if fold is not None]
    pieces = [fold.configured for fold in walked]
    searched = [fold.searched for fold in walked]
    measure = design.measure(target.task, settings.min_cs)
    verdict: SearchVerdict | None = None
    if job.search is not None:
        verdict = _judge(design, measure, job.search, searched, pieces)
        if verdict.accepted and job.search.final is not None:
            pieces, hyperparameters = searched, dict(job.search.final.hyperparameters)
    seed = walk.seed()
    first, _, _ = design.split(frame.final_fold)
    fitter = walk.fitter.since(first)
    problem = fitter.learned.problem(np.ones(len(design.y) - first, dtype=np.bool_), seed)
    if problem is None:
        raise DataError(f"{job.job_id}: too few labelled rows, or of one class only, to train on.")
    X = columns_of(fitter.design, job.features)
    fit = fitter.fit(problem, X, job.features, None, hyperparameters)
    table, evidence = _out_of_sample(design, measure, job, axis, pieces)
    return FittedJob(
        model=fit.model,
        out_of_sample=table,
        evidence=(evidence if verdict is None else verdict.paid(evidence)).paid(job.n_feature_sets),
        seed=seed,
        n_rows=fit.n_rows,
        first=fit.first,
        last=fit.last,
        known=_known_at(fitter.design, problem, fit.last, len(axis)),
        window=first,
        rows=first + problem.rows,
        predictions=fit.model.predict(X[problem.rows]),
        hyperparameters=hyperparameters,
        search=verdict,
        fitting=fit.facts,
        effects=effects_record(job.described, [piece.effects for piece in pieces]),
    )


def _known_at(design: Design, problem: Problem, last: int, n_timestamps: int) -> int:
    """Return the position at which the last training label became known.

    A stream has rows that are not in the design: their labels have the same span.
    """
    end = int(design.label_ends[problem.rows].max())
    beyond = max(0, last - int(design.positions[problem.rows[-1]]))
    return min(end + beyond, n_timestamps - 1)


def _judge(
    design: Design,
    measure: SkillMeasure,
    search: JobSearch,
    searched: Sequence[FoldPiece],
    configured: Sequence[FoldPiece],
) -> SearchVerdict:
    """Compare both walks on the test rows of the folds that could be searched."""
    folds = {choice.fold for choice in search.folds}
    series = []
    for pieces in (searched, configured):
        kept = [piece for piece in pieces if piece.fold in folds]
        series.append(
            skill_series(measure, _predicted(design, kept))
            if kept
            else SkillSeries.of_timestamps(np.empty(0))
        )
    return judge_search(search, measure, series[0], series[1])


def _predicted(design: Design, pieces: Sequence[FoldPiece]) -> PredictedRows:
    """Join the test rows of some folds, at least one."""
    rows = np.concatenate([piece.rows for piece in pieces])
    return PredictedRows(
        prediction=np.concatenate([piece.prediction for piece in pieces]),
        actual=design.y[rows],
        positions=design.positions[rows],
        cells=design.cells[rows],
        centred_percentile=np.concatenate([piece.centred_percentile for piece in pieces]),
        outcome=np.concatenate([piece.outcome for piece in pieces]),
    )


def _out_of_sample(
    design: Design,
    measure: SkillMeasure,
    job: JobSpec,
    axis: NDArray[np.int64],
    pieces: Sequence[FoldPiece],
) -> tuple[pa.Table, Evidence]:
    if not pieces:
        raise DataError(f"{job.job_id}: no fold could be trained.")
    found = _predicted(design, pieces)
    rows = np.concatenate([piece.rows for piece in pieces])
    symbols = design.symbol_index[rows]
    n_rows = len(symbols)
    centred = np.concatenate([piece.centred_percentile for piece in pieces])
    folds = np.concatenate([np.full(len(piece.rows), piece.fold) for piece in pieces])
    table = pa.table(
        {
            "ts": pa.array(axis[found.positions], pa.timestamp("ns", tz="UTC")),
            "symbol": pa.array(np.array(design.symbols, dtype=object)[symbols]),
            "target": pa.repeat(job.target, n_rows),
            "view": pa.repeat(job.view, n_rows),
            "family": pa.repeat(job.family, n_rows),
            "fold": pa.array(folds.astype(np.int32)),
            "prediction": pa.array(found.prediction),
            "actual": pa.array(found.actual, from_pandas=True),
            "standing": pa.array((centred + 1.0) / 2.0),
            "centred_percentile": pa.array(centred),
            "outcome": pa.array(found.outcome, from_pandas=True),
        }
    )
    if design.groups is not None:
        groups = design.groups.at(rows).to_arrow().cast(pa.string())
        table = table.append_column(GROUP, groups)
    return table, evidence_of(measure, found)
