"""Scores of features: by hand, on planted carriers, on persistent noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mutual_info_score

import ray_pipeline.selection.methods
from ray_pipeline.config.stage_sections import FeatureSelectionConfig
from ray_pipeline.families import Problem
from ray_pipeline.records import Task
from ray_pipeline.selection.consensus import choose_in_fold
from ray_pipeline.selection.methods import (
    ScoringRows,
    mutual_information,
    score_features,
)
from ray_pipeline.selection.shadows import shift_within_symbols

METHODS = FeatureSelectionConfig().methods
QUICK: dict[str, dict[str, Any]] = {
    "lightgbm": {"n_estimators": 20, "learning_rate": 0.1},
    "ridge": {},
}
DEFAULTS: dict[str, dict[str, Any]] = {"lightgbm": {}, "ridge": {}}


def training_rows(
    X: np.ndarray, y: np.ndarray, task: Task = "regression", seed: int = 0
) -> ScoringRows:
    """Split rows into an inner part and the last quarter."""
    n_rows = len(y)
    cut = n_rows * 3 // 4
    every = np.arange(n_rows)
    return ScoringRows(X.astype(np.float32), y, every, every[:cut], every[cut:], task, seed)


def with_shadows(X: np.ndarray) -> np.ndarray:
    """Put shadows beside the features of one symbol."""
    return np.hstack([X, X[shift_within_symbols(np.zeros(len(X), dtype=np.int32), 0.4)]])


class FirstFeature:
    """A model that predicts its first feature, and says that it uses all but the second."""

    def __init__(self, n_features: int) -> None:
        self.importances = np.ones(n_features)
        self.importances[1] = 0.0
        self.predicted: list[np.ndarray] = []

    def predict(self, X: np.ndarray) -> np.ndarray:
        self.predicted.append(X)
        return X[:, 0].astype(np.float64)


class RecordingFamily:
    """Fits `FirstFeature` and writes down what on."""

    def __init__(self) -> None:
        self.fits: list[tuple[str, Problem, Mapping[str, Any]]] = []
        self.models: list[FirstFeature] = []
        self._name = ""

    def load(self, name: str) -> RecordingFamily:
        self._name = name
        return self

    def fit(
        self,
        X: np.ndarray,
        feature_names: Sequence[str],
        problems: Sequence[Problem],
        hyperparameters: Mapping[str, Any],
    ) -> list[FirstFeature]:
        assert len(feature_names) == X.shape[1]
        self.fits += [(self._name, problem, hyperparameters) for problem in problems]
        self.models += [FirstFeature(X.shape[1]) for _ in problems]
        return self.models[-len(problems) :]


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> RecordingFamily:
    """Replace every family by a recording one."""
    recording = RecordingFamily()
    monkeypatch.setattr(ray_pipeline.selection.methods, "load_family", recording.load)
    return recording


class TestPlantedCarriers:
    @pytest.mark.parametrize("task", ["regression", "binary"])
    def test_every_method_finds_a_linear_carrier(self, task: Task) -> None:
        """By each method the carrier scores above every noise feature and every shadow."""
        random = np.random.default_rng(0)
        X = random.standard_normal((1_200, 6))
        y = X[:, 2] + random.standard_normal(1_200)
        if task == "binary":
            y = (y > 0).astype(np.float64)
        scores = score_features(training_rows(with_shadows(X), y, task), METHODS, QUICK)
        assert tuple(scores) == METHODS
        for values in scores.values():
            assert values.shape == (12,)
            assert (values >= 0).all()
            assert int(np.argmax(values)) == 2

    def test_trees_find_an_interaction(self) -> None:
        """Two features that matter only together are found by gain and by permutation."""
        random = np.random.default_rng(1)
        X = random.standard_normal((2_000, 5))
        y = np.sign(X[:, 0] * X[:, 1]) + 0.2 * random.standard_normal(2_000)
        scores = score_features(training_rows(with_shadows(X), y), METHODS, QUICK)
        for method in ("gain", "permutation"):
            assert set(np.argsort(scores[method])[-2:]) == {0, 1}

    def test_persistent_noise_stays_at_the_level_of_its_shadows(self) -> None:
        """Of six persistent features that carry nothing, about one beats the best of six shadows.

        Features and shadows being exchangeable, 6/7 of a feature is expected per sample; with
        permuted shadows it would be most of the six.
        """
        n_chosen, n_permuted = [], []
        for seed in range(40):
            random = np.random.default_rng(seed)
            steps = random.standard_normal((600, 7))
            walks = np.zeros_like(steps)
            for t in range(1, 600):
                walks[t] = 0.97 * walks[t - 1] + steps[t]
            X, y = walks[:, :6], walks[:, 6]
            shuffled = np.hstack([X, X[random.permutation(600)]])
            for counts, columns in ((n_chosen, with_shadows(X)), (n_permuted, shuffled)):
                scores = score_features(training_rows(columns, y), ("linear", "univariate"), QUICK)
                counts.append(len(choose_in_fold(scores, 10).chosen))
        assert np.mean(n_chosen) < 2.0
        assert np.mean(n_permuted) > 3.0


class TestWhichModelsAreFitted:
    def test_trees_on_the_inner_part_and_the_line_on_the_whole(
        self, family: RecordingFamily
    ) -> None:
        """Gain and permutation share one booster; ridge sees all training rows."""
        data = training_rows(np.random.default_rng(0).standard_normal((80, 3)), np.arange(80.0))
        score_features(data, METHODS, QUICK | {"ridge": {"penalty": 2.0}})
        assert [name for name, _, _ in family.fits] == ["lightgbm", "ridge"]
        assert family.fits[0][1].rows.tolist() == list(range(60))
        assert family.fits[1][1].rows.tolist() == list(range(80))
        assert family.fits[0][2] == QUICK["lightgbm"]
        assert family.fits[1][2] == {"penalty": 2.0}

    @pytest.mark.parametrize(
        ("methods", "fitted"),
        [
            (("univariate",), []),
            (("univariate", "linear"), ["ridge"]),
            (("permutation",), ["lightgbm"]),
            (("gain",), ["lightgbm"]),
        ],
    )
    def test_only_what_is_asked_for_is_fitted(
        self, family: RecordingFamily, methods: tuple[str, ...], fitted: list[str]
    ) -> None:
        """Scores come in the order of the methods, and no other model is made."""
        data = training_rows(np.random.default_rng(0).standard_normal((80, 3)), np.arange(80.0))
        assert tuple(score_features(data, methods, DEFAULTS)) == methods
        assert [name for name, _, _ in family.fits] == fitted


class TestPermutation:
    def test_skill_lost_by_hand(self, family: RecordingFamily) -> None:
        """The first feature is the label: permuted, 1 less what rank correlation is left."""
        X = np.random.default_rng(4).standard_normal((200, 4)).astype(np.float32)
        y = X[:, 0].astype(np.float64)
        lost = score_features(training_rows(X, y, seed=11), ("permutation",), DEFAULTS)[
            "permutation"
        ]
        order = np.random.default_rng(11).permutation(50)
        left = stats.spearmanr(X[150:, 0][order], y[150:]).statistic
        assert lost.tolist() == pytest.approx([1.0 - left, 0.0, 0.0, 0.0])

    def test_it_is_measured_on_the_later_rows_alone(self, family: RecordingFamily) -> None:
        """No row that the booster was fitted on is predicted."""
        X = np.arange(200.0)[:, np.newaxis] * np.ones(3)
        score_features(training_rows(X, np.arange(200.0)), ("permutation",), DEFAULTS)
        (model,) = family.models
        predicted = np.concatenate(model.predicted)
        assert predicted.min() == 150.0
        assert predicted.max() == 199.0

    def test_a_feature_that_helps_when_permuted_scores_0(self, family: RecordingFamily) -> None:
        """Skill that rises is chance, not importance."""
        X = np.random.default_rng(4).standard_normal((200, 3)).astype(np.float32)
        y = -X[:, 0].astype(np.float64)
        assert not score_features(training_rows(X, y), ("permutation",), DEFAULTS)[
            "permutation"
        ].any()

    def test_blocks_do_not_change_it(
        self, family: RecordingFamily, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One feature at a time or all at once: the bound on memory changes no score."""
        X = np.random.default_rng(4).standard_normal((200, 5)).astype(np.float32)
        data = training_rows(X, X[:, 0] + X[:, 2].astype(np.float64))
        together = score_features(data, ("permutation",), DEFAULTS)["permutation"]
        monkeypatch.setattr(ray_pipeline.selection.methods, "PERMUTED_ROWS_AT_ONCE", 1)
        apart = score_features(data, ("permutation",), DEFAULTS)["permutation"]
        assert apart.tolist() == together.tolist()


