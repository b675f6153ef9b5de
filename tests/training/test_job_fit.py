"""One job: what its folds see, what its final model sees, and what its skill says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from training_designs import (
    AXIS,
    FOLDS,
    RecordingFamily,
    design_of,
    job_spec,
    marked_features,
    overlapping_noise,
    target_spec,
    training_frame,
)

from ray_pipeline.errors import DataError
from ray_pipeline.samples.design import Design
from ray_pipeline.training.job_fit import FittedJob, fit_job
from ray_pipeline.training.job_spec import JobSpec
from ray_pipeline.training.predictions import predictions_schema
from ray_pipeline.training.settings import TrainingSettings

COLUMN = {"a": 0.0, "b": 1 / 8, "c": 2 / 8, "d": 3 / 8}


def fit(design: Design, job: JobSpec | None = None, **options: Any) -> FittedJob:
    """Fit a job on the frame."""
    target = target_spec(options.get("horizon", 5), options.get("task", "regression"))
    frame = training_frame(options.get("embargo", 0), options.get("seed", 7))
    settings = TrainingSettings(options.get("min_cs", 3), options.get("sample_weights", "none"))
    return fit_job(design, target, job or job_spec(), frame, AXIS, settings)


def labels(n_rows: int) -> np.ndarray:
    """Return labels without a relation to anything, each its own."""
    return np.random.default_rng(0).permutation(n_rows).astype(np.float64)


class TestFolds:
    def test_each_fold_sees_the_features_it_chose_in_its_order(
        self, family: RecordingFamily
    ) -> None:
        """Columns by name: c alone, then d before a, then b; the final list has no say."""
        fit(design_of(labels(900), marked_features(900), 3))
        assert len(family.fits) == 1 + len(FOLDS)
        for given, names in zip(family.fits, [("c",), ("d", "a"), ("b",)], strict=False):
            assert given.feature_names == names
            assert (given.X[0] % 1).tolist() == [COLUMN[name] for name in names]

    @pytest.mark.parametrize(("horizon", "embargo"), [(1, 0), (5, 0), (5, 9)])
    def test_each_fold_trains_on_purged_rows_alone(
        self, family: RecordingFamily, horizon: int, embargo: int
    ) -> None:
        """No row of the test fold is handed over; labels end before it, less the embargo."""
        y = labels(900)
        y[::7] = np.nan
        design = design_of(y, marked_features(900), 3, horizon)
        fit(design, horizon=horizon, embargo=embargo)
        assert len(family.fits) == 1 + len(FOLDS)
        for given, fold in zip(family.fits, FOLDS, strict=False):
            assert given.X[:, 0].astype(int).tolist() == list(range(3 * fold.test_start))
            last = fold.test_start - horizon - embargo - 1
            expected = [row for row in range(3 * (last + 1)) if row % 7]
            assert given.problem.rows.tolist() == expected

    def test_each_fold_predicts_its_own_test_rows(self, family: RecordingFamily) -> None:
        """Test rows, and training rows for their centred percentile; nothing else."""
        fit(design_of(labels(900), marked_features(900), 3))
        assert len(family.fits) == 1 + len(FOLDS)
        for given, fold in zip(family.fits, FOLDS, strict=False):
            test, known = given.predicted
            rows = list(range(3 * fold.test_start, 3 * fold.test_end))
            assert test[:, 0].astype(int).tolist() == rows
            assert known[:, 0].astype(int).tolist() == given.problem.rows.tolist()

    def test_a_fold_without_a_choice_is_left_out(self, family: RecordingFamily) -> None:
        """Where selection could not choose, no model is fitted and nothing predicted."""
        job = job_spec(fold_features=((0, ("c",)), (2, ("b",))))
        fitted = fit(design_of(labels(900), marked_features(900), 3), job)
        assert len(family.fits) == 3
        assert set(fitted.out_of_sample.column("fold").to_pylist()) == {0, 2}

    def test_a_fold_without_rows_is_left_out(self, family: RecordingFamily) -> None:
        """A symbol that is delisted before the last fold is predicted in the others."""
        fitted = fit(design_of(labels(240), marked_features(240)))
        assert len(family.fits) == 3
        folds = fitted.out_of_sample.column("fold").to_pylist()
        assert [folds.count(index) for index in (0, 1, 2)] == [50, 40, 0]

    def test_a_fold_with_too_few_labels_is_left_out(self, family: RecordingFamily) -> None:
        """Fewer than 60 purged labels before the first fold: it begins with the second."""
        y = labels(300)
        y[:100] = np.nan
        fitted = fit(design_of(y, marked_features(300)))
        assert set(fitted.out_of_sample.column("fold").to_pylist()) == {1, 2}


class TestFinalModel:
    def test_it_has_the_consensus_features_on_all_labelled_rows(
        self, family: RecordingFamily
    ) -> None:
        """All rows and the job's features in their order; rows without a label do not train."""
        y = labels(900)
        y[[0, 1, 2, 3]] = np.nan
        y[-12:] = np.nan
        fitted = fit(design_of(y, marked_features(900), 3))
        last = family.fits[-1]
        assert fitted.model is last
        assert last.feature_names == ("c", "b")
        assert (last.X[0] % 1).tolist() == [COLUMN["c"], COLUMN["b"]]
        assert last.problem.rows.tolist() == list(range(4, 888))
        assert fitted.n_rows == 884
        assert (fitted.first, fitted.last) == (1, 295)

    def test_every_fit_has_the_jobs_hyperparameters_and_family(
        self, family: RecordingFamily
    ) -> None:
        """Folds measure the procedure that produces the final model."""
        fit(design_of(labels(900), marked_features(900), 3))
        assert [given.hyperparameters for given in family.fits] == [{"depth": 3}] * 4
        assert family.name == "fake"

    def test_features_are_handed_over_in_one_piece(self, family: RecordingFamily) -> None:
        """Float32 and contiguous, as the libraries take it without a copy."""
        fit(design_of(labels(900), marked_features(900), 3))
        assert all(given.X.dtype == np.float32 for given in family.fits)
        assert all(given.X.flags["C_CONTIGUOUS"] for given in family.fits)


