"""A search's promise, its out-of-sample result, and what the final model uses (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ray_pipeline.samples.evidence import Evidence, SkillMeasure, SkillSeries, paired_evidence
from ray_pipeline.training.search.choices import Choice, JobSearch

__all__ = ["SearchVerdict", "judge_search"]


@dataclass(frozen=True, slots=True)
class SearchVerdict:
    """The evaluation of a search on rows that none of its trials saw.

    Attributes
    ----------
    accepted
        Whether the final model uses what its search found.
    searched, configured
        Out-of-sample skill with the hyperparameters that each fold chose, and with those
        configured, on the same test rows: those of the folds that could be searched.
    difference
        searched − configured, paired.
    """

    search: JobSearch
    accepted: bool
    searched: float
    configured: float
    difference: Evidence

    @property
    def promised(self) -> float:
        """Gain on the inner test rows, on which the best trial was chosen; mean over folds."""
        return _mean([choice.skill - choice.configured_skill for choice in self.search.folds])

    @property
    def selection(self) -> float:
        """The broken part of the promise: the best of many noisy figures is lucky."""
        return self.promised - self.difference.skill

    def paid(self, evidence: Evidence) -> Evidence:
        """Correct the evidence of the chosen procedure for the other one.

        The choice between the two was made on the rows that the evidence is measured on: a second
        attempt, as for the better of two families. There is no correction if nothing was chosen.
        """
        if self.search.accept == "always":
            return evidence
        return replace(evidence, p_value=min(1.0, 2.0 * evidence.p_value))

    def to_record(self) -> dict[str, Any]:
        """Plain values for records, metadata and the report."""
        folds = self.search.folds
        return {
            "accept": self.search.accept,
            "accepted": self.accepted,
            "n_trials": self.search.n_trials,
            "inner_skill": _mean([choice.skill for choice in folds]),
            "inner_skill_configured": _mean([choice.configured_skill for choice in folds]),
            "out_of_sample_skill": self.searched,
            "out_of_sample_skill_configured": self.configured,
            "promised_gain": self.promised,
            "realised_gain": self.difference.skill,
            "realised_gain_std_error": self.difference.std_error,
            "realised_gain_p_value": self.difference.p_value,
            "selection": self.selection,
            "folds": [_record(choice) for choice in folds],
            "final": None if self.search.final is None else _record(self.search.final),
        }


def judge_search(
    search: JobSearch, measure: SkillMeasure, searched: SkillSeries, configured: SkillSeries
) -> SearchVerdict:
    """Compare a search with the configured hyperparameters, and decide what the final model uses.

    With ``accept: if_better`` the final model abandons the configured hyperparameters only if
    searching, as a procedure repeated inside each fold, beat them on the same test rows by more
    than the standard error of the difference: the one-standard-error rule of Breiman, Friedman,
    Olshen & Stone (1984, "Classification and Regression Trees", §3.4.3), by which the simpler of
    two models is left only for one that is better by more than its error. It is not a test at 5 %:
    both models cost the same to use, so that a wrong choice between near equals costs little; the
    rule only has to keep out searches that found nothing but luck, about five of six.

    The inner skills cannot decide this: they are what the best trial was chosen by. The outer
    rows can, at a price that is told: the skill that is reported afterwards is that of the winner
    of two, on the rows that made it win, and its p-value pays for both (`SearchVerdict.paid`).
    With ``accept: always`` nothing is chosen on the outer rows, and nothing is paid.

    Parameters
    ----------
    measure
        How the skill of the job is measured.
    searched, configured
        The terms of both skills' means, for the same rows or timestamps in time order; empty if no
        fold could be searched.
    """
    difference = paired_evidence(searched, configured, measure.span, measure.spacing)
    is_better = difference.skill > difference.std_error
    return SearchVerdict(
        search=search,
        accepted=search.final is not None and (search.accept == "always" or is_better),
        searched=_mean(searched.contributions.tolist()),
        configured=_mean(configured.contributions.tolist()),
        difference=difference,
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _record(choice: Choice) -> dict[str, Any]:
    return asdict(choice) | {"hyperparameters": dict(choice.hyperparameters)}
