"""Models of one fold that serve later ones: fitted by every variant, judged row by row (units)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ray_pipeline.errors import DataError
from ray_pipeline.evaluating.policy_judging import Served, judge_job
from ray_pipeline.evaluating.policy_records import Policy, Variant
from ray_pipeline.execution.artifacts import table_name
from ray_pipeline.families import Problem, load_family
from ray_pipeline.intervals import read_duration
from ray_pipeline.panel.frame import PanelFrame, derive_seed
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import SymbolPartition, TargetSpec
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.learned import LearnedLabels
from ray_pipeline.samples.pool import Pool
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.recency import recency_weights
from ray_pipeline.statistics.retraining import predicted_by
from ray_pipeline.statistics.skill import centred_percentile, dated_skills, outcome
from ray_pipeline.training.fitter import Fitter, columns_of
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.problems import learned_labels
from ray_pipeline.training.settings import TrainingSettings

__all__ = [
    "PolicyFoldSpec",
    "PolicyJob",
    "PolicyJudgingSpec",
    "SymbolPoliciesSpec",
    "judge_pooled_policies",
    "policies_of_symbol",
    "serve_fold",
    "serve_pooled_policies",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PolicyJob:
    """A job, with the variants and policies that its target's horizon has room for."""

    job: JobSpec
    variants: tuple[Variant, ...]
    policies: tuple[Policy, ...]

    @property
    def schedule(self) -> dict[int, tuple[int, ...]]:
        """Places of the folds that the model of each serves, by its place in `fold_features`."""
        every = list(dict.fromkeys(policy.retrain_every for policy in self.policies))
        return predicted_by(len(self.job.fold_features), every)


@dataclass(frozen=True, slots=True)
class PolicyFoldSpec:
    """The models of one fold of a pooled job; `fold` is its place in `fold_features`."""

    frame: PanelFrame
    pool: tuple[str, ...]
    asked: PolicyJob
    fold: int
    settings: TrainingSettings


@dataclass(frozen=True, slots=True)
class PolicyJudgingSpec:
    """A pooled job's policies; `tables` by the place of the fold whose models they are of."""

    frame: PanelFrame
    asked: PolicyJob
    tables: tuple[tuple[int, str], ...]
    spacing: float


@dataclass(frozen=True, slots=True)
class SymbolPoliciesSpec:
    """All jobs of a symbol."""

    frame: PanelFrame
    partition: SymbolPartition
    asked: tuple[PolicyJob, ...]
    settings: TrainingSettings


def serve_pooled_policies(reader: PanelReader, spec: PolicyFoldSpec, pool: Pool) -> dict[str, Any]:
    """Fit a fold's models and judge them on the folds that they serve (unit function)."""
    target = _target(spec.frame, spec.asked.job.target)
    design = Design.of_pool(pool, target, spec.frame)
    axis = reader.axis(spec.frame.axis)
    served = serve_fold(design, target, spec.asked, spec.fold, spec.frame, axis, spec.settings)
    name = table_name("served")
    reader.run.write_table(name, served.to_table())
    return {"table": name}


def judge_pooled_policies(reader: PanelReader, spec: PolicyJudgingSpec) -> dict[str, Any]:
    """Compute what each policy of a pooled job would have earned (unit function)."""
    target, asked = _target(spec.frame, spec.asked.job.target), spec.asked
    served = {place: Served.of(reader.run.read_table(name)) for place, name in spec.tables}
    span = spec.frame.span_of(target, "cross_sectional")
    folds = [spec.frame.folds[index] for index, _ in asked.job.fold_features]
    rows, by_fold = judge_job(
        asked.job,
        None,
        asked.variants,
        asked.policies,
        folds,
        served,
        target.task,
        span,
        spec.spacing,
        spec.frame.embargo,
    )
    return {"rows": rows, "folds": by_fold}


def policies_of_symbol(reader: PanelReader, spec: SymbolPoliciesSpec) -> dict[str, Any]:
    """Fit and judge the policies of a symbol's own models (unit function)."""
    frame, symbol = spec.frame, spec.partition.symbol
    rows, axis = reader.rows(spec.partition, frame), reader.axis(frame.axis)
    found: dict[str, list[Any]] = {"rows": [], "folds": [], "left_out": []}
    for asked in spec.asked:
        target = _target(frame, asked.job.target)
        design = Design.of_symbol(rows, target, frame)
        try:
            served = {
                place: serve_fold(design, target, asked, place, frame, axis, spec.settings)
                for place in asked.schedule
            }
        except DataError as error:
            found["left_out"].append(str(error))
            continue
        folds = [frame.folds[index] for index, _ in asked.job.fold_features]
        span = frame.span_of(target, "symbol_specific", symbol)
        judged, by_fold = judge_job(
            asked.job,
            symbol,
            asked.variants,
            asked.policies,
            folds,
            served,
            target.task,
            span,
            1.0,
            frame.embargo,
        )
        found["rows"] += judged
        found["folds"] += by_fold
    return found


