"""Leaves and learning rate that LightGBM sets by the training rows: what is configured wins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from problems import fit_one, noise_features, problem

from ray_pipeline.families import (
    Model,
    Stopping,
    StreamedProblem,
    StreamingFamily,
    TunedModel,
    load_family,
)
from ray_pipeline.families.lightgbm_capacity import (
    MIN_PROBE_ROWS,
    RUNGS,
    TOGETHER,
    Signal,
    capacity_for,
)
from ray_pipeline.records import Task

N_ROWS = 4_000
STRENGTHS = (0.0, 0.2, 0.4, 4.0)


def panel(strength: float) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return features, and labels of which one interaction and one line say so much."""
    X = noise_features(N_ROWS, 8, 1)
    noise = np.random.default_rng(7).standard_normal(N_ROWS)
    return X, strength * (X[:, 0] + X[:, 1] * X[:, 2]).astype(np.float64) + noise


def chosen(model: Model) -> dict[str, float]:
    assert isinstance(model, TunedModel)
    return dict(model.chosen)


def fitted(strength: float, task: Task = "regression", **settings: Any) -> dict[str, float]:
    X, y = panel(strength)
    labels = y if task == "regression" else (y > 0).astype(np.float64)
    return chosen(fit_one("lightgbm", X, problem(labels, task), {"n_estimators": 50} | settings))


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_the_stronger_the_signal_the_more_may_be_learned(task: Task) -> None:
    """From noise to what is said outright: never less, and the ends of the ladder are reached."""
    found = [fitted(strength, task) for strength in STRENGTHS]
    leaves = [each["num_leaves"] for each in found]
    assert leaves == sorted(leaves)
    (_, first), (_, last) = RUNGS[0], RUNGS[-1]
    assert found[0] == {"num_leaves": first.num_leaves, "learning_rate": first.total_rate / 50}
    assert found[-1] == {"num_leaves": last.num_leaves, "learning_rate": last.total_rate / 50}
    assert len({each["learning_rate"] for each in found}) >= 3


def test_rungs_rise() -> None:
    """More signal never means less capacity, whatever lies between the rungs."""
    signals = np.linspace(-0.1, 1.0, 500).tolist()
    rungs = [capacity_for(Signal(signal, 0.0)) for signal in signals]
    assert [rung.num_leaves for rung in rungs] == sorted(rung.num_leaves for rung in rungs)
    assert [rung.total_rate for rung in rungs] == sorted(rung.total_rate for rung in rungs)
    assert {rung.total_rate for rung in rungs} == {rung.total_rate for _, rung in RUNGS}
    deeper = [capacity_for(Signal(signal, 1e-6)) for signal in signals]
    assert set(deeper) == {TOGETHER, RUNGS[-1][1]}


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_features_that_speak_together_alone_get_larger_trees(task: Task) -> None:
    """The product of two features, neither of which says anything by itself."""
    found = []
    for strength in (0.0, 0.5):
        X = noise_features(3 * N_ROWS, 8, 1)
        noise = np.random.default_rng(7).standard_normal(len(X))
        y = strength * (X[:, 1] * X[:, 2]).astype(np.float64) + noise
        labels = y if task == "regression" else (y > 0).astype(np.float64)
        model = fit_one("lightgbm", X, problem(labels, task), {"n_estimators": 50})
        found.append(chosen(model)["num_leaves"])
    assert found == [4, TOGETHER.num_leaves]


@pytest.mark.parametrize("strength", [0.0, 4.0])
def test_what_is_configured_wins(strength: float) -> None:
    """Either alone or both; auto is the same as nothing."""
    open_ = fitted(strength)
    assert fitted(strength, num_leaves=7) == open_ | {"num_leaves": 7}
    assert fitted(strength, learning_rate=0.03) == open_ | {"learning_rate": 0.03}
    both = {"num_leaves": 7, "learning_rate": 0.03}
    assert fitted(strength, **both) == both
    assert fitted(strength, num_leaves="auto", learning_rate="auto") == open_


def test_rounds_share_the_learning_rate() -> None:
    """Five times the rounds take steps of a fifth; few rounds take no leap."""
    assert fitted(0.0, n_estimators=250)["learning_rate"] == pytest.approx(1.25 / 250)
    assert fitted(4.0, n_estimators=3)["learning_rate"] == 0.3


