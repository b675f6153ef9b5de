"""What a portfolio trades: by hand, and against a dictionary of positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.statistics.portfolio import (
    booked,
    leg_turnover,
    max_drawdown,
    predecessors,
    thinned,
    traded_weight,
)


def test_predecessor_is_the_cohort_a_horizon_before() -> None:
    """On every bar: as many sub-portfolios as the horizon has bars."""
    assert predecessors(np.arange(7), span=3).tolist() == [-1, -1, -1, 0, 1, 2, 3]


def test_capital_is_handed_on_once() -> None:
    """On uneven timestamps each cohort has at most one successor, none before it ended."""
    positions = np.sort(np.random.default_rng(0).choice(500, 120, replace=False))
    before = predecessors(positions, span=9)
    taken = before[before >= 0]
    assert len(np.unique(taken)) == len(taken)
    heirs = np.flatnonzero(before >= 0)
    assert (positions[taken] + 9 <= positions[heirs]).all()


def test_traded_weight_by_hand() -> None:
    """Two names bought, then one of two replaced, then everything sold at the end."""
    weights = np.array([0.5, 0.5, 0.5, 0.5])
    cohorts = np.array([0, 0, 1, 1])
    symbols = np.array([3, 4, 4, 5])
    before = np.array([-1, 0])
    # Bought 1; sold half of 3 and bought half of 5, then sold all.
    assert traded_weight(weights, cohorts, symbols, before).tolist() == [1.0, 1.0 + 1.0]


def test_both_legs_replaced_entirely_trade_four() -> None:
    """Long and short legs of 1 each: 2 closed, 2 opened; a name that changes sides counts 2."""
    weights = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    cohorts = np.array([0, 0, 1, 1, 2, 2])
    symbols = np.array([0, 1, 2, 3, 3, 2])
    before = np.array([-1, 0, 1])
    assert traded_weight(weights, cohorts, symbols, before).tolist() == [2.0, 4.0, 4.0 + 2.0]


@given(seed=st.integers(0, 10_000), span=st.integers(1, 6))
def test_traded_weight_is_that_of_a_dictionary_of_positions(seed: int, span: int) -> None:
    """The sum over symbols of absolute differences, with nothing for what is held on."""
    rng = np.random.default_rng(seed)
    positions = np.unique(rng.integers(0, 30, 15))
    before = predecessors(positions, span)
    held = [
        {int(s): float(rng.choice([-0.5, 0.25, 1.0])) for s in rng.choice(6, 3, replace=False)}
        for _ in positions
    ]
    cohorts = np.repeat(np.arange(len(held)), 3)
    symbols = np.array([symbol for each in held for symbol in each])
    weights = np.array([weight for each in held for weight in each.values()])
    expected = []
    for i, each in enumerate(held):
        old = held[before[i]] if before[i] >= 0 else {}
        change = sum(abs(each.get(s, 0.0) - old.get(s, 0.0)) for s in {*each, *old})
        is_last = i not in before.tolist()
        expected.append(change + (sum(map(abs, each.values())) if is_last else 0.0))
    np.testing.assert_allclose(traded_weight(weights, cohorts, symbols, before), expected)


def test_turnover_is_the_share_of_names_replaced() -> None:
    """One name of two replaced is a half; the same names are nothing; all are 1."""

    def turnover(*names: tuple[int, int]) -> float:
        symbols = np.array(names).ravel()
        cohorts = np.repeat(np.arange(len(names)), 2)
        weights = np.full(len(symbols), 0.5)
        return leg_turnover(weights, cohorts, symbols, predecessors(np.arange(len(names)), 1))

    assert turnover((0, 1), (1, 2), (1, 2)) == pytest.approx((0.5 + 0.0) / 2)
    assert turnover((0, 1), (2, 3)) == pytest.approx(1.0)
    assert np.isnan(turnover((0, 1)))


def test_drawdown_starts_from_nothing() -> None:
    """A curve that only falls has fallen from 0; one that only rises has no drawdown."""
    assert max_drawdown(np.array([-0.1, -0.3])) == pytest.approx(0.3)
    assert max_drawdown(np.array([0.1, 0.3])) == 0.0
    assert booked(np.array([0.2, 0.4, -0.2]), 2).tolist() == pytest.approx([0.1, 0.3, 0.2])


def test_thinned_keeps_both_ends() -> None:
    """At most as many as asked for; all where there are fewer."""
    assert thinned(3, 250).tolist() == [0, 1, 2]
    places = thinned(10_000, 250)
    assert (len(places), places[0], places[-1]) == (250, 0, 9_999)
