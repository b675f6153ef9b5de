"""The cost of a selection in skill, and which models use it (pure)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ray_pipeline.records import QUESTIONS, Question, View
from ray_pipeline.samples.evidence import Evidence

__all__ = ["MIN_DROPPED", "MIN_KEPT", "Accept", "KeptRow", "KeptVerdict", "judge_kept"]

Accept = Literal["if_no_worse", "always", "never"]
KeptVerdict = Literal["no worse", "worse", "too little dropped", "not measured", "as configured"]

MIN_KEPT = 0.95
"""Share of the skill that the chosen features must keep, regardless of the error of the
difference."""

MIN_DROPPED = 0.2
"""Share of the features that a selection must drop to be worth a proof."""


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One row of ``feature_selection/kept.parquet``; figures are NaN where nothing was measured.

    Attributes
    ----------
    symbol
        Null: the pooled models, or the mean over the own models of `n_symbols` symbols.
    skill_all, skill_selected
        Out of sample on the same rows, of models on all features and on those that each fold
        chose for itself, of every third fold counted from the last.
    difference, std_error
        Selected less all, paired, with its HAC error.
    kept
        Skill with those selected as a share of that with all, where that is above 0.
    n_features
        Of the final model; for own models, the mean over symbols.
    accepted
        Whether models of this family are trained on the selected features.
    """

    target: str
    view: View
    question: Question
    symbol: str | None
    family: str
    n_features_all: int
    n_features: float
    skill_all: float
    skill_selected: float
    difference: float
    std_error: float
    kept: float
    n_symbols: int
    n_rows: int
    accepted: bool
    verdict: KeptVerdict
    reason: str


def judge_kept(
    key: tuple[str, View, str],
    n_features: tuple[int, float],
    n_symbols: int,
    skills: tuple[float, float] | None,
    difference: Evidence,
    accept: Accept,
) -> KeptRow:
    """Decide whether models of a family use the selected features.

    With ``if_no_worse``, they do if they lose at most the standard error of the difference, and at
    most a twentieth of their skill: of two equally good models, the one with fewer features is
    preferred (the one-standard-error rule of Breiman, Friedman, Olshen & Stone 1984,
    "Classification and Regression Trees", §3.4.3). Where signals are weak the error alone would let
    half of the skill go, and the second bound keeps it.

    The difference is measured on test rows, which no fold's own choice has seen; but the choice
    between the two sets is made on them, so that the skill reported afterwards is that of the
    winner of two.

    Parameters
    ----------
    key
        Target, view and family.
    n_features
        All, and those selected.
    skills
        With all features, and with those selected; None where nothing was fitted.
    difference
        Selected less all, paired.
    """
    target, view, family = key
    n_all, n_selected = n_features
    of_all, selected = (math.nan, math.nan) if skills is None else skills
    kept = selected / of_all if of_all > 0 else math.nan
    verdict, why = _verdict(n_features, skills, difference)
    if accept != "if_no_worse":
        accepted, verdict = accept == "always", "as configured"
        which = "those selected" if accepted else "all features"
        told = f"; {why.partition(': ')[2]}" if skills else ""
        why = f"{which}, as feature_selection.accept={accept} asks{told}"
    else:
        accepted = verdict == "no worse"
    return KeptRow(
        target=target,
        view=view,
        question=QUESTIONS[view],
        symbol=None,
        family=family,
        n_features_all=n_all,
        n_features=n_selected,
        skill_all=of_all,
        skill_selected=selected,
        difference=difference.skill,
        std_error=difference.std_error,
        kept=kept,
        n_symbols=n_symbols,
        n_rows=difference.n_rows,
        accepted=accepted,
        verdict=verdict,
        reason=why,
    )


def _verdict(
    n_features: tuple[int, float], skills: tuple[float, float] | None, difference: Evidence
) -> tuple[KeptVerdict, str]:
    n_all, n_selected = n_features
    if skills is None:
        if n_all - n_selected < MIN_DROPPED * n_all:
            return (
                "too little dropped",
                f"all features: {n_selected:.0f} of {n_all} are selected, and leaving out less "
                f"than {MIN_DROPPED:.0%} is not worth a proof",
            )
        return "not measured", "all features: what those selected keep was not measured"
    of_all, selected = skills
    figures = f"skill {selected:+.4f} with those selected, {of_all:+.4f} with all"
    if math.isnan(difference.std_error):
        return "not measured", f"all features: {figures}, on too few rows to tell"
    bound = -difference.std_error
    if of_all > 0:
        bound = max(bound, -(1.0 - MIN_KEPT) * of_all)
    measured = f"{figures}: {difference.skill:+.4f} ± {difference.std_error:.4f}"
    if difference.skill >= bound:
        return "no worse", f"those selected: {measured}"
    if difference.skill >= -difference.std_error:
        return "worse", f"all features: {measured}, less than {MIN_KEPT:.0%} of it"
    return "worse", f"all features: {measured}, a loss beyond its error"
