"""What a search promised and kept, and what the final model uses."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ray_pipeline.samples.evidence import SkillMeasure, SkillSeries, time_evidence
from ray_pipeline.training.search.choices import Accept, Choice, JobSearch
from ray_pipeline.training.search.verdict import SearchVerdict, judge_search

FOUND = (("depth", 2),)
FOLDS = (Choice(0, 9, FOUND, 0.08, 0.02), Choice(1, 9, FOUND, 0.05, 0.03))
FINAL = Choice(None, 9, FOUND, 0.07, 0.03)
MEASURE = SkillMeasure("cross_sectional", "regression", span=1, spacing=1.0, min_cs=3)
NOISE = np.random.default_rng(0).standard_normal(400)


def judged(
    gain: float, accept: Accept = "if_better", final: Choice | None = FINAL, noise: float = 1.0
) -> SearchVerdict:
    """Judge a search whose gain has a mean of exactly that, and an error of about noise / 20."""
    configured = 0.03 + NOISE
    difference = noise * np.random.default_rng(1).standard_normal(400)
    searched = configured + gain + difference - difference.mean()
    search = JobSearch(accept, 27, FOLDS, final)
    return judge_search(search, MEASURE, *map(SkillSeries.of_timestamps, (searched, configured)))


def test_figures_by_hand() -> None:
    """Promised: mean of 0.06 and 0.02; kept: 0.01; the rest of the promise was selection."""
    verdict = judged(0.01)
    record = verdict.to_record()
    figures = {
        "inner_skill": 0.065,
        "inner_skill_configured": 0.025,
        "promised_gain": 0.04,
        "realised_gain": 0.01,
        "selection": 0.03,
        "out_of_sample_skill": 0.04 + NOISE.mean(),
        "out_of_sample_skill_configured": 0.03 + NOISE.mean(),
    }
    assert {name: record[name] for name in figures} == pytest.approx(figures)
    paired = time_evidence(SkillSeries.of_timestamps(0.01 + np.zeros(400)), 1)
    assert paired.skill == pytest.approx(record["realised_gain"])
    assert 0.03 < record["realised_gain_std_error"] < 0.08
    assert record["n_trials"] == 27
    assert record["folds"][0] == {
        "fold": 0,
        "n_trials": 9,
        "hyperparameters": {"depth": 2},
        "skill": 0.08,
        "configured_skill": 0.02,
    }
    assert record["final"]["hyperparameters"] == {"depth": 2}


def test_it_is_paired() -> None:
    """What both procedures have in common does not blur their difference."""
    error = judged(0.01, noise=0.01).difference.std_error
    assert error < 0.001


def test_the_configured_ones_are_left_for_more_than_the_error_alone() -> None:
    """One standard error is the bar: just above it the search is accepted, below it is not."""
    error = judged(0.0).difference.std_error
    assert judged(1.05 * error).accepted
    assert not judged(0.95 * error).accepted
    assert not judged(-0.1).accepted


def test_always_accepts_whatever_came_of_it() -> None:
    """Then nothing is decided on the outer rows."""
    assert judged(-0.1, accept="always").accepted


def test_without_a_final_search_nothing_is_accepted() -> None:
    """There is nothing that the final model could use."""
    assert not judged(0.5, final=None).accepted
    assert not judged(0.5, accept="always", final=None).accepted
    assert judged(0.5, final=None).to_record()["final"] is None


def test_the_winner_of_two_pays_for_both() -> None:
    """The p-value doubles, up to 1, where the outer rows chose; otherwise it stays."""
    evidence = replace(time_evidence(SkillSeries.of_timestamps(NOISE), 1), p_value=0.02)
    assert judged(0.0).paid(evidence).p_value == 0.04
    assert judged(0.5).paid(replace(evidence, p_value=0.7)).p_value == 1.0
    assert judged(0.0, accept="always").paid(evidence).p_value == 0.02


def test_no_fold_could_be_searched() -> None:
    """Nothing was promised and nothing kept: not measured, and not accepted."""
    search = JobSearch("if_better", 9, (), FINAL)
    nothing = SkillSeries.of_timestamps(np.empty(0))
    verdict = judge_search(search, MEASURE, nothing, nothing)
    record = verdict.to_record()
    assert not verdict.accepted
    assert all(
        math.isnan(record[name])
        for name in ("promised_gain", "realised_gain", "selection", "inner_skill")
    )
