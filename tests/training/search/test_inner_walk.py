"""The inner walk-forward: what a trial sees, and what its skill is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from search_panels import SPLITS, MixFamily
from training_designs import (
    FOLDS,
    SETTINGS,
    design_of,
    marked_features,
    training_frame,
)

from ray_pipeline.errors import DataError
from ray_pipeline.records import Task
from ray_pipeline.samples.design import Design
from ray_pipeline.samples.learned import LabelComparison, LearnedLabels
from ray_pipeline.statistics.folds import Fold
from ray_pipeline.statistics.skill import centred_percentile, outcome, time_contributions
from ray_pipeline.training.search.inner import InnerWalk, TrialSettings, inner_skill, inner_walk

N_SYMBOLS = 3


def design(n_symbols: int = N_SYMBOLS, task: Task = "regression", horizon: int = 5) -> Design:
    """Return 300 hours of rows that tell their number, labelled by chance; some labels miss."""
    random = np.random.default_rng(0)
    n_rows = 300 * n_symbols
    y = random.standard_normal(n_rows)
    if task == "binary":
        y = (y > 0).astype(np.float64)
    y[::7] = np.nan
    return design_of(y, marked_features(n_rows), n_symbols, horizon)


def walk(given: Design, fold: Fold | None, **options: Any) -> InnerWalk:
    """Split a fold's training rows in two inner folds."""
    task = options.get("task", "regression")
    labels = LearnedLabels.as_they_are(given.y, given.label_ends, task)
    if compare := options.get("comparison"):
        labels = LearnedLabels.compared(
            given.y, given.positions, given.cells, given.label_ends, task, compare, "residuals"
        )
    frame = training_frame(options.get("embargo", 0))
    splits = options.get("splits", SPLITS)
    return inner_walk(given, labels, fold, ("c", "b"), frame, splits, ("mix", "y", "fold"))


@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize(("horizon", "embargo"), [(1, 0), (5, 0), (5, 9)])
def test_no_trial_sees_a_row_of_its_outer_test_fold_or_later(
    mix: MixFamily, fold: Fold, horizon: int, embargo: int
) -> None:
    """Features and labels that reach a fit, a prediction or a skill end before the outer fold.

    A label that ends inside the outer fold, or within the embargo before it, is not even there.
    """
    given = design(horizon=horizon)
    inner = walk(given, fold, horizon=horizon, embargo=embargo)
    inner_skill(inner, "mix", {"angle": 0.1}, given.measure("regression", 3))
    start = N_SYMBOLS * fold.test_start
    assert len(inner.design.y) == len(inner.design.X) == start
    known = np.flatnonzero(np.isfinite(inner.design.y))
    last = fold.test_start - horizon - embargo - 1
    assert known.tolist() == [row for row in range(N_SYMBOLS * (last + 1)) if row % 7]
    assert len(mix.fits) == 2
    for X, problem, _ in mix.fits:
        assert len(X) == len(problem.y) < start
        assert X[:, 0].astype(int).tolist() == list(range(len(X)))


@pytest.mark.parametrize("embargo", [0, 9])
def test_inner_folds_are_purged_as_the_outer_ones_are(embargo: int) -> None:
    """Whole timestamps; training labels end before the inner test rows, which follow at once."""
    inner = walk(design(), FOLDS[1], embargo=embargo)
    n_times = 200 - 5 - embargo
    edges = np.linspace(int(0.6 * n_times), n_times, 3).round().astype(int).tolist()
    for problem, tested, first, end in zip(
        inner.problems, inner.tested, edges[:-1], edges[1:], strict=True
    ):
        rows = range(N_SYMBOLS * first, N_SYMBOLS * end)
        assert tested.tolist() == [row for row in rows if row % 7]
        n_trained = first - 5 - embargo
        assert problem.rows.tolist() == [r for r in range(N_SYMBOLS * n_trained) if r % 7]
        assert len(problem.y) == N_SYMBOLS * first


def test_the_final_search_has_all_labelled_rows() -> None:
    """Without an outer fold the last labelled row is an inner test row."""
    inner = walk(design(), None)
    assert len(inner.design.y) == 900
    assert int(inner.tested[-1][-1]) == 899


def test_every_trial_meets_the_same_seeds(mix: MixFamily) -> None:
    """Two trials of a search differ by their hyperparameters alone; inner folds do differ."""
    inner = walk(design(), FOLDS[0])
    for angle in (0.1, 0.2):
        inner_skill(inner, "mix", {"angle": angle}, inner.design.measure("regression", 3))
    seeds = [problem.seed for _, problem, _ in mix.fits]
    assert seeds[:2] == seeds[2:]
    assert seeds[0] != seeds[1]
    assert [given for _, _, given in mix.fits] == [{"angle": 0.1}] * 2 + [{"angle": 0.2}] * 2


