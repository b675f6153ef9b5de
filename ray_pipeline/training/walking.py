"""One fold of a job: a model of what was known before it, and what that says of its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ray_pipeline.families import Problem, load_family
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.memo import Arrays, FoldMemo
from ray_pipeline.samples.walk import problem_parts
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.local_effects import N_BINS
from ray_pipeline.statistics.skill import centred_percentile, outcome
from ray_pipeline.training.effects import fold_effects
from ray_pipeline.training.fitter import Fitter, columns_of
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.pooled_stream import PooledStream
from ray_pipeline.training.problems import learned_labels
from ray_pipeline.training.settings import TrainingSettings

__all__ = ["FoldPiece", "JobWalk", "WalkedFold"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FoldPiece:
    """A fold's test rows: predictions, their centred percentile, and how the labels turned out.

    `effects` are those of the features described, of `fold_effects`.
    """

    fold: int
    rows: NDArray[np.int64]
    prediction: Floats
    centred_percentile: Floats
    outcome: Floats
    effects: Floats


@dataclass(frozen=True, slots=True)
class WalkedFold:
    """What a fold's models say: with the hyperparameters configured, and with those searched.

    Where the fold searched none, or found those configured, both are the same piece.
    """

    configured: FoldPiece
    searched: FoldPiece

    def to_table(self) -> pa.Table:
        """Return a row for each of the pieces that differ."""
        pieces = [self.configured]
        if self.searched is not self.configured:
            pieces.append(self.searched)
        rows = [
            {
                "fold": piece.fold,
                "first_row": int(piece.rows[0]),
                **{name: getattr(piece, name).ravel() for name in _COLUMNS},
            }
            for piece in pieces
        ]
        return pa.Table.from_pylist(rows, schema=_WALKED)

    @classmethod
    def from_table(cls, table: pa.Table) -> WalkedFold:
        """Read what `to_table` made, to the bit."""
        pieces = []
        for row in range(table.num_rows):
            found = {name: table[name][row].values.to_numpy() for name in _COLUMNS}
            first = table["first_row"][row].as_py()
            rows = np.arange(first, first + len(found["prediction"]))
            effects = found.pop("effects").reshape(-1, 2, N_BINS + 1)
            pieces.append(FoldPiece(table["fold"][row].as_py(), rows, **found, effects=effects))
        return cls(pieces[0], pieces[-1])


_COLUMNS = ("prediction", "centred_percentile", "outcome", "effects")

_WALKED = pa.schema(
    [
        ("fold", pa.int32()),
        ("first_row", pa.int64()),
        *((name, pa.list_(pa.float64())) for name in _COLUMNS),
    ]
)


@dataclass(frozen=True, slots=True)
class JobWalk:
    """What all folds of a job share; `key` is what its seeds are derived from."""

    design: Design
    target: TargetSpec
    job: JobSpec
    frame: PanelFrame
    fitter: Fitter
    key: tuple[str, ...]

    @classmethod
    def of(
        cls,
        design: Design,
        target: TargetSpec,
        job: JobSpec,
        frame: PanelFrame,
        settings: TrainingSettings,
        stream: PooledStream | None = None,
    ) -> JobWalk:
        """Take the arguments of `ray_pipeline.training.job_fit.fit_job`."""
        family = load_family(job.family)
        learned = learned_labels(design, target.task, family, settings.comparison)
        fitter = Fitter(family, design, learned, target, frame, settings, stream)
        own = design.symbols if job.view == "symbol_specific" else ()
        return cls(design, target, job, frame, fitter, (job.family, job.target, *own))

    def seed(self, *names: str) -> int:
        """Return the seed of the final model, or of what the names say."""
        return derive_seed(self.frame.seed, "training", *self.key, *names)

    def fold(self, fold: Fold, memo: FoldMemo) -> WalkedFold | None:
        """Predict a test fold by the configured hyperparameters, and by those searched inside it.

        None where it has no test rows, or too few to train on.
        """
        job, design = self.job, self.design
        chosen = dict(job.fold_features)
        first, start, end = design.split(fold)
        if fold.index not in chosen or start == end:
            return None
        inside = self.fitter.since(first)
        learned = inside.learned.at(slice(start - first))
        seed = self.seed(f"fold {fold.index}")
        problem = learned.fold_problem(fold, self.frame.embargo, seed)
        if problem is None:
            return None
        features = chosen[fold.index]
        X = columns_of(inside.design, features)
        part = (first, start, end)
        walk = _FoldWalk(design, self.target, job, inside, fold, part, problem, features, X, memo)
        configured = searched = walk.piece(dict(job.hyperparameters))
        found = {} if job.search is None else {each.fold: each for each in job.search.folds}
        if fold.index in found and found[fold.index].hyperparameters != job.hyperparameters:
            searched = walk.piece(dict(found[fold.index].hyperparameters))
        return WalkedFold(configured, searched)


@dataclass(frozen=True, slots=True)
class _FoldWalk:
    """What one fold trains on and tests.

    `part` is `Design.split` of the fold; the fitter, the problem and X (the job's features) begin
    at its first row.
    """

    design: Design
    target: TargetSpec
    job: JobSpec
    fitter: Fitter
    fold: Fold
    part: tuple[int, int, int]
    problem: Problem
    features: Sequence[str]
    X: NDArray[np.float32]
    memo: FoldMemo

    def piece(self, hyperparameters: Mapping[str, Any]) -> FoldPiece:
        """Predict the fold's test rows by a model of these hyperparameters."""
        first, start, end = self.part
        if self.fitter.stream is None:
            rows = slice(first, end)
            parts = (
                *(self.job.identity, self.job.family, list(self.features), start - first),
                *(sorted(hyperparameters.items()), self.fitter.settings.sample_weights),
                *(self.fitter.frame.embargo, self.target, self.X[: end - first]),
                *(self.design.positions[rows], self.design.symbol_index[rows]),
                *(self.design.label_ends[first:start], *problem_parts(self.problem)),
            )
            found = self.memo.recall(parts, lambda: self._predicted(hyperparameters), self._tells)
        else:
            found = self._predicted(hyperparameters)
        # How labels turned out is told in their own unit, whatever the model learned of them.
        y, labels = self.design.y[start:end], self.design.y[first + self.problem.rows]
        return FoldPiece(
            fold=self.fold.index,
            rows=np.arange(start, end),
            prediction=found["prediction"],
            centred_percentile=found["centred_percentile"],
            outcome=outcome(y, labels, self.target.task),
            effects=self._effects(found),
        )

    def _tells(self, found: Arrays) -> bool:
        """Whether effects were measured of all features that are described."""
        return {*self.job.described} <= {*found["measured"].tolist()}

    def _effects(self, found: Arrays) -> Floats:
        place = {name: row for row, name in enumerate(found["measured"].tolist())}
        rows = np.array([place[name] for name in self.job.described], dtype=np.int64)
        effects: Floats = found["effects"][rows]
        return effects

    def _predicted(self, hyperparameters: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        first, start, end = self.part
        fit = self.fitter.fit(self.problem, self.X, self.features, self.fold, hyperparameters)
        trained, tested = self.X[self.problem.rows], self.X[start - first : end - first]
        prediction = fit.model.predict(tested)
        measured = (*self.job.described, *self.job.spare)
        return {
            "prediction": prediction,
            "centred_percentile": centred_percentile(prediction, fit.model.predict(trained)),
            "measured": np.array(measured, dtype=np.str_),
            "effects": fold_effects(
                *(fit.model.predict, trained, tested, prediction, self.features),
                *(measured, self.job.view),
            ),
        }
