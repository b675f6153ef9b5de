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
    acquitting_correlation,
    is_clock_leak,
    is_clock_suspect,
)

LENGTH, N_BLOCKS = 12, 500
BLOCK = np.repeat(np.arange(N_BLOCKS), LENGTH)


def _brought(returns: np.ndarray) -> Brought:
    return Brought.of(returns, np.abs(returns), np.cumsum(returns), np.arange(len(returns)))


def test_the_running_block_is_known_inside_and_not_outside() -> None:
    """Of a block of independent bars the second half is √½, and all but one bar √(11/12)."""
    returns = np.random.default_rng(0).standard_normal(len(BLOCK))
    of_block = np.bincount(BLOCK, weights=returns)
    features = np.column_stack([of_block[BLOCK], np.r_[0.0, of_block[:-1]][BLOCK]])
    view = ClockView.of(block_starts(BLOCK), _brought(returns))
    assert view is not None
    (plain, _), (sizes, _), _ = score_clock(rank_features(features), view)
    # Ranks of normal values correlate by 6/π·asin(ρ/2).
    expected = 6 / np.pi * np.arcsin(np.sqrt(0.5) / 2)
    assert plain.inside == pytest.approx([expected, 0.0], abs=0.1)
    assert plain.outside == pytest.approx([0.0, 0.0], abs=0.12)
    rest = np.mean([np.sqrt((11 - place) / 12) for place in (0, 2, 4)])
    assert plain.rest[0] == pytest.approx(6 / np.pi * np.arcsin(rest / 2), abs=0.05)
    assert sizes.inside == pytest.approx([0.0, 0.0], abs=0.12)
    # From a block's last row nothing of the next one is known.
    assert plain.beyond == pytest.approx([0.0, 0.0], abs=0.12)
    assert (plain.freedom == N_BLOCKS - 4).all()


def test_the_range_of_the_running_block_is_known_by_its_range() -> None:
    """Better than by the sizes of its returns, which say less of how far they add up to."""
    returns = np.random.default_rng(3).standard_normal(len(BLOCK))
    path = np.cumsum(returns).reshape(N_BLOCKS, LENGTH)
    before = np.r_[0.0, path[:-1, -1]]
    reached = np.column_stack([before, path])
    spread = (reached.max(axis=1) - reached.min(axis=1))[BLOCK]
    view = ClockView.of(block_starts(BLOCK), _brought(returns))
    assert view is not None
    _, (sizes, _), (ranges, _) = score_clock(rank_features(spread[:, None]), view)
    assert ranges.rest[0] > 0.6 > sizes.rest[0] + 0.1
    assert abs(ranges.outside[0]) < 0.12
    assert abs(ranges.beyond[0]) < 0.12


def test_ranges_are_those_of_the_path() -> None:
    """From where the price stood before the first bar to its highs and lows; cut off at the end."""
    path = np.array([0.0, 1.0, 3.0, -1.0, 0.0, 5.0, 5.0, 2.0])
    brought = Brought.of(np.diff(path, prepend=0.0), np.zeros(8), path, np.arange(8))
    ranges = brought.outcomes(np.array([1, 3, 5, 6]), np.array([3, 5, 7, 99]))[:, 2]
    # 0 → 3, 3 → −1, 0 → 5 and 5 → 2, each of two bars: 3, 4, 5, 3.
    assert np.argsort(ranges[1:3]).tolist() == [0, 1]
    assert ranges[0] == ranges[3] < ranges[1]


def test_a_range_is_compared_with_that_of_as_many_bars() -> None:
    """Longer blocks are not wilder, and neither are those at a loud time of the day."""
    random = np.random.default_rng(6)
    lengths = np.tile([2, 30], 300)
    first = np.r_[0, np.cumsum(lengths)[:-1]]
    returns = random.standard_normal(lengths.sum())
    brought = Brought.of(returns, np.abs(returns), np.cumsum(returns), np.zeros(len(returns)))
    ranges = brought.outcomes(first[1:], first[1:] + lengths[1:])[:, 2]
    assert abs(np.corrcoef(ranges, lengths[1:])[0, 1]) < 0.2
    loud = np.repeat(np.tile([1.0, 3.0], 300), lengths)
    path, times = np.cumsum(returns * loud), np.repeat(np.tile([0, 1], 300), lengths)
    ranges = Brought.of(returns, np.abs(returns), path, times).outcomes(
        first[1:], first[1:] + lengths[1:]
    )[:, 2]
    assert abs(np.corrcoef(ranges, lengths[1:])[0, 1]) < 0.05


