"""Walks over the folds with some features late, left out, or unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.families import Model, Problem, label_form, load_family
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.records import TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.evidence import Evidence, PredictedRows, evidence_of
from ray_pipeline.samples.learned import LabelComparison, LearnedLabels
from ray_pipeline.samples.thinning import thinned
from ray_pipeline.samples.walk import FamilySettings
from ray_pipeline.statistics.skill import centred_percentile, outcome

__all__ = ["DoubtedWalk", "FoldRows", "Late"]

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRAINING_ROWS = 30_000
"""Rows of a training range that models are fitted on, whole timestamps, evenly spaced: a
doubtful skill needs no more to show."""


@dataclass(frozen=True, slots=True)
class Late:
    """Earlier values of some features, all of shape (n_rows, n_late).

    Attributes
    ----------
    columns
        Places of the features in the design, shape (n_late,).
    bar, horizon
        Their values one bar and one horizon earlier, NaN if there are none; one array if a horizon
        is a bar.
    """

    columns: tuple[int, ...]
    bar: Matrix
    horizon: Matrix

    @property
    def is_several(self) -> bool:
        """Whether there is more than one feature."""
        return len(self.columns) > 1

    def alone(self, place: int) -> Late:
        """Return one of the features alone."""
        bar = self.bar[:, [place]]
        horizon = bar if self.horizon is self.bar else self.horizon[:, [place]]
        return Late((self.columns[place],), bar, horizon)


@dataclass(frozen=True, slots=True)
class FoldRows:
    """A fold's training problem on the kept rows before it, and its test rows ``[start:end]``."""

    kept: Ints
    problem: Problem
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DoubtedWalk:
    """A design, with the labels of each fold and the measure of skill.

    Attributes
    ----------
    family
        The one whose skill is in doubt.
    folds
        Those that can be trained on.
    """

    design: Design
    target: TargetSpec
    family: FamilySettings
    min_cs: int
    folds: tuple[FoldRows, ...]

    @classmethod
    def of(
        cls,
        design: Design,
        target: TargetSpec,
        frame: PanelFrame,
        family: FamilySettings,
        min_cs: int,
        comparison: LabelComparison | None = None,
    ) -> DoubtedWalk:
        """Lay out the folds.

        Parameters
        ----------
        comparison
            How pooled models see labels; None: raw.
        """
        learned = LearnedLabels.as_they_are(design.y, design.label_ends, target.task)
        if comparison is not None and design.view == "cross_sectional":
            learned = LearnedLabels.compared(
                design.y,
                design.positions,
                design.cells,
                design.label_ends,
                target.task,
                comparison,
                label_form(family.name),
            )
        names = (target.name, design.symbols[0] if design.view == "symbol_specific" else "")
        folds = []
        for fold in frame.folds:
            first, start, end = design.split(fold)
            kept = first + thinned(design.positions[first:start], TRAINING_ROWS)
            seed = derive_seed(frame.seed, "doubt", *names, f"fold {fold.index}")
            problem = learned.at(kept).fold_problem(fold, frame.embargo, seed)
            if problem is not None and start < end:
                folds.append(FoldRows(kept, problem, start, end))
        return cls(design, target, family, min_cs, tuple(folds))

    def shares(self) -> Floats:
        """Return each feature's share of the models' importance, shape (n_features,).

        The mean over folds of the shares within a model; zeros where nothing could be fitted.
        """
        names, shares = self.design.feature_names, []
        for fold in self.folds:
            found = self._fit(self.design.X, names, fold).importances
            shares.append(found / total if (total := float(found.sum())) > 0 else 0.0 * found)
        return np.mean(shares, axis=0) if shares else np.zeros(len(names))

    def measure(self, late: Late) -> dict[str, Any]:
        """Measure the skill with features unchanged, late and left out.

        Returns
        -------
        dict
            Records of `Evidence`. ``together``: ``skill`` as they are; ``bar``, ``horizon`` and
            ``without`` for all of `late`. ``alone``: by feature ``bar`` and ``horizon`` of each
            by itself, where there are several.
        """
        X, names = self.design.X, list(self.design.feature_names)
        left = [j for j in range(len(names)) if j not in late.columns]
        together = {
            "skill": self._skill(X, names),
            **self._late(late),
            "without": self._skill(X[:, left], [names[j] for j in left]),
        }
        several = [late.alone(j) for j in range(len(late.columns))] if late.is_several else []
        alone = {names[each.columns[0]]: self._late(each) for each in several}
        return {"together": together, "alone": alone}

    def _late(self, late: Late) -> dict[str, Any]:
        X, names = self.design.X, self.design.feature_names
        bar = self._skill(_replaced(X, late.columns, late.bar), names)
        if late.horizon is late.bar:
            return {"bar": bar, "horizon": bar}
        horizon = self._skill(_replaced(X, late.columns, late.horizon), names)
        return {"bar": bar, "horizon": horizon}

    def _fit(self, X: Matrix, names: Sequence[str], fold: FoldRows) -> Model:
        hyperparameters: dict[str, Any] = dict(self.family.hyperparameters)
        family = load_family(self.family.name)
        (model,) = family.fit(X[fold.kept], names, [fold.problem], hyperparameters)
        return model

    def _skill(self, X: Matrix, names: Sequence[str]) -> Mapping[str, Any]:
        if not names or not self.folds:
            return Evidence.none().to_record()
        design = self.design
        parts = zip(*self._predictions(X, names), strict=True)
        rows, prediction, percentile, outcomes = map(np.concatenate, parts)
        known = np.isfinite(prediction) & np.isfinite(design.y[rows])
        predicted = PredictedRows(
            prediction[known],
            design.y[rows][known],
            design.positions[rows][known],
            design.cells[rows][known],
            percentile[known],
            outcomes[known],
        )
        return evidence_of(design.measure(self.target.task, self.min_cs), predicted).to_record()

    def _predictions(
        self, X: Matrix, names: Sequence[str]
    ) -> Iterator[tuple[Ints, Floats, Floats, Floats]]:
        """Yield a fold's test rows, their predictions, and both in the form for skill over time."""
        for fold in self.folds:
            model, tested = self._fit(X, names, fold), slice(fold.start, fold.end)
            prediction = model.predict(X[tested])
            percentile = outcomes = np.full(fold.end - fold.start, np.nan)
            if self.design.view == "symbol_specific":
                problem = fold.problem
                known = model.predict(X[fold.kept[problem.rows]])
                percentile = centred_percentile(prediction, known)
                labels = problem.y[problem.rows]
                outcomes = outcome(self.design.y[tested], labels, problem.task)
            yield np.arange(fold.start, fold.end), prediction, percentile, outcomes


def _replaced(X: Matrix, columns: Sequence[int], values: Matrix) -> Matrix:
    replaced = X.copy()
    replaced[:, list(columns)] = values
    return replaced
