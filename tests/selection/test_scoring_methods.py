"""Scores of features: by hand, on planted carriers, on persistent noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mutual_info_score

import ray_pipeline.selection.methods
from ray_pipeline.families import Problem
from ray_pipeline.records import Task
from ray_pipeline.selection.consensus import Scored, choose_in_fold
from ray_pipeline.selection.methods import (
    MIN_MEANINGLESS,
    TREE_DEVIATIONS,
    TargetRows,
    families_of,
    mutual_information,
    score_features,
)
from ray_pipeline.selection.sample import ColumnOrders, FoldSample

METHODS = ("gain", "permutation", "linear", "univariate", "mutual_information")
QUICK: dict[str, dict[str, Any]] = {"lightgbm": {"n_estimators": 20, "learning_rate": 0.1}}
DEFAULTS: dict[str, dict[str, Any]] = {"lightgbm": {}}


def score(
    X: np.ndarray,
    y: np.ndarray,
    methods: tuple[str, ...],
    hyperparameters: Mapping[str, Mapping[str, Any]] = QUICK,
    task: Task = "regression",
    seed: int = 0,
    importances: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Scored]:
    """Score the rows of one symbol, the last quarter of which are for validation."""
    n_rows = len(y)
    cut = n_rows * 3 // 4
    every = np.arange(n_rows)
    X = X.astype(np.float32)
    sample = FoldSample(
        every, X, ColumnOrders.of(X).ranks().astype(np.float32), np.zeros(n_rows, dtype=np.int32)
    )
    given = TargetRows(y, every, every[:cut], every[cut:], task, seed, importances or {})
    return score_features(sample, {"y": given}, methods, hyperparameters)["y"]


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
        """By each method the carrier scores above every noise feature, and above its bar."""
        random = np.random.default_rng(0)
        X = random.standard_normal((1_200, 12))
        y = X[:, 2] + random.standard_normal(1_200)
        if task == "binary":
            y = (y > 0).astype(np.float64)
        scores = score(X, y, METHODS, task=task)
        assert tuple(scores) == METHODS
        for found in scores.values():
            assert found.score.shape == found.bar.shape == (12,)
            assert (found.score >= 0).all()
            assert int(np.argmax(found.score)) == int(np.argmax(found.multiple)) == 2
            assert found.multiple[2] > 2.0

    def test_trees_find_an_interaction(self) -> None:
        """Two features that matter only together are the first of all, by the trees alone."""
        random = np.random.default_rng(1)
        X = random.standard_normal((2_000, 30))
        y = np.sign(X[:, 0] * X[:, 1]) + 0.2 * random.standard_normal(2_000)
        scores = score(X, y, ("gain", "linear", "univariate"))
        assert scores["linear"].multiple[:2].max() < 2.5
        assert set(choose_in_fold(scores).chosen[:2]) == {0, 1}


def _walks(seed: int, n_features: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    steps = random.standard_normal((600, n_features))
    walks = np.zeros_like(steps)
    for t in range(1, 600):
        walks[t] = 0.97 * walks[t - 1] + steps[t]
    return walks


class TestTheBarOfChance:
    @pytest.mark.parametrize("method", ["linear", "univariate"])
    def test_persistent_noise_passes_as_rarely_as_any(self, method: str) -> None:
        """A third of meaningless features pass: P(t² > 1); permuted labels would let most pass."""
        n_passed, n_permuted = 0, 0
        for seed in range(40):
            walks = _walks(seed, 7)
            X, y = walks[:, :6], walks[:, 6]
            n_passed += int((score(X, y, (method,))[method].multiple > 1.0).sum())
            permuted = np.random.default_rng(seed).permutation(y)
            chance = score(X, permuted, (method,))[method].bar
            n_permuted += int((score(X, y, (method,))[method].score > chance).sum())
        assert 0.2 < n_passed / 240 < 0.5
        assert n_permuted / 240 > 0.6

    def test_independent_noise_passes_a_third_of_the_time(self) -> None:
        """P(z² > 1) = 0.317 of a standard normal z."""
        n_passed = 0
        for seed in range(60):
            random = np.random.default_rng(seed)
            X, y = random.standard_normal((300, 10)), random.standard_normal(300)
            n_passed += int((score(X, y, ("univariate",))["univariate"].multiple > 1.0).sum())
        assert n_passed / 600 == pytest.approx(0.317, abs=0.08)

    def test_information_of_noise_passes_a_sixth_of_the_time(self) -> None:
        """Its bar is a standard deviation above the mean."""
        n_passed = 0
        for seed in range(30):
            random = np.random.default_rng(seed)
            X, y = random.standard_normal((1000, 10)), random.standard_normal(1000)
            found = score(X, y, ("mutual_information",))["mutual_information"]
            n_passed += int((found.multiple > 1.0).sum())
        assert 0.08 < n_passed / 300 < 0.3

    def test_trees_are_held_against_what_says_nothing_by_itself(self) -> None:
        """Feature 0 is a strong carrier; the bar is of the gains of those that are not."""
        random = np.random.default_rng(2)
        X = random.standard_normal((900, 20))
        gains = np.arange(20.0)
        gains[0] = 1e6
        found = score(
            X,
            3.0 * X[:, 0] + random.standard_normal(900),
            ("gain", "univariate"),
            importances={"lightgbm": gains},
        )
        meaningless = found["univariate"].multiple <= 1.0
        assert not meaningless[0]
        assert meaningless.sum() >= MIN_MEANINGLESS
        chance = gains[meaningless]
        median = np.median(chance)
        deviation = 1.4826 * np.median(np.abs(chance - median))
        expected = max(median + TREE_DEVIATIONS * deviation, 0.1 * gains.mean())
        assert found["gain"].bar.tolist() == pytest.approx([expected] * 20)


class TestWhichModelsAreFitted:
    def test_gain_on_the_whole_and_permutation_on_the_inner_part(
        self, family: RecordingFamily
    ) -> None:
        """Where ranking has no trees, they are fitted; the linear method fits no family."""
        X = np.random.default_rng(0).standard_normal((80, 3))
        score(X, np.arange(80.0), METHODS)
        assert [name for name, _, _ in family.fits] == ["lightgbm", "lightgbm"]
        assert family.fits[0][1].rows.tolist() == list(range(80))
        assert family.fits[1][1].rows.tolist() == list(range(60))
        assert family.fits[0][2] == QUICK["lightgbm"]

    @pytest.mark.parametrize(
        ("methods", "fitted"),
        [
            (("univariate",), []),
            (("univariate", "linear"), []),
            (("permutation",), ["lightgbm"]),
            (("gain",), []),
        ],
    )
    def test_only_what_ranking_does_not_have_is_fitted(
        self, family: RecordingFamily, methods: tuple[str, ...], fitted: list[str]
    ) -> None:
        """Scores come in the order of the methods, and no other model is made."""
        X = np.random.default_rng(0).standard_normal((80, 3))
        gains = {"lightgbm": np.array([3.0, 2.0, 1.0])}
        found = score(X, np.arange(80.0), methods, DEFAULTS, importances=gains)
        assert tuple(found) == methods
        assert [name for name, _, _ in family.fits] == fitted
        if "gain" in found:
            assert found["gain"].score.tolist() == [3.0, 2.0, 1.0]

    def test_families_that_methods_rest_on(self) -> None:
        """The linear method and those that look at one feature rest on none."""
        assert families_of(METHODS) == ("lightgbm",)
        assert families_of(("linear", "univariate", "mutual_information")) == ()


class TestPermutation:
    def lost(self, X: np.ndarray, y: np.ndarray, seed: int = 0) -> np.ndarray:
        """Skill that is lost by permuting each feature."""
        return score(X, y, ("permutation",), DEFAULTS, seed=seed)["permutation"].score

    def test_skill_lost_by_hand(self, family: RecordingFamily) -> None:
        """The first feature is the label: permuted, 1 less what rank correlation is left."""
        X = np.random.default_rng(4).standard_normal((200, 4)).astype(np.float32)
        y = X[:, 0].astype(np.float64)
        order = np.random.default_rng(11).permutation(50)
        left = stats.spearmanr(X[150:, 0][order], y[150:]).statistic
        assert self.lost(X, y, seed=11).tolist() == pytest.approx([1.0 - left, 0.0, 0.0, 0.0])

    def test_it_is_measured_on_the_later_rows_alone(self, family: RecordingFamily) -> None:
        """No row that the booster was fitted on is predicted."""
        X = np.arange(200.0)[:, np.newaxis] * np.ones(3)
        self.lost(X, np.arange(200.0))
        (model,) = family.models
        predicted = np.concatenate(model.predicted)
        assert predicted.min() == 150.0
        assert predicted.max() == 199.0

    def test_a_feature_that_helps_when_permuted_scores_0(self, family: RecordingFamily) -> None:
        """Skill that rises is chance, not importance."""
        X = np.random.default_rng(4).standard_normal((200, 3)).astype(np.float32)
        assert not self.lost(X, -X[:, 0].astype(np.float64)).any()

    def test_blocks_do_not_change_it(
        self, family: RecordingFamily, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One feature at a time or all at once: the bound on memory changes no score."""
        X = np.random.default_rng(4).standard_normal((200, 5)).astype(np.float32)
        y = X[:, 0] + X[:, 2].astype(np.float64)
        together = self.lost(X, y)
        monkeypatch.setattr(ray_pipeline.selection.methods, "PERMUTED_ROWS_AT_ONCE", 1)
        assert self.lost(X, y).tolist() == together.tolist()