class TestRows:
    def test_rows_to_stop_by_come_from_before_each_test_fold(self, family: RecordingFamily) -> None:
        """With early stopping each fit watches its own latest training rows, purged and whole."""
        settings = (("early_stopping_rounds", 5), ("stopping_fraction", 0.25))
        fitted = fit(
            design_of(labels(900), marked_features(900), 3), job_spec(hyperparameters=settings)
        )
        assert len(family.fits) == 1 + len(FOLDS)
        for given, fold in zip(family.fits, FOLDS, strict=False):
            stopping = given.problem.stopping
            assert stopping is not None
            assert len(given.X) == 3 * fold.test_start
            assert stopping.watched[-1] == given.problem.rows[-1]
            assert set(stopping.watched) | set(stopping.fitted) < set(given.problem.rows)
            assert stopping.fitted[-1] // 3 + 5 < stopping.watched[0] // 3
            assert len(stopping.watched) / len(given.problem.rows) == pytest.approx(0.25, abs=0.02)
        assert fitted.fitting == {
            "streamed": False,
            "sample_weights": "none",
            "n_rounds": None,
            "chosen": {},
            "compare": "raw",
            "early_stopping": {"n_fitted": 660, "n_watched": 225},
        }

    def test_without_early_stopping_nothing_is_held_out(self, family: RecordingFamily) -> None:
        """Every fit has all of its rows, and none has weights."""
        fit(design_of(labels(900), marked_features(900), 3))
        assert [given.problem.stopping for given in family.fits] == [None] * 4
        assert [given.problem.weights for given in family.fits] == [None] * 4

    def test_weights_are_of_the_labels_that_train(self, family: RecordingFamily) -> None:
        """Folds and final model each weigh their own rows: none knows of a later label."""
        fitted = fit(
            design_of(labels(900), marked_features(900), 3),
            sample_weights="average_uniqueness",
        )
        for given in family.fits:
            problem = given.problem
            assert problem.weights is not None
            assert len(problem.weights) == len(problem.y)
            weights = problem.weights[problem.rows]
            assert weights.mean() == pytest.approx(1.0)
            assert weights[-1] == pytest.approx(weights.max())
            assert weights[0] == pytest.approx(weights.max())
        assert fitted.fitting["sample_weights"] == "average_uniqueness"

    @pytest.mark.parametrize("patience", [1, 10])
    def test_the_metadata_tell_the_rounds(self, patience: int) -> None:
        """A model that stopped early says after how many rounds; noise stops it at once."""
        y = np.random.default_rng(1).standard_normal(300)
        X = np.random.default_rng(2).standard_normal((300, 4)).astype(np.float32)
        job = job_spec(
            family="lightgbm",
            hyperparameters=(("early_stopping_rounds", patience), ("n_estimators", 60)),
        )
        fitted = fit(design_of(y, X), job)
        assert fitted.fitting["n_rounds"] < 60
        assert fitted.fitting["early_stopping"] == {"n_fitted": 235, "n_watched": 60}


