"""Names and bounds of hyperparameters, libraries that are missing: said before any work."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import pytest
from problems import BOOSTED, FAMILIES, NEEDS, fit_one, noise_features, problem

from ray_pipeline.errors import ConfigError
from ray_pipeline.families import load_family, stopping_fraction
from ray_pipeline.families.hyperparameters import Flag, Number, check_hyperparameters

KNOWN: dict[str, dict[str, Any]] = {
    "catboost": {
        **{"n_estimators": 5, "learning_rate": 0.1, "depth": 3, "border_count": 32},
        **{"l2_leaf_reg": 1.0, "rsm": 0.5, "subsample": 0.8, "random_strength": 0},
        **{"early_stopping_rounds": 3, "stopping_fraction": 0.1},
    },
    "elastic_net": {"penalty": 0.1, "l1_ratio": 1},
    "extra_trees": {
        **{"n_estimators": 5, "max_features": 0.5, "max_depth": 3, "min_samples_leaf": 7},
    },
    "lightgbm_quantile": {"lower": 0.05, "upper": 0.6, "n_estimators": 5, "num_leaves": 3},
    "mlp": {
        **{"hidden_units": 4, "hidden_layers": 1, "n_epochs": 10, "batch_size": 64},
        **{"learning_rate": 0.01, "weight_decay": 0, "dropout": 0.0},
        **{"early_stopping_rounds": 3, "stopping_fraction": 0.5},
    },
    "random_forest": {"n_estimators": 5, "max_samples": 0.5, "max_features": 1.0},
    "ridge": {"penalty": 3},
    "xgboost": {
        **{"n_estimators": 5, "learning_rate": 0.1, "max_depth": 2, "max_bin": 16},
        **{"min_child_weight": 1, "gamma": 0.1, "reg_alpha": 0.1, "reg_lambda": 0.0},
        **{"subsample": 0.5, "colsample_bytree": 1, "colsample_bynode": 0.5},
        **{"early_stopping_rounds": 3, "stopping_fraction": 0.1},
    },
}
LIGHTGBM = (
    *("n_estimators", "learning_rate", "num_leaves", "max_bin", "feature_fraction"),
    *("bagging_freq", "max_depth", "min_data_in_leaf", "min_gain_to_split", "lambda_l1"),
    *("lambda_l2", "extra_trees", "path_smooth", "early_stopping_rounds"),
)
every_family = pytest.mark.parametrize("family", FAMILIES)


@every_family
def test_every_known_hyperparameter_can_be_fitted(family: str) -> None:
    """What is accepted reaches the library, which makes a model of it."""
    X = noise_features(300, 4)
    settings = KNOWN.get(family, {"n_estimators": 3})
    load_family(family).check_hyperparameters(settings)
    model = fit_one(family, X, problem(X[:, 0].astype(float)), settings)
    assert model.importances[0] == model.importances.max() > 0


@every_family
def test_what_a_family_does_not_have_is_answered_with_what_it_has(family: str) -> None:
    """Threads, seeds and devices are not the user's to set, nor is a slip of the pen."""
    for name in ("nthread", "random_state", "device", "pennalty"):
        message = rf"^{family}: hyperparameter '{name}' is not supported; known are \w+(, \w+)*\.$"
        with pytest.raises(ConfigError, match=message):
            load_family(family).check_hyperparameters({name: 1})


OUT_OF_BOUNDS = [
    ("ridge", "penalty", 0, "a number above 0 and at most 1e+12, or auto,"),
    ("elastic_net", "penalty", -1.0, "a number above 0 and at most 1e+12"),
    ("elastic_net", "l1_ratio", 1.5, "a number above 0 and at most 1"),
    ("extra_trees", "max_features", 0, "a number above 0 and at most 1"),
    ("random_forest", "max_samples", 2, "a number of at least 0.01 and at most 1"),
    ("random_forest", "n_estimators", 10.0, "a whole number of at least 1 and at most 100,000"),
    ("lightgbm", "n_estimators", 10**20, "a whole number of at least 1 and at most 100,000"),
    ("lightgbm", "max_depth", 10**13, "a whole number of at least -1 and at most 1,000"),
    ("lightgbm", "feature_fraction", 1.2, "a number of at least 0.001 and at most 1"),
    ("lightgbm", "extra_trees", "yes", "true or false"),
    ("lightgbm_quantile", "lower", 0.5, "a number of at least 0.01 and at most 0.49"),
    ("lightgbm_quantile", "upper", 0.999, "a number of at least 0.51 and at most 0.99"),
    ("xgboost", "max_depth", 0, "a whole number of at least 1 and at most 16"),
    ("xgboost", "early_stopping_rounds", 0, "a whole number of at least 1 and at most 100,000"),
    ("catboost", "border_count", 256, "a whole number of at least 1 and at most 255"),
    ("catboost", "learning_rate", float("nan"), "a number of at least 1e-06 and at most 10"),
    ("mlp", "dropout", 1, "a number of at least 0 and at most 0.9"),
    ("mlp", "hidden_layers", True, "a whole number of at least 1 and at most 8"),
]


