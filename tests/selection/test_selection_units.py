"""Selection nested in the folds: what each fold may see, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from planted_pools import (
    FOLDS,
    TARGET,
    panel_frame,
    planted_rows,
    pool_of,
    select,
    settings,
)

import ray_pipeline.selection.methods
import ray_pipeline.selection.sample
from ray_pipeline.families import Problem

CHEAP: dict[str, Any] = {"methods": ("linear", "univariate"), "families": ()}


def selected(found: Mapping[str, Any]) -> list[str]:
    """Names of the selected features, best first."""
    return [row["feature"] for row in found["features"] if row["selected"]]


def test_planted_carriers_come_first_and_noise_is_left_out() -> None:
    """Of forty features two carry the label: first in every fold, half of the noise is left out."""
    frame = panel_frame(40)
    found = select(pool_of(*planted_rows(40), 3, frame), frame, settings())
    assert {row["rank"] for row in found["features"] if row["feature"] in ("f0", "f1")} == {1, 2}
    assert [row["stability"] for row in found["features"][:2]] == pytest.approx([1.0, 1.0])
    assert len(selected(found)) < 25
    assert sorted(found["folds"]) == ["0", "1", "2"]
    for names in found["folds"].values():
        assert set(names[:2]) == {"f0", "f1"}
        assert len(names) < 25


def test_every_feature_has_a_row_with_all_methods() -> None:
    """The table holds the dropped features too, each with its scores and a reason."""
    frame = panel_frame(5)
    asked = settings(methods=("gain", "permutation", "linear", "univariate", "mutual_information"))
    found = select(pool_of(*planted_rows(5), 3, frame), frame, asked)
    assert sorted(row["feature"] for row in found["features"]) == [f"f{j}" for j in range(5)]
    for row in found["features"]:
        assert tuple(row["methods"]) == asked.methods
        assert row["reason"]


def test_a_copy_of_a_carrier_is_dropped_as_redundant() -> None:
    """f2 is the cube of f0: one of them stays, in the final list and in every fold's own."""
    frame = panel_frame(6)
    X, y = planted_rows(6)
    X[:, 2] = X[:, 0] ** 3
    found = select(pool_of(X, y, 3, frame), frame, settings(**CHEAP))
    names = set(selected(found))
    assert "f1" in names
    assert len(names & {"f0", "f2"}) == 1
    (dropped,) = {"f0", "f2"} - names
    (kept,) = {"f0", "f2"} & names
    reasons = {row["feature"]: row["reason"] for row in found["features"]}
    assert reasons[dropped] == f"redundant: says the same as {kept}"
    for own in found["folds"].values():
        assert len(set(own) & {"f0", "f2"}) == 1


def test_redundancy_is_measured_before_the_first_test() -> None:
    """f2 is f0 until the first test starts, and noise from there on: it is a twin all the same."""
    frame = panel_frame(6)
    X, y = planted_rows(6)
    X[: 3 * FOLDS[0].test_start, 2] = X[: 3 * FOLDS[0].test_start, 0]
    found = select(pool_of(X, y, 3, frame), frame, settings(**CHEAP))
    reasons = {row["feature"]: row["reason"] for row in found["features"]}
    assert reasons["f2"] == "redundant: says the same as f0"
    assert all(len(set(own) & {"f0", "f2"}) == 1 for own in found["folds"].values())


def test_top_m_bounds_the_final_list_and_every_fold() -> None:
    """With top_m = 1 each model has one feature."""
    frame = panel_frame(6)
    found = select(pool_of(*planted_rows(6), 3, frame), frame, settings(**CHEAP, top_m=1))
    assert len(selected(found)) == 1
    assert [len(names) for names in found["folds"].values()] == [1, 1, 1]


def test_a_fold_in_which_nothing_carries_anything_still_has_features() -> None:
    """Constant features carry nothing; the fold's model is fitted on the best by rank."""
    frame = panel_frame(3)
    _, y = planted_rows(3)
    X = np.ones((900, 3), dtype=np.float32)
    found = select(pool_of(X, y, 3, frame), frame, settings(**CHEAP))
    assert all(row["stability"] == 0.0 for row in found["features"])
    assert found["folds"] == {str(index): ["f0", "f1", "f2"] for index in range(3)}
    assert all(row["reason"].startswith("kept by rank") for row in found["features"])