class TestUnivariate:
    def found(self, X: np.ndarray, y: np.ndarray) -> list[float]:
        """Score features by their rank correlation."""
        return score(X, y, ("univariate",))["univariate"].score.tolist()

    def test_it_is_the_size_of_the_rank_correlation(self) -> None:
        """Spearman's, with ties, whatever the sign and the units."""
        random = np.random.default_rng(0)
        X = random.integers(0, 20, (300, 3)).astype(np.float64)
        y = X[:, 0] - X[:, 1] + 5 * random.standard_normal(300)
        expected = [abs(stats.spearmanr(X[:, j], y).statistic) for j in range(3)]
        assert self.found(X, y) == pytest.approx(expected, rel=1e-5)
        assert self.found(-(X**3), y) == pytest.approx(expected, rel=1e-5)

    def test_it_is_weighed_by_what_is_present(self) -> None:
        """A feature that is the label where present, and missing in three of four rows: 1/4."""
        y = np.random.default_rng(0).standard_normal(4_000)
        column = np.where(np.arange(4_000) % 4 == 0, y, np.nan)
        assert self.found(column[:, np.newaxis], y) == pytest.approx([0.25], abs=0.01)

    def test_what_cannot_be_correlated_scores_0(self) -> None:
        """A constant and an empty column."""
        X = np.full((100, 2), np.nan)
        X[:, 0] = 3.0
        assert self.found(X, np.arange(100.0)) == [0.0, 0.0]


