"""Quantile boosting: coverage, order, and targets without quantiles."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from problems import fit_one, noise_features, problem, rank_correlation

from ray_pipeline.errors import ArtifactError
from ray_pipeline.families import QuantileModel, load_family
from ray_pipeline.families.lightgbm import LightGBMModel
from ray_pipeline.families.lightgbm_quantile import QuantileBoosters

QUICK = {"n_estimators": 60, "learning_rate": 0.1}


def spread_by_a_feature(n_rows: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return labels around f0 whose deviation is 0.2, or 2 where f1 is above 0."""
    X = noise_features(n_rows, 3)
    noise = np.random.default_rng(4).standard_normal(n_rows)
    return X, X[:, 0] + np.where(X[:, 1] > 0, 2.0, 0.2) * noise


@pytest.fixture(scope="module")
def fitted() -> tuple[QuantileBoosters, NDArray[np.float32], NDArray[np.float64]]:
    """Fit the first 3,000 rows, and give 1,000 later ones."""
    X, y = spread_by_a_feature(4_000)
    model = fit_one("lightgbm_quantile", X[:3_000], problem(y[:3_000]), QUICK)
    assert isinstance(model, QuantileBoosters)
    return model, X[3_000:], y[3_000:]


def test_bounds_hold_as_many_labels_as_they_say(
    fitted: tuple[QuantileBoosters, NDArray[np.float32], NDArray[np.float64]],
) -> None:
    """A tenth of unseen labels lies below the lower bound, a half below the median."""
    model, X, y = fitted
    assert model.quantiles == (0.1, 0.5, 0.9)
    below = (y < model.predict_quantiles(X)).mean(axis=1)
    np.testing.assert_allclose(below, [0.1, 0.5, 0.9], atol=0.05)


def test_bounds_are_wide_where_labels_are(
    fitted: tuple[QuantileBoosters, NDArray[np.float32], NDArray[np.float64]],
) -> None:
    """The range between them follows the feature that tells how noisy a label is."""
    model, X, _ = fitted
    low, _, high = model.predict_quantiles(X)
    wide = X[:, 1] > 0
    assert (high - low)[wide].mean() > 3 * (high - low)[~wide].mean()


def test_quantiles_never_cross_and_the_prediction_is_the_median(
    fitted: tuple[QuantileBoosters, NDArray[np.float32], NDArray[np.float64]],
) -> None:
    """Sorted in each row, far from the training rows as well."""
    model, X, _ = fitted
    assert isinstance(model, QuantileModel)
    far = np.concatenate([X, 100 * X, np.full((1, 3), np.nan, np.float32)])
    quantiles = model.predict_quantiles(far)
    assert quantiles.shape == (3, len(far))
    assert (np.diff(quantiles, axis=0) >= 0).all()
    np.testing.assert_array_equal(model.predict(far), quantiles[1])


def test_crossed_boosters_are_sorted() -> None:
    """Where the booster of the lower bound says more than that of the upper one."""
    X, y = spread_by_a_feature(300)
    model = fit_one("lightgbm_quantile", X, problem(y), {"n_estimators": 5})
    assert isinstance(model, QuantileBoosters)
    low, middle, high = model.boosters
    crossed = QuantileBoosters(model.quantiles, (high, middle, low))
    np.testing.assert_array_equal(crossed.predict_quantiles(X), model.predict_quantiles(X))


def test_bounds_are_those_that_are_asked_for() -> None:
    """``lower`` and ``upper`` reach the boosters and the model's document."""
    X, y = spread_by_a_feature(300)
    settings = {"n_estimators": 5, "lower": 0.25, "upper": 0.75}
    files = fit_one("lightgbm_quantile", X, problem(y), settings).to_files()
    assert sorted(files) == ["lower.txt", "median.txt", "quantiles.json", "upper.txt"]
    assert json.loads(files["quantiles.json"])["quantiles"] == [0.25, 0.5, 0.75]
    for name, alpha in (("lower", b"0.25"), ("median", b"0.5"), ("upper", b"0.75")):
        assert b"[alpha: " + alpha + b"]" in files[f"{name}.txt"]


@pytest.mark.parametrize("task", ["binary", "ordinal"])
def test_other_tasks_have_an_ordinary_model(task: str) -> None:
    """Labels of two or three grades are fitted as by lightgbm, and have no quantiles."""
    X, y = spread_by_a_feature(300)
    given = problem(np.digitize(y, [0.0] if task == "binary" else [-1.0, 1.0]).astype(float), task)
    model = fit_one("lightgbm_quantile", X, given, {"n_estimators": 5})
    assert isinstance(model, LightGBMModel)
    assert not isinstance(model, QuantileModel)
    ordinary = fit_one("lightgbm", X, given, {"n_estimators": 5})
    assert model.to_files() == ordinary.to_files()
    assert rank_correlation(model.predict(X), given.y) > 0.4


def test_a_document_of_other_quantiles_is_refused() -> None:
    """Three there must be."""
    X, y = spread_by_a_feature(300)
    files = fit_one("lightgbm_quantile", X, problem(y), {"n_estimators": 5}).to_files()
    two = json.dumps({"family": "lightgbm_quantile", "quantiles": [0.1, 0.9]}).encode()
    with pytest.raises(ArtifactError, match=r"^lightgbm_quantile: quantiles\.json is damaged"):
        load_family("lightgbm_quantile").load(files | {"quantiles.json": two})
    del files["upper.txt"]
    with pytest.raises(ArtifactError, match=r"a model is saved as upper\.txt; the files given"):
        load_family("lightgbm_quantile").load(files)
