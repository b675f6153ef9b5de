"""What features say of spans of bars to come."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from ray_pipeline.statistics.bars_ahead import AheadScore, score_ahead
from ray_pipeline.statistics.clock_scores import rank_features
from ray_pipeline.statistics.surprises import surprises

Floats = NDArray[np.float64]
N_ROWS = 6_000


def _scores(returns: Floats, **features: Floats) -> dict[str, AheadScore | None]:
    surprise = surprises(returns, np.zeros(len(returns), dtype=np.int64))
    assert surprise is not None
    ranks = rank_features(np.column_stack(list(features.values())))
    return dict(zip(features, score_ahead(ranks, surprise), strict=True))


def _strength(score: AheadScore | None) -> float:
    return 0.0 if score is None else score.strength


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("span", [6, 12, 24])
def test_the_place_in_the_range_to_come_is_found_by_its_span(seed: int, span: int) -> None:
    """As the place and as the ratio of what lies above to what lies below; neither looking back."""
    returns = np.random.default_rng(seed).standard_t(5, N_ROWS) * 0.002
    price = np.cumsum(returns)
    # A bar opens where the last one closed: its high and low hold that price.
    windows = np.lib.stride_tricks.sliding_window_view(price, span + 1)
    high, low = windows.max(axis=1), windows.min(axis=1)
    end = np.full(span, np.nan)
    ahead = [np.r_[each, end] for each in (high, low)]
    behind = [np.r_[end, each] for each in (high, low)]
    with np.errstate(divide="ignore", invalid="ignore"):
        features = {
            f"{name}, {way}": values
            for way, (top, bottom) in {"ahead": ahead, "behind": behind}.items()
            for name, values in {
                "place": (price - bottom) / (top - bottom),
                "ratio": (top - price) / (price - bottom),
            }.items()
        }
    scores = _scores(returns, **features)
    for name in ("place, ahead", "ratio, ahead"):
        found = scores[name]
        assert found is not None
        assert found.strength > 0.5
        assert span / 2 <= found.span <= 2 * span
    for name in ("place, behind", "ratio, behind"):
        assert _strength(scores[name]) < 0.2


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9, 0.95, 0.99])
def test_a_driver_of_the_next_bar_says_less_of_any_span(memory: float) -> None:
    """At 0.3, however slow: over a span that ends what it says, it has said less than 0.5."""
    random = np.random.default_rng(1)
    noise = random.standard_normal(N_ROWS) * np.sqrt(1 - memory**2)
    driver = np.asarray(signal.lfilter([1.0], [1.0, -memory], noise))
    returns = 0.3 * np.r_[0.0, driver[:-1]] + np.sqrt(0.91) * random.standard_normal(N_ROWS)
    assert _strength(_scores(returns, driver=driver)["driver"]) < 0.48


def test_what_reverts_to_its_mean_is_made_of_the_bars_before() -> None:
    """A deviation that is forgotten in a few bars says as much of those behind, mirrored."""
    random = np.random.default_rng(2)
    level = np.asarray(signal.lfilter([1.0], [1.0, -0.5], random.standard_normal(N_ROWS)))
    returns = np.diff(level, prepend=level[0])
    assert _strength(_scores(returns, level=level)["level"]) == 0.0


def test_too_few_rows_say_nothing() -> None:
    """A span needs fifty rows for each of its bars, and a feature has to change."""
    returns = np.random.default_rng(3).standard_normal(120)
    assert _scores(returns, x=np.r_[returns[1:], 0.0]) == {"x": None}
    longer = np.random.default_rng(3).standard_normal(1_000)
    assert _scores(longer, x=np.ones(1_000)) == {"x": None}
