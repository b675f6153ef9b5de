"""One job: out-of-sample predictions with the folds' own features, then the final model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.families import Model, Problem, load_family
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.records import SampleWeights, TargetSpec, View
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.evidence import (
    Evidence,
    cross_sectional_evidence,
    time_evidence,
)
from ray_pipeline.samples.walk import fold_problem, make_problem
from ray_pipeline.statistics.skill import (
    grouped_skill,
    outcome,
    standing,
    time_contributions,
)
from ray_pipeline.training.fitter import Fitter, columns_of
from ray_pipeline.training.pooled_stream import PooledStream
from ray_pipeline.training.search.choices import JobSearch
from ray_pipeline.training.search.verdict import SearchVerdict, judge_search

__all__ = ["FittedJob", "JobSpec", "fit_job"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What the fit of one job depends on; see `ray_pipeline.routing.plan.Job`.

    `search` holds what a search for hyperparameters chose inside each fold, if there was one.
    """

    job_id: str
    target: str
    view: View
    family: str
    features: tuple[str, ...]
    fold_features: tuple[tuple[int, tuple[str, ...]], ...]
    hyperparameters: tuple[tuple[str, Any], ...]
    search: JobSearch | None = None
    sample_weights: SampleWeights = "none"


@dataclass(frozen=True, slots=True)
class FittedJob:
    """The final model and what is known of it.

    Attributes
    ----------
    out_of_sample
        Rows of ``predictions/out_of_sample.parquet``; besides, what an average of models needs:
        the standing of each prediction, and how its label turned out.
    evidence
        Out-of-sample skill of the whole procedure, features chosen inside the folds.
    n_rows
        Rows the final model was trained on, those of a stream among them.
    first, last
        Panel positions of the first and the last of them.
    rows
        Indices of the training rows in the design, shape (n_rows,).
    known
        The final model's predictions of them, shape (n_rows,).
    hyperparameters
        Of the final model.
    search
        What became of a search for them, if there was one.
    fitting
        How its rows counted and when it stopped, for its metadata.
    """

    model: Model
    out_of_sample: pa.Table
    evidence: Evidence
    seed: int
    n_rows: int
    first: int
    last: int
    fitting: Mapping[str, Any]
    rows: NDArray[np.int64]
    known: Floats
    hyperparameters: Mapping[str, Any]
    search: SearchVerdict | None = None


def fit_job(
    design: Design,
    target: TargetSpec,
    job: JobSpec,
    frame: PanelFrame,
    axis: NDArray[np.int64],
    min_cs: int,
    stream: PooledStream | None = None,
) -> FittedJob:
    """Walk forward for the job's out-of-sample skill, then fit on all labelled rows.

    After a search the walk is made twice, with the hyperparameters that each fold chose and with
    those configured; `judge_search` decides which of the two procedures the final model and its
    out-of-sample predictions come of.

    Parameters
    ----------
    stream
        Rows to train on where they are more than the design holds. The test rows are those of the
        design either way.

    Raises
    ------
    DataError
        When the labelled rows are too few or of one class.
    """
    fitter = Fitter(load_family(job.family), design, target, frame, job.sample_weights, stream)
    hyperparameters = dict(job.hyperparameters)
    key = (job.family, job.target, *(design.symbols if job.view == "symbol_specific" else ()))
    pieces, searched = _walk_forward(design, target, job, frame, fitter, key)
    verdict: SearchVerdict | None = None
    if job.search is not None:
        verdict = _judge(design, target, frame, job.view, job.search, searched, pieces, min_cs)
        if verdict.accepted and job.search.final is not None:
            pieces, hyperparameters = searched, dict(job.search.final.hyperparameters)
    seed = derive_seed(frame.seed, "training", *key)
    problem = make_problem(design.y, np.isfinite(design.y), target.task, seed)
    if problem is None:
        raise DataError(f"{job.job_id}: too few labelled rows, or of one class only, to train on.")
    X = columns_of(design, job.features)
    fit = fitter.fit(problem, X, job.features, None, hyperparameters)
    known = fit.model.predict(X[problem.rows])
    span = frame.positions_of(target.horizon_bars)
    table, evidence = _out_of_sample(design, target, span, job, axis, pieces, min_cs)
    return FittedJob(
        model=fit.model,
        out_of_sample=table,
        evidence=evidence if verdict is None else verdict.paid(evidence),
        seed=seed,
        n_rows=fit.n_rows,
        first=fit.first,
        last=fit.last,
        rows=problem.rows,
        known=known,
        hyperparameters=hyperparameters,
        search=verdict,
        fitting=fit.facts,
    )


