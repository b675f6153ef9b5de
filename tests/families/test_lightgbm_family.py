"""Gradient boosting: threads, names, hyperparameters, raw scores."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest
from problems import fit_one, noise_features, problem
from threadpoolctl import threadpool_limits

from ray_pipeline.errors import ConfigError
from ray_pipeline.families.lightgbm import LightGBMFamily, LightGBMModel


def fit_text(X: np.ndarray, y: np.ndarray, **options: Any) -> str:
    """Fit a few rounds and return the model's text."""
    model = fit_one("lightgbm", X, problem(y, **options), {"n_estimators": 10})
    assert isinstance(model, LightGBMModel)
    return model.text


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_threads_do_not_change_the_model(task: Any) -> None:
    """One thread and two write the same text, of all rows and of some."""
    X = noise_features(4_000, 12)
    y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(np.float64)
    rows = np.flatnonzero(np.arange(4_000) % 7)
    texts = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="openmp"):
            texts.append([fit_text(X, y, task=task), fit_text(X, y, task=task, rows=rows)])
    assert texts[0] == texts[1]
    assert texts[0][0] != texts[0][1]


def test_the_model_file_names_no_thread_count_of_this_machine() -> None:
    """The text says 0 threads, whatever the worker had, so that equal models are equal files."""
    X = noise_features(200, 3)
    assert "[num_threads: 0]" in fit_text(X, X[:, 0].astype(np.float64))


def test_the_seed_decides_what_is_random() -> None:
    """Another seed samples other features for its trees."""
    X = noise_features(400, 8)
    y = X.sum(axis=1).astype(np.float64)
    trees = [fit_text(X, y, seed=seed).split("end of trees")[0] for seed in (1, 1, 2)]
    assert trees[0] == trees[1]
    assert trees[0] != trees[2]


@pytest.mark.parametrize("seed", [0, 2**31 - 1, 2**63 - 1])
def test_any_derived_seed_is_accepted(seed: int) -> None:
    """Seeds have 63 bits; LightGBM's have 31."""
    X = noise_features(100, 2)
    assert fit_text(X, X[:, 0].astype(np.float64), seed=seed)


def test_column_names_may_hold_anything() -> None:
    """Names that LightGBM's text format refuses make the model of plain names."""
    X = noise_features(200, 3)
    given = problem(X[:, 0].astype(np.float64))
    texts = [
        LightGBMFamily().fit(X, names, [given], {"n_estimators": 3})[0].to_files()["model.txt"]
        for names in (["a", "b", "c"], ['{"a": [1,2]}', "b b\n", "ц:"])
    ]
    assert texts[0] == texts[1]


def test_binary_predictions_are_log_odds() -> None:
    """Predictions are the raw scores whose logistic is LightGBM's own probability."""
    X = noise_features(600, 3)
    y = (X[:, 0] > 0).astype(np.float64)
    model = fit_one("lightgbm", X, problem(y, "binary"))
    raw = model.predict(X)
    text = model.to_files()["model.txt"].decode()
    probability = lightgbm.Booster(model_str=text).predict(X)
    np.testing.assert_allclose(1.0 / (1.0 + np.exp(-raw)), probability, rtol=1e-12)
    assert raw.min() < 0 < raw.max()


def test_a_leaf_of_a_small_sample_holds_twenty_rows() -> None:
    """With 200 rows a leaf holds at least 20, with 4,000 at least a fortieth of them."""
    for n_rows, least in ((200, 20), (4_000, 100)):
        X = noise_features(n_rows, 2)
        text = fit_text(X, X[:, 0].astype(np.float64))
        counts = [
            int(count)
            for line in text.splitlines()
            if line.startswith("leaf_count=")
            for count in line.removeprefix("leaf_count=").split()
        ]
        assert min(counts) >= least
        assert f"[min_data_in_leaf: {least}]" in text


