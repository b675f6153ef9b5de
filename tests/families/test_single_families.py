"""What is particular to elastic net, the forests, XGBoost, CatBoost and the network."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from problems import FORESTS, fit_one, noise_features, problem

from ray_pipeline.errors import ArtifactError, ConfigError
from ray_pipeline.families import Problem, load_family
from ray_pipeline.families.linear import LinearModel

SIGNS = np.tile([1.0, -1.0], 200)
"""A feature of mean 0 and standard deviation 1 that clipping leaves as it is."""


class TestElasticNet:
    @pytest.fixture(autouse=True)
    def _needs(self) -> None:
        pytest.importorskip("sklearn", reason="needs ray-pipeline[sklearn]")

    def fit(self, **hyperparameters: Any) -> LinearModel:
        """Fit y = 2 + 3·sign beside a feature that has nothing to do with it."""
        other = np.repeat([1.0, -1.0], 200)
        X = np.stack([SIGNS, other], axis=1).astype(np.float32)
        model = fit_one("elastic_net", X, problem(2.0 + 3.0 * SIGNS), hyperparameters)
        assert isinstance(model, LinearModel)
        return model

    def test_coefficient_by_hand(self) -> None:
        """In units of the label's deviation: w = (1 − λα) / (1 + λ(1 − α)), here 3·0.9 / 1.1."""
        model = self.fit(penalty=0.2, l1_ratio=0.5)
        assert model.coefficients[0] == pytest.approx(3.0 * 0.9 / 1.1, rel=1e-4)
        assert model.coefficients[1] == 0.0
        assert model.intercept == pytest.approx(2.0, abs=1e-6)

    def test_a_penalty_above_the_correlation_leaves_the_feature_out(self) -> None:
        """With an L1 penalty above 1 nothing is left but the mean."""
        model = self.fit(penalty=1.1, l1_ratio=1.0)
        assert model.coefficients.tolist() == [0.0, 0.0]
        assert model.predict(np.ones((2, 2), np.float32)).tolist() == pytest.approx([2.0, 2.0])

    @pytest.mark.parametrize("unit", [1e-4, 1e4])
    def test_units_of_the_label_do_not_matter(self, unit: float) -> None:
        """Returns in basis points and in shares have the same features."""
        X = noise_features(300, 3)
        y = X[:, 0] + np.random.default_rng(1).standard_normal(300)
        expected = unit * fit_one("elastic_net", X, problem(y)).predict(X)
        got = fit_one("elastic_net", X, problem(unit * y)).predict(X)
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9 * unit)


