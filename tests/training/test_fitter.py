"""Fits on a pool and on a stream beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from training_designs import (
    FEATURES,
    FOLDS,
    Fit,
    RecordingFamily,
    design_of,
    target_spec,
    training_frame,
)

from ray_pipeline.errors import DataError
from ray_pipeline.families import Problem
from ray_pipeline.families.hyperparameters import EARLY_STOPPING
from ray_pipeline.families.streaming import StreamedProblem
from ray_pipeline.records import SampleWeights
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.learned import LearnedLabels
from ray_pipeline.samples.walk import fold_problem, make_problem
from ray_pipeline.storage import RunDirectory
from ray_pipeline.training.fitter import Fitter, columns_of
from ray_pipeline.training.pooled_stream import PooledStream, StreamSpec
from ray_pipeline.training.settings import TrainingSettings

PATIENCE = "early_stopping_rounds"


class Stopped(Fit):
    """A model that knows its rounds."""

    n_rounds = 17


class StreamingRecorder(RecordingFamily):
    """Writes down the calls with a stream too."""

    def __init__(self) -> None:
        super().__init__()
        self.streamed: list[tuple[NDArray[np.float32], StreamedProblem, dict[str, Any]]] = []

    def fit(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[Fit]:
        (problem,) = problems
        self.fits.append(Stopped(X, tuple(feature_names), problem, dict(hyperparameters)))
        return self.fits[-1:]

    def fit_streamed(
        self,
        X: NDArray[np.float32],
        feature_names: Sequence[str],
        problem: StreamedProblem,
        hyperparameters: Mapping[str, Any],
    ) -> Fit:
        self.streamed.append((X, problem, dict(hyperparameters)))
        pooled = Problem(np.zeros(1), np.zeros(1, np.int64), "regression", problem.seed)
        return Stopped(X, tuple(feature_names), pooled, dict(hyperparameters))


@pytest.fixture(name="design")
def every_third_hour() -> Design:
    """Hours 0, 3, ..., 297 of one symbol: the pool's sample of 300."""
    positions = np.arange(0, 300, 3)
    design = design_of(positions * 1.0, np.zeros((100, 4), dtype=np.float32))
    design.positions[:] = positions
    design.label_ends[:] = positions + 5
    return design


def streamed_hours(folder: Path, n_hours: int = 300) -> PooledStream:
    """Write all hours of the symbol."""
    run = RunDirectory(str(folder))
    positions = np.arange(n_hours)
    columns: dict[str, Any] = {
        "position": positions,
        "end_5rows": positions + 5,
        "y_0": positions * 1.0,
    }
    columns |= {f"x_{j}": np.zeros(n_hours, dtype=np.float32) for j in range(len(FEATURES))}
    run.write_table("slice.parquet", pa.table(columns))
    return PooledStream(run, StreamSpec(("slice.parquet",), training_frame()))


def fitter(
    family: RecordingFamily,
    design: Design,
    stream: PooledStream | None,
    sample_weights: SampleWeights = "none",
) -> Fitter:
    """Return the fitter of a family that is given rather than named."""
    given: Any = family
    learned = LearnedLabels.as_they_are(design.y, design.label_ends, "regression")
    settings = TrainingSettings(3, sample_weights)
    return Fitter(given, design, learned, target_spec(), training_frame(), settings, stream)


def problem_before(design: Design, fold: int) -> Problem:
    """Return the pool's training rows of a fold."""
    _, start, _ = design.split(FOLDS[fold])
    problem = fold_problem(
        design.y[:start], design.label_ends[:start], "regression", FOLDS[fold], 0, seed=4
    )
    assert problem is not None
    return problem


def test_a_fold_trains_on_streamed_rows_before_it(design: Design, tmp_path: Path) -> None:
    """All hours whose labels end before the fold, not every third; the pool gives the scale."""
    family = StreamingRecorder()
    given = fitter(family, design, streamed_hours(tmp_path))
    fit = given.fit(
        problem_before(design, 2), columns_of(design, ("b",)), ("b",), FOLDS[2], {"depth": 3}
    )
    ((X, problem, hyperparameters),) = family.streamed
    assert family.fits == []
    assert X.shape == (84, 1)  # hours 0 to 249 of the pool, purged or not: no label is among them
    np.testing.assert_array_equal(problem.y, np.arange(245.0))
    np.testing.assert_array_equal(problem.positions, np.arange(245))
    assert (problem.seed, problem.weights, hyperparameters) == (4, None, {"depth": 3})
    assert (fit.n_rows, fit.first, fit.last) == (245, 0, 244)
    assert fit.facts == {
        "streamed": True,
        "compare": "raw",
        "sample_weights": "none",
        "n_rounds": 17,
        "chosen": {},
        "early_stopping": None,
    }


def test_the_pool_tells_the_rounds_and_the_stream_is_fitted_for_them(
    design: Design, tmp_path: Path
) -> None:
    """Watched rows are the pool's latest ones; nothing is held back from the stream."""
    assert PATIENCE in EARLY_STOPPING
    family = StreamingRecorder()
    given = fitter(family, design, streamed_hours(tmp_path), "average_uniqueness")
    whole = make_problem(design.y, np.isfinite(design.y), "regression", 4)
    assert whole is not None
    fit = given.fit(
        whole, columns_of(design, ("b",)), ("b",), None, {PATIENCE: 3, "n_estimators": 500}
    )
    (stopped,) = family.fits
    assert stopped.hyperparameters == {PATIENCE: 3, "n_estimators": 500}
    assert stopped.problem.stopping is not None
    ((_, problem, hyperparameters),) = family.streamed
    assert hyperparameters == {"n_estimators": 17}
    assert len(problem.y) == fit.n_rows == 300
    assert problem.weights is not None
    assert problem.weights.mean() == pytest.approx(1.0)
    assert problem.weights[0] > problem.weights[150]  # fewer labels overlap the first one
    watched = stopped.problem.stopping.watched
    assert fit.facts["early_stopping"]["n_watched"] == len(watched)
    assert fit.facts["n_rounds"] == 17


def test_a_family_that_cannot_stream_trains_on_the_pool(design: Design, tmp_path: Path) -> None:
    """And its facts say so."""
    family = RecordingFamily()
    given = fitter(family, design, streamed_hours(tmp_path))
    fit = given.fit(problem_before(design, 2), columns_of(design, ("b",)), ("b",), FOLDS[2], {})
    (pooled,) = family.fits
    np.testing.assert_array_equal(pooled.problem.rows, np.arange(82))
    assert (fit.n_rows, fit.first, fit.last) == (82, 0, 243)
    assert fit.facts["streamed"] is False


def test_a_stream_that_is_too_short_is_an_error(design: Design, tmp_path: Path) -> None:
    """It holds at least what the pool does, unless its files are others."""
    given = fitter(StreamingRecorder(), design, streamed_hours(tmp_path, 40))
    with pytest.raises(DataError, match=r"max_cs_rows hold too few labels .* Raise it, or"):
        given.fit(problem_before(design, 2), columns_of(design, ("b",)), ("b",), FOLDS[2], {})