def _target(frame: PanelFrame, name: str) -> TargetSpec:
    return next(target for target in frame.targets if target.name == name)


def serve_fold(
    design: Design,
    target: TargetSpec,
    asked: PolicyJob,
    place: int,
    frame: PanelFrame,
    axis: Ints,
    settings: TrainingSettings,
) -> Served:
    """Fit the models of one fold by every variant, and judge each on the folds that it serves.

    Its labels were known when the fold began, and therefore before any later one.
    """
    job = asked.job
    family = load_family(job.family)
    learned = learned_labels(design, target.task, family, settings.comparison)
    whole = Fitter(family, design, learned, target, frame, settings)
    index, features = job.fold_features[place]
    own = design.symbols if job.view == "symbol_specific" else ()
    # The seed of the job's own walk: the policy that the run follows gives its very predictions.
    names = ("training", job.family, job.target, *own, f"fold {index}")
    seed = derive_seed(frame.seed, *names)
    hyperparameters = dict(_searched(job).get(index, job.hyperparameters))
    folds = {each: frame.folds[job.fold_features[each][0]] for each in asked.schedule[place]}
    found: dict[int, list[Served]] = {each: [] for each in folds}
    for variant in asked.variants:
        fold = variant.folds[index]
        first, start, _ = design.split(fold)
        inside = whole.since(first)
        problem = inside.learned.at(slice(start - first)).fold_problem(fold, frame.embargo, seed)
        if problem is None:
            raise DataError(
                f"{job.job_id}: fold {index} has too few labelled rows, or of one class only, to "
                f"train on in a window of {variant.window}."
            )
        problem = _weighed(problem, inside.design.positions, fold.test_start, variant, axis)
        X = columns_of(inside.design, features)
        model = inside.fit(problem, X, features, fold, hyperparameters).model
        known = model.predict(X[problem.rows]) if job.view == "symbol_specific" else None
        for each, served in folds.items():
            rows = _tested(design, served)
            prediction = model.predict(X[rows - first])
            if known is None:
                judged = _across(design, target, each, rows, prediction, settings.min_cs)
            else:
                reference = _reference(design, target, served, frame)
                judged = _over_time(design, target, each, rows, prediction, known, reference)
            found[each].append(judged)
    return Served.joined([Served.beside(variants) for variants in found.values()])


def _searched(job: JobSpec) -> Mapping[int, tuple[tuple[str, Any], ...]]:
    """Return what a search chose inside each fold, if there was one."""
    if job.search is None:
        return {}
    return {each.fold: each.hyperparameters for each in job.search.folds if each.fold is not None}


def _weighed(problem: Problem, positions: Ints, end: int, variant: Variant, axis: Ints) -> Problem:
    """Return the problem with its weights multiplied by recency weights; mean 1."""
    half_life = read_duration(variant.half_life)
    if half_life is None:
        return problem
    recent = recency_weights(axis, positions[problem.rows], end, half_life)
    if problem.weights is not None:
        recent = recent * problem.weights[problem.rows]
    weights = np.full(len(problem.y), np.nan)
    weights[problem.rows] = recent / recent.mean()
    return replace(problem, weights=weights)


def _tested(design: Design, fold: Fold) -> Ints:
    """Return the rows of a test fold that have a label."""
    _, start, end = design.split(fold)
    return start + np.flatnonzero(np.isfinite(design.y[start:end]))


def _across(
    design: Design, target: TargetSpec, place: int, rows: Ints, prediction: Floats, min_cs: int
) -> Served:
    """Judge predictions across symbols: a figure per timestamp."""
    positions = design.positions[rows]
    times, skills = dated_skills(
        prediction, design.y[rows], positions, design.cells[rows], target.task, min_cs
    )
    at, inverse = np.unique(positions, return_inverse=True)
    ends = np.zeros(len(at), dtype=np.int64)
    np.maximum.at(ends, inverse, design.label_ends[rows])
    known = ends[np.searchsorted(at, times)]
    return Served(np.full(len(times), place), known, None, skills[np.newaxis])


def _over_time(
    design: Design,
    target: TargetSpec,
    place: int,
    rows: Ints,
    prediction: Floats,
    known: Floats,
    reference: Floats,
) -> Served:
    """Judge predictions over a symbol's own time: the terms of the skill, row by row."""
    outcomes = outcome(design.y[rows], reference, target.task)
    percentiles = centred_percentile(prediction, known)
    ends = design.label_ends[rows]
    return Served(np.full(len(rows), place), ends, outcomes, percentiles[np.newaxis])


def _reference(design: Design, target: TargetSpec, fold: Fold, frame: PanelFrame) -> Floats:
    """Return the labels with which a fold's are compared: the run's, whatever the policy."""
    first, start, _ = design.split(fold)
    before = LearnedLabels.as_they_are(
        design.y[first:start], design.label_ends[first:start], target.task
    )
    problem = before.fold_problem(fold, frame.embargo, 0)
    if problem is None:
        raise DataError(f"{target.name}: fold {fold.index} has too few labelled rows before it.")
    return problem.y[problem.rows]
