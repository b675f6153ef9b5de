"""One fit of a job, on the rows of its design or on streamed rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.families import (
    Family,
    IterativeModel,
    Model,
    Problem,
    StreamingFamily,
    TunedModel,
    label_form,
    without_stopping,
)
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.learned import LearnedLabels
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.training.pooled_stream import PooledStream
from ray_pipeline.training.problems import refined_problem
from ray_pipeline.training.settings import TrainingSettings

__all__ = ["Fit", "Fitter", "columns_of"]


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model and its training data.

    Attributes
    ----------
    n_rows, first, last
        Training rows; panel positions of the first and the last of them.
    facts
        Row weights, stopping round, and the hyperparameters that the family chose itself, for the
        model's metadata.
    """

    model: Model
    n_rows: int
    first: int
    last: int
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fitter:
    """Fits one family to one target, with the job's row weights.

    Attributes
    ----------
    design, learned
        Rows in memory, of a symbol or of the pool, and their labels as the family learns them.
    stream
        More rows than the pool holds, or None. The pool then teaches scales, bins and the number of
        rounds; a family without streaming trains on the pool.
    """

    family: Family
    design: Design
    learned: LearnedLabels
    target: TargetSpec
    frame: PanelFrame
    settings: TrainingSettings
    stream: PooledStream | None = None

    def since(self, first: int) -> Fitter:
        """Return the fitter of the rows from one on; a stream respects the window itself."""
        if first == 0:
            return self
        design, learned = self.design.since(first), self.learned.at(slice(first, None))
        return replace(self, design=design, learned=learned)

    def fit(
        self,
        problem: Problem,
        X: NDArray[np.float32],
        features: Sequence[str],
        fold: Fold | None,
        hyperparameters: Mapping[str, Any],
    ) -> Fit:
        """Fit one model.

        Parameters
        ----------
        problem
            On the first rows of the design, none of which belongs to a later fold.
        X
            `columns_of` the design and `features`, of all rows: the caller predicts with it too.
        fold
            The test fold for which these rows train; None: the final model.
        """
        X = X[: len(problem.y)]
        problem = refined_problem(
            problem,
            self.design,
            self.learned,
            self.settings.sample_weights,
            hyperparameters,
            self.frame.embargo,
        )
        if self.stream is not None and isinstance(self.family, StreamingFamily):
            return self._fit_streamed(
                self.family, self.stream, problem, X, features, fold, hyperparameters
            )
        (model,) = self.family.fit(X, features, [problem], hyperparameters)
        positions = self.design.positions[problem.rows]
        facts = {"streamed": False, **self._facts(model, problem)}
        return Fit(model, len(problem.rows), int(positions[0]), int(positions[-1]), facts)

    def _fit_streamed(
        self,
        family: StreamingFamily,
        stream: PooledStream,
        problem: Problem,
        X: NDArray[np.float32],
        features: Sequence[str],
        fold: Fold | None,
        hyperparameters: Mapping[str, Any],
    ) -> Fit:
        if problem.stopping is not None:
            (model,) = self.family.fit(X, features, [problem], hyperparameters)
            hyperparameters = _with_rounds(hyperparameters, model)
        found = stream.problem(
            self.target,
            features,
            fold,
            problem.seed,
            self.settings.sample_weights,
            self.settings.comparison,
            label_form(self.family),
        )
        if found is None:
            raise DataError(
                f"{self.target.name}: the rows sampled for training.max_cs_rows hold too few "
                "labels to train on, though those of the pool are enough. Raise it, or set it to "
                "null."
            )
        streamed, span = found
        model = family.fit_streamed(X, features, streamed, hyperparameters)
        facts = {"streamed": True, **self._facts(model, problem)}
        return Fit(model, len(streamed.y), span.first, span.last, facts)

    def _facts(self, model: Model, problem: Problem) -> dict[str, Any]:
        stopping = problem.stopping
        return {
            "compare": self.learned.how,
            "sample_weights": self.settings.sample_weights,
            "n_rounds": model.n_rounds if isinstance(model, IterativeModel) else None,
            "chosen": dict(model.chosen) if isinstance(model, TunedModel) else {},
            "early_stopping": {
                "n_fitted": len(stopping.fitted),
                "n_watched": len(stopping.watched),
            }
            if stopping is not None
            else None,
        }


def columns_of(design: Design, features: Sequence[str]) -> NDArray[np.float32]:
    """Return some features of a design, C-contiguous, shape (n_rows, n_features)."""
    place = {name: j for j, name in enumerate(design.feature_names)}
    return np.ascontiguousarray(design.X[:, [place[name] for name in features]])


def _with_rounds(hyperparameters: Mapping[str, Any], model: Model) -> dict[str, Any]:
    """Fix the number of rounds from early stopping, and the other choices made on the pool."""
    kept, _ = without_stopping(hyperparameters)
    chosen = dict(model.chosen) if isinstance(model, TunedModel) else {}
    rounds = {"n_estimators": model.n_rounds} if isinstance(model, IterativeModel) else {}
    return kept | chosen | rounds