@pytest.mark.parametrize(("family", "name", "value", "needed"), OUT_OF_BOUNDS)
def test_a_value_out_of_its_bounds_is_answered_with_them(
    family: str, name: str, value: object, needed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that would fail in every unit of work fails before the first."""
    monkeypatch.setattr("ray_pipeline.families.hyperparameters.find_spec", lambda library: library)
    message = f"{family}: {name} is {value!r}; {needed} is needed."
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        load_family(family).check_hyperparameters({name: value})


def test_numbers_and_flags() -> None:
    """Bounds may be inclusive or not; whole numbers stay whole; true is not a number."""
    assert Number(1, 2).allows(1)
    assert Number(1, 2).allows(2.0)
    assert not Number(1, 2).allows(2.1)
    assert not Number(1, 2, above=True).allows(1)
    assert not Number(1, 2, whole=True).allows(1.0)
    assert not Number(0, 10).allows(float("inf"))
    assert not Number(0, 10).allows(True)
    assert not Number(0, 10).allows("1")
    assert all(Flag().allows(value) for value in (True, False, 0, 1))
    assert not any(Flag().allows(value) for value in (2, 0.5, "true", None))


@every_family
@pytest.mark.parametrize("value", [10**300, 1e308], ids=["whole", "real"])
def test_no_hyperparameter_takes_an_absurd_number(
    family: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some libraries wrap around at 32 bits, some fill the memory, some never end."""
    monkeypatch.setattr("ray_pipeline.families.hyperparameters.find_spec", lambda library: library)
    for name in KNOWN.get(family, LIGHTGBM):
        with pytest.raises(ConfigError, match=rf"^{family}: {name} is 1.{{0,60}}; .* needed\.$"):
            load_family(family).check_hyperparameters({name: value})


def test_a_share_to_watch_needs_a_reason_to_watch() -> None:
    """``stopping_fraction`` alone would change nothing, which nobody means."""
    message = (
        r"^lightgbm: stopping_fraction says nothing without early_stopping_rounds; set both\.$"
    )
    with pytest.raises(ConfigError, match=message):
        load_family("lightgbm").check_hyperparameters({"stopping_fraction": 0.2})


def test_a_fifth_is_watched_unless_it_is_said() -> None:
    """Without early stopping nothing is."""
    assert stopping_fraction({"n_estimators": 3}) is None
    assert stopping_fraction({"early_stopping_rounds": 3}) == 0.2
    assert stopping_fraction({"early_stopping_rounds": 3, "stopping_fraction": 0.4}) == 0.4


@pytest.mark.parametrize("family", sorted(NEEDS))
def test_a_missing_library_is_said_with_the_extra_that_has_it(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At check time and when fitting all the same: one line to copy, no traceback of an import."""
    library = NEEDS[family]
    found = importlib.util.find_spec

    def find_spec(name: str) -> Any:
        return None if name == library else found(name)

    monkeypatch.setattr("ray_pipeline.families.hyperparameters.find_spec", find_spec)
    message = (
        f"model family '{family}' needs {library}, which is not installed: "
        f"pip install 'ray-pipeline[{library}]'."
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        load_family(family).check_hyperparameters({})
    X = noise_features(100, 2)
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        fit_one(family, X, problem(X[:, 0].astype(float)), {})


@every_family
def test_families_that_add_rounds_can_stop_early(family: str) -> None:
    """They take the two hyperparameters of it, within bounds; others know neither."""
    check = load_family(family).check_hyperparameters
    early = {"early_stopping_rounds": 5, "stopping_fraction": 0.3}
    if family not in (*BOOSTED, "mlp"):
        with pytest.raises(ConfigError, match=f"^{family}: hyperparameter 'early_stopping_rounds'"):
            check(early)
        return
    check(early)
    for name, value in (("early_stopping_rounds", 0), ("stopping_fraction", 0.6)):
        with pytest.raises(ConfigError, match=f"^{family}: .*{name}"):
            check(early | {name: value})


def test_the_message_of_an_unknown_name_lists_all_in_order() -> None:
    """Sorted, so that it can be read."""
    allowed = {"b": Number(0, 10), "a": Flag()}
    with pytest.raises(ConfigError, match=r"^x: hyperparameter 'c' is .*; known are a, b\.$"):
        check_hyperparameters("x", {"c": 1}, allowed)