def test_rounds_and_leaves_come_from_the_hyperparameters() -> None:
    """``n_estimators`` trees of at most ``num_leaves`` leaves."""
    X = noise_features(600, 3)
    y = X.sum(axis=1).astype(np.float64)
    text = fit_one("lightgbm", X, problem(y), {"n_estimators": 7, "num_leaves": 4}).to_files()[
        "model.txt"
    ]
    lines = text.decode().splitlines()
    assert sum(line.startswith("Tree=") for line in lines) == 7
    assert {line for line in lines if line.startswith("num_leaves=")} == {"num_leaves=4"}


KNOWN = {
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "early_stopping_rounds": 5,
    "extra_trees": True,
    "feature_fraction": 0.5,
    "feature_fraction_bynode": 0.5,
    "lambda_l1": 0.1,
    "lambda_l2": 0.0,
    "learning_rate": 0.2,
    "max_bin": 31,
    "max_depth": 3,
    "min_data_in_leaf": 40,
    "min_gain_to_split": 0.01,
    "n_estimators": 3,
    "num_leaves": 7,
    "path_smooth": 1.0,
    "stopping_fraction": 0.3,
}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_known_hyperparameter_can_be_fitted(name: str) -> None:
    """What is accepted by name reaches LightGBM, and gives a model."""
    X = noise_features(300, 4)
    hyperparameters = {"n_estimators": 3} | {name: KNOWN[name]}
    if name == "stopping_fraction":
        hyperparameters["early_stopping_rounds"] = 5
    LightGBMFamily().check_hyperparameters(hyperparameters)
    given = problem(X[:, 0].astype(np.float64), rows=np.arange(250))
    assert np.ptp(fit_one("lightgbm", X, given, hyperparameters).predict(X)) > 0


def test_leaves_may_be_smaller_than_lightgbms_default(capfd: pytest.CaptureFixture[str]) -> None:
    """Fewer than 20 rows a leaf fit without a complaint of LightGBM's on the worker's output."""
    X = noise_features(300, 4)
    given = problem(X[:, 0].astype(np.float64), rows=np.arange(250))
    fit_one("lightgbm", X, given, {"n_estimators": 3, "min_data_in_leaf": 5})
    output = capfd.readouterr()
    assert "[Fatal]" not in output.out + output.err


def test_the_message_lists_what_is_known() -> None:
    """An unknown name is answered with the seventeen that there are."""
    expected = (
        "^lightgbm: hyperparameter 'num_leafs' is not supported; "
        rf"known are {', '.join(sorted(KNOWN))}\.$"
    )
    with pytest.raises(ConfigError, match=expected):
        LightGBMFamily().check_hyperparameters({"num_leafs": 3})


@pytest.mark.parametrize("name", ["num_threads", "seed", "deterministic", "objective", "device"])
def test_what_would_change_reproducibility_is_not_supported(name: str) -> None:
    """Threads, seeds and determinism are not the user's to set."""
    with pytest.raises(ConfigError, match=f"lightgbm: hyperparameter '{name}' is not supported"):
        LightGBMFamily().check_hyperparameters({name: 1})


def test_a_text_is_not_a_number() -> None:
    """YAML reads ``1e-1`` as text; the message shows it."""
    with pytest.raises(
        ConfigError,
        match=r"^lightgbm: learning_rate is '1e-1'; a number of at least 1e-06 and at most 10, or "
        r"auto, is needed\.$",
    ):
        LightGBMFamily().check_hyperparameters({"learning_rate": "1e-1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_leaves", 1), ("n_estimators", 0), ("max_bin", 1), ("learning_rate", None)],
)
def test_what_lightgbm_cannot_work_with_is_refused_at_once(name: str, value: object) -> None:
    """A value that would fail in every unit of work fails before the first."""
    with pytest.raises(ConfigError, match=rf"^lightgbm: {name} is {value!r}; a (whole )?number"):
        LightGBMFamily().check_hyperparameters({name: value})
