"""A challenger that is worse is turned away; one that is as good hardly ever is."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from ray_pipeline.promoting.deciding import ALPHA, Compared, SameRows, compare_rows, decide
from ray_pipeline.records import View
from ray_pipeline.statistics.family_wise import holm

VIEWS: tuple[View, ...] = ("cross_sectional", "symbol_specific")
N_SYMBOLS, N_TIMES = 20, 120


def _rows(
    random: np.random.Generator,
    *,
    new: float = 0.3,
    present: float = 0.3,
    n_times: int = N_TIMES,
    horizon: int = 1,
) -> SameRows:
    """Return rows of labels that overlap by `horizon`, and predictions that know so much of them.

    What both know in common is half of it, as of models that learned from nearly the same rows.
    """
    shape = (n_times + horizon, N_SYMBOLS)
    moves = random.standard_normal(shape) + 0.5 * random.standard_normal((shape[0], 1))
    label = np.array([moves[t : t + horizon].sum(axis=0) for t in range(n_times)])
    label /= label.std()
    common = random.standard_normal(label.shape)

    def standing(strength: float) -> NDArray[np.float64]:
        noise = (common + random.standard_normal(label.shape)) / math.sqrt(2)
        known = strength * label + math.sqrt(1 - strength**2) * noise
        return np.asarray(norm.cdf(known)).ravel()

    positions = np.repeat(np.arange(n_times), N_SYMBOLS)
    return SameRows(
        new=standing(new),
        present=standing(present),
        actual=label.ravel(),
        outcome=(2 * norm.cdf(label) - 1).ravel(),
        positions=positions,
        cells=positions,
        symbols=np.tile(np.arange(N_SYMBOLS), n_times),
    )


def _compared(rows: SameRows, view: View, horizon: int = 1) -> Compared:
    return compare_rows("y", view, "regression", rows, horizon, 1.0, 5)


@pytest.mark.parametrize("view", VIEWS)
def test_a_worse_challenger_is_turned_away(view: View) -> None:
    """The one that knows half as much, in nine of ten panels at least; a better one never is."""
    n_panels = 40
    rejected = {True: 0, False: 0}
    for seed, is_worse in product(range(n_panels), (True, False)):
        random = np.random.default_rng(seed)
        new, present = (0.05, 0.2) if is_worse else (0.2, 0.05)
        verdict = decide([_compared(_rows(random, new=new, present=present), view)])
        rejected[is_worse] += not verdict.promoted
    assert rejected[True] >= 0.9 * n_panels
    assert rejected[False] == 0


@pytest.mark.parametrize(("horizon", "n_targets"), [(1, 1), (5, 1), (5, 6)])
def test_an_equal_challenger_is_promoted(horizon: int, n_targets: int) -> None:
    """In at least 95 of 100 panels, with labels that overlap, and over many targets together."""
    n_panels, n_rejected = 200, 0
    for seed in range(n_panels):
        random = np.random.default_rng([seed, horizon, n_targets])
        found = [
            _compared(_rows(random, horizon=horizon), VIEWS[i % 2], horizon)
            for i in range(n_targets)
        ]
        n_rejected += not decide(found).promoted
    # Two standard errors above the nominal chance.
    assert n_rejected <= n_panels * ALPHA + 2 * math.sqrt(n_panels * ALPHA * (1 - ALPHA))


@pytest.mark.parametrize("view", VIEWS)
def test_too_few_rows_say_nothing(view: View) -> None:
    """The challenger is promoted then, and that is said; so it is where nothing is in common."""
    rows = _rows(np.random.default_rng(0), new=0.0, present=0.9, n_times=6)
    found = _compared(rows, view)
    assert not found.is_measured
    assert math.isnan(found.p_worse)
    verdict = decide([found])
    assert verdict.promoted
    assert "too few rows are later" in verdict.why
    unlabelled = replace(rows, actual=np.full(len(rows.actual), np.nan))
    assert decide([_compared(unlabelled, view)]).promoted
    none = decide([])
    assert none.promoted
    assert "no target and view in common" in none.why


def test_the_same_predictions_are_no_worse() -> None:
    """Bit for bit the same: a difference of 0, without an error, is no reason to stay."""
    rows = _rows(np.random.default_rng(1))
    found = _compared(replace(rows, new=rows.present), "cross_sectional")
    assert found.difference == 0.0
    assert found.p_worse == 1.0
    assert decide([found]).promoted


def test_skills_are_those_of_the_rows() -> None:
    """A perfect prediction has skill 1 across symbols, its reverse −1: the difference is 2."""
    rows = _rows(np.random.default_rng(2))
    standing = (rows.outcome + 1) / 2
    found = _compared(replace(rows, new=standing, present=1 - standing), "cross_sectional")
    assert found.skill_new == pytest.approx(1.0)
    assert found.skill_present == pytest.approx(-1.0)
    assert found.difference == pytest.approx(2.0)
    assert (found.n_rows, found.n_timestamps) == (N_SYMBOLS * N_TIMES, N_TIMES)


def test_one_bad_target_among_many_is_found_after_holm() -> None:
    """Its p-value pays for all that was compared, and the reason names it."""
    fine = Compared("a", "cross_sectional", 100, 100, 0.1, 0.1, 0.0, 0.01, 0.5)
    worse = replace(fine, target="b", skill_new=0.0, difference=-0.1, p_worse=0.02)
    assert decide([worse]).promoted is False
    assert decide([fine, worse, fine]).promoted is True
    certain = decide([fine, replace(worse, p_worse=0.001)])
    assert certain.promoted is False
    assert "the new models of b (cross-sectional) are worse" in certain.why
    assert certain.p_adjusted == (0.5, 0.002)


def test_holm_by_hand() -> None:
    """Three p-values; NaN is not counted; none exceeds 1 or falls below that of a smaller one."""
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03])), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm(np.array([0.9, np.nan, 0.6])), [1.0, np.nan, 1.0])
    assert holm(np.empty(0)).shape == (0,)
