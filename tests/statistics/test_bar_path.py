"""Returns of single bars, recovered from labels that add several up."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.statistics.bar_path import returns_behind


def _labels(returns: np.ndarray, horizon: int, *, simple: bool = True) -> np.ndarray:
    total = np.r_[0.0, np.cumsum(returns)]
    n = len(returns)
    labels = np.full(n, np.nan)
    labels[: n - horizon] = total[1 + horizon :] - total[1 : n - horizon + 1]
    return np.expm1(labels) if simple else labels


def test_labels_of_one_bar_are_the_returns_of_the_next() -> None:
    """Exactly, and of the first bar nothing is known."""
    returns = np.random.default_rng(0).normal(0.0, 0.01, 50)
    found = returns_behind(_labels(returns, 1), 1)
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx(returns[1:])


@pytest.mark.parametrize("simple", [True, False])
@pytest.mark.parametrize("horizon", [2, 3, 12, 60, 200])
def test_returns_come_back_from_sums(horizon: int, simple: bool) -> None:
    """All but what repeats with the horizon's period; of a very long one with as much noise."""
    returns = np.random.default_rng(1).standard_t(4, 4_000) * 0.002
    found = returns_behind(_labels(returns, horizon, simple=simple), horizon)
    known = np.isfinite(found)
    assert known.sum() > 3_700
    least = 0.65 if horizon > 128 else 0.9
    assert np.corrcoef(found[known], returns[known])[0, 1] > least


def test_a_return_is_missing_only_where_no_label_covers_its_bar() -> None:
    """Labels missing here and there are made up for by those that overlap them."""
    returns = np.random.default_rng(2).normal(0.0, 0.01, 2_000)
    labels = _labels(returns, 5)
    labels[3::7] = np.nan
    labels[1_000:1_020] = np.nan
    found = returns_behind(labels, 5)
    assert np.flatnonzero(np.isnan(found)).tolist() == [0, *range(1_005, 1_021)]
    known = np.isfinite(found)
    assert np.corrcoef(found[known], returns[known])[0, 1] > 0.9


def test_what_is_no_sum_is_not_blown_up() -> None:
    """Noise in the place of labels gives a path of no more variance than twice its own."""
    noise = np.random.default_rng(3).standard_normal(3_000)
    found = returns_behind(noise, 10)
    assert 0.0 < np.nanvar(found) * 10 < 2.0 * 1.1


def test_labels_that_are_all_missing_have_no_path() -> None:
    """Nor have those of a history shorter than its horizon."""
    assert np.isnan(returns_behind(np.full(100, np.nan), 5)).all()
    assert np.isnan(returns_behind(np.full(4, np.nan), 5)).all()
