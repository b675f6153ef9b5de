"""What every family makes of weights, and of rows to stop by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from problems import (
    BOOSTED,
    FAMILIES,
    INSTALLED,
    LINEAR,
    QUICK,
    fit_one,
    noise_features,
    problem,
    rank_correlation,
)

from ray_pipeline.families import IterativeModel, Model, Problem, Stopping, load_family
from ray_pipeline.families.watching import log_loss, pinball_loss, squared_error
from ray_pipeline.records import Task

every_family = pytest.mark.parametrize("family", FAMILIES)
STOPPING_FAMILIES = tuple(name for name in (*BOOSTED, "mlp") if name in INSTALLED)
PATIENT: dict[str, Any] = {"early_stopping_rounds": 5}


def two_halves(task: Task) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return labels that rise with f0 in the even rows and fall with it in the odd ones."""
    X = noise_features(600, 3)
    y = X[:, 0].astype(np.float64) * np.where(np.arange(600) % 2, -1.0, 1.0)
    if task == "binary":
        y = (y > 0).astype(np.float64)
    return X, np.round(y) if task == "ordinal" else y


@every_family
@pytest.mark.parametrize("task", ["regression", "binary", "ordinal"])
def test_rows_of_more_weight_decide(family: str, task: Task) -> None:
    """Where half of the rows contradict the others, predictions follow those that weigh more."""
    X, y = two_halves(task)
    even = np.where(np.arange(600) % 2, 0.02, 1.98)
    for weights, sign in ((even, 1.0), (2.0 - even, -1.0)):
        model = fit_one(family, X, replace(problem(y, task), weights=weights))
        assert sign * rank_correlation(model.predict(X), X[:, 0].astype(np.float64)) > 0.7


@every_family
def test_equal_weights_are_no_weights(family: str) -> None:
    """Ones for all rows give the predictions of a fit without weights."""
    X, y = two_halves("regression")
    y = X[:, 1] + 0.1 * y
    plain = fit_one(family, X, problem(y)).predict(X)
    ones = fit_one(family, X, replace(problem(y), weights=np.ones(600))).predict(X)
    np.testing.assert_allclose(ones, plain, atol=1e-6)


@every_family
def test_weights_of_a_problem_do_not_stay_for_the_next(family: str) -> None:
    """Problems on the same rows, weighted or not, give what they give alone."""
    X, y = two_halves("regression")
    weights = np.where(np.arange(600) % 2, 0.02, 1.98)
    weighted = replace(problem(y), weights=weights)
    names = ["a", "b", "c"]
    problems = [weighted, problem(y), weighted]
    models = load_family(family).fit(X, names, problems, QUICK.get(family, {}))
    for model, given in zip(models, problems, strict=True):
        np.testing.assert_allclose(
            model.predict(X), fit_one(family, X, given).predict(X), atol=1e-12
        )


@every_family
def test_weights_outside_the_training_rows_are_not_read(family: str) -> None:
    """Rows that do not train need no weight."""
    X, y = two_halves("regression")
    rows = np.arange(0, 600, 3)
    weights = np.full(600, np.nan)
    weights[rows] = 1.0 + rows / 600
    with_holes = fit_one(family, X, replace(problem(y, rows=rows), weights=weights))
    weights[np.isnan(weights)] = 1e9
    other = fit_one(family, X, replace(problem(y, rows=rows), weights=weights))
    assert other.to_files() == with_holes.to_files()


@pytest.mark.parametrize("family", [name for name in LINEAR if name in INSTALLED])
def test_a_row_of_weight_two_is_two_rows(family: str) -> None:
    """Lines through weighted rows are those through repeated ones, on the same scale."""
    X = noise_features(200, 3)
    y = X[:, 0] + np.random.default_rng(0).standard_normal(200)
    twice = np.arange(200) < 80
    both, labels = np.concatenate([X, X]), np.concatenate([y, y])
    rows = np.concatenate([np.arange(200), 200 + np.flatnonzero(twice)])
    weights = np.concatenate([1.0 + twice, np.ones(200)])
    # Fitted as an ordinal target: repeating rows would move the bounds that others are clipped at.
    # The repeated rows are out of the order of time, which ridge chooses its penalty by.
    settings = {"penalty": 0.1}
    repeated = fit_one(family, both, problem(labels, "ordinal", rows), settings)
    given = replace(problem(labels, "ordinal", np.arange(200)), weights=weights)
    weighted = fit_one(family, both, given, settings)
    difference = np.abs(weighted.predict(X) - repeated.predict(X)).max()
    assert difference < (1e-9 if family == "ridge" else 0.01)


