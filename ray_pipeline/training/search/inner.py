"""The inner walk-forward: one trial's skill on rows inside a fold's training rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.families import Problem, load_family, stopping_fraction
from ray_pipeline.families.searching import Value
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.evidence import PredictedRows, SkillMeasure, skill_series
from ray_pipeline.samples.learned import LearnedLabels
from ray_pipeline.statistics.folds import Fold, train_rows, walk_forward_folds
from ray_pipeline.statistics.skill import centred_percentile, outcome
from ray_pipeline.training.problems import hold_out_latest, weigh_rows
from ray_pipeline.training.settings import TrainingSettings

if TYPE_CHECKING:
    from ray_pipeline.config import ExperimentConfig
    from ray_pipeline.config.stage_sections import SearchConfig

__all__ = ["InnerWalk", "TrialSettings", "inner_skill", "inner_walk"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """What the skill of every trial of a run depends on.

    Attributes
    ----------
    n_splits, min_train_fraction
        How the training rows of a fold are split once more; see `walk_forward_folds`.
    training
        What all fits depend on.
    """

    n_splits: int
    min_train_fraction: float
    training: TrainingSettings

    @classmethod
    def from_config(cls, config: ExperimentConfig, search: SearchConfig) -> TrialSettings:
        """Take the settings from the config."""
        training = TrainingSettings.from_config(config)
        return cls(search.n_splits, config.validation.min_train_fraction, training)

    def for_own_models(self) -> TrialSettings:
        """Return the settings for trials of one symbol's own models."""
        return replace(self, training=self.training.for_own_models())


@dataclass(frozen=True, slots=True)
class InnerWalk:
    """Training rows of a fold, split into inner folds.

    Attributes
    ----------
    design
        Rows before the outer test fold with the fold's own features; labels that the outer fold may
        not use are missing.
    problems, tested
        Training problem and test rows of each inner fold.
    learned
        Labels of the design's rows in the form for learning.
    embargo
        Positions between fitted rows and rows that decide when to stop.
    """

    design: Design
    learned: LearnedLabels
    problems: tuple[Problem, ...]
    tested: tuple[Ints, ...]
    embargo: int = 0


def inner_walk(
    design: Design,
    labels: LearnedLabels,
    fold: Fold | None,
    features: Sequence[str],
    frame: PanelFrame,
    settings: TrialSettings,
    seed_names: tuple[str, ...],
) -> InnerWalk:
    """Split the rows that an outer fold may train on into inner folds.

    The rules are those of outer ones that expand, on the unique timestamps of the rows with a
    usable label, purged by label interval, with the same embargo. Every trial uses the same folds
    and seeds, so that trials differ only in their hyperparameters.

    Parameters
    ----------
    labels
        Of all rows of the design, in the form for learning.
    fold
        The outer fold; None: all labelled rows, for the final model.
    seed_names
        Names from which the seeds of the inner folds are derived.

    Raises
    ------
    DataError
        When there are too few rows for that many splits.
    """
    inside, learned = _before(design, labels, fold, features, frame)
    labelled = np.isfinite(inside.y)
    times = np.unique(inside.positions[labelled])
    found = walk_forward_folds(
        len(times),
        settings.n_splits,
        settings.min_train_fraction,
        math.ceil(design.span / design.spacing),
        math.ceil(frame.embargo / design.spacing),
    )
    problems: list[Problem] = []
    tested: list[Ints] = []
    for each in found:
        inner = Fold(each.index, int(times[each.test_start]), int(times[each.test_end - 1]) + 1)
        _, start, end = inside.split(inner)
        seed = derive_seed(frame.seed, "search", *seed_names, f"inner fold {inner.index}")
        problem = learned.at(slice(start)).fold_problem(inner, frame.embargo, seed)
        if problem is None:
            raise DataError(
                f"inner fold {inner.index} has too few labelled rows, or of one class only"
            )
        problems.append(weigh_rows(problem, inside, settings.training.sample_weights))
        tested.append(start + np.flatnonzero(labelled[start:end]))
    return InnerWalk(inside, learned, tuple(problems), tuple(tested), frame.embargo)


def _before(
    design: Design,
    labels: LearnedLabels,
    fold: Fold | None,
    features: Sequence[str],
    frame: PanelFrame,
) -> tuple[Design, LearnedLabels]:
    """Truncate a design before an outer test fold, so that a trial has no later rows in memory."""
    first, start, _ = design.split(frame.final_fold if fold is None else fold)
    before = slice(first, len(design.y) if fold is None else start)
    y, learned = design.y[before], labels.at(before)
    if fold is not None:
        usable = train_rows(learned.label_ends, fold, frame.embargo)
        y = np.where(usable, y, np.nan)
        learned = replace(learned, y=np.where(usable, learned.y, np.nan))
    place = {name: j for j, name in enumerate(design.feature_names)}
    columns = [place[name] for name in features]
    inside = replace(
        design,
        feature_names=tuple(features),
        X=np.ascontiguousarray(design.X[before, columns]),
        y=y,
        positions=design.positions[before],
        cells=design.cells[before],
        label_ends=design.label_ends[before],
        symbol_index=design.symbol_index[before],
    )
    return inside, learned


def inner_skill(
    walk: InnerWalk,
    family_name: str,
    hyperparameters: Mapping[str, Value],
    measure: SkillMeasure,
) -> float:
    """Measure hyperparameters on the inner test rows, as the skill of the job is measured.

    Returns
    -------
    float
        In [-1, 1]; NaN where no timestamp has enough symbols.
    """
    family = load_family(family_name)
    design = walk.design
    over_time = measure.view == "symbol_specific"
    predictions: list[Floats] = []
    percentiles: list[Floats] = []
    outcomes: list[Floats] = []
    for problem, tested in zip(walk.problems, walk.tested, strict=True):
        X = design.X[: len(problem.y)]
        fraction = stopping_fraction(hyperparameters)
        stopped = hold_out_latest(problem, design, walk.learned, fraction, walk.embargo)
        (model,) = family.fit(X, design.feature_names, [stopped], dict(hyperparameters))
        predictions.append(model.predict(design.X[tested]))
        if over_time:  # across symbols, predictions of training rows are not needed
            known = model.predict(X[problem.rows])
            percentiles.append(centred_percentile(predictions[-1], known))
            labels = design.y[problem.rows]
            outcomes.append(outcome(design.y[tested], labels, measure.task))
    rows = np.concatenate(walk.tested)
    predicted = PredictedRows(
        prediction=np.concatenate(predictions),
        actual=design.y[rows],
        positions=design.positions[rows],
        cells=design.cells[rows],
        centred_percentile=np.concatenate(percentiles) if over_time else None,
        outcome=np.concatenate(outcomes) if over_time else None,
    )
    series = skill_series(measure, predicted).contributions
    return float(np.mean(series)) if len(series) else math.nan
