from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_pipeline.discovery import select_symbol_batch
from ray_pipeline.errors import ConfigError

SYMBOLS = [f"S{i:03}" for i in range(100)]


@given(
    st.lists(st.text(max_size=4), max_size=30),
    st.integers(1, 40),
    st.integers(-(2**70), 2**70),
    st.randoms(use_true_random=False),
)
def test_batch_is_the_formula_over_the_set(
    symbols: list[str], batch_size: int, seed: int, shuffle: random.Random
) -> None:
    """Order and repetition do not matter, and the draw is the one that users have on record."""
    names = sorted(set(symbols))
    expected = names
    if batch_size < len(names):
        expected = sorted(random.Random(seed).sample(names, batch_size))
    repeated = symbols + symbols[:3]
    shuffle.shuffle(repeated)
    assert select_symbol_batch(repeated, batch_size, seed) == expected


def test_recorded_draw() -> None:
    """A draw on record: it must never change."""
    assert select_symbol_batch(SYMBOLS, 5, 7) == ["S006", "S019", "S041", "S050", "S083"]


@pytest.mark.parametrize("batch_size", [None, 100, 101])
def test_all_symbols_come_back_sorted(batch_size: int | None) -> None:
    """Without a size, or with one that covers all, there is nothing to draw."""
    assert select_symbol_batch(reversed(SYMBOLS), batch_size, 7) == SYMBOLS


def test_global_random_state_is_untouched() -> None:
    """Neither a given nor a missing seed reads or moves the global generator."""
    random.seed(1)
    state = random.getstate()
    select_symbol_batch(SYMBOLS, 5, 7)
    unseeded = {tuple(select_symbol_batch(SYMBOLS, 5)) for _ in range(5)}
    assert random.getstate() == state
    assert len(unseeded) > 1


def test_no_symbols_give_no_batch() -> None:
    """An empty set has an empty batch."""
    assert select_symbol_batch([], 5, 7) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"batch_size": 0},
            r"symbol_batch_size must be at least 1 \(or null for all symbols\); got 0",
        ),
        ({"batch_size": -3}, "symbol_batch_size must be at least 1 .*; got -3"),
        ({"batch_size": True}, "symbol_batch_size must be a whole number or null; got True"),
        ({"batch_size": 2.0}, r"symbol_batch_size must be a whole number or null; got 2\.0"),
        ({"batch_size": "2"}, "symbol_batch_size must be a whole number or null; got '2'"),
        ({"random_seed": "x"}, "random seed must be a whole number or null; got 'x'"),
        ({"random_seed": False}, "random seed must be a whole number or null; got False"),
    ],
)
def test_wrong_arguments_are_config_errors(arguments: dict[str, Any], message: str) -> None:
    """What is not a sensible number is refused with what was given."""
    with pytest.raises(ConfigError, match=message):
        select_symbol_batch(SYMBOLS, **arguments)


def test_one_text_is_not_a_list_of_symbols() -> None:
    """``"AAPL"`` is not the symbols A, P and L."""
    with pytest.raises(ConfigError, match="symbols must be a list of names; got the text 'AAPL'"):
        select_symbol_batch("AAPL")
