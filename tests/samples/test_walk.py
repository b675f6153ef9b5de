"""One fold: which rows train, what is too little, and what the models say."""

from __future__ import annotations

import numpy as np
import pytest
from recording import recorded

from ray_pipeline.samples.walk import (
    MIN_TRAIN_ROWS,
    FamilySettings,
    fold_problem,
    make_problem,
    predict_fold,
)
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.skill import centred_percentile

FOLD = Fold(0, 100, 140)


def test_problem_has_the_purged_rows_that_have_a_label() -> None:
    """Labels that reach the fold are out, and so are missing ones."""
    y = np.random.default_rng(0).standard_normal(100)
    y[:3] = np.nan
    problem = fold_problem(y, np.arange(100) + 5, "regression", FOLD, 2, 9)
    assert problem is not None
    assert problem.rows.tolist() == list(range(3, 93))
    assert (problem.task, problem.seed) == ("regression", 9)


def test_too_few_rows_are_no_problem_to_fit() -> None:
    """One row less than the least, and the fold has no model."""
    y = np.random.default_rng(0).standard_normal(200)
    usable = np.arange(200) < MIN_TRAIN_ROWS
    assert make_problem(y, usable, "regression", 0) is not None
    usable[0] = False
    assert make_problem(y, usable, "regression", 0) is None
    assert make_problem(y, np.zeros(200, dtype=bool), "regression", 0) is None


def test_labels_of_one_kind_teach_nothing() -> None:
    """A constant, or a class with four rows."""
    usable = np.ones(100, dtype=bool)
    assert make_problem(np.full(100, 3.0), usable, "ordinal", 0) is None
    flag = np.zeros(100)
    flag[:4] = 1.0
    assert make_problem(flag, usable, "binary", 0) is None
    assert make_problem(1.0 - flag, usable, "binary", 0) is None
    flag[4] = 1.0
    assert make_problem(flag, usable, "binary", 0) is not None
    assert make_problem(flag[::-1], usable, "ordinal", 0) is not None


def test_families_are_paired_with_their_sections_of_the_config() -> None:
    """Sorted pairs, so that equal settings are equal specs."""
    found = FamilySettings.from_config(("ridge", "lightgbm"), {"lightgbm": {"b": 2, "a": 1}})
    assert found == (
        FamilySettings("ridge", ()),
        FamilySettings("lightgbm", (("a", 1), ("b", 2))),
    )


def test_predictions_stand_among_those_of_the_training_rows() -> None:
    """Each family and target with a problem gets values and percentiles; the others are absent."""
    X = np.arange(140, dtype=np.float32)[:, None]
    y = np.random.default_rng(0).standard_normal(100)
    problem = make_problem(y, np.arange(100) < 80, "regression", 0)

    with recorded():
        found = predict_fold(
            X[:100],
            X[100:] - 60,
            ["x"],
            [FamilySettings("ridge"), FamilySettings("lightgbm")],
            ["known", "unknown"],
            lambda name, family: problem if (name, family) == ("known", "ridge") else None,
            lambda problem, known, values: centred_percentile(values, known),
        )
    assert {family: list(by_target) for family, by_target in found.items()} == {
        "ridge": ["known"],
        "lightgbm": [],
    }
    prediction = found["ridge"]["known"]
    assert prediction.values.tolist() == list(range(40, 80))
    # The model predicts the feature; training rows hold 0 … 79.
    assert prediction.centred_percentile == pytest.approx((2 * np.arange(40, 80) + 1) / 80 - 1)