class TestUnivariate:
    def score(self, X: np.ndarray, y: np.ndarray) -> list[float]:
        """Score features by their rank correlation."""
        return score_features(training_rows(X, y), ("univariate",), {})["univariate"].tolist()

    def test_it_is_the_size_of_the_rank_correlation(self) -> None:
        """Spearman's, with ties, whatever the sign and the units."""
        random = np.random.default_rng(0)
        X = random.integers(0, 20, (300, 3)).astype(np.float64)
        y = X[:, 0] - X[:, 1] + 5 * random.standard_normal(300)
        expected = [abs(stats.spearmanr(X[:, j], y).statistic) for j in range(3)]
        assert self.score(X, y) == pytest.approx(expected)
        assert self.score(-(X**3), y) == pytest.approx(expected)

    def test_it_is_weighed_by_what_is_present(self) -> None:
        """A feature that is the label where present, and missing in three of four rows: 1/4."""
        y = np.random.default_rng(0).standard_normal(200)
        column = np.where(np.arange(200) % 4 == 0, y, np.nan)
        assert self.score(column[:, np.newaxis], y) == pytest.approx([0.25])

    def test_what_cannot_be_correlated_scores_0(self) -> None:
        """A constant, an empty column, and one with two values present."""
        X = np.full((100, 3), np.nan)
        X[:, 0] = 3.0
        X[:2, 2] = [1.0, 2.0]
        assert self.score(X, np.arange(100.0)) == [0.0, 0.0, 0.0]