def _walk_forward(
    design: Design,
    target: TargetSpec,
    job: JobSpec,
    frame: PanelFrame,
    fitter: Fitter,
    key: tuple[str, ...],
) -> tuple[list[_FoldPiece], list[_FoldPiece]]:
    """Predict every test fold, by the configured hyperparameters and by those searched inside it.

    Where a fold searched none, or found those configured, both have the same piece.
    """
    hyperparameters = dict(job.hyperparameters)
    pieces: list[_FoldPiece] = []
    searched: list[_FoldPiece] = []
    chosen = dict(job.fold_features)
    found = {} if job.search is None else {each.fold: each for each in job.search.folds}
    for fold in frame.folds:
        start, end = design.split(fold)
        if fold.index not in chosen or start == end:
            continue
        seed = derive_seed(frame.seed, "training", *key, f"fold {fold.index}")
        problem = fold_problem(
            design.y[:start], design.label_ends[:start], target.task, fold, frame.embargo, seed
        )
        if problem is None:
            continue
        features = chosen[fold.index]
        X = columns_of(design, features)
        model = fitter.fit(problem, X, features, fold, hyperparameters).model
        pieces.append(_FoldPiece.of(fold.index, start, end, model, X, problem, design.y))
        searched.append(pieces[-1])
        if fold.index in found and found[fold.index].hyperparameters != job.hyperparameters:
            other = dict(found[fold.index].hyperparameters)
            model = fitter.fit(problem, X, features, fold, other).model
            searched[-1] = _FoldPiece.of(fold.index, start, end, model, X, problem, design.y)
    return pieces, searched


@dataclass(frozen=True, slots=True)
class _FoldPiece:
    """A fold's test rows: predictions, their standing, and how the labels turned out."""

    fold: int
    rows: NDArray[np.int64]
    prediction: Floats
    standing: Floats
    outcome: Floats

    @classmethod
    def of(
        cls,
        fold: int,
        start: int,
        end: int,
        model: Model,
        X: NDArray[np.float32],
        problem: Problem,
        y: Floats,
    ) -> _FoldPiece:
        prediction = model.predict(X[start:end])
        known = model.predict(X[problem.rows])
        labels = problem.y[problem.rows]
        return cls(
            fold=fold,
            rows=np.arange(start, end),
            prediction=prediction,
            standing=standing(prediction, known),
            outcome=outcome(y[start:end], labels, problem.task),
        )


def _judge(
    design: Design,
    target: TargetSpec,
    frame: PanelFrame,
    view: View,
    search: JobSearch,
    searched: Sequence[_FoldPiece],
    configured: Sequence[_FoldPiece],
    min_cs: int,
) -> SearchVerdict:
    """Compare both walks on the test rows of the folds that could be searched."""
    folds = {choice.fold for choice in search.folds}
    series = [
        _skill_series(design, target, view, [p for p in pieces if p.fold in folds], min_cs)
        for pieces in (searched, configured)
    ]
    pooled = view == "cross_sectional"
    horizon = frame.positions_of(target.horizon_bars) if pooled else target.horizon_bars
    return judge_search(search, series[0], series[1], horizon, design.spacing)


def _skill_series(
    design: Design, target: TargetSpec, view: View, pieces: Sequence[_FoldPiece], min_cs: int
) -> Floats:
    """Return what the skill of some folds is the mean of: by timestamp, or by row."""
    if not pieces:
        return np.empty(0)
    rows = np.concatenate([piece.rows for piece in pieces])
    labelled = np.isfinite(design.y[rows])
    if view == "cross_sectional":
        return grouped_skill(
            np.concatenate([piece.prediction for piece in pieces])[labelled],
            design.y[rows][labelled],
            design.positions[rows][labelled],
            target.task,
            min_rows=min_cs,
        ).skills
    return time_contributions(
        np.concatenate([piece.standing for piece in pieces])[labelled],
        np.concatenate([piece.outcome for piece in pieces])[labelled],
        target.task,
    )


def _out_of_sample(
    design: Design,
    target: TargetSpec,
    span: int,
    job: JobSpec,
    axis: NDArray[np.int64],
    pieces: Sequence[_FoldPiece],
    min_cs: int,
) -> tuple[pa.Table, Evidence]:
    if not pieces:
        raise DataError(f"{job.job_id}: no fold could be trained.")
    rows = np.concatenate([piece.rows for piece in pieces])
    prediction = np.concatenate([piece.prediction for piece in pieces])
    standings = np.concatenate([piece.standing for piece in pieces])
    outcomes = np.concatenate([piece.outcome for piece in pieces])
    actual = design.y[rows]
    labelled = np.isfinite(actual)
    if job.view == "cross_sectional":
        evidence = cross_sectional_evidence(
            prediction[labelled],
            actual[labelled],
            design.positions[rows][labelled],
            target.task,
            min_cs,
            span,
            design.spacing,
        )
    else:
        contributions = time_contributions(standings[labelled], outcomes[labelled], target.task)
        evidence = time_evidence(contributions, target.horizon_bars)
    n_rows = len(rows)
    folds = np.concatenate([np.full(len(piece.rows), piece.fold) for piece in pieces])
    table = pa.table(
        {
            "ts": pa.array(axis[design.positions[rows]], pa.timestamp("ns", tz="UTC")),
            "symbol": pa.array(np.array(design.symbols, dtype=object)[design.symbol_index[rows]]),
            "target": pa.repeat(job.target, n_rows),
            "view": pa.repeat(job.view, n_rows),
            "family": pa.repeat(job.family, n_rows),
            "fold": pa.array(folds.astype(np.int32)),
            "prediction": pa.array(prediction),
            "actual": pa.array(actual, from_pandas=True),
            "standing": pa.array(standings),
            "outcome": pa.array(outcomes, from_pandas=True),
        }
    )
    return table, evidence
