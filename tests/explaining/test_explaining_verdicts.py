"""The words that lead from a target's figures to its verdict."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from ranked_rows import ranked_row

from ray_pipeline.explaining.verdicts import (
    difference_verdict,
    source_of_p,
    source_of_q,
    view_verdict,
)

RULES: dict[str, Any] = {
    "alpha": 0.05,
    "fdr": "bh",
    "families": ["ridge", "lightgbm"],
    "top_n_targets": 2,
    "symbol_alpha": 0.1,
    "min_difference": 0.02,
}


@pytest.mark.parametrize(
    ("figures", "p_values", "sentence"),
    [
        (
            {},
            [0.001, 0.2],
            "p is the smallest, q 0.012 is at most alpha 0.05, skill above 0: predictable",
        ),
        ({}, [0.0001, 0.001, 0.2], "p is the 2nd smallest, q 0.012 is at most alpha 0.05, skill "),
        ({}, [0.0001] * 10 + [0.001], "p is the 11th smallest, "),
        ({}, [0.0001] * 20 + [0.001], "p is the 21st smallest, "),
        ({}, [0.0001] * 2 + [0.001], "p is the 3rd smallest, "),
        (
            {"q_value": 0.21, "predictable": False},
            [0.001],
            "p is the smallest, q 0.210 is above alpha 0.05: no evidence",
        ),
        (
            {"skill": -0.1, "predictable": False},
            [0.001],
            "p is the smallest, q 0.012 is at most alpha 0.05, but skill not above 0: no evidence",
        ),
        ({"q_value": math.nan}, [0.1], "too little data: 3 out-of-sample rows"),
    ],
)
def test_verdict_of_a_view(figures: dict[str, Any], p_values: list[float], sentence: str) -> None:
    """The place of p among all tests, then q beside alpha; without a figure the reason."""
    assert view_verdict(ranked_row(**figures), p_values, 0.05).startswith(sentence)


def test_sources_of_p_and_q() -> None:
    """What each was adjusted for: the choice of a family, and all tests of the ranking."""
    one = RULES | {"families": ["ridge"], "fdr": "by"}
    analytic = "p is one-sided, from t with HAC errors (analytic null)"
    assert source_of_p(ranked_row(), RULES) == f"{analytic}, paid for the choice among 2 families"
    assert source_of_p(ranked_row(), one) == analytic
    assert source_of_p(ranked_row(null="circular_shift"), RULES) == (
        "p is the rank of t among those of the same search, including all families, on circularly "
        "shifted labels (circular-shift null)"
    )
    assert source_of_q(12, RULES).startswith("q is p after Benjamini–Hochberg over 12 tests")
    assert source_of_q(3, one).startswith("q is p after Benjamini–Yekutieli over 3 tests")
    shifts = RULES | {"fdr": "max_statistic"}
    assert "largest statistic of each shift (Westfall–Young) over 9 tests" in source_of_q(9, shifts)


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        ({"difference_q_value": None}, "not measured, so neither model counts as better"),
        (
            {"difference_q_value": 0.3},
            "q 0.300 of exceeding min_difference=0.02, among 7 symbols, is above alpha 0.1: "
            "neither model counts as better",
        ),
        (
            {"difference_q_value": 0.01, "difference_shrunk": 0.09},
            "q 0.010 of exceeding min_difference=0.02, among 7 symbols, is at most alpha 0.1: the "
            "own model is better",
        ),
        (
            {"difference": -0.1, "difference_q_value": 0.01},
            "q 0.010 of exceeding min_difference=0.02, among 7 symbols, is at most alpha 0.1: the "
            "pooled model is better",
        ),
        (
            {"difference_q_value": 0.01, "difference_shrunk": 0.012},
            "q 0.010 of exceeding min_difference=0.02, among 7 symbols, is at most alpha 0.1, but "
            "shrunk to +0.012 by the evidence of all symbols, so the difference is too small: "
            "neither model "
            "counts as better",
        ),
    ],
)
def test_verdict_of_a_difference(figures: dict[str, Any], sentence: str) -> None:
    """A model is better where q and the shrunk difference say so; older runs did not shrink."""
    assert difference_verdict({"difference": 0.1} | figures, 7, RULES) == sentence


def test_doubtful_targets_are_never_called_predictable() -> None:
    """On the way from a p-value to the verdict."""
    beyond = ranked_row(
        skill=0.52, max_skill=0.2, predictable=False, doubtful=True, verdict="doubtful"
    )
    assert view_verdict(beyond, [0.001], 0.05) == (
        "p is the smallest, q 0.012 is at most alpha 0.05, but the target is doubtful (limit of "
        "skill 0.2)"
    )
    unsure = replace(beyond, q_value=0.2)
    assert view_verdict(unsure, [0.001], 0.05).endswith(
        "q 0.200 is above alpha 0.05, but the target is doubtful (limit of skill 0.2)"
    )


def test_a_limit_that_is_not_passed_is_not_named() -> None:
    """Doubtful for another figure, a target's skill says nothing against it."""
    worth = ranked_row(
        skill=0.1, max_skill=0.2, predictable=False, doubtful=True, verdict="doubtful"
    )
    assert view_verdict(worth, [0.001], 0.05) == (
        "p is the smallest, q 0.012 is at most alpha 0.05, but the target is doubtful"
    )