class TestSeeds:
    def seeds(self, family: RecordingFamily, job: JobSpec, design: Design, seed: int) -> list[int]:
        """Return the seeds of a job's fits."""
        family.fits.clear()
        fitted = fit(design, job, seed=seed)
        assert fitted.seed == family.fits[-1].problem.seed
        return [given.problem.seed for given in family.fits]

    def test_they_come_of_names_and_the_runs_seed(self, family: RecordingFamily) -> None:
        """Equal names give equal seeds; folds, families, symbols and runs have their own."""
        design = design_of(labels(300), marked_features(300))
        other = replace(design, symbols=("T0",))
        own = job_spec(view="symbol_specific")
        first = self.seeds(family, own, design, 7)
        assert len(set(first)) == 4
        assert self.seeds(family, replace(own, job_id="renamed"), design, 7) == first
        changed = [
            self.seeds(family, own, other, 7),
            self.seeds(family, own, design, 8),
            self.seeds(family, replace(own, family="another"), design, 7),
            self.seeds(family, job_spec(), design, 7),
        ]
        assert len({seed for seeds in (first, *changed) for seed in seeds}) == 20

    def test_a_pooled_models_seeds_do_not_depend_on_who_is_in_the_pool(
        self, family: RecordingFamily
    ) -> None:
        """The pool has one model per target and family."""
        design = design_of(labels(900), marked_features(900), 3)
        other = replace(design, symbols=("X", "Y", "Z"))
        assert self.seeds(family, job_spec(), design, 7) == self.seeds(family, job_spec(), other, 7)


class TestErrors:
    def test_too_few_labelled_rows(self) -> None:
        """Fewer than 60 labels train nothing; the message names the job."""
        y = np.full(300, np.nan)
        y[:59] = labels(59)
        message = r"^cs_y__ridge: too few labelled rows, or of one class only, to train on\.$"
        job = job_spec(job_id="cs_y__ridge", family="ridge", hyperparameters=())
        with pytest.raises(DataError, match=message):
            fit(design_of(y, marked_features(300)), job)

    @pytest.mark.parametrize("n_positive", [0, 4, 296, 300])
    def test_labels_of_one_class(self, n_positive: int, family: RecordingFamily) -> None:
        """A binary target needs five labels of each class."""
        y = (np.arange(300) < n_positive).astype(np.float64)
        with pytest.raises(DataError, match="or of one class only, to train on"):
            fit(design_of(y, marked_features(300)), task="binary")

    @pytest.mark.parametrize("fold_features", [(), ((0, ("c",)),)])
    def test_no_fold_at_all(self, family: RecordingFamily, fold_features: Any) -> None:
        """A model without any out-of-sample prediction is not delivered."""
        y = labels(300)
        y[:100] = np.nan
        job = job_spec(fold_features=fold_features)
        with pytest.raises(DataError, match=r"^cs_y__fake: no fold could be trained\.$"):
            fit(design_of(y, marked_features(300)), job)


