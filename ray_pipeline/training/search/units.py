"""Trials as units of work: measured by workers, recorded, and therefore never repeated."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ray_pipeline.errors import DataError
from ray_pipeline.families import family_identity, load_family
from ray_pipeline.identity import Identity
from ray_pipeline.panel.frame import PanelFrame
from ray_pipeline.panel.reader import PanelReader
from ray_pipeline.records import SymbolPartition, TargetSpec, View
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.pool import Pool
from ray_pipeline.training.problems import learned_labels
from ray_pipeline.training.search.choices import Pairs
from ray_pipeline.training.search.inner import TrialSettings, inner_skill, inner_walk

__all__ = ["TrialTask", "TrialsSpec", "measure_trials"]


@dataclass(frozen=True, slots=True)
class TrialTask:
    """Trials of one search: a job inside one fold, or (`fold` None) for its final model.

    `first` is the number of the first of them, `identity` that of the family's code.
    """

    job_id: str
    target: str
    view: View
    family: str
    fold: int | None
    features: tuple[str, ...]
    first: int
    hyperparameters: tuple[Pairs, ...]
    identity: Identity = field(init=False)

    def __post_init__(self) -> None:
        """Look up the identity, where the record is made: a worker gets the driver's."""
        object.__setattr__(self, "identity", family_identity(self.family))


@dataclass(frozen=True, slots=True)
class TrialsSpec:
    """Tasks on one design: a symbol's own rows, or the pool named by its slices."""

    frame: PanelFrame
    tasks: tuple[TrialTask, ...]
    settings: TrialSettings
    partition: SymbolPartition | None = None
    pool: tuple[str, ...] = ()


def measure_trials(
    reader: PanelReader, spec: TrialsSpec, pool: Pool | None = None
) -> dict[str, Any]:
    """Measure trials on a symbol's own rows, or on those of the pool (unit function).

    Parameters
    ----------
    pool
        Passed to every unit of a round with pooled trials, but used only by those.
    """
    targets = {target.name: target for target in spec.frame.targets}
    names = {task.target for task in spec.tasks}
    if spec.partition is not None:
        rows = reader.rows(spec.partition, spec.frame)
        designs = {name: Design.of_symbol(rows, targets[name], spec.frame) for name in names}
    elif pool is not None:
        designs = {name: Design.of_pool(pool, targets[name], spec.frame) for name in names}
    else:
        raise DataError("measure_trials needs a partition or the pool")
    return {"tasks": [_measure(designs[t.target], targets[t.target], t, spec) for t in spec.tasks]}


def _measure(
    design: Design, target: TargetSpec, task: TrialTask, spec: TrialsSpec
) -> dict[str, Any]:
    """Return the skills of a task's trials in order, or why there are none."""
    folds = {fold.index: fold for fold in spec.frame.folds}
    own = design.symbols if task.view == "symbol_specific" else ()
    where = "final" if task.fold is None else f"fold {task.fold}"
    try:
        family, training = load_family(task.family), spec.settings.training
        walk = inner_walk(
            design,
            learned_labels(design, target.task, family, training.comparison),
            None if task.fold is None else folds[task.fold],
            task.features,
            spec.frame,
            spec.settings,
            (task.family, task.target, *own, where),
        )
    except DataError as error:
        # Too few rows for a search are not a failure of the unit: the fold keeps what is
        # configured.
        return {"skills": [None] * len(task.hyperparameters), "problem": str(error)}
    measure = design.measure(target.task, spec.settings.training.min_cs)
    skills = [
        inner_skill(walk, task.family, dict(pairs), measure) for pairs in task.hyperparameters
    ]
    return {
        "skills": [None if math.isnan(skill) else skill for skill in skills],
        "problem": None,
    }