class TestLinear:
    def test_what_a_better_feature_already_says_carries_little(self) -> None:
        """Both correlate with the label; the coefficient is the carrier's alone."""
        random = np.random.default_rng(0)
        carrier = random.standard_normal(3_000)
        X = np.column_stack([carrier, 0.7 * carrier + random.standard_normal(3_000)])
        y = carrier + random.standard_normal(3_000)
        found = score(X, y, ("linear", "univariate"))
        assert found["univariate"].multiple.min() > 10.0
        assert found["linear"].multiple[0] > 5.0 * found["linear"].multiple[1]

    def test_targets_beside_each_other_change_nothing(self) -> None:
        """They share one decomposition, and have their own rows."""
        random = np.random.default_rng(1)
        X = random.standard_normal((400, 4)).astype(np.float32)
        sample = FoldSample(
            np.arange(400),
            X,
            ColumnOrders.of(X).ranks().astype(np.float32),
            np.zeros(400, dtype=np.int32),
        )
        none = np.empty(0, dtype=np.int64)
        given = {
            name: TargetRows(X[:, 0] + random.standard_normal(400), rows, none, none, task, 3, {})
            for name, rows, task in (
                ("a", np.arange(400), "regression"),
                ("b", np.arange(0, 400, 2), "ordinal"),
            )
        }
        both = score_features(sample, given, ("linear",), {})
        for name, rows in given.items():
            alone = score_features(sample, {name: rows}, ("linear",), {})[name]["linear"]
            assert both[name]["linear"].multiple == pytest.approx(alone.multiple)


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
        found = score(X, y, ("univariate", "mutual_information"))
        assert int(np.argmax(found["mutual_information"].multiple)) == 3
        assert found["mutual_information"].multiple[3] > 5.0
        assert found["univariate"].score[3] < 0.1

    def test_classes_stay_whole_and_holes_weigh_less(self) -> None:
        """A binary label copied into a feature holds log 2; half of it missing, half as much."""
        y = np.tile([0.0, 1.0], 500)
        X = np.column_stack([y, np.where(np.arange(1000) < 500, y, np.nan), np.full(1000, np.nan)])
        found = score(X, y, ("mutual_information",), task="binary")["mutual_information"].score
        assert found == pytest.approx([np.log(2), np.log(2) / 2, 0.0], abs=2e-3)


def test_features_nearly_alike_do_not_hide_each_other() -> None:
    """A carrier in two slightly different copies: permuting one alone would leave the other."""
    random = np.random.default_rng(3)
    X = random.standard_normal((2_000, 5))
    X[:, 4] = X[:, 1] + 0.1 * random.standard_normal(2_000)
    y = X[:, 1] + X[:, 4] + X[:, 2] + random.standard_normal(2_000)
    lost = score(X, y, ("permutation",))["permutation"].score
    assert lost[1] == lost[4]
    assert set(np.argsort(lost)[-3:]) == {1, 2, 4}
    assert lost[1] > lost[2]