class TestPredictions:
    def test_table_has_the_schema_of_the_results(self, family: RecordingFamily) -> None:
        """Names, types and order are those that are published; what an average needs comes last."""
        fitted = fit(design_of(labels(900), marked_features(900), 3))
        published = predictions_schema()
        names = fitted.out_of_sample.column_names
        assert names == [*published.names, "centred_percentile", "outcome"]
        assert fitted.out_of_sample.select(published.names).schema.equals(published)

    def test_rows_by_hand(self, family: RecordingFamily) -> None:
        """Every test row of every symbol, labelled or not, with its time and its fold."""
        y = labels(900)
        y[451] = np.nan
        table = fit(design_of(y, marked_features(900), 3)).out_of_sample
        table = table.select(predictions_schema().names)
        assert table.num_rows == 450
        first, second = table.slice(0, 2).to_pylist()
        assert first == {
            "ts": first["ts"],
            "symbol": "S0",
            "target": "y",
            "view": "cross_sectional",
            "family": "fake",
            "fold": 0,
            "prediction": 450.25,
            "actual": y[450],
            "standing": first["standing"],
        }
        assert first["ts"].isoformat() == "2024-01-07T06:00:00+00:00"
        assert (second["symbol"], second["actual"]) == ("S1", None)
        assert table.column("actual").null_count == 1
        assert table.column("symbol").to_pylist() == ["S0", "S1", "S2"] * 150
        times = table.column("ts").cast("int64").to_numpy()
        np.testing.assert_array_equal(times, np.repeat(AXIS[150:], 3))

    def test_predictions_of_the_training_rows_are_kept(self, family: RecordingFamily) -> None:
        """The final model's, of labelled rows alone: what its scale and its replay are made of."""
        y = labels(900)
        y[1::2] = np.nan
        fitted = fit(design_of(y, marked_features(900), 3))
        assert fitted.rows.tolist() == list(range(0, 900, 2))
        np.testing.assert_array_equal(fitted.predictions, fitted.rows + COLUMN["c"])

    def test_predictions_of_a_fold_are_those_of_its_model(self, family: RecordingFamily) -> None:
        """The recording model predicts its first feature: c, then d, then b."""
        table = fit(design_of(labels(900), marked_features(900), 3)).out_of_sample
        columns = np.repeat([COLUMN["c"], COLUMN["d"], COLUMN["b"]], 150)
        np.testing.assert_array_equal(
            table.column("prediction").to_numpy(), np.arange(450, 900) + columns
        )