def noise_to_watch() -> tuple[NDArray[np.float32], Problem]:
    """Return labels without a relation to the features, a third of them to watch."""
    X = noise_features(600, 3)
    y = np.random.default_rng(3).standard_normal(600)
    stopping = Stopping(np.arange(380), np.arange(400, 600))
    return X, replace(problem(y), stopping=stopping)


def rounds(model: Model) -> int:
    """Return how many rounds a model was fitted for."""
    assert isinstance(model, IterativeModel)
    return model.n_rounds


@pytest.mark.parametrize("family", STOPPING_FAMILIES)
class TestEarlyStopping:
    def settings(self, family: str, **more: Any) -> dict[str, Any]:
        """Return a family's quick settings with more rounds, and patience."""
        slowly = {"n_epochs": 30, "learning_rate": 0.01}
        many = slowly if family == "mlp" else {"n_estimators": 80}
        return {**QUICK[family], **many, **more}

    @pytest.mark.parametrize("task", ["regression", "binary", "ordinal"])
    def test_noise_stops_it_and_a_signal_does_not(self, family: str, task: Task) -> None:
        """On noise the best round comes soon; on a relation that holds it comes later."""
        X, noise = noise_to_watch()
        y = noise.y if task == "regression" else np.digitize(noise.y, [0.0]).astype(np.float64)
        signal = X[:, 0].astype(np.float64)
        signal = signal if task == "regression" else (signal > 0).astype(np.float64)
        stopped, went_on = (
            fit_one(
                family, X, replace(noise, y=labels, task=task), self.settings(family, **PATIENT)
            )
            for labels in (y, signal)
        )
        assert 1 <= rounds(stopped) < 20
        assert rounds(went_on) > rounds(stopped)

    def test_all_rows_are_fitted_for_the_rounds_that_were_best(self, family: str) -> None:
        """The model is that of a plain fit on all rows with the number of rounds it tells."""
        X, given = noise_to_watch()
        given = replace(given, y=given.y + X[:, 0])
        model = fit_one(family, X, given, self.settings(family, **PATIENT))
        name = "n_epochs" if family == "mlp" else "n_estimators"
        plain = {**self.settings(family), name: rounds(model)}
        again = fit_one(family, X, replace(given, stopping=None), plain)
        if family == "lightgbm_quantile":  # each quantile has rounds of its own
            assert again.importances.tolist() == model.importances.tolist()
        else:
            assert again.to_files() == model.to_files()

    def test_watched_labels_tell_only_when_to_stop(self, family: str) -> None:
        """Rows in neither part say nothing of the rounds, and watched ones nothing else."""
        X, given = noise_to_watch()
        found = rounds(fit_one(family, X, given, self.settings(family, **PATIENT)))
        y = given.y.copy()
        y[380:400] = y[380:400][::-1]
        other = fit_one(family, X, replace(given, y=y), self.settings(family, **PATIENT))
        assert rounds(other) == found

    def test_without_rows_to_watch_all_rounds_are_fitted(self, family: str) -> None:
        """Patience alone, and rows alone, change nothing."""
        X, given = noise_to_watch()
        few = {"n_epochs": 3} if family == "mlp" else {"n_estimators": 3}
        quick = {**QUICK[family], **few}
        plain = fit_one(family, X, replace(given, stopping=None), quick).to_files()
        unwatched = replace(given, stopping=None)
        assert fit_one(family, X, unwatched, {**quick, **PATIENT}).to_files() == plain
        assert fit_one(family, X, given, quick).to_files() == plain


class TestLosses:
    y = np.array([0.0, 1.0, 3.0])
    p = np.array([1.0, 1.0, 1.0])
    weights = np.array([1.0, 1.0, 2.0])

    def test_squared_error(self) -> None:
        """(1 + 0 + 4) / 3, and (1 + 0 + 8) / 4 when the last counts twice."""
        assert squared_error(self.y, self.p) == pytest.approx(5 / 3)
        assert squared_error(self.y, self.p, self.weights) == pytest.approx(9 / 4)

    def test_log_loss(self) -> None:
        """Log-odds of 0 cost log 2; large ones of the right sign nothing, of the wrong one all."""
        ones = np.array([1.0, 0.0])
        assert log_loss(ones, np.zeros(2)) == pytest.approx(np.log(2))
        assert log_loss(ones, np.array([800.0, -800.0])) == 0.0
        assert log_loss(ones, np.array([-800.0, 800.0])) == pytest.approx(800.0)

    def test_pinball_loss(self) -> None:
        """At 0.9 a label above costs 9 times one as far below: (0.1·1 + 0 + 0.9·2) / 3."""
        assert pinball_loss(self.y, self.p, 0.9) == pytest.approx(1.9 / 3)
        assert pinball_loss(self.y, self.p, 0.5, self.weights) == pytest.approx(2.5 / 4)
