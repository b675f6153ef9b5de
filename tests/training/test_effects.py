"""Effects of features in a job's folds, where what the labels hold of each is planted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from training_designs import (
    AXIS,
    FEATURES,
    SETTINGS,
    RecordingFamily,
    design_of,
    job_spec,
    marked_features,
    target_spec,
    training_frame,
)

from ray_pipeline.routing.jobs import Job
from ray_pipeline.training.effects import described_features, effect_rows
from ray_pipeline.training.job_fit import FittedJob, fit_job
from ray_pipeline.training.job_spec import JobSpec

FOLDS = tuple((fold, FEATURES) for fold in range(3))


def fitted(family: str, described: tuple[str, ...] = FEATURES, **changes: Any) -> FittedJob:
    """Fit labels that rise with a, have a U of b, fall with c, and know nothing of d."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((300 * 6, 4)).astype(np.float32)
    y = X[:, 0] + 1.5 * (X[:, 1] ** 2 - 1) - 0.7 * X[:, 2] + rng.standard_normal(len(X))
    values = {"family": family, "features": FEATURES, "fold_features": FOLDS}
    job: JobSpec = job_spec(hyperparameters=(), described=described, **(values | changes))
    design = design_of(y.astype(np.float64), X, 6, 1)
    return fit_job(design, target_spec(1), job, training_frame(), AXIS, SETTINGS)


def test_trees_show_what_was_planted() -> None:
    """On rows that the folds' models had not seen: a line, a U, a fall, and next to nothing."""
    found = {each["feature"]: each for each in fitted("lightgbm").effects}
    shapes = {name: each["shape"] for name, each in found.items()}
    assert (shapes["a"], shapes["b"], shapes["c"]) == ("rising", "U-shaped", "falling")
    assert shapes["d"] in ("none", "unsteady", "mixed")
    strengths = [found[name]["strength"] for name in ("b", "a", "c", "d")]
    assert strengths == sorted(strengths, reverse=True)
    assert found["d"]["strength"] < 0.15 < found["c"]["strength"]
    assert {each["n_folds"] for each in found.values()} == {3}


def test_a_linear_model_has_lines() -> None:
    """It does not see the U; and the same job gives the same record to the bit."""
    found = {each["feature"]: each for each in fitted("ridge").effects}
    assert (found["a"]["shape"], found["c"]["shape"]) == ("rising", "falling")
    assert found["b"]["shape"] != "U-shaped"
    assert list(fitted("ridge").effects) == list(found.values())


def test_what_is_described_changes_no_prediction() -> None:
    """Effects are looked at beside the predictions, which they do not touch."""
    plain, told = fitted("lightgbm", ()), fitted("lightgbm")
    assert plain.out_of_sample.equals(told.out_of_sample)
    assert (plain.effects, plain.evidence) == ([], told.evidence)


def test_folds_without_the_feature_do_not_count() -> None:
    """A feature that one fold chose has that fold's curve, and no error."""
    chosen = ((0, ("a", "b")), (1, ("b",)), (2, ("b",)))
    found = fitted("ridge", ("b", "a", "d"), features=("a", "b"), fold_features=chosen).effects
    assert [(each["feature"], each["n_folds"]) for each in found] == [("b", 3), ("a", 1)]
    assert set(found[1]["std_errors"]) == {None}


def test_only_so_many_rows_are_asked(family: RecordingFamily) -> None:
    """Two for each of a sample of the test rows and feature, in one call: the cost is bounded."""
    y = np.random.default_rng(0).permutation(900).astype(np.float64)
    job = job_spec(described=("c", "b"))
    fit_job(
        design_of(y, marked_features(900), 3), target_spec(), job, training_frame(), AXIS, SETTINGS
    )
    first, second, third = (given.predicted for given in family.fits[:3])
    assert [len(X) for X in first] == [150, 450 - 15, 2 * 150]
    assert len(second) == 2  # chose d and a, of which nothing is told
    assert len(third) == 3


def job(view: str, features: tuple[str, ...]) -> Job:
    return Job("j", "y", view, ("S0",), (), "ridge", features, (), (), 1, "")  # type: ignore[arg-type]


@pytest.mark.parametrize(("view", "n"), [("cross_sectional", 6), ("symbol_specific", 3)])
def test_the_best_features_are_described(view: str, n: int) -> None:
    """Those that the model has, best first."""
    names = tuple(f"f{i}" for i in range(9))
    assert described_features(["other", *names[::-1]], job(view, names)) == names[::-1][:n]


def test_rows_are_points_of_the_curves() -> None:
    """Nine to a feature, from the lowest value to the highest; a job that told nothing has none."""
    found = fitted("ridge", ("a",))
    of = job("symbol_specific", ("a",))
    rows = effect_rows([of], {"j": {"effects": found.effects}})
    assert [row.quantile for row in rows] == [k / 8 for k in range(9)]
    assert {(row.feature, row.rank, row.symbol, row.shape) for row in rows} == {
        ("a", 1, "S0", "rising")
    }
    assert all(math.isfinite(row.std_error) for row in rows)
    assert effect_rows([of], {}) == []
