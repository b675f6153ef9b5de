"""Schedules of retraining: whose model serves a fold, and what a nested choice may claim."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.intervals import Duration
from ray_pipeline.statistics.recency import recency_weights
from ray_pipeline.statistics.retraining import follow_best, model_of, predicted_by

N_FOLDS, LENGTH = 15, 20
FOLDS = np.repeat(np.arange(N_FOLDS), LENGTH)
POSITIONS = np.arange(N_FOLDS * LENGTH)
STARTS = LENGTH * np.arange(N_FOLDS)


def _follow(values: NDArray[np.float64], horizon: int = 5) -> NDArray[np.int64]:
    return follow_best(
        lambda policy, rows: float(values[policy, rows].mean()),
        len(values),
        FOLDS,
        POSITIONS + horizon,
        STARTS,
    )


@given(st.lists(st.sampled_from([1, 2, 3, 7, None]), min_size=1, unique=True), st.integers(1, 30))
def test_every_fold_is_served_by_a_model_of_before(
    schedules: list[int | None], n_folds: int
) -> None:
    """And no model is fitted that serves none."""
    served = predicted_by(n_folds, schedules)
    for every in schedules:
        for fold in range(n_folds):
            model = model_of(fold, every)
            assert model <= fold
            assert fold - model < (every or n_folds)
            assert fold in served[model]
    assert all(fold >= model for model, folds in served.items() for fold in folds)
    assert (1 not in schedules) or list(served) == list(range(n_folds))


@given(st.integers(0, 2**32 - 1), st.integers(1, N_FOLDS - 1), st.integers(1, 50))
def test_what_was_not_known_has_no_say(seed: int, fold: int, horizon: int) -> None:
    """Other figures of rows whose labels end after a fold began change no choice up to it."""
    random = np.random.default_rng(seed)
    values = random.standard_normal((4, len(FOLDS)))
    changed = values.copy()
    unknown = POSITIONS + horizon >= STARTS[fold]
    changed[:, unknown] = random.standard_normal((4, int(unknown.sum())))
    first = _follow(values, horizon)[: fold + 1].tolist()
    assert _follow(changed, horizon)[: fold + 1].tolist() == first


def test_one_that_is_better_is_found_and_kept() -> None:
    """Nothing is known at first: the first policy is followed; then the one that earned most."""
    values = np.random.default_rng(0).normal(0.0, 0.2, (5, len(FOLDS)))
    values[3] += 0.15
    followed = _follow(values)
    assert followed[0] == 0
    assert (followed[3:] == 3).all()


def test_of_nothing_nothing_may_be_claimed() -> None:
    """200 histories of 12 worthless policies: the choice earns 0, the best in hindsight does not.

    A two-sided test at 5 % of the mean over all histories.
    """
    random = np.random.default_rng(1)
    chosen, best = [], []
    for _ in range(200):
        common = random.standard_normal(len(FOLDS))
        values = 0.7 * common + 0.7 * random.standard_normal((12, len(FOLDS)))
        followed = _follow(values)
        chosen.append(values[followed[FOLDS], POSITIONS].mean())
        best.append(values.mean(axis=1).max())
    error = np.std(chosen) / np.sqrt(len(chosen))
    assert abs(np.mean(chosen)) < 1.96 * error
    assert np.mean(best) > 10 * error


def test_recency_halves() -> None:
    """A row of one half-life more counts half, in every unit; the mean is 1."""
    day = 86_400 * 10**9
    days = np.arange(np.datetime64("2020-01-01"), np.datetime64("2023-01-01"))
    axis = days[np.is_busday(days)].astype("datetime64[ns]").astype(np.int64)
    rows = np.arange(700)
    for duration in (Duration(50, "d"), Duration(50, "b"), Duration(10, "w")):
        weights = recency_weights(axis, rows, 700, duration)
        assert abs(weights.mean() - 1.0) < 1e-12
        np.testing.assert_allclose(weights[50:] / weights[:-50], 2.0, rtol=0.02)
    hours = (axis[:, np.newaxis] + np.arange(7) * 3_600 * 10**9).ravel()
    by_hour = recency_weights(hours, np.arange(4_900), 4_900, Duration(50, "d"))
    np.testing.assert_allclose(
        by_hour.reshape(-1, 7).mean(axis=1), recency_weights(axis, rows, 700, Duration(50, "d"))
    )
    year = recency_weights(axis, rows, 700, Duration(1, "y"))
    later = np.searchsorted(axis, axis[0] + 365 * day)
    assert abs(year[later] / year[0] - 2.0) < 0.01
    whole = recency_weights(axis, rows, len(axis), Duration(20, "d"))
    np.testing.assert_allclose(whole, recency_weights(axis, rows, 700, Duration(20, "d")))
