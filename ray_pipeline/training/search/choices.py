"""Trials, the choice among them, and how many a job may make (pure)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ray_pipeline.families.searching import Value

__all__ = [
    "Accept",
    "Choice",
    "JobSearch",
    "Pairs",
    "Trial",
    "TrialRow",
    "allot_trials",
    "best_trial",
    "trial_rows",
]

Accept = Literal["if_better", "always"]
Pairs = tuple[tuple[str, Value], ...]
"""Hyperparameters as pairs in name order, for a unit's spec."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Hyperparameters and their skill on the inner test rows, NaN if not measured."""

    number: int
    hyperparameters: Pairs
    skill: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The choice of a search.

    Attributes
    ----------
    fold
        Fold inside whose training rows it was made; None: for the final model.
    n_trials
        Trials with a skill, the configured hyperparameters included.
    hyperparameters
        Those of the best trial.
    skill, configured_skill
        On the inner test rows: of the best trial, and of the first, the configured one.
    """

    fold: int | None
    n_trials: int
    hyperparameters: Pairs
    skill: float
    configured_skill: float


@dataclass(frozen=True, slots=True)
class JobSearch:
    """The choices of a job: of those folds that could be searched, and for the final model.

    `n_trials` counts all trials with a skill: the number of attempts for which a deflated figure of
    this job is corrected.
    """

    accept: Accept
    n_trials: int
    folds: tuple[Choice, ...]
    final: Choice | None


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A row of ``search/trials.parquet``; `fold` is None for the final model's trials."""

    job_id: str
    fold: int | None
    trial: int
    hyperparameters: str
    inner_skill: float
    chosen: bool


def allot_trials(
    n_studies: Mapping[str, int], n_trials: int, max_trials: int | None
) -> dict[str, int]:
    """Spread the run's trials over its jobs.

    A search with one trial only knows the configured hyperparameters, so a job gets at least two
    trials or none.

    Parameters
    ----------
    n_studies
        Searches of each job (its folds and its final model), most important job first.
    n_trials
        Trials wanted by each search.
    max_trials
        Trials of the whole run; None: no limit.

    Returns
    -------
    dict
        Trials of each search by job; a job without any is missing.

    Examples
    --------
    >>> allot_trials({"a": 4, "b": 4, "c": 4}, n_trials=20, max_trials=100)
    {'a': 20, 'b': 5}
    """
    allotted: dict[str, int] = {}
    left = math.inf if max_trials is None else max_trials
    for job_id, n in n_studies.items():
        granted = int(min(n_trials, left // n))
        if granted >= 2:
            allotted[job_id] = granted
            left -= granted * n
    return allotted


def best_trial(fold: int | None, trials: Sequence[Trial]) -> Choice | None:
    """Choose the trial with the highest skill, the first of equals.

    The configured hyperparameters win a tie, to avoid pointless changes.

    Returns
    -------
    Choice or None
        None if the first trial, the configured one, has no skill to compare with.
    """
    measured = [trial for trial in trials if not math.isnan(trial.skill)]
    if not measured or measured[0].number != 0:
        return None
    best = max(measured, key=lambda trial: (trial.skill, -trial.number))
    return Choice(fold, len(measured), best.hyperparameters, best.skill, measured[0].skill)


def trial_rows(job_id: str, fold: int | None, trials: Sequence[Trial]) -> list[TrialRow]:
    """Return the rows of a search, in the order of its trials."""
    choice = best_trial(fold, trials)
    chosen = None if choice is None else choice.hyperparameters
    rows = []
    for trial in trials:
        is_chosen = trial.hyperparameters == chosen
        chosen = None if is_chosen else chosen  # the same may have been tried again later
        text = json.dumps(dict(trial.hyperparameters), sort_keys=True)
        rows.append(TrialRow(job_id, fold, trial.number, text, trial.skill, is_chosen))
    return rows
