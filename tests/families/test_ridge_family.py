"""The linear family by hand: coefficients, clipping, its document, its hyperparameter."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from problems import fit_one, noise_features, problem

from ray_pipeline.errors import ConfigError
from ray_pipeline.families.linear import LinearModel
from ray_pipeline.families.ridge import RidgeFamily

SIGNS = np.tile([1.0, -1.0], 200)
"""A feature of mean 0 and standard deviation 1 that clipping leaves as it is."""


def fit_signs(hyperparameters: dict[str, Any]) -> LinearModel:
    """Fit y = 2 + 3·sign."""
    X = SIGNS[:, np.newaxis].astype(np.float32)
    model = fit_one("ridge", X, problem(2.0 + 3.0 * SIGNS), hyperparameters)
    assert isinstance(model, LinearModel)
    return model


def test_coefficient_is_shrunk_by_the_penalty() -> None:
    """One scaled feature: w = cov / (1 + penalty) = 3 / 1.5 = 2, the intercept is the mean."""
    model = fit_signs({"penalty": 0.5})
    assert model.coefficients.tolist() == pytest.approx([2.0])
    assert model.intercept == pytest.approx(2.0)
    assert model.importances.tolist() == pytest.approx([2.0])


def test_what_follows_from_the_feature_alone_is_hardly_shrunk() -> None:
    """Without a hyperparameter the training rows decide, and the model says what on."""
    for hyperparameters in ({}, {"penalty": "auto"}):
        model = fit_signs(hyperparameters)
        assert model.coefficients.tolist() == pytest.approx([3.0], abs=1e-3)
        assert model.penalty == pytest.approx(1e-4)
        assert model.chosen == {"penalty": model.penalty}


def test_the_penalty_is_kept_with_the_model() -> None:
    """One that was configured too; a document of before has none."""
    files = fit_signs({"penalty": 0.5}).to_files()
    loaded = RidgeFamily().load(files)
    assert isinstance(loaded, LinearModel)
    assert loaded.penalty == 0.5
    document = json.loads(files["model.json"])
    del document["penalty"]
    older = RidgeFamily().load({"model.json": json.dumps(document).encode()})
    assert isinstance(older, LinearModel)
    assert older.chosen == {}


def test_importance_of_a_negative_coefficient_is_its_size() -> None:
    """A feature that the label falls with matters as much as one that it rises with."""
    X = SIGNS[:, np.newaxis].astype(np.float32)
    model = fit_one("ridge", X, problem(-3.0 * SIGNS), {"penalty": 0.5})
    assert isinstance(model, LinearModel)
    assert model.coefficients.tolist() == pytest.approx([-2.0])
    assert model.importances.tolist() == pytest.approx([2.0])


def test_predictions_by_hand() -> None:
    """4 at +1, 0 at −1, the mean of 2 where missing, and no more than 4 beyond what was seen."""
    X = np.array([[1.0], [-1.0], [np.nan], [1e6], [-1e6]], dtype=np.float32)
    prediction = fit_signs({"penalty": 0.5}).predict(X)
    assert prediction.tolist() == pytest.approx([4.0, 0.0, 2.0, 4.0, 0.0])


def test_units_of_a_feature_do_not_matter() -> None:
    """A feature in basis points and shifted gives the predictions of the raw one."""
    X = noise_features(300, 3)
    y = (X[:, 0] + 0.5 * X[:, 1]).astype(np.float64)
    other = X.copy()
    other[:, 0] = 256.0 * X[:, 0] + 1.0
    expected = fit_one("ridge", X, problem(y)).predict(X)
    got = fit_one("ridge", other, problem(y)).predict(other)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_a_rare_flag_keeps_its_weight() -> None:
    """A flag set in one row of a thousand is not clipped away as if it were a bad tick."""
    X = np.zeros((3_000, 1), dtype=np.float32)
    X[::1_000] = 1.0
    y = np.random.default_rng(0).standard_normal(3_000)
    y[::1_000] += 50.0
    model = fit_one("ridge", X, problem(y))
    assert model.predict(np.ones((1, 1), np.float32))[0] > 1.0


@pytest.mark.parametrize("in_label", [False, True])
def test_a_bad_tick_in_a_short_history_does_not_decide(in_label: bool) -> None:
    """A fold may train on 60 rows: there too, one value of a million must not set the scale."""
    X = noise_features(80, 1)
    y = X[:, 0].astype(np.float64)
    clean = fit_one("ridge", X, problem(y)).predict(X)
    if in_label:
        y[17] = 1e6
    else:
        X[17, 0] = 1e6
    others = np.arange(80) != 17
    spoilt = fit_one("ridge", X, problem(y)).predict(X)
    assert np.abs(spoilt - clean)[others].max() < 1.0


def test_document_is_strict_json_with_null_for_an_infinite_scale() -> None:
    """``model.json`` holds no NaN or Infinity, keeps names and order, and loads back."""
    X = noise_features(200, 3)
    X[:, 1] = 5.0
    X[:, 2] = np.nan
    names = ["b/ret", "a “quoted”", "ц"]
    (model,) = RidgeFamily().fit(X, names, [problem(X[:, 0].astype(np.float64))], {})
    files = model.to_files()
    assert list(files) == ["model.json"]

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not strict JSON")

    document = json.loads(files["model.json"], parse_constant=refuse)
    assert document["family"] == "ridge"
    assert document["feature_names"] == names
    assert document["scale"][0] == pytest.approx(1.0, abs=0.15)
    assert document["scale"][1:] == [None, None]
    loaded = RidgeFamily().load(files)
    assert isinstance(loaded, LinearModel)
    assert loaded.feature_names == tuple(names)
    assert np.isinf(loaded.scaling.scale[1:]).all()


def test_binary_labels_are_not_clipped_away() -> None:
    """A class of one label in two hundred, rarer than the label quantile, still has a weight."""
    X = np.zeros((2_000, 1), dtype=np.float32)
    X[::200] = 1.0
    y = np.zeros(2_000)
    y[::200] = 1.0
    model = fit_one("ridge", X, problem(y, "binary"))
    low, high = model.predict(np.array([[0.0], [1.0]], dtype=np.float32)).tolist()
    assert high - low > 0.5


@pytest.mark.parametrize("value", [1, 0.01, 1e6, "auto"])
def test_a_penalty_above_0_is_accepted(value: object) -> None:
    """Whole and real numbers above 0 pass, auto, and so does no hyperparameter at all."""
    RidgeFamily().check_hyperparameters({"penalty": value})
    RidgeFamily().check_hyperparameters({})


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "0.1", "Auto", True, None])
def test_a_penalty_that_is_none_is_refused(value: object) -> None:
    """The message says what was found and what is needed."""
    message = (
        f"ridge: penalty is {value!r}; a number above 0 and at most 1e+12, or auto, is needed."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        RidgeFamily().check_hyperparameters({"penalty": value})


def test_another_hyperparameter_is_refused() -> None:
    """The message names the one there is."""
    with pytest.raises(
        ConfigError, match=r"^ridge: hyperparameter 'alpha' is not supported; known are penalty\.$"
    ):
        RidgeFamily().check_hyperparameters({"alpha": 1.0})
