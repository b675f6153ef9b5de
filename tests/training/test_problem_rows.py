"""How training rows count, and which of them tell when to stop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from training_designs import design_of, marked_features

from ray_pipeline.families import Problem, Stopping, load_family
from ray_pipeline.records import Task
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.learned import LabelComparison, LearnedLabels
from ray_pipeline.samples.walk import make_problem
from ray_pipeline.training.problems import hold_out_latest, learned_labels, weigh_rows


def design(n_rows: int = 300, n_symbols: int = 1, horizon: int = 5) -> Design:
    """Return rows with labels of their own."""
    y = np.random.default_rng(0).permutation(n_rows).astype(np.float64)
    return design_of(y, marked_features(n_rows), n_symbols, horizon)


def problem_of(given: Design, task: Task = "regression") -> Problem:
    """Return the problem of fitting all labelled rows."""
    problem = make_problem(given.y, np.isfinite(given.y), task, 1)
    assert problem is not None
    return problem


def learned(given: Design, task: Task = "regression") -> LearnedLabels:
    """Return the labels as they are."""
    return LearnedLabels.as_they_are(given.y, given.label_ends, task)


def stopping_of(given: Design, fraction: float, embargo: int = 0) -> Stopping:
    """Return which rows are fitted and which watched."""
    stopping = hold_out_latest(problem_of(given), given, learned(given), fraction, embargo).stopping
    assert stopping is not None
    return stopping


class TestWeights:
    def test_without_a_scheme_the_problem_stays_as_it_is(self) -> None:
        """None of its rows gets a weight."""
        problem = problem_of(design())
        assert weigh_rows(problem, design(), "none") is problem

    def test_each_symbol_is_weighed_by_itself(self) -> None:
        """Two symbols at the same hours overlap only their own labels; the mean is 1."""
        two = design(600, n_symbols=2)
        weights = weigh_rows(problem_of(two), two, "average_uniqueness").weights
        one = weigh_rows(problem_of(design()), design(), "average_uniqueness").weights
        assert weights is not None
        assert one is not None
        np.testing.assert_allclose(weights[::2], one)
        np.testing.assert_allclose(weights[1::2], one)
        assert weights.mean() == pytest.approx(1.0)
        assert weights[0] > weights[150] < weights[-1]

    def test_labels_between_gaps_count_more(self) -> None:
        """A symbol of which every tenth bar has a label of 5 bars has 5 times the weight."""
        two = design(600, n_symbols=2)
        sparse = two.y.copy()
        sparse[1::2][np.arange(300) % 10 != 0] = np.nan
        two = replace(two, y=sparse)
        weights = weigh_rows(problem_of(two), two, "average_uniqueness").weights
        assert weights is not None
        assert weights[301] / weights[300] == pytest.approx(5.0)
        rows = problem_of(two).rows
        assert np.isnan(np.delete(weights, rows)).all()
        assert weights[rows].mean() == pytest.approx(1.0)


class TestStopping:
    def test_without_a_fraction_nothing_is_held_out(self) -> None:
        """The problem stays as it is."""
        problem = problem_of(design())
        assert hold_out_latest(problem, design(), learned(design()), None, 0) is problem

    @pytest.mark.parametrize("embargo", [0, 7])
    def test_the_latest_rows_are_watched_and_the_others_purged(self, embargo: int) -> None:
        """A fifth of 300 rows is watched; labels of 5 bars, and the embargo, end before it."""
        stopping = stopping_of(design(), 0.2, embargo)
        assert stopping.watched.tolist() == list(range(240, 300))
        assert stopping.fitted.tolist() == list(range(240 - 5 - embargo))

    def test_whole_timestamps_are_watched(self) -> None:
        """Where the share ends between the symbols of an hour, all of the hour is watched."""
        three = design(300, n_symbols=3)
        watched = stopping_of(three, 0.105).watched
        assert watched[0] == 267
        assert three.positions[watched[0]] > three.positions[watched[0] - 1]

    def test_rows_without_a_label_are_on_neither_side(self) -> None:
        """The share is one of labelled rows."""
        y = design().y.copy()
        y[::2] = np.nan
        y[-40:] = np.nan
        stopping = stopping_of(replace(design(), y=y), 0.25)
        rows = np.concatenate([stopping.fitted, stopping.watched])
        assert np.isfinite(y[rows]).all()
        assert len(stopping.watched) == 33
        assert stopping.watched[-1] == 259

    @pytest.mark.parametrize(
        ("n_rows", "fraction"), [(81, 0.2), (95, 0.2), (300, 0.05)], ids=["fit", "both", "watch"]
    )
    def test_too_few_rows_on_a_side_hold_out_nothing(self, n_rows: int, fraction: float) -> None:
        """Fewer than 60 to fit, or than 20 to watch: all rounds on all rows."""
        given = design(n_rows)
        problem = problem_of(given)
        assert hold_out_latest(problem, given, learned(given), fraction, 0) is problem

    def test_one_class_on_a_side_holds_out_nothing(self) -> None:
        """A class that occurs only before, or only in, the watched rows says nothing of them."""
        for ones in (slice(0, 100), slice(260, 300)):
            y = np.zeros(300)
            y[ones] = 1.0
            given = replace(design(), y=y)
            problem = problem_of(given, "binary")
            assert hold_out_latest(problem, given, learned(given, "binary"), 0.2, 0) is problem


class TestCompared:
    """Labels of three symbols, of which one is listed late, compared within their timestamp."""

    @staticmethod
    def panel() -> tuple[Design, LearnedLabels]:
        """Two symbols for 100 hours, then three; one label ends far later than its neighbours."""
        given = design(900, n_symbols=3)
        given.y[:] = np.random.default_rng(2).standard_normal(900)
        given.y[2:300:3] = np.nan
        given.label_ends[np.flatnonzero(given.positions == 200)[0]] = 250
        comparison = LabelComparison("z_score", 2)
        return given, learned_labels(given, "regression", load_family("ridge"), comparison)

    def test_weights_of_timestamps_and_of_overlaps_multiply(self) -> None:
        """A label counts by what its timestamp gives it times what is its own; the mean is 1."""
        given, labels = self.panel()
        problem = labels.problem(np.ones(900, dtype=np.bool_), 1)
        assert problem is not None
        assert problem.weights is not None
        plain = replace(problem, weights=None)
        found, own = (weigh_rows(p, given, "average_uniqueness").weights for p in (problem, plain))
        assert found is not None
        assert own is not None
        rows = problem.rows
        expected = problem.weights[rows] * own[rows]
        assert found[rows] == pytest.approx(expected / expected.mean())
        assert problem.weights[rows[0]] / problem.weights[rows[-1]] == pytest.approx(1.5)

    def test_watched_rows_are_purged_by_the_latest_label_of_a_timestamp(self) -> None:
        """Hour 200, of which one label reaches the watched rows, is not fitted, all of it."""
        given, labels = self.panel()
        problem = labels.problem(np.ones(900, dtype=np.bool_), 1)
        assert problem is not None
        stopping = hold_out_latest(problem, given, labels, 0.2, 0).stopping
        assert stopping is not None
        assert given.positions[stopping.watched[0]] in range(230, 250)
        fitted = given.positions[stopping.fitted]
        assert 200 not in fitted
        assert {199, 201} <= set(fitted.tolist())

    def test_own_models_and_quantiles_learn_labels_as_they_are(self) -> None:
        """One symbol has nobody to be compared with; bounds are of use in the label's unit."""
        given, _ = self.panel()
        comparison = LabelComparison("rank", 2)
        quantile = load_family("lightgbm_quantile")
        assert learned_labels(given, "regression", quantile, comparison).y is given.y
        alone = design()
        found = learned_labels(alone, "regression", load_family("ridge"), comparison)
        assert found.y is alone.y
