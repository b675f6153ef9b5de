"""Leaks by value and behaviour: what must be found, and the honest features that must not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal

from ray_pipeline.statistics.lagged import normal_scores
from ray_pipeline.statistics.leak_scores import score_leaks
from ray_pipeline.statistics.leakage import LeakLimits, leak_verdict

Floats = NDArray[np.float64]

HORIZON = 10
N_ROWS = 1500


def _returns(seed: int, n_rows: int = N_ROWS) -> Floats:
    return np.random.default_rng(seed).standard_t(4, n_rows + 2 * HORIZON)


def _sums(returns: Floats, horizon: int, n_rows: int = N_ROWS) -> Floats:
    """Label of each row: the sum of the next returns, NaN where they are not all there."""
    total = np.r_[0.0, np.cumsum(returns)]
    labels = np.full(n_rows, np.nan)
    last = min(n_rows, len(returns) - horizon)
    labels[:last] = total[1 + horizon : 1 + horizon + last] - total[1 : 1 + last]
    return labels


def _shifted(values: Floats, by: int) -> Floats:
    """Value of the row `by` later (earlier when negative), NaN where there is none."""
    moved = np.full(len(values), np.nan)
    rows = np.arange(len(values)) + by
    inside = (rows >= 0) & (rows < len(values))
    moved[inside] = values[rows[inside]]
    return moved


def _verdict(feature: Floats, target: Floats, horizon: int = HORIZON) -> tuple[str, float] | None:
    ((score,),) = score_leaks(feature[:, None], target[:, None], [horizon])
    assert score is not None
    verdict = leak_verdict(score, LeakLimits())
    return None if verdict is None else (verdict.test, verdict.value)


def _target(seed: int = 0, horizon: int = HORIZON) -> Floats:
    return _sums(_returns(seed), horizon)


COPIES: dict[str, Callable[[Floats], Floats]] = {
    "exact": lambda y: y,
    "scaled and moved": lambda y: 7.0 - 1e4 * y,
    "monotone": lambda y: np.exp(0.5 * y),
    "rounded": lambda y: np.round(y, 1),
    "with holes": lambda y: np.where(np.arange(len(y)) % 3 == 0, np.nan, y),
    "3 rows later": lambda y: _shifted(y, 3),
    "9 rows later": lambda y: _shifted(y, HORIZON - 1),
    "3 rows earlier": lambda y: _shifted(y, -3),
    "7 rows earlier, reversed": lambda y: -_shifted(y, -7),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_of_the_target_is_found_by_value(name: str) -> None:
    """Whatever its scale, a monotone map, holes, or a shift that still needs the future."""
    target = _target()
    found = _verdict(COPIES[name](target), target)
    assert found is not None
    assert found[0] == "value"
    assert found[1] > 0.95


@pytest.mark.parametrize(("shift", "expected"), [(0, 0), (4, 4), (-4, -4)])
def test_the_shift_of_a_copy_is_named(shift: int, expected: int) -> None:
    """Positive when the feature agrees with the label of a later row."""
    target = _target()
    ((score,),) = score_leaks(_shifted(target, shift)[:, None], target[:, None], [HORIZON])
    assert score is not None
    assert score.leaking_shift == expected
    assert score.leaking == pytest.approx(1.0, abs=0.01)


def test_a_noisy_copy_is_found_by_behaviour() -> None:
    """A rank correlation of 0.7 that vanishes when the feature is taken a horizon earlier."""
    target = _target()
    random = np.random.default_rng(1)
    found = _verdict(target + np.nanstd(target) * random.standard_normal(N_ROWS), target)
    assert found is not None
    assert found[0] == "behaviour"
    assert 0.6 < found[1] < 0.8


def test_a_leak_of_the_next_bars_alone_is_found() -> None:
    """Half of the label's bars, known beforehand, explain too much of it."""
    returns = _returns(2)
    found = _verdict(_sums(returns, HORIZON // 2), _sums(returns, HORIZON))
    assert found is not None
    assert found[0] == "behaviour"


def _past_sum(returns: Floats, window: int) -> Floats:
    """Sum of the last returns up to and including each row."""
    total = np.r_[0.0, np.cumsum(returns)]
    rows = np.arange(N_ROWS) + 1
    past: Floats = total[rows] - total[np.maximum(rows - window, 0)]
    return past


@pytest.mark.parametrize("horizon", [2, 10, 60])
@pytest.mark.parametrize("share", [0.5, 1.0, 1.5, 2.0, 4.0])
def test_past_returns_are_honest(horizon: int, share: float) -> None:
    """The return of the last h bars *is* the label of h rows ago, and was known by then."""
    returns = _returns(3, N_ROWS + 100)
    window = max(1, round(share * horizon))
    assert _verdict(_past_sum(returns, window), _sums(returns, horizon), horizon) is None


def test_the_return_that_is_almost_past_is_not_honest() -> None:
    """The return of the last h − 1 bars and the next one holds a bar of the future."""
    returns = _returns(3)
    almost = _shifted(_past_sum(returns, HORIZON), 1)
    found = _verdict(almost, _sums(returns, HORIZON))
    assert found is not None
    assert found[0] == "value"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_a_strong_persistent_feature_is_honest(seed: int, horizon: int) -> None:
    """A slow feature (φ = 0.9) that correlates 0.4 with the label is a find, not a leak."""
    random = np.random.default_rng(seed)
    slow = signal.lfilter([1.0], [1.0, -0.9], random.standard_normal(N_ROWS)) * np.sqrt(0.19)
    noise = _sums(random.standard_normal(N_ROWS + horizon + 1), horizon) / np.sqrt(horizon)
    label = 0.4 * slow + np.sqrt(1 - 0.4**2) * noise
    ((score,),) = score_leaks(slow[:, None], label[:, None], [horizon])
    assert score is not None
    assert 0.2 < score.present < 0.5
    assert leak_verdict(score, LeakLimits()) is None


def test_a_persistent_target_is_honestly_predicted_by_its_past() -> None:
    """Tomorrow's range looks like today's: labels already known explain the agreement."""
    random = np.random.default_rng(0)
    log_volatility = signal.lfilter([1.0], [1.0, -0.99], 0.15 * random.standard_normal(N_ROWS))
    ranges = np.exp(log_volatility) * np.abs(random.standard_t(5, N_ROWS))
    label = _sums(ranges, 5)
    past = _past_sum(ranges, 20)
    ((score,),) = score_leaks(past[:, None], label[:, None], [5])
    assert score is not None
    assert score.present > 0.5
    assert leak_verdict(score, LeakLimits()) is None
    assert _verdict(_shifted(label, -5), label, 5) is None


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("phi", [0.0, 0.9, 0.99])
def test_noise_is_never_accused(seed: int, phi: float) -> None:
    """However persistent, and however often one looks."""
    noise = np.random.default_rng(seed).standard_normal(N_ROWS)
    assert _verdict(signal.lfilter([1.0], [1.0, -phi], noise), _target(seed)) is None


def test_what_cannot_be_correlated_has_no_score() -> None:
    """Constant and empty features, a constant target, and a history too short for its horizon."""
    target = _target()
    features = np.column_stack([np.full(N_ROWS, 3.0), np.full(N_ROWS, np.nan), target])
    ((constant, empty, copy),) = score_leaks(features, target[:, None], [HORIZON])
    assert (constant, empty) == (None, None)
    assert copy is not None
    assert score_leaks(features, np.ones((N_ROWS, 1)), [HORIZON]) == [[None] * 3]
    assert score_leaks(features[:3], target[:3, None], [HORIZON]) == [[None] * 3]


def test_a_handful_of_pairs_proves_nothing() -> None:
    """A feature that is present in few rows agrees with nothing by chance."""
    target = _target()
    rare = np.full(N_ROWS, np.nan)
    rare[::40] = target[::40]
    assert _verdict(rare, target) is None


@given(seed=st.integers(0, 2**32), horizon=st.integers(1, 6))
def test_correlations_are_those_of_the_shifted_rows(seed: int, horizon: int) -> None:
    """The transform of all shifts at once agrees with moving the rows one shift at a time."""
    random = np.random.default_rng(seed)
    feature, target = random.standard_normal(200), random.standard_normal(200)
    feature[random.random(200) < 0.1] = np.nan
    target[-horizon:] = np.nan
    ((score,),) = score_leaks(feature[:, None], target[:, None], [horizon])
    assert score is not None
    x, x_known = normal_scores(feature)
    y, y_known = normal_scores(target)

    def correlation(shift: int) -> float:
        rows = np.arange(max(0, -shift), min(200, 200 - shift))
        pairs = (x_known[rows] & y_known[rows + shift]).sum()
        return float(x[rows] @ y[rows + shift] / pairs)

    future = {shift: correlation(shift) for shift in range(-horizon + 1, horizon + 1)}
    known = [correlation(shift) for shift in range(-2 * horizon, -horizon + 1)]
    assert score.present == pytest.approx(future[0])
    assert score.horizon_earlier == pytest.approx(future[horizon])
    assert score.leaking == pytest.approx(max(abs(value) for value in future.values()))
    assert abs(future[score.leaking_shift]) == pytest.approx(score.leaking)
    assert score.honest == pytest.approx(max(abs(value) for value in known))


def test_only_the_newest_rows_are_needed() -> None:
    """A copy shows in the last rows as well as in all of them."""
    target = _target()
    ((score,),) = score_leaks(target[:, None], target[:, None], [HORIZON], max_rows=300)
    assert score is not None
    assert score.present == pytest.approx(1.0, abs=1e-9)


def _slow(random: np.random.Generator, phi: float, n_rows: int = N_ROWS) -> Floats:
    """AR(1) of unit variance, past its start."""
    noise = random.standard_normal(n_rows + 400) * np.sqrt(1 - phi**2)
    return np.asarray(signal.lfilter([1.0], [1.0, -phi], noise))[400:]


def _noisy(target: Floats, correlation: float, seed: int) -> Floats:
    noise = np.random.default_rng([seed, 9]).standard_normal(len(target))
    return correlation * target / np.nanstd(target) + np.sqrt(1 - correlation**2) * noise


def _around(values: Floats, reach: int) -> Floats:
    """Mean of each value and of as many before and after it."""
    total = np.r_[0.0, np.cumsum(values)]
    rows = np.arange(N_ROWS)
    ends = rows + reach + 1
    starts = np.maximum(rows - reach, 0)
    return (total[ends] - total[starts]) / (ends - starts)


LEAKS: dict[str, Callable[[Floats, Floats, int], Floats]] = {
    "noisy copy of 0.6": lambda returns, y, seed: _noisy(y, 0.6, seed),
    "noisy copy of 0.3": lambda returns, y, seed: _noisy(y, 0.3, seed),
    "returns around": lambda returns, y, seed: _around(returns, 3),
    "returns far around": lambda returns, y, seed: _around(returns, HORIZON + 2),
    "prices around": lambda returns, y, seed: _around(np.cumsum(returns), 4),
    "price less prices around": lambda returns, y, seed: (
        np.cumsum(returns)[:N_ROWS] - _around(np.cumsum(returns), 5)
    ),
    "twice the horizon": lambda returns, y, seed: _sums(returns, 2 * HORIZON),
    "half the horizon": lambda returns, y, seed: _sums(returns, HORIZON // 2),
}


@pytest.mark.parametrize("name", LEAKS)
def test_each_kind_of_leak_is_found_in_one_symbol(name: str) -> None:
    """In 1,500 rows, in at least eight of ten panels; merging asks for half of the symbols."""
    found = []
    for seed in range(10):
        returns = _returns(seed)
        target = _sums(returns, HORIZON)
        found.append(_verdict(LEAKS[name](returns, target, seed), target) is not None)
    assert sum(found) >= 8


@pytest.mark.parametrize(("other", "horizon"), [(60, 20), (20, 60), (30, 10), (5, 60)])
def test_a_target_of_another_horizon_is_found(other: int, horizon: int) -> None:
    """Longer ones by what lies beyond, shorter ones by the bar at their edge."""
    for seed in range(3):
        returns = np.random.default_rng(seed).standard_t(4, 4000 + 120)
        target = _sums(returns, horizon, 4000)
        assert _verdict(_sums(returns, other, 4000), target, horizon) is not None


PHIS = (0.7, 0.9, 0.98)


def _driven(random: np.random.Generator, phi: float, horizon: int) -> tuple[Floats, Floats]:
    """Return a slow feature, and sums of returns that follow it at a correlation of about 0.3."""
    feature = _slow(random, phi, N_ROWS + horizon + 1)
    reach = (1 - phi**horizon) / (1 - phi)
    returns = random.standard_t(4, len(feature)) / np.sqrt(2.0)
    returns[1:] += 0.33 * np.sqrt(horizon) / reach * feature[:-1]
    return feature[:N_ROWS], _sums(returns, horizon)


def _reverting(random: np.random.Generator, phi: float, horizon: int) -> tuple[Floats, Floats]:
    """Return a price around a fixed level, and its change to come."""
    price = _slow(random, phi, N_ROWS + horizon)
    return price[:N_ROWS], price[horizon:] - price[:N_ROWS]


def _measured_state(random: np.random.Generator, phi: float, horizon: int) -> tuple[Floats, Floats]:
    """Return the average range of the last bars, and the sum of the ranges to come."""
    state = np.exp(0.7 * _slow(random, phi, N_ROWS + horizon + 1))
    ranges = state * np.abs(random.standard_t(5, len(state)))
    return _past_sum(ranges, 10), _sums(ranges, horizon)


def _added(random: np.random.Generator, phi: float, horizon: int) -> tuple[Floats, Floats]:
    """Return a feature in the label itself, beside overlapping noise."""
    noise = _sums(random.standard_t(4, N_ROWS + horizon + 1), horizon)
    feature = _slow(random, phi)
    return feature, 0.33 * feature + 0.94 * noise / np.nanstd(noise)


@pytest.mark.parametrize("horizon", [1, 5, 20])
@pytest.mark.parametrize(
    ("honest", "phi"),
    [(kind, phi) for kind in (_driven, _reverting, _measured_state, _added) for phi in PHIS]
    + [(_measured_state, 0.0), (_added, 0.0)],
)
def test_strong_honest_features_are_hardly_ever_accused(
    honest: Callable[..., tuple[Floats, Floats]], phi: float, horizon: int
) -> None:
    """Correlations of 0.3 and far above, by what was known at the time: one in ten at most."""
    accused = 0
    for seed in range(10):
        feature, target = honest(np.random.default_rng(seed), phi, horizon)
        accused += _verdict(feature, target, horizon) is not None
    assert accused <= 1


def test_a_strong_driver_without_memory_or_overlap_is_honest() -> None:
    """Daily signals on daily returns, at 0.4: nothing but the size could be held against them."""
    for seed in range(10):
        random = np.random.default_rng(seed)
        feature = random.standard_normal(N_ROWS)
        label = 0.4 * feature + np.sqrt(1 - 0.4**2) * random.standard_normal(N_ROWS)
        assert _verdict(feature, label, 1) is None
