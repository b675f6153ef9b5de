"""Features that add up to the same over every whole block, and those that only seem to."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.statistics.block_balance import BlockSums, balanced_share, moves_with_bars
from ray_pipeline.statistics.clock_scores import block_starts
from ray_pipeline.statistics.surprises import Surprises, surprises

Floats = NDArray[np.float64]

LENGTH, N_BLOCKS = 48, 12
BLOCK = np.repeat(np.arange(N_BLOCKS), LENGTH)
STARTS = block_starts(BLOCK)


def _walk(seed: int) -> tuple[Floats, Surprises]:
    """Draw prices, and what nobody expected of their returns."""
    returns = np.random.default_rng(seed).standard_t(4, len(BLOCK)) * 0.002
    found = surprises(returns, np.arange(len(BLOCK)) % LENGTH)
    assert found is not None
    return 100.0 + np.cumsum(returns), found


def _of_block(price: Floats) -> Floats:
    return price.reshape(N_BLOCKS, LENGTH)


def _running(price: Floats) -> dict[str, Floats]:
    """Return features that are scaled by their whole block."""
    days = _of_block(price)
    mean, deviation = days.mean(axis=1, keepdims=True), days.std(axis=1, keepdims=True)
    return {
        "demeaned": (days - mean).ravel(),
        "z-score": ((days - mean) / deviation).ravel(),
        "percentile": (days.argsort(axis=1).argsort(axis=1) / LENGTH).ravel(),
        "share": (days / days.sum(axis=1, keepdims=True)).ravel(),
    }


def _honest(price: Floats) -> dict[str, Floats]:
    """Return the same of what was known."""
    days = _of_block(price)
    count = np.arange(1, LENGTH + 1)
    mean = np.cumsum(days, axis=1) / count
    deviation = np.sqrt(np.maximum(np.cumsum(days**2, axis=1) / count - mean**2, 1e-12))
    before = np.roll(days, 1, axis=0)
    return {
        "so far": ((days - mean) / deviation).ravel(),
        "block before": (
            (days - before.mean(axis=1, keepdims=True)) / before.std(axis=1, keepdims=True)
        ).ravel(),
        "return": np.diff(price, prepend=price[0]),
        "price": price,
        "noise": np.random.default_rng(7).standard_normal(len(price)),
    }


@pytest.mark.parametrize("seed", range(4))
def test_what_is_scaled_by_the_running_block_adds_up_and_moves_with_the_bars(seed: int) -> None:
    """Twelve blocks are enough, in single precision and with lost rows as well."""
    price, surprise = _walk(seed)
    for name, feature in _running(price).items():
        single = feature.astype(np.float32).astype(np.float64)
        single[LENGTH + 3] = np.nan
        (share,) = balanced_share(BlockSums.of(single[:, None]), STARTS)
        assert share >= 0.8, name
        moved = moves_with_bars(single, STARTS, [surprise])
        assert moved is not None, name
        assert moved[0] > 0.3


@pytest.mark.parametrize("seed", range(4))
def test_what_was_known_adds_up_to_something_else_each_time(seed: int) -> None:
    """By the block so far, by the one before, and by no block."""
    price, _ = _walk(seed)
    features = np.column_stack(list(_honest(price).values()))
    assert balanced_share(BlockSums.of(features), STARTS).tolist() == [0.0] * features.shape[1]


def test_the_calendar_adds_up_and_does_not_move_with_the_bars() -> None:
    """Nor does a schedule that is another every morning, even beside a daily course of returns."""
    random = np.random.default_rng(5)
    place = np.arange(len(BLOCK)) % LENGTH
    _, surprise = _walk(5)
    sine = np.sin(2 * np.pi * place / LENGTH)
    plans = random.random((N_BLOCKS, LENGTH))
    plan = (plans / plans.sum(axis=1, keepdims=True)).ravel()
    shares = balanced_share(BlockSums.of(np.column_stack([sine, place, plan])), STARTS)
    assert (shares == 1.0).all()
    for feature in (sine, place.astype(np.float64), plan):
        assert moves_with_bars(feature, STARTS, [surprise]) is None


def test_nothing_is_said_of_few_blocks_nor_of_what_stands_still() -> None:
    """Five whole blocks; flags that are set once a block, on any of its rows."""
    price, _ = _walk(6)
    demeaned = _running(price)["demeaned"][:, None]
    few = block_starts(BLOCK[: 7 * LENGTH])
    assert balanced_share(BlockSums.of(demeaned[: 7 * LENGTH]), few).tolist() == [0.0]
    flags = np.zeros((N_BLOCKS, LENGTH))
    flags[np.arange(N_BLOCKS), np.random.default_rng(8).integers(0, LENGTH, N_BLOCKS)] = 1.0
    assert balanced_share(BlockSums.of(flags.reshape(-1, 1)), STARTS).tolist() == [0.0]
    assert balanced_share(BlockSums.of(np.full((len(BLOCK), 1), np.nan)), STARTS).tolist() == [0.0]


def test_a_sum_is_compared_with_one_change() -> None:
    """By hand: sums of 6, 6, 6 … are the same, of 5.5 and 6.5 in turn they are not."""
    same = np.tile([0.0, 1.0, 2.0, 3.0, 3.0, 2.0, -5.0], 9)
    starts = block_starts(np.repeat(np.arange(9), 7))
    assert balanced_share(BlockSums.of(same[:, None]), starts).tolist() == [1.0]
    turned = same + np.repeat(np.tile([-0.5, 0.5], 5)[:9], 7) / 7
    assert balanced_share(BlockSums.of(turned[:, None]), starts).tolist() == [0.0]
