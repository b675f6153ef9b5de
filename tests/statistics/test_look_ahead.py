"""What features say of the rest of a block, and when that is a leak."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ray_pipeline.statistics.clock_scores import (
    Brought,
    ClockView,
    block_starts,
    rank_features,
    score_clock,
)
from ray_pipeline.statistics.look_ahead import (
    ClockFigures,
    LookAheadLimits,
    is_clock_leak,
    is_clock_suspect,
)

LENGTH, N_BLOCKS = 12, 500
BLOCK = np.repeat(np.arange(N_BLOCKS), LENGTH)


def test_the_running_block_is_known_inside_and_not_outside() -> None:
    """Of a block of independent bars the second half is √½, and all but one bar √(11/12)."""
    returns = np.random.default_rng(0).standard_normal(len(BLOCK))
    of_block = np.bincount(BLOCK, weights=returns)
    features = np.column_stack([of_block[BLOCK], np.r_[0.0, of_block[:-1]][BLOCK]])
    view = ClockView.of(block_starts(BLOCK), Brought(returns, np.abs(returns)))
    assert view is not None
    (plain, _), (sizes, _) = score_clock(rank_features(features), view)
    # Ranks of normal values correlate by 6/π·asin(ρ/2).
    expected = 6 / np.pi * np.arcsin(np.sqrt(0.5) / 2)
    assert plain.inside == pytest.approx([expected, 0.0], abs=0.1)
    assert plain.outside == pytest.approx([0.0, 0.0], abs=0.12)
    rest = np.mean([np.sqrt((11 - place) / 12) for place in (0, 2, 4)])
    assert plain.rest[0] == pytest.approx(6 / np.pi * np.arcsin(rest / 2), abs=0.05)
    assert sizes.inside == pytest.approx([0.0, 0.0], abs=0.12)
    assert (plain.freedom == N_BLOCKS - 4).all()


def test_what_bars_already_told_is_taken_out() -> None:
    """A price over its block's close: what is new in it is the rest of the block alone."""
    returns = np.random.default_rng(1).standard_normal(len(BLOCK))
    price = np.cumsum(returns)
    close = price[LENGTH - 1 :: LENGTH][BLOCK]
    noisy = price - close + 3.0 * (price - np.r_[np.zeros(4), price[:-4]])
    view = ClockView.of(block_starts(BLOCK), Brought(returns, np.abs(returns)))
    assert view is not None
    (plain, new), _ = score_clock(rank_features(noisy[:, None]), view)
    assert abs(plain.rest[0]) < 0.5
    assert new.rest[0] < -0.8


def test_too_few_blocks_show_nothing() -> None:
    """Nor do blocks of one bar."""
    returns = np.random.default_rng(2).standard_normal(240)
    brought = Brought(returns, np.abs(returns))
    assert ClockView.of(block_starts(np.arange(240) // 12), brought) is None
    assert ClockView.of(block_starts(np.arange(240)), brought) is None


LEAK = ClockFigures.of(0.6, 0.05, 0.8, 200)


@pytest.mark.parametrize(
    ("changed", "leaks"),
    [
        ({}, True),
        ({"inside": 0.25}, True),  # says little of the second half, and much of the rest
        ({"inside": 0.25, "rest": 0.5}, False),
        ({"inside": 0.15}, False),
        ({"outside": 0.3}, False),  # goes on across the end of the block
        ({"outside": -0.5}, True),
        ({"z": 4.0}, False),
        ({"contrast": 1.0}, False),
    ],
)
def test_a_leak_is_strong_certain_and_ends_with_its_block(
    changed: dict[str, float], leaks: bool
) -> None:
    """Each alone is what honest features can be."""
    assert is_clock_leak(replace(LEAK, **changed), LookAheadLimits()) is leaks


def test_figures_are_turned_towards_a_positive_inside() -> None:
    """A leak with the other sign is as good."""
    assert ClockFigures.of(-0.6, -0.05, -0.8, 200) == LEAK
    assert ClockFigures.of(-0.6, 0.05, -0.8, 200).outside == pytest.approx(-0.05)


def test_weak_suspicions_of_many_symbols_are_strong_together() -> None:
    """Less so than if they were independent, and those without one count as nothing."""
    weak = ClockFigures.of(0.4, -0.1, 0.6, 35)
    limits = LookAheadLimits()
    assert is_clock_suspect(weak, limits)
    assert not is_clock_leak(ClockFigures.pooled([weak], 1), limits)
    assert is_clock_leak(ClockFigures.pooled([weak] * 6, 6), limits)
    assert not is_clock_leak(ClockFigures.pooled([weak] * 6, 12), limits)
    together = ClockFigures.pooled([weak] * 6, 6)
    assert weak.z < together.z < np.sqrt(2.0) * weak.z
