"""Retraining policies: the request, and rows with what each would have earned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ray_pipeline.records import View
from ray_pipeline.statistics.folds import Fold

__all__ = ["Policy", "PolicyFoldRow", "PolicyRow", "Variant"]

NEVER = "never"
CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Variant:
    """How a model of any fold is trained.

    Attributes
    ----------
    window, half_life
        As in the config.
    folds
        The run's folds, each with where this window begins.
    """

    window: str
    half_life: str
    folds: tuple[Fold, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A variant, and after how many folds it is retrained; None: never.

    Attributes
    ----------
    variant
        Place among the variants.
    """

    retrain_every: int | None
    variant: int


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One row of ``evaluation/policies.parquet``: a policy of one job, or the one followed.

    Attributes
    ----------
    symbol
        None of a pooled job.
    kind
        ``chosen``: at each fold the policy with the best skill over the folds before it, which is
        what one may claim; ``policy``: that policy throughout, which is known to be good or bad
        only now.
    retrain_every, window, half_life
        Folds from one training to the next, or ``never``; empty in the row of the one chosen.
    skill, std_error, p_value
        Out of sample over all folds, with its HAC error; p is one-sided for a skill above 0.
    n_rows, n_folds
        Figures that the skill is the mean of, and folds.
    n_trained
        Models that the policy trains; of the one chosen those of all policies.
    excess, excess_std_error
        Skill less that of the row ``chosen``, on the same rows; 0 in that row.
    is_best
        Whether no policy has a larger skill, in hindsight.
    n_followed
        Folds in which the row ``chosen`` followed it.
    """

    job_id: str
    target: str
    view: View
    symbol: str | None
    family: str
    kind: Literal["chosen", "policy"]
    retrain_every: str
    window: str
    half_life: str
    skill: float
    std_error: float
    p_value: float
    n_rows: int
    n_folds: int
    n_trained: int
    excess: float
    excess_std_error: float
    is_best: bool
    n_followed: int


@dataclass(frozen=True, slots=True)
class PolicyFoldRow:
    """One row of ``evaluation/policy_folds.parquet``: a row of the policies in one fold.

    Attributes
    ----------
    trained_fold
        The fold whose model served this one.
    is_followed
        Whether the row ``chosen`` followed this policy here; True in that row itself.
    """

    job_id: str
    kind: Literal["chosen", "policy"]
    retrain_every: str
    window: str
    half_life: str
    fold: int
    trained_fold: int
    skill: float
    n_rows: int
    is_followed: bool
