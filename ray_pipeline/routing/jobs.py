"""The jobs of a training plan: models, targets and symbols (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ray_pipeline.records import View
from ray_pipeline.routing.decide import Route

__all__ = [
    "MIN_MEMBERS",
    "RANK_AVERAGE",
    "FeatureSet",
    "Job",
    "JobVerdict",
    "LeftOutModel",
    "TrainingPlan",
]

RANK_AVERAGE = "rank_average"
"""In ``training.families``: the mean of the other families' percentiles, which fits nothing."""

FeatureSet = Literal["", "selected", "all"]
"""Whether a model uses the selected features or all; empty in plans of version 0.2.0 and
earlier, which always used the selected ones."""

JobVerdict = Literal["", "predictable across symbols"] | Route
"""Why there is a job: its target's status, or its symbol's route; empty in old plans."""

MIN_MEMBERS = 2
"""An average of one model is that model."""


@dataclass(frozen=True, slots=True)
class Job:
    """One model to train.

    Attributes
    ----------
    job_id
        ``cs_<target>__<family>`` or ``sym_<target>__<symbol>__<family>``, percent-encoded for
        paths.
    symbols
        Symbols it is trained on.
    serves
        Symbols whose route leads to it.
    features
        Ordered features of the final model.
    fold_features
        Features that each fold chose for itself, as (fold, features): the out-of-sample predictions
        use only these.
    verdict, why
        The reason for the job: its kind, and in full.
    priority
        1 is the most important: the order of the targets, pooled models first.
    members
        Jobs whose models an average combines; empty for every other job.
    feature_set
        Which features these are: the selected ones, or all if selection costs skill.
    n_feature_sets
        Number of sets among which the choice was made on the rows that measure its skill.
    """

    job_id: str
    target: str
    view: View
    symbols: tuple[str, ...]
    serves: tuple[str, ...]
    family: str
    features: tuple[str, ...]
    fold_features: tuple[tuple[int, tuple[str, ...]], ...]
    hyperparameters: tuple[tuple[str, Any], ...]
    priority: int
    why: str
    members: tuple[str, ...] = ()
    verdict: JobVerdict = ""
    feature_set: FeatureSet = ""
    n_feature_sets: int = 1


@dataclass(frozen=True, slots=True)
class LeftOutModel:
    """A model that a route requires and the plan lacks.

    Attributes
    ----------
    symbol
        For a model on a symbol's own rows; None for a pooled one.
    job_id
        The missing job; None for those of all families.
    """

    target: str
    symbol: str | None
    job_id: str | None
    why: str

    @property
    def name(self) -> str:
        """The job, or the target and symbol that have none."""
        models = self.target if self.symbol is None else f"{self.target} / {self.symbol}"
        return self.job_id or models

    @classmethod
    def of(cls, job: Job, why: str) -> LeftOutModel:
        """Leave a job out."""
        symbol = job.symbols[0] if job.view == "symbol_specific" else None
        return cls(job.target, symbol, job.job_id, why)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Jobs by priority, and what could not be planned, with reasons."""

    jobs: tuple[Job, ...]
    left_out: tuple[LeftOutModel, ...]

    def fitted(self, view: View) -> list[Job]:
        """Return the jobs of a view that are fitted to rows, without averages."""
        return [job for job in self.jobs if job.view == view and job.family != RANK_AVERAGE]
