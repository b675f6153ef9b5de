"""Skill over a symbol's own time: planted truths, and a random walk that must have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from ray_pipeline.records import Task
from ray_pipeline.statistics.skill import (
    centred_percentile,
    grouped_skill,
    outcome,
    time_contributions,
)

Floats = NDArray[np.float64]


@given(
    values=st.lists(st.integers(-4, 4).map(float), max_size=20),
    reference=st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=20),
)
def test_centred_percentile_counts_what_lies_below_and_above(
    values: list[float], reference: list[float]
) -> None:
    """The share of the reference below a value less the share above it."""
    known = np.array(reference)
    expected = [float(np.mean(known < v) - np.mean(known > v)) for v in values]
    assert centred_percentile(np.array(values), known) == pytest.approx(expected, abs=1e-12)


def test_outcome_of_binary_labels_is_less_their_base_rate() -> None:
    """With one positive in four training rows a positive counts ¾ and a negative −¼."""
    known = np.array([0.0, 0.0, 1.0, 0.0])
    assert outcome(np.array([1.0, 0.0]), known, "binary").tolist() == [0.75, -0.25]
    assert outcome(np.array([5.0, -5.0]), np.arange(3.0), "ordinal").tolist() == [1.0, -1.0]


def test_labels_count_as_deviations_from_those_to_come() -> None:
    """By hand: outcomes 1, −1, 0 deviate by 1 − 0, −1 + ½ and 0 from what is still to come."""
    found = time_contributions(np.array([1.0, -1.0, 1.0]), np.array([1.0, -1.0, 0.0]), "regression")
    scale = 1.0 * np.sqrt((1 + 0.25 + 0) / 3)
    assert found == pytest.approx(np.array([1.0, 0.5, 0.0]) / scale)


def _products(prediction: Floats, actual: Floats, task: Task) -> Floats:
    """Contributions of rows whose first half is the training range."""
    half = len(prediction) // 2
    u = centred_percentile(prediction[half:], prediction[:half])
    return time_contributions(u, outcome(actual[half:], actual[:half], task), task)


@pytest.mark.parametrize("task", ["regression", "binary", "ordinal"])
def test_planted_skill_is_found_in_the_units_of_rank_ic_and_auc(task: Task) -> None:
    """On independent rows it agrees with Spearman's correlation and with 2·AUC − 1."""
    random = np.random.default_rng(3)
    prediction = random.standard_normal(8000)
    actual = 0.5 * prediction + random.standard_normal(8000)
    if task == "binary":
        actual = (actual > 0.8).astype(float)
    if task == "ordinal":
        actual = np.digitize(actual, [-1.0, 0.0, 1.0]).astype(float)
    test = slice(4000, None)
    one = np.zeros(4000, dtype=np.int64)
    expected = grouped_skill(prediction[test], actual[test], one, task).skills[0]
    assert 0.3 < expected < 0.7
    assert _products(prediction, actual, task).mean() == pytest.approx(expected, abs=0.02)


@given(seed=st.integers(0, 2**32), n_rows=st.integers(4, 60))
def test_ordered_skill_stays_in_its_range_and_depends_on_order_alone(
    seed: int, n_rows: int
) -> None:
    """In [-1, 1]; a monotone map of predictions or labels changes nothing, reversing reverses."""
    random = np.random.default_rng(seed)
    p, y = random.standard_normal(n_rows), random.standard_normal(n_rows).cumsum()
    products = _products(p, y, "regression")
    assert abs(products.mean()) <= 1 + 1e-12
    assert _products(np.exp(p), y**3, "regression") == pytest.approx(products, abs=1e-12)
    assert _products(-p, y, "regression") == pytest.approx(-products, abs=1e-12)


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_what_does_not_vary_has_no_skill(task: Task) -> None:
    """A constant bet, labels of one kind, a single row and no rows all contribute 0."""
    varied, constant = np.array([0.2, -0.4, 0.6, -0.6]), np.full(4, 0.3)
    outcomes = np.array([0.75, -0.25, -0.25, 0.75])
    nothing = np.zeros(4)
    # A constant bet in the middle of what the model says in training is not a bet.
    assert time_contributions(nothing, outcomes, task).tolist() == [0.0] * 4
    assert time_contributions(varied, constant, task) == pytest.approx(nothing, abs=1e-12)
    assert time_contributions(varied[:1], outcomes[:1], task).tolist() == [0.0]
    assert time_contributions(varied[:0], outcomes[:0], task).tolist() == []


def _walk(random: np.random.Generator, n_rows: int, horizon: int) -> tuple[Floats, Floats]:
    """Price and overlapping label of a random walk."""
    price = np.cumsum(random.standard_normal(n_rows + horizon))
    return price[:n_rows], price[horizon:] - price[:n_rows]


def _mean_reversion_skills(n_panels: int) -> tuple[Floats, Floats]:
    """Skills of betting on mean reversion as a model learns it, and their naive version."""
    random = np.random.default_rng(11)
    honest, naive = np.empty(n_panels), np.empty(n_panels)
    for i in range(n_panels):
        price, label = _walk(random, 500, 5)
        train, test = slice(0, 245), slice(250, 500)
        slope = np.polyfit(price[train], label[train], 1)[0]
        u = centred_percentile(slope * price[test], slope * price[train])
        v = outcome(label[test], label[train], "regression")
        honest[i] = time_contributions(u, v, "regression").mean()
        naive[i] = stats.spearmanr(slope * price[test], label[test]).statistic
    return honest, naive


def test_a_random_walk_has_no_skill_on_average() -> None:
    """A model of the price level learns mean reversion from noise and must not be rewarded.

    The correlation within the test rows does reward it (Stambaugh's bias): 0.2 out of nothing.
    """
    honest, naive = _mean_reversion_skills(400)
    error = honest.std() / np.sqrt(len(honest))
    assert abs(honest.mean()) < 2.5 * error < 0.025
    assert naive.mean() > 0.1