def test_pooled_skill_is_the_mean_rank_ic_of_the_inner_timestamps(mix: MixFamily) -> None:
    """Spearman across the symbols of each hour that has three labels, over both inner folds."""
    random = np.random.default_rng(1)
    X = random.standard_normal((1_500, 4)).astype(np.float32)
    y = X[:, 2] + random.standard_normal(1_500)
    y[[1_000, 1_001, 1_002]] = np.nan
    inner = walk(design_of(y, X, 5), FOLDS[2])
    skill = inner_skill(inner, "mix", {"angle": 0.0}, inner.design.measure("regression", 3))
    hours = [hour for hour in range(147, 245) if hour != 200]
    by_hand = [
        stats.spearmanr(X[5 * hour : 5 * hour + 5, 2], y[5 * hour : 5 * hour + 5]).statistic
        for hour in hours
    ]
    assert skill == pytest.approx(np.mean(by_hand))


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_own_skill_is_that_over_the_symbols_time(mix: MixFamily, task: Task) -> None:
    """Predictions and labels stand among those of the inner training rows."""
    given = design(1, task)
    inner = walk(given, FOLDS[2], task=task)
    skill = inner_skill(inner, "mix", {"angle": 0.0}, given.measure(task, 3))
    percentiles, outcomes = [], []
    for problem, tested in zip(inner.problems, inner.tested, strict=True):
        column = inner.design.X[:, 0].astype(np.float64)
        percentiles.append(centred_percentile(column[tested], column[problem.rows]))
        outcomes.append(outcome(given.y[tested], given.y[problem.rows], task))
    expected = time_contributions(
        np.concatenate(percentiles), np.concatenate(outcomes), task
    ).mean()
    assert skill == pytest.approx(expected)


def test_no_timestamp_with_enough_symbols_has_no_skill(mix: MixFamily) -> None:
    """Not measured is not zero."""
    inner = walk(design(), FOLDS[0])
    assert np.isnan(inner_skill(inner, "mix", {}, inner.design.measure("regression", 4)))


def test_rows_that_are_too_few_are_refused() -> None:
    """Either for timestamps to train on, or for labels of both classes."""
    with pytest.raises(DataError, match=r"timestamps are too few to train the first fold"):
        walk(design(), FOLDS[0], splits=TrialSettings(2, 0.3, SETTINGS))
    given = design(1, "binary")
    given.y[:90] = 0.0
    message = r"^inner fold 0 has too few labelled rows, or of one class only$"
    with pytest.raises(DataError, match=message):
        walk(given, FOLDS[0], task="binary")


def test_a_sampled_pool_counts_its_own_timestamps() -> None:
    """Every third timestamp: a horizon of 60 positions is 20 of these, of which 98 are trained."""
    n_times, n_symbols = 164, 3
    positions = np.repeat(3 * np.arange(n_times), n_symbols)
    random = np.random.default_rng(0)
    X = random.standard_normal((n_times * n_symbols, 4)).astype(np.float32)
    given = design_of(random.standard_normal(len(X)), X, n_symbols, 60)
    sampled = replace(given, positions=positions, label_ends=positions + 60, spacing=3.0)
    inner = walk(sampled, None, horizon=60)
    assert [len(problem.rows) for problem in inner.problems] == [3 * 78, 3 * 111]


def test_trials_learn_compared_labels_and_are_judged_by_labels_as_they_are(mix: MixFamily) -> None:
    """A timestamp of which one label ends inside the outer fold teaches nothing, nor is it tested.

    What a trial predicts is compared with the labels themselves.
    """
    given = design()
    given.y[:] = np.random.default_rng(1).standard_normal(len(given.y))
    late = int(np.flatnonzero(given.positions == 120)[1])
    given.label_ends[late] = FOLDS[0].test_start + 3
    inner = walk(given, FOLDS[0], comparison=LabelComparison("rank", 3))
    assert np.isnan(inner.design.y[inner.design.positions == 120]).all()
    for problem, tested in zip(inner.problems, inner.tested, strict=True):
        places = inner.design.positions[problem.rows]
        assert 120 not in places
        totals = np.bincount(places, weights=problem.y[problem.rows])
        assert totals == pytest.approx(np.zeros(len(totals)), abs=1e-9)
        assert np.array_equal(inner.design.y[tested], given.y[tested])