class TestNothingOfTheTestIsSeen:
    @pytest.mark.parametrize("fold", FOLDS)
    @pytest.mark.parametrize("embargo", [0, 7])
    def test_later_data_do_not_change_a_fold(self, fold: Any, embargo: int) -> None:
        """Other features from the test's start on, and other labels that end there or later.

        With one fold the whole record is that fold's: scores and bars to the last bit.
        """
        frame = panel_frame(5, folds=(replace(fold, index=0),), horizon=10, embargo=embargo)
        pool = pool_of(*planted_rows(5), 3, frame)
        asked = settings(
            methods=("gain", "permutation", "linear", "univariate", "mutual_information")
        )
        X, Y = pool.X.copy(), pool.Y.copy()
        random = np.random.default_rng(99)
        later = pool.positions >= fold.test_start
        X[later] = 100 * random.standard_normal((later.sum(), 5))
        reaching = pool.label_ends[:, 0] + embargo >= fold.test_start
        Y[reaching] = 100 * random.standard_normal((reaching.sum(), 1))
        assert select(replace(pool, X=X, Y=Y), frame, asked) == select(pool, frame, asked)

    def test_the_last_training_label_does_change_it(self) -> None:
        """The test above can fail: one label that ends just before the test is read."""
        frame = panel_frame(5, folds=FOLDS[:1], horizon=10)
        pool = pool_of(*planted_rows(5), 3, frame)
        last = np.flatnonzero(pool.label_ends[:, 0] < FOLDS[0].test_start)[-1]
        Y = pool.Y.copy()
        Y[last] += 3.0
        before, after = (select(p, frame, settings(**CHEAP)) for p in (pool, replace(pool, Y=Y)))
        assert before != after

    def test_a_fold_does_not_depend_on_later_ones(self) -> None:
        """The first folds choose the same whether or not others follow."""
        X, y = planted_rows(6)
        frames = [panel_frame(6, folds=FOLDS[:n_folds]) for n_folds in (1, 2, 3)]
        first, second, third = (
            select(pool_of(X, y, 3, frame), frame, settings(**CHEAP))["folds"] for frame in frames
        )
        assert list(third) == ["0", "1", "2"]
        assert first == {"0": third["0"]}
        assert second == {"0": third["0"], "1": third["1"]}


class TestWeakSignals:
    """Thirty carriers of a hundred features, none of which shows by itself."""

    N_FEATURES, N_CARRIERS, N_SYMBOLS = 100, 30, 20

    def found(self) -> dict[str, Any]:
        random = np.random.default_rng(5)
        X = random.standard_normal((300 * self.N_SYMBOLS, self.N_FEATURES)).astype(np.float32)
        weights = np.zeros(self.N_FEATURES)
        weights[: self.N_CARRIERS] = 0.2 / np.sqrt(self.N_CARRIERS)
        y = X @ weights + random.standard_normal(len(X))
        frame = panel_frame(self.N_FEATURES)
        return select(pool_of(X, y, self.N_SYMBOLS, frame), frame, settings(**CHEAP))

    def test_what_may_be_useful_stays(self) -> None:
        """Each carrier has a t-statistic of about 2.3: most stay, and about half of the noise.

        The best of as many meaningless features has a t-statistic of about 2.7: who has to beat
        that keeps a third of the carriers.
        """
        names = set(selected(self.found()))
        carriers = {f"f{j}" for j in range(self.N_CARRIERS)}
        assert len(names & carriers) >= 0.8 * self.N_CARRIERS
        assert len(names - carriers) <= 0.6 * (self.N_FEATURES - self.N_CARRIERS)


class _Model:
    """A model that writes down the positions of the rows it predicts."""

    def __init__(self, n_features: int, predicted: list[np.ndarray]) -> None:
        self.importances = np.ones(n_features)
        self._predicted = predicted

    def predict(self, X: np.ndarray) -> np.ndarray:
        self._predicted.append(X[:, 1])
        return X[:, 0].astype(np.float64)