def test_the_rows_that_a_test_fold_would_have_are_not_asked() -> None:
    """Rows that do not train have no say: their labels may be anything."""
    X, y = panel(0.4)
    rows = np.arange(3_000)
    given = problem(y, rows=rows)
    other = replace(given, y=np.where(np.arange(N_ROWS) < 3_000, y, 1e6))
    first, second = (fit_one("lightgbm", X, each, {"n_estimators": 9}) for each in (given, other))
    assert first.to_files() == second.to_files()


def test_a_short_history_is_taken_for_weak() -> None:
    """Too few rows to tell a signal by are not probed at all."""
    X, y = panel(4.0)
    few = problem(y, rows=np.arange(MIN_PROBE_ROWS - 1))
    assert chosen(fit_one("lightgbm", X, few, {"n_estimators": 50}))["num_leaves"] == 4


def test_neighbours_have_no_say() -> None:
    """Weights and labels of other problems on the rows change nothing."""
    X, y = panel(0.4)
    weights = np.random.default_rng(1).uniform(0.5, 1.5, N_ROWS)
    problems = [
        replace(problem(y), weights=weights),
        problem(y),
        problem((y > 0).astype(float), "binary"),
        problem(np.random.default_rng(2).standard_normal(N_ROWS), rows=np.arange(2_000)),
    ]
    family, names = load_family("lightgbm"), [f"f{j}" for j in range(8)]
    together = family.fit(X, names, problems, {"n_estimators": 9})
    for model, each in zip(together, problems, strict=True):
        alone = fit_one("lightgbm", X, each, {"n_estimators": 9})
        assert model.to_files() == alone.to_files()


def test_weights_count_in_the_probe() -> None:
    """Where rows that hold the signal hardly weigh, there is none."""
    X, y = panel(4.0)
    noise = np.random.default_rng(3).standard_normal(N_ROWS)
    even = np.arange(N_ROWS) % 2 == 0
    mixed = np.where(even, y, noise)
    for weights, leaves in ((np.where(even, 1.0, 1e-3), 31), (np.where(even, 1e-3, 1.0), 4)):
        model = fit_one(
            "lightgbm", X, replace(problem(mixed), weights=weights), {"n_estimators": 9}
        )
        assert chosen(model)["num_leaves"] == leaves


class _Rows:
    def __init__(self, X: NDArray[np.float32]) -> None:
        self._X = X
        self.block_rows = (len(X) // 2, len(X) - len(X) // 2)

    def block(self, index: int) -> NDArray[np.float32]:
        half = self.block_rows[0]
        return self._X[half:] if index else self._X[:half]


def test_streamed_rows_are_probed_in_the_order_of_time() -> None:
    """Symbol by symbol they come; the latest timestamps of all are watched."""
    X, y = panel(0.0)
    late = np.arange(N_ROWS) >= N_ROWS * 3 // 4
    y = y + np.where(late, -1.0, 1.0) * 4.0 * X[:, 0]  # what is learned early is wrong later
    family = load_family("lightgbm")
    assert isinstance(family, StreamingFamily)
    names, settings = [f"f{j}" for j in range(8)], {"n_estimators": 9}
    by_symbol = np.argsort(np.arange(N_ROWS) % 2, kind="stable")
    found = []
    for positions in (by_symbol, None):
        streamed = StreamedProblem(
            _Rows(X[by_symbol]), y[by_symbol], "regression", 3, positions=positions
        )
        found.append(chosen(family.fit_streamed(X, names, streamed, settings))["num_leaves"])
    in_memory = chosen(fit_one("lightgbm", X, problem(y), settings))["num_leaves"]
    assert found[0] == in_memory == 4


def test_early_stopping_finds_the_rounds_at_a_usual_rate() -> None:
    """The total rate is for a number of rounds that is meant."""
    assert fitted(0.4, early_stopping_rounds=5)["learning_rate"] < 0.2
    X, y = panel(0.4)
    stopping = Stopping(np.arange(3_000), np.arange(3_200, N_ROWS))
    model = fit_one(
        "lightgbm",
        X,
        replace(problem(y), stopping=stopping),
        {"n_estimators": 900, "early_stopping_rounds": 5},
    )
    assert chosen(model)["learning_rate"] == 0.05