class TestEvidence:
    def test_pooled_skill_is_the_mean_rank_ic_of_the_timestamps(
        self, family: RecordingFamily
    ) -> None:
        """Spearman across four symbols at each hour, averaged; an hour with two is left out."""
        random = np.random.default_rng(0)
        X = random.standard_normal((1_200, 4)).astype(np.float32)
        y = X[:, 2] + random.standard_normal(1_200)
        y[[600, 601]] = np.nan
        job = job_spec(fold_features=((0, ("c",)), (1, ("c",)), (2, ("c",))))
        evidence = fit(design_of(y, X, 4), job).evidence
        skills = [
            stats.spearmanr(X[row : row + 4, 2], y[row : row + 4]).statistic
            for row in range(604, 1_200, 4)
        ]
        assert evidence.n_rows == 149
        assert evidence.skill == pytest.approx(np.mean(skills))

    def test_own_skill_counts_labelled_test_rows(self, family: RecordingFamily) -> None:
        """A symbol's own model is measured over its time, on rows that have a label."""
        y = labels(300)
        y[[160, 299]] = np.nan
        design = design_of(y, marked_features(300))
        assert fit(design, job_spec(view="symbol_specific")).evidence.n_rows == 148

    @pytest.mark.parametrize("family_name", ["ridge", "lightgbm"])
    @pytest.mark.parametrize("n_symbols", [1, 4])
    def test_a_planted_signal_is_significant(self, family_name: str, n_symbols: int) -> None:
        """Both views find a feature with a correlation of about 0.7."""
        random = np.random.default_rng(1)
        n_rows = 300 * n_symbols
        X = random.standard_normal((n_rows, 4)).astype(np.float32)
        y = X[:, 1] + random.standard_normal(n_rows)
        view = "symbol_specific" if n_symbols == 1 else "cross_sectional"
        job = job_spec(
            view=view,
            family=family_name,
            fold_features=tuple((index, ("c", "b")) for index in range(3)),
            hyperparameters=(("n_estimators", 15),) if family_name == "lightgbm" else (),
        )
        evidence = fit(design_of(y, X, n_symbols, horizon=1), job, horizon=1).evidence
        assert evidence.skill > 0.35
        assert evidence.p_value < 0.001

    def test_a_signal_in_the_other_direction_is_skill_too(self) -> None:
        """The sign of a feature is learned, so that evidence is always of the model."""
        random = np.random.default_rng(1)
        X = random.standard_normal((300, 4)).astype(np.float32)
        y = random.standard_normal(300) - X[:, 1]
        job = job_spec(
            view="symbol_specific",
            family="ridge",
            fold_features=tuple((index, ("b",)) for index in range(3)),
            hyperparameters=(),
        )
        assert fit(design_of(y, X, horizon=1), job, horizon=1).evidence.skill > 0.35

    @pytest.mark.parametrize("n_symbols", [1, 4])
    def test_noise_is_not_significant(self, n_symbols: int) -> None:
        """Persistent features, overlapping labels, no relation: 40 panels, few false alarms.

        At a level of 5 % two are expected; with seven or more the level would be wrong.
        """
        view = "symbol_specific" if n_symbols == 1 else "cross_sectional"
        job = job_spec(
            view=view,
            family="ridge",
            fold_features=tuple((index, ("a", "b", "c", "d")) for index in range(3)),
            hyperparameters=(),
        )
        p_values = []
        for seed in range(40):
            random = np.random.default_rng(seed)
            X = np.stack(
                [[overlapping_noise(300, 20, random) for _ in range(4)] for _ in range(n_symbols)]
            )
            y = np.stack([overlapping_noise(300, 5, random) for _ in range(n_symbols)])
            design = design_of(
                y.T.ravel(), X.transpose(2, 0, 1).reshape(-1, 4).astype(np.float32), n_symbols
            )
            p_values.append(fit(design, job).evidence.p_value)
        assert sum(p <= 0.05 for p in p_values) <= 6

    def test_test_labels_do_not_move_predictions(self) -> None:
        """Other labels and features from the last fold on leave the earlier folds as they are."""
        random = np.random.default_rng(2)
        X = random.standard_normal((300, 4)).astype(np.float32)
        y = X[:, 1] + random.standard_normal(300)
        job = job_spec(
            family="ridge",
            view="symbol_specific",
            fold_features=tuple((index, ("a", "b")) for index in range(3)),
            hyperparameters=(),
        )
        before = fit(design_of(y, X), job).out_of_sample
        other_X, other_y = X.copy(), y.copy()
        other_X[250:] += 100
        other_y[245:] -= 100
        after = fit(design_of(other_y, other_X), job).out_of_sample
        earlier = np.arange(100)
        assert before.column("prediction").take(earlier) == after.column("prediction").take(earlier)
        assert before.column("prediction") != after.column("prediction")


def test_a_choice_between_two_sets_of_features_is_paid_for(family: RecordingFamily) -> None:
    """It was made on the rows that the skill is measured on: twice the p-value, the same skill."""
    design = design_of(labels(900), marked_features(900), 3)
    one, two = (fit(design, job_spec(n_feature_sets=n)).evidence for n in (1, 2))
    assert 0.0 < one.p_value < 1.0
    assert two == replace(one, p_value=min(1.0, 2.0 * one.p_value))