@pytest.mark.parametrize(("horizon", "embargo"), [(1, 0), (12, 0), (12, 5)])
def test_training_and_its_inner_part_are_purged(
    monkeypatch: pytest.MonkeyPatch, horizon: int, embargo: int
) -> None:
    """No label of the booster's rows reaches the rows that permutation is measured on.

    f1 holds the position of the row. Gain is of all rows whose label ends before the test, embargo
    included; permutation of those whose label ends before the inner cut.
    """
    fits: list[np.ndarray] = []
    predicted: list[np.ndarray] = []

    def load_family(name: str) -> Any:
        def fit(
            X: np.ndarray, _: Sequence[str], problems: Sequence[Problem], __: Mapping[str, Any]
        ) -> list[_Model]:
            (problem,) = problems
            assert X[:, 1].max() < FOLDS[0].test_start
            fits.append(X[problem.rows, 1].astype(int))
            return [_Model(X.shape[1], predicted)]

        return SimpleNamespace(fit=fit)

    monkeypatch.setattr(ray_pipeline.selection.methods, "load_family", load_family)
    frame = panel_frame(3, folds=FOLDS[:1], horizon=horizon, embargo=embargo)
    X, y = planted_rows(3)
    X[:, 1] = np.repeat(np.arange(300), 3)
    select(pool_of(X, y, 3, frame), frame, settings(methods=("gain", "permutation")))
    whole, inner = fits
    assert whole.max() + horizon + embargo == FOLDS[0].test_start - 1
    # The first prediction is of the validation rows as they are.
    validation = predicted[0]
    assert inner.max() + horizon + embargo == validation.min() - 1
    assert validation.max() == whole.max()
    assert len(validation) == pytest.approx(len(whole) / 4, abs=3)


def test_what_ranking_fitted_is_not_fitted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gains come from the models of ranking, of the fold and the target; nothing is fitted."""

    def load_family(name: str) -> Any:
        raise AssertionError(f"{name} is fitted again")

    monkeypatch.setattr(ray_pipeline.selection.methods, "load_family", load_family)
    frame = panel_frame(4)
    gains = {index: {TARGET: {"lightgbm": np.array([9.0, 1.0, 1.0, index])}} for index in range(3)}
    found = select(pool_of(*planted_rows(4), 3, frame), frame, settings(), gains)
    by_name = {row["feature"]: row["methods"]["gain"] for row in found["features"]}
    assert by_name == {"f0": 9.0, "f1": 1.0, "f2": 1.0, "f3": 1.0}


def test_a_long_panel_is_thinned_by_whole_timestamps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 450 rows 90 are scored: each symbol as often as any other, early and late.

    f1 holds the symbol and f2 the position.
    """
    scored: list[np.ndarray] = []

    def load_family(name: str) -> Any:
        def fit(
            X: np.ndarray, _: Sequence[str], problems: Sequence[Problem], __: Mapping[str, Any]
        ) -> list[_Model]:
            scored.append(X[problems[0].rows])
            return [_Model(X.shape[1], [])]

        return SimpleNamespace(fit=fit)

    monkeypatch.setattr(ray_pipeline.selection.methods, "load_family", load_family)
    monkeypatch.setattr(ray_pipeline.selection.sample, "POOLED_ROWS", 90)
    frame = panel_frame(3, folds=FOLDS[:1])
    X, y = planted_rows(3)
    X[:, 1] = np.tile(np.arange(3), 300)
    X[:, 2] = np.repeat(np.arange(300), 3)
    select(pool_of(X, y, 3, frame), frame, settings(methods=("gain",)))
    (rows,) = scored
    assert 60 <= len(rows) <= 90
    assert np.ptp(np.bincount(rows[:, 1].astype(int), minlength=3)) == 0
    for symbol in range(3):
        positions = rows[rows[:, 1] == symbol, 2]
        assert positions.min() < 20
        assert positions.max() > 120


def test_the_result_does_not_depend_on_neighbouring_targets() -> None:
    """Seeds come from names, rows are a target's own: another one beside it changes nothing."""
    X, y = planted_rows(4)
    frames = [panel_frame(4), panel_frame(4, targets=("another", TARGET))]
    alone, beside = (select(pool_of(X, y, 3, frame), frame, settings()) for frame in frames)
    assert alone == beside


def test_too_few_rows_give_no_choice() -> None:
    """Where no fold can be trained there are no rows, rather than a guess."""
    frame = panel_frame(3)
    X, y = planted_rows(3)
    y[60:] = np.nan
    y[:3] = np.nan
    assert select(pool_of(X, y, 3, frame), frame, settings()) == {
        "features": [],
        "folds": {},
        "set_stability": None,
    }


def test_a_fold_without_enough_labels_is_left_out() -> None:
    """Labels that begin late leave the later folds, whose choices are the consensus."""
    frame = panel_frame(4)
    X, y = planted_rows(4)
    y[: 3 * 145] = np.nan
    found = select(pool_of(X, y, 3, frame), frame, settings(**CHEAP))
    assert sorted(found["folds"]) == ["1", "2"]
    assert "of 2 folds" in found["features"][0]["reason"]