class TestForests:
    @pytest.mark.parametrize("family", FORESTS)
    def test_lightgbm_itself_reads_the_trees_and_their_mean_predicts(self, family: str) -> None:
        """Tree by tree, scaled back to the unit of the labels; missing values included."""
        X = noise_features(500, 4)
        X[np.random.default_rng(2).random(X.shape) < 0.2] = np.nan
        y = 40.0 + 3.0 * np.nan_to_num(X[:, 0]) + np.isnan(X[:, 1])
        model = fit_one(family, X, problem(y))
        files = model.to_files()
        scale = json.loads(files["model.json"])
        booster = lgb.Booster(model_str=files["trees.txt"].decode())
        later = np.concatenate([X, 1e3 * noise_features(50, 4), np.full((1, 4), np.nan)])
        trees = [
            booster.predict(later, start_iteration=tree, num_iteration=1)
            for tree in range(booster.num_trees())
        ]
        assert len(trees) == 20
        expected = scale["label_mean"] + scale["label_deviation"] * np.mean(trees, axis=0)
        np.testing.assert_allclose(model.predict(later.astype(np.float32)), expected, rtol=1e-6)
        assert y.min() - 1e-3 < expected.min() < expected.max() < y.max() + 1e-3

    @pytest.mark.parametrize(
        ("family", "settings", "share"),
        [
            ("extra_trees", {}, 1.0),
            ("random_forest", {}, 0.632),
            ("random_forest", {"max_samples": 0.3}, 0.3),
            ("random_forest", {"max_samples": 1}, 1.0),
        ],
    )
    def test_each_tree_draws_its_share_of_the_rows(
        self, family: str, settings: dict[str, Any], share: float
    ) -> None:
        """Extremely randomised trees see all rows, those of a random forest other rows each."""
        X = noise_features(2_000, 3)
        model = fit_one(family, X, problem(X[:, 0].astype(float)), {"n_estimators": 8, **settings})
        text = model.to_files()["trees.txt"].decode()
        roots = [int(counts) for counts in re.findall(r"^internal_count=(\d+)", text, re.MULTILINE)]
        assert len(roots) == 8
        np.testing.assert_allclose(roots, 2_000 * share, atol=0 if share == 1.0 else 80)
        thresholds = re.findall(r"^threshold=(\S+)", text, re.MULTILINE)
        assert len(set(thresholds)) > (0 if settings == {"max_samples": 1} else 2)

    @pytest.mark.parametrize("family", FORESTS)
    def test_hyperparameters_shape_the_trees(self, family: str) -> None:
        """No leaf holds fewer rows than asked for, and no tree is deeper."""
        X = noise_features(1_000, 3)
        y = X[:, 0] + X[:, 1].astype(np.float64)
        settings = {"n_estimators": 5, "min_samples_leaf": 50, "max_depth": 3}
        text = fit_one(family, X, problem(y), settings).to_files()["trees.txt"].decode()
        sizes = re.findall(r"^leaf_count=([\d ]+)$", text, re.MULTILINE)
        leaves = [[int(size) for size in tree.split()] for tree in sizes]
        assert len(leaves) == 5
        assert min(map(min, leaves)) >= 50
        assert all(2 < len(tree) <= 8 for tree in leaves)

    def test_binary_predictions_are_probabilities(self) -> None:
        """The mean over the trees of the share of ones in a leaf, but for rounding."""
        X = noise_features(600, 3)
        y = (X[:, 0] > 0).astype(np.float64)
        predictions = fit_one("random_forest", X, problem(y, "binary")).predict(X)
        assert -1e-6 < predictions.min() < 0.1
        assert 0.9 < predictions.max() < 1.0 + 1e-6

    @pytest.mark.parametrize("family", FORESTS)
    @pytest.mark.parametrize("task", ["regression", "binary"])
    def test_trees_without_a_split_predict_the_weighted_mean(self, family: str, task: Any) -> None:
        """LightGBM's own forests would predict 0 there, whatever the labels."""
        X = np.full((200, 2), 3.0, dtype=np.float32)
        y = (np.arange(200) % 4 == 0).astype(np.float64)
        weights = np.where(y == 1.0, 3.0, 1.0)
        for given, mean in ((problem(y, task), 0.25), (weighted(y, task, weights), 0.5)):
            model = fit_one(family, X, given)
            predictions = model.predict(noise_features(3, 2))
            assert predictions.tolist() == pytest.approx([mean] * 3, abs=0.01)

    @pytest.mark.parametrize("family", FORESTS)
    def test_labels_as_small_as_returns_of_a_minute_are_split(self, family: str) -> None:
        """Deviations of 1e-9 around 3 are lost in LightGBM's single precision unless scaled."""
        X = noise_features(400, 3)
        y = 3.0 + 1e-9 * X[:, 0].astype(np.float64)
        assert np.ptp(fit_one(family, X, problem(y)).predict(X)) > 1e-9

    @pytest.mark.parametrize("family", FORESTS)
    @pytest.mark.parametrize("name", ["early_stopping_rounds", "stopping_fraction"])
    def test_nothing_stops_a_forest_early(self, family: str, name: str) -> None:
        """More trees never make it worse, so that there is no round to look for."""
        message = rf"^{family}: hyperparameter '{name}' is not supported; known are max_depth, "
        with pytest.raises(ConfigError, match=message):
            load_family(family).check_hyperparameters({name: 0.2})

    @pytest.mark.parametrize("family", FORESTS)
    def test_a_forest_of_an_earlier_version_is_refused(self, family: str) -> None:
        """Arrays of scikit-learn's trees; the message says what to do."""
        message = (
            rf"^{family}: model\.npz was trained by an earlier version of ray_pipeline, whose "
            r"forests this one cannot read: run again to retrain it\.$"
        )
        with pytest.raises(ArtifactError, match=message):
            load_family(family).load({"model.npz": b"PK"})


def weighted(y: np.ndarray, task: Any, weights: np.ndarray) -> Problem:
    """Return the problem of fitting all rows, not all alike."""
    return replace(problem(y, task), weights=weights)


class TestXGBoost:
    @pytest.fixture(autouse=True)
    def _needs(self) -> None:
        pytest.importorskip("xgboost", reason="needs ray-pipeline[xgboost]")

    def test_labels_as_small_as_returns_of_a_minute_are_split(self) -> None:
        """Gains of 1e-12 are below XGBoost's own tolerance; labels are scaled, and scaled back."""
        X = noise_features(400, 3)
        y = 3.0 + 1e-6 * X[:, 0].astype(np.float64)
        predictions = fit_one("xgboost", X, problem(y)).predict(X)
        assert np.ptp(predictions) > 1e-6
        assert abs(predictions.mean() - 3.0) < 1e-6

    def test_binary_predictions_are_log_odds_of_its_own_format(self) -> None:
        """XGBoost itself reads the file and gives the logistic of what we predict."""
        import xgboost

        X = noise_features(400, 3)
        model = fit_one("xgboost", X, problem((X[:, 0] > 0).astype(float), "binary"))
        booster = xgboost.Booster()
        booster.load_model(bytearray(model.to_files()["model.json"]))
        probability = booster.predict(xgboost.DMatrix(X, feature_names=["f0", "f1", "f2"]))
        np.testing.assert_allclose(1 / (1 + np.exp(-model.predict(X))), probability, rtol=1e-5)

    def test_libraries_name_the_distribution_that_is_installed(self) -> None:
        """The module comes with either of two; a version is asked of the one that is there."""
        from importlib.metadata import version

        (name,) = load_family("xgboost").libraries
        assert name in {"xgboost", "xgboost-cpu"}
        assert version(name)


