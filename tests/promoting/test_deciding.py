"""A challenger that is worse is turned away; one that is as good hardly ever is."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from ray_pipeline.promoting.deciding import ALPHA, Compared, SameRows, compare_rows, decide
from ray_pipeline.records import View
from ray_pipeline.statistics.family_wise import holm

VIEWS: tuple[View, ...] = ("cross_sectional", "symbol_specific")
N_SYMBOLS, N_TIMES, FOLD = 20, 120, 40


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
        folds=positions // FOLD,
        is_same=np.zeros(len(positions), dtype=bool),
        is_told=np.ones(len(positions), dtype=bool),
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
    assert verdict.evidence == "too_few_rows"
    none = decide([])
    assert (none.promoted, none.evidence) == (True, "none")
    assert "no target and view in common" in none.why


@pytest.mark.parametrize("view", VIEWS)
def test_a_model_is_not_compared_with_itself(view: View) -> None:
    """The same predictions in all folds are not evidence, not even that it is as good."""
    rows = _rows(np.random.default_rng(1))
    same = replace(rows, new=rows.present, is_same=np.ones(len(rows.new), dtype=bool))
    found = _compared(same, view)
    assert (found.n_rows, found.n_timestamps, found.n_same_rows) == (0, 0, N_SYMBOLS * N_TIMES)
    assert not found.is_measured
    assert math.isnan(found.skill_new)
    verdict = decide([found])
    assert verdict.promoted
    assert verdict.evidence == "same_models"
    assert "the folds that scored the later rows are the present version's own" in verdict.why
    assert verdict.p_adjusted[0] != verdict.p_adjusted[0]


@pytest.mark.parametrize("view", VIEWS)
def test_folds_of_the_present_models_are_left_out(view: View) -> None:
    """The first fold after a training has its models: the others alone tell what newer ones do."""
    rows = _rows(np.random.default_rng(3), new=0.05, present=0.3)
    is_own = rows.folds == 0
    mixed = replace(rows, new=np.where(is_own, rows.present, rows.new), is_same=is_own)
    found = _compared(mixed, view)
    later = replace(rows, **{each.name: getattr(rows, each.name)[~is_own] for each in fields(rows)})
    alone = _compared(later, view)
    assert (found.n_same_rows, found.n_rows) == (FOLD * N_SYMBOLS, (N_TIMES - FOLD) * N_SYMBOLS)
    assert alone.n_same_rows == 0
    assert replace(found, n_same_rows=0) == alone
    verdict = decide([found])
    assert (verdict.promoted, verdict.evidence) == (False, "compared")
    # A fold of which a single row differs is one of other models, and counts as a whole.
    other = replace(mixed, is_same=is_own & (np.arange(len(is_own)) > 0))
    assert _compared(other, view).n_same_rows == 0
    # It has still learned nothing newer, and differs by what it chose: of that it tells nothing.
    older = _compared(replace(other, is_told=~is_own), view)
    assert (older.n_same_rows, older.n_older_rows) == (0, FOLD * N_SYMBOLS)
    assert replace(older, n_older_rows=0) == alone


def test_what_is_measured_decides_beside_what_cannot_be() -> None:
    """A target whose models are the present ones takes no part in the verdict on the others."""
    worse = Compared("b", "cross_sectional", 100, 100, 0.0, 0.1, -0.1, 0.01, 0.001)
    nan = math.nan
    same = Compared("a", "cross_sectional", 0, 0, nan, nan, nan, nan, nan, n_same_rows=100)
    verdict = decide([same, worse])
    assert (verdict.promoted, verdict.evidence) == (False, "compared")
    assert verdict.p_adjusted[1] == 0.001
    assert decide([same]).evidence == "same_models"
    older = decide([same, replace(same, n_same_rows=0, n_older_rows=50)])
    assert older.evidence == "nothing_newer"
    assert "own models or were made like the present version, of no newer rows" in older.why
    few = replace(same, n_rows=3, n_same_rows=97)
    assert decide([same, few]).evidence == "too_few_rows"


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