def test_what_keeps_its_value_counts_as_held() -> None:
    """Over blocks; not what now and then repeats itself."""
    values = np.random.default_rng(4).standard_normal(len(BLOCK))
    often = np.where(np.arange(len(BLOCK)) % 10 == 0, 0.0, values)
    ranks = rank_features(np.column_stack([values[BLOCK], values, often]))
    assert ranks.is_held.tolist() == [True, False, False]
    assert ranks.of([1, 0]).is_held.tolist() == [False, True]


def test_what_bars_already_told_is_taken_out() -> None:
    """A price over its block's close: what is new in it is the rest of the block alone."""
    returns = np.random.default_rng(1).standard_normal(len(BLOCK))
    price = np.cumsum(returns)
    close = price[LENGTH - 1 :: LENGTH][BLOCK]
    noisy = price - close + 3.0 * (price - np.r_[np.zeros(4), price[:-4]])
    view = ClockView.of(block_starts(BLOCK), _brought(returns))
    assert view is not None
    (plain, new), _, _ = score_clock(rank_features(noisy[:, None]), view)
    assert abs(plain.rest[0]) < 0.5
    assert new.rest[0] < -0.8


def test_too_few_blocks_show_nothing() -> None:
    """Nor do blocks of one bar."""
    returns = np.random.default_rng(2).standard_normal(240)
    brought = _brought(returns)
    assert ClockView.of(block_starts(np.arange(240) // 12), brought) is None
    assert ClockView.of(block_starts(np.arange(240)), brought) is None


LEAK = ClockFigures.of(0.6, 0.05, 0.8, 0.7, 200)


@pytest.mark.parametrize(
    ("changed", "leaks"),
    [
        ({}, True),
        ({"inside": 0.25}, True),  # says little of the second half, and much of the rest
        ({"inside": 0.25, "rest": 0.5}, False),
        ({"inside": 0.1, "beyond": 0.1, "end": 5.0}, True),  # ends at the block's last row
        ({"inside": 0.1, "beyond": 0.4, "end": 5.0}, False),
        ({"inside": 0.1, "beyond": 0.1, "end": 2.0}, False),
        ({"inside": 0.1, "beyond": 0.0, "end": 5.0, "rest": 0.4}, False),
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


def test_figures_are_turned_towards_a_positive_rest() -> None:
    """A leak with the other sign is as good."""
    assert ClockFigures.of(-0.6, -0.05, -0.8, -0.7, 200) == LEAK
    assert ClockFigures.of(-0.6, 0.05, -0.8, -0.7, 200).outside == pytest.approx(-0.05)


@pytest.mark.parametrize(
    "changed", [{}, {"inside": 0.25}, {"inside": 0.1, "beyond": 0.1, "end": 5}]
)
def test_a_higher_limit_acquits(changed: dict[str, float]) -> None:
    """The one that the reason names, whichever way the leak was found, and none much lower."""
    figures = replace(LEAK, **changed)
    limit = acquitting_correlation(figures)
    assert not is_clock_leak(figures, LookAheadLimits(limit + 0.01))
    assert is_clock_leak(figures, LookAheadLimits(min(0.3, limit - 0.01)))


def test_weak_suspicions_of_many_symbols_are_strong_together() -> None:
    """Less so than if they were independent, and those without one count as nothing."""
    weak = ClockFigures.of(0.4, -0.1, 0.6, 0.5, 35)
    limits = LookAheadLimits()
    assert is_clock_suspect(weak, limits)
    assert not is_clock_leak(ClockFigures.pooled([weak], 1), limits)
    assert is_clock_leak(ClockFigures.pooled([weak] * 6, 6), limits)
    assert not is_clock_leak(ClockFigures.pooled([weak] * 6, 12), limits)
    together = ClockFigures.pooled([weak] * 6, 6)
    assert weak.z < together.z < np.sqrt(2.0) * weak.z