class TestMutualInformation:
    def test_agrees_with_the_plug_in_estimate_less_its_bias(self) -> None:
        """By scikit-learn's estimate from the same bins."""
        random = np.random.default_rng(0)
        x = random.integers(0, 6, 900)
        y = (x + random.integers(0, 4, 900)) // 2
        bias = (len(np.unique(10 * x + y)) - len(np.unique(x)) - len(np.unique(y)) + 1) / 1800
        assert mutual_information(x, y) == pytest.approx(mutual_info_score(x, y) - bias)

    def test_independent_variables_share_nothing_on_average(self) -> None:
        """Where the plug-in estimate would give 0.04 nats: 81 free cells over 2 × 1,000 rows."""
        random = np.random.default_rng(1)
        found = [mutual_information(*random.integers(0, 10, (2, 1000))) for _ in range(200)]
        assert np.mean(found) < 0.004
        assert min(found) == 0.0

    def test_a_relation_that_rises_and_falls_is_found_where_correlation_sees_none(self) -> None:
        """A label that follows the square of a feature."""
        random = np.random.default_rng(2)
        X = random.standard_normal((2_000, 5))
        y = X[:, 3] ** 2 + random.standard_normal(2_000)
        methods = ("univariate", "mutual_information")
        scores = score_features(training_rows(with_shadows(X), y), methods, QUICK)
        assert int(np.argmax(scores["mutual_information"])) == 3
        assert scores["mutual_information"][3] > 5 * np.sort(scores["mutual_information"])[-2]
        assert scores["univariate"][3] < 0.1

    def test_classes_stay_whole_and_holes_weigh_less(self) -> None:
        """A binary label copied into a feature holds log 2; half of it missing, half as much."""
        y = np.tile([0.0, 1.0], 500)
        X = np.column_stack([y, np.where(np.arange(1000) < 500, y, np.nan), np.full(1000, np.nan)])
        data = training_rows(X, y, "binary")
        found = score_features(data, ("mutual_information",), QUICK)["mutual_information"]
        assert found == pytest.approx([np.log(2), np.log(2) / 2, 0.0], abs=2e-3)


def test_features_nearly_alike_do_not_hide_each_other() -> None:
    """A carrier in two slightly different copies: permuting one alone would leave the other."""
    random = np.random.default_rng(3)
    X = random.standard_normal((2_000, 5))
    X[:, 4] = X[:, 1] + 0.1 * random.standard_normal(2_000)
    y = X[:, 1] + X[:, 4] + X[:, 2] + random.standard_normal(2_000)
    scores = score_features(training_rows(with_shadows(X), y), ("permutation",), QUICK)
    lost = scores["permutation"]
    assert lost[1] == lost[4]
    assert set(np.argsort(lost)[-3:]) == {1, 2, 4}
    assert lost[1] > lost[2]
