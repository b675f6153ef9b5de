from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.panel.bar_flaws import Split, find_bar_flaws, is_split_column

Floats = NDArray[np.float64]
N = 600


def walk(seed: int = 0, n: int = N, deviation: float = 0.01) -> Floats:
    """Return bars of a random walk, (n, 5)."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.standard_t(4, n) * deviation / np.sqrt(2)))
    opened = np.r_[100.0, close[:-1]] * np.exp(rng.normal(0, deviation / 5, n))
    spread = np.abs(rng.normal(0, deviation / 3, (2, n)))
    high = np.maximum(opened, close) * np.exp(spread[0])
    low = np.minimum(opened, close) * np.exp(-spread[1])
    return np.column_stack([opened, high, low, close, rng.lognormal(10, 1, n)])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("deviation", [0.0005, 0.01, 0.05])
def test_nothing_is_found_in_a_random_walk(seed: int, deviation: float) -> None:
    """With heavy tails, calm or wild, rarely moving, or with a jump that no ratio explains."""
    bars = walk(seed, deviation=deviation)
    thin = np.where((np.random.default_rng(seed).random(N) < 0.7)[:, None], np.nan, bars)
    jumped = bars.copy()
    jumped[300:, :4] *= 0.43
    for each in (bars, thin, jumped):
        flaws = find_bar_flaws(each)
        assert (flaws.ticks.tolist(), flaws.splits, flaws.stuck) == ([], (), ())


@pytest.mark.parametrize("factor", [100.0, 0.01, 2.0, 0.5, 0.0, -1.0])
@pytest.mark.parametrize("n_bars", [1, 2])
def test_a_close_that_comes_back_is_a_tick(factor: float, n_bars: int) -> None:
    """Too large, too small, zero or negative, for one bar or two."""
    bars = walk()
    rows = slice(200, 200 + n_bars)
    bars[rows, 3] *= factor
    bars[rows, 1] = np.maximum(bars[rows, 1], bars[rows, 3])
    assert find_bar_flaws(bars).ticks.tolist() == list(range(200, 200 + n_bars))


@pytest.mark.parametrize(("field", "factor"), [(0, 3.0), (0, 0.2), (1, 50.0), (2, 0.1)])
def test_a_single_price_beyond_all_closes_around_it(field: int, factor: float) -> None:
    """An open, a high or a low alone."""
    bars = walk()
    bars[200, field] *= factor
    assert find_bar_flaws(bars).ticks.tolist() == [200]


def test_what_is_not_a_tick() -> None:
    """A price that stays, one that has not come back yet, and a wild hour in which all move."""
    stays = walk()
    stays[300:, :4] *= 1.7
    newest = walk()
    newest[-1, 3] *= 100
    wild = walk(deviation=0.002)
    wild[250:350] = walk(3, 100, 0.2)
    for bars in (stays, newest, wild):
        assert find_bar_flaws(bars).ticks.tolist() == []


def test_later_bars_decide_no_other_row() -> None:
    """Of any number of bars, those before the newest have the same ticks."""
    bars = walk()
    bars[[100, 250, 400], 3] *= 80
    whole = find_bar_flaws(bars).ticks
    for n in (240, 252, 300, 403, N):
        found = find_bar_flaws(bars[:n]).ticks
        assert found.tolist() == whole[whole < n - 1].tolist()


@pytest.mark.parametrize("ratio", [20.0, 2.0, 1.5, 0.1])
@pytest.mark.parametrize("is_stated", [True, False])
def test_unadjusted_splits(ratio: float, is_stated: bool) -> None:
    """By the column that states them, or by the ratio of the jump; a tick beside is none."""
    bars = walk()
    bars[300:, :4] /= ratio
    bars[100, 3] *= 100
    stated = np.zeros(N)
    stated[300] = ratio
    flaws = find_bar_flaws(bars, stated if is_stated else None)
    (found,) = flaws.splits
    assert (found.row, found.is_stated) == (300, is_stated)
    assert found.ratio == pytest.approx(ratio)
    assert flaws.ticks.tolist() == [100]


def test_a_split_column_alone_is_no_finding() -> None:
    """Vendors state splits that their prices are adjusted for; 1 and 0 are none."""
    stated = np.ones(N)
    stated[300] = 4.0
    assert find_bar_flaws(walk(), stated).splits == ()
    both = walk()
    both[300:, :4] /= 4
    assert find_bar_flaws(both, stated).splits == (Split(300, 4.0, is_stated=True),)


def test_stuck_prices() -> None:
    """A long run of one price; what a symbol does all the time is not called so."""
    bars = walk()
    bars[200:230, :4] = bars[200, 3]
    assert find_bar_flaws(bars).stuck == ((200, 30),)
    short = walk()
    short[200:206, :4] = short[200, 3]
    assert find_bar_flaws(short).stuck == ()
    pegged = np.where(np.random.default_rng(1).random((N, 1)) < 0.9, 1.0, walk())
    assert find_bar_flaws(pegged).stuck == ()


def test_few_bars_and_missing_ones() -> None:
    """Of too few bars nobody knows the range; missing bars are passed over."""
    few = walk(n=40)
    few[20, 3] *= 100
    assert find_bar_flaws(few).ticks.tolist() == []
    holes = walk()
    holes[200, 3] *= 100
    holes[[198, 199, 201, 202]] = np.nan
    assert find_bar_flaws(holes).ticks.tolist() == [200]
    assert find_bar_flaws(np.full((N, 5), np.nan)).ticks.tolist() == []


def test_prices_that_are_negative_as_a_rule() -> None:
    """Spreads have no ratios: nothing is found in them, and nothing fails."""
    bars = walk()
    bars[:, :4] -= 100
    flaws = find_bar_flaws(bars)
    assert (flaws.ticks.tolist(), flaws.splits) == ([], ())


def test_names_of_split_columns() -> None:
    """As vendors spell them."""
    names = ("Stock Splits", "split_factor", "splitFactor", "split", "Split Ratio", "stock_splits")
    assert all(map(is_split_column, names))
    assert not any(map(is_split_column, ("train_split", "spread", "splitter", "close")))
