"""What remembers itself is not news: honest features of loads, sales and levels are not accused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.statistics.bar_path import is_unforeseeable

Floats = NDArray[np.float64]
N_ROWS = 2_400


def load(random: np.random.Generator) -> Floats:
    """Draw an hourly load with a course of the day and of the week."""
    hours = np.arange(N_ROWS)
    course = 3.0 * np.sin(2 * np.pi * hours / 24) + np.sin(2 * np.pi * hours / 168)
    return course + random.standard_normal(N_ROWS)


def level(random: np.random.Generator) -> Floats:
    """Draw an AR(1) level."""
    values = np.zeros(N_ROWS)
    for row in range(1, N_ROWS):
        values[row] = 0.8 * values[row - 1] + random.standard_normal()
    return values


def sales(random: np.random.Generator) -> Floats:
    """Draw daily sales with busy weekends."""
    return np.where(np.arange(N_ROWS) % 7 >= 5, 2.0, 0.0) + random.standard_normal(N_ROWS)


@pytest.mark.parametrize(("series", "ahead"), [(load, 6), (level, 3), (sales, 1)])
@pytest.mark.parametrize("seed", range(5))
def test_what_remembers_itself_can_be_foreseen(
    series: Callable[[np.random.Generator], Floats], ahead: int, seed: int
) -> None:
    """Its value some rows ahead resembles the one of before, of yesterday or of last week."""
    values = series(np.random.default_rng(seed))
    labels = np.r_[values[ahead:], np.full(ahead, np.nan)]
    assert not is_unforeseeable(labels, ahead)


@pytest.mark.parametrize("horizon", [1, 5, 20])
@pytest.mark.parametrize("seed", range(5))
def test_returns_cannot(horizon: int, seed: int) -> None:
    """Heavy tails and gaps change nothing; neither does overlap."""
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.standard_t(4, N_ROWS))
    labels = np.r_[walk[horizon:] - walk[:-horizon], np.full(horizon, np.nan)]
    labels[random.random(N_ROWS) < 0.02] = np.nan
    assert is_unforeseeable(labels, horizon)


def test_too_short_a_history_says_nothing() -> None:
    """Fewer than a hundred pairs are not a ground for an accusation."""
    assert not is_unforeseeable(np.random.default_rng(0).standard_normal(80), 1)