class TestCatBoost:
    @pytest.fixture(autouse=True)
    def _needs(self) -> None:
        pytest.importorskip("catboost", reason="needs ray-pipeline[catboost]")

    @pytest.mark.parametrize("task", ["regression", "binary"])
    def test_without_a_feature_that_varies_it_predicts_the_centre(self, task: Any) -> None:
        """CatBoost refuses such rows: the model is the weighted mean, or its log-odds."""
        X = np.full((200, 2), 3.0, dtype=np.float32)
        X[:, 1] = np.nan
        y = (np.arange(200) % 4 == 0).astype(np.float64)
        model = fit_one("catboost", X, problem(y, task))
        value = 0.25 if task == "regression" else np.log(0.25 / 0.75)
        assert model.predict(noise_features(3, 2)).tolist() == pytest.approx([value] * 3)
        files = model.to_files()
        assert json.loads(files["constant.json"])["n_features"] == 2
        again = load_family("catboost").load(files)
        assert again.to_files() == files
        assert again.importances.tolist() == [0.0, 0.0]

    def test_its_own_format_has_no_clock_and_no_random_name(self) -> None:
        """CatBoost itself reads the file; what it notes of the time and the fit is empty."""
        import catboost

        X = noise_features(200, 2)
        model = fit_one("catboost", X, problem(X[:, 0].astype(float)))
        own = catboost.CatBoost()
        own.load_model(blob=model.to_files()["model.cbm"])
        metadata = own.get_metadata()
        assert (metadata["model_guid"], metadata["train_finish_time"]) == ("", "")
        np.testing.assert_array_equal(own.predict(X), model.predict(X))


class TestNetwork:
    @pytest.fixture(autouse=True)
    def _needs(self) -> None:
        pytest.importorskip("torch", reason="needs ray-pipeline[torch]")

    def test_numpy_predicts_what_pytorch_would(self) -> None:
        """The layers by matrix products, rectified in between, in the units of the labels."""
        from ray_pipeline.families.mlp import MLPModel

        X = noise_features(300, 3)
        X[::7, 1] = np.nan
        y = 10.0 + X[:, 0].astype(np.float64)
        model = fit_one("mlp", X, problem(y))
        assert isinstance(model, MLPModel)
        hidden = model.scaling.transform(X)
        for depth, (weights, offsets) in enumerate(model.layers):
            hidden = (np.maximum(hidden, 0) if depth else hidden) @ weights.T + offsets
        expected = model.label_scale.undo(hidden[:, 0])
        np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
        assert abs(model.predict(X).mean() - 10.0) < 0.5

    def test_shape_and_device_are_those_of_the_hyperparameters(self) -> None:
        """Layers of the width asked for; the file says what trained them."""
        X = noise_features(100, 3)
        settings = {"hidden_units": 5, "hidden_layers": 3, "n_epochs": 2}
        files = fit_one("mlp", X, problem(X[:, 0].astype(float)), settings).to_files()
        archive = np.load(io.BytesIO(files["model.npz"]), allow_pickle=False)
        shapes = [archive[f"weights_{depth}"].shape for depth in range(int(archive["n_layers"]))]
        assert shapes == [(5, 3), (5, 5), (5, 5), (1, 5)]
        assert str(archive["trained_with"]).startswith("torch ")
        assert int(archive["n_rounds"]) == 2

    def test_the_process_keeps_its_own_settings(self) -> None:
        """Threads and determinism of PyTorch are as before, and so is its random state."""
        import torch

        before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        state = torch.get_rng_state()
        X = noise_features(100, 2)
        fit_one("mlp", X, problem(X[:, 0].astype(float)), {"n_epochs": 1})
        assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
        assert torch.equal(torch.get_rng_state(), state)

    def test_another_seed_is_another_network(self) -> None:
        """Weights, order of rows and dropped units come from the problem's seed."""
        X = noise_features(100, 2)
        y = X[:, 0].astype(np.float64)
        first, again, other = (fit_one("mlp", X, problem(y, seed=s)).to_files() for s in (1, 1, 2))
        assert first == again
        assert first != other
