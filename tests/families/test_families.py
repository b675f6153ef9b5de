"""What every family promises, whatever it is made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import (
    FAMILIES,
    INSTALLED,
    LINEAR,
    fit_all,
    fit_one,
    noise_features,
    problem,
    rank_correlation,
)

from ray_pipeline.families import Model, load_family

every_family = pytest.mark.parametrize("family", FAMILIES)


def linear_labels(X: np.ndarray, seed: int = 1) -> np.ndarray:
    """Return labels of which f0 and f1 explain three quarters."""
    noise = np.random.default_rng(seed).standard_normal(len(X))
    return (X[:, 0] - X[:, 1] + np.sqrt(2 / 3) * noise).astype(np.float64)


@pytest.fixture(scope="module")
def fitted() -> dict[str, tuple[Model, np.ndarray]]:
    """Fit each family once on features with holes, and give rows to predict."""
    X = noise_features(400, 5)
    y = linear_labels(X)
    X[np.random.default_rng(2).random(X.shape) < 0.1] = np.nan
    return {family: (fit_one(family, X[:300], problem(y[:300])), X[300:]) for family in INSTALLED}


@every_family
def test_equal_inputs_give_an_equal_model(family: str) -> None:
    """Fitting twice on the same rows with the same seed gives the same bytes."""
    X = noise_features(300, 4)
    given_problem = problem(linear_labels(X))
    first, second = (fit_one(family, X.copy(), given_problem) for _ in range(2))
    assert first.to_files() == second.to_files()


@every_family
def test_a_model_survives_its_files(
    fitted: dict[str, tuple[Model, np.ndarray]], family: str
) -> None:
    """A model rebuilt from its files by another family object predicts the same bits."""
    model, X = fitted[family]
    rebuilt = load_family(family).load(model.to_files())
    assert rebuilt is not model
    np.testing.assert_array_equal(rebuilt.predict(X), model.predict(X))
    np.testing.assert_array_equal(rebuilt.importances, model.importances)
    assert rebuilt.to_files() == model.to_files()


@every_family
def test_models_of_one_fit_predict_together_what_each_predicts_alone(family: str) -> None:
    """To the bit, with targets of several kinds and training rows among them."""
    X = noise_features(300, 4)
    X[np.random.default_rng(2).random(X.shape) < 0.1] = np.nan
    y = np.nan_to_num(linear_labels(X))
    some = np.arange(0, 300, 2)
    models = fit_all(
        family,
        X,
        [problem(y), problem(-y, rows=some), problem((y > 0.0).astype(np.float64), "binary")],
    )
    together = load_family(family).predict(models, X)
    assert together.shape == (3, 300)
    for values, model in zip(together, models, strict=True):
        np.testing.assert_array_equal(values, model.predict(X))


@every_family
@settings(max_examples=30, deadline=None)
@given(rows=st.lists(st.integers(0, 99), min_size=1, max_size=100))
def test_a_row_has_its_prediction_whatever_surrounds_it(
    fitted: dict[str, tuple[Model, np.ndarray]], family: str, rows: list[int]
) -> None:
    """The prediction of a row has equal bits alone, among others, and in another order."""
    model, X = fitted[family]
    np.testing.assert_array_equal(model.predict(X[rows]), model.predict(X)[rows])


@every_family
def test_a_matrix_in_another_memory_order_is_the_same_matrix(
    fitted: dict[str, tuple[Model, np.ndarray]], family: str
) -> None:
    """Fortran order and a strided view predict the bits of the contiguous matrix."""
    model, X = fitted[family]
    expected = model.predict(X)
    np.testing.assert_array_equal(model.predict(np.asfortranarray(X)), expected)
    np.testing.assert_array_equal(model.predict(X[::2]), expected[::2])


@every_family
def test_a_planted_linear_relation_is_found(family: str) -> None:
    """On rows it has not seen, predictions follow the two features that carry the label."""
    X = noise_features(1_500, 6)
    y = linear_labels(X)
    model = fit_one(family, X[:1_000], problem(y[:1_000]))
    truth = (X[1_000:, 0] - X[1_000:, 1]).astype(np.float64)
    assert rank_correlation(model.predict(X[1_000:]), truth) > 0.9
    assert set(np.argsort(model.importances)[-2:]) == {0, 1}


@every_family
def test_all_but_linear_families_find_an_interaction(family: str) -> None:
    """A label that is a product of features ranks with trees and networks, not with a line."""
    X = noise_features(2_000, 3)
    y = (X[:, 0] * X[:, 1]).astype(np.float64)
    model = fit_one(family, X[:1_500], problem(y[:1_500]))
    found = rank_correlation(model.predict(X[1_500:]), y[1_500:])
    if family in LINEAR:
        assert abs(found) < 0.15
    else:
        assert found > 0.5


@every_family
def test_predictions_of_a_binary_target_order_as_its_probabilities(family: str) -> None:
    """With P(y = 1) rising in f0, predictions rise with it, and not with 0 for 1."""
    X = noise_features(1_500, 3)
    probability = 1.0 / (1.0 + np.exp(-2.0 * X[:, 0].astype(np.float64)))
    y = (np.random.default_rng(5).random(1_500) < probability).astype(np.float64)
    model = fit_one(family, X[:1_000], problem(y[:1_000], "binary"))
    assert rank_correlation(model.predict(X[1_000:]), probability[1_000:]) > 0.85


@every_family
def test_empty_and_constant_columns_carry_nothing(family: str) -> None:
    """A column that is missing, or constant in training, has importance 0 and no effect later."""
    X = noise_features(400, 4)
    y = linear_labels(X)
    X[:, 2] = np.nan
    X[:, 3] = 7.1
    model = fit_one(family, X, problem(y))
    assert model.importances.tolist()[2:] == [0.0, 0.0]
    assert (model.importances[:2] > 0).all()
    later = X.copy()
    later[:, 2] = 1e6
    later[::2, 3] = -1e6
    np.testing.assert_array_equal(model.predict(later), model.predict(X))


@every_family
def test_a_row_without_any_feature_is_predicted(family: str) -> None:
    """A row of missing values gets a finite prediction near the middle of the labels."""
    X = noise_features(400, 3)
    y = linear_labels(X) + 10.0
    X[::10] = np.nan
    prediction = fit_one(family, X, problem(y)).predict(np.full((1, 3), np.nan, np.float32))
    assert prediction.shape == (1,)
    assert 8.5 < prediction[0] < 11.5


@every_family
def test_features_that_say_nothing_give_a_model_without_order(family: str) -> None:
    """With constant columns alone, every row has the prediction of every other."""
    X = np.full((200, 2), 3.0, dtype=np.float32)
    y = np.random.default_rng(0).standard_normal(200)
    predictions = fit_one(family, X, problem(y)).predict(noise_features(5, 2))
    assert len(set(predictions.tolist())) == 1


@every_family
def test_labels_outside_the_training_rows_are_not_read(family: str) -> None:
    """Whether the other labels are missing or absurd, the model is the same."""
    X = noise_features(400, 4)
    rows = np.flatnonzero(np.arange(400) % 4 != 0)
    y = linear_labels(X)
    y[::4] = np.nan
    with_holes = fit_one(family, X, problem(y, rows=rows))
    y[::4] = 1e9
    assert fit_one(family, X, problem(y, rows=rows)).to_files() == with_holes.to_files()


@every_family
def test_problems_fitted_together_are_those_fitted_alone(family: str) -> None:
    """What problems share is work: neighbours, their rows and their kind leave no trace."""
    X = noise_features(400, 4)
    y = linear_labels(X)
    up = (y > 0).astype(np.float64)
    late = np.arange(100, 400)
    problems = [
        problem(y),
        problem(y, rows=late),
        problem(up, "binary", rows=late),
        problem(-y, seed=9),
    ]
    together = fit_all(family, X, problems)
    for model, given_problem in zip(together, problems, strict=True):
        alone = fit_one(family, X, given_problem)
        np.testing.assert_allclose(model.predict(X), alone.predict(X), rtol=1e-12, atol=1e-12)
    assert rank_correlation(together[0].predict(X), together[3].predict(X)) < -0.8


@every_family
def test_importances_are_one_figure_per_feature(
    fitted: dict[str, tuple[Model, np.ndarray]], family: str
) -> None:
    """Importances are non-negative, finite, and as many as the features."""
    model, X = fitted[family]
    assert model.importances.shape == (X.shape[1],)
    assert np.isfinite(model.importances).all()
    assert (model.importances >= 0).all()


@every_family
def test_a_bad_tick_in_a_label_does_not_decide(family: str) -> None:
    """One label of a million among four hundred moves no prediction far."""
    X = noise_features(400, 3)
    y = linear_labels(X)
    clean = fit_one(family, X, problem(y)).predict(X)
    y[17] = 1e6
    spoilt = fit_one(family, X, problem(y)).predict(X)
    assert rank_correlation(clean, spoilt) > 0.95
    assert np.abs(spoilt - clean).max() < 1.5


@every_family
def test_a_bad_tick_in_a_feature_does_not_decide(family: str) -> None:
    """One cell of a million among four hundred changes no other row's prediction much."""
    X = noise_features(400, 3)
    y = linear_labels(X)
    clean = fit_one(family, X, problem(y)).predict(X)
    X[17, 0] = 1e6
    spoilt = fit_one(family, X, problem(y)).predict(X)
    others = np.arange(400) != 17
    assert rank_correlation(clean[others], spoilt[others]) > 0.95
    assert np.abs(spoilt).max() < 2 * np.abs(clean).max()
