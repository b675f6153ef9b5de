"""Scaling that one bad tick cannot set, learned on the rows it is given and no others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.statistics import scaling
from ray_pipeline.statistics.scaling import fit_feature_scaling, winsorise_label

nan = float("nan")


def _column(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)[:, None]


def test_typical_rows_get_mean_zero_and_deviation_one() -> None:
    """Features of any scale become comparable."""
    noise = np.random.default_rng(0).standard_normal((2000, 3))
    X = (noise * [1e-6, 1.0, 1e6] + [0.0, -5.0, 1e7]).astype(np.float32)
    Z = fit_feature_scaling(X).transform(X)
    assert Z.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-6)
    assert Z.std(axis=0) == pytest.approx(np.ones(3), abs=1e-6)


def test_a_bad_tick_does_not_set_the_scale() -> None:
    """A price of a billion among a thousand of about 1 moves nothing and is itself clipped."""
    column = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    spoiled = column.copy()
    spoiled[500] = 1e9
    clean, robust = fit_feature_scaling(column[:, None]), fit_feature_scaling(spoiled[:, None])
    assert robust.scale == pytest.approx(clean.scale, rel=0.02)
    assert robust.transform(spoiled[:, None])[500, 0] < 4.0
    assert robust.transform(_column(-1e30, 1e30))[:, 0] == pytest.approx(
        [
            (robust.low[0] - robust.mean[0]) / robust.scale[0],
            robust.transform(spoiled[:, None])[500, 0],
        ]
    )


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_many_bad_ticks_do_not_set_the_scale_either(share: float) -> None:
    """Up to one value in twenty a million times too large; the usual ones still fill the range."""
    random = np.random.default_rng(0)
    clean = random.standard_normal((4000, 1)).astype(np.float32)
    wild = np.where(random.random((4000, 1)) < share, 1e6 * clean, clean).astype(np.float32)
    usual = (wild == clean)[:, 0]
    assert fit_feature_scaling(wild).transform(wild)[usual].std() > 0.5


def test_skewed_features_keep_their_tail() -> None:
    """A volume spike of eight times the median is not a bad tick."""
    volume = np.exp(np.random.default_rng(0).standard_normal((4000, 1))).astype(np.float32)
    fitted = fit_feature_scaling(volume)
    assert fitted.high[0] > 7.0
    assert np.mean(volume > fitted.high[0]) < 0.025


@pytest.mark.parametrize("value", [0.0, 7.0, 1e20, -0.1])
def test_a_constant_feature_becomes_nothing(value: float) -> None:
    """Whatever it turns into later, a feature without variation in training has no scale."""
    fitted = fit_feature_scaling(np.full((50, 1), value, dtype=np.float32))
    assert fitted.scale.tolist() == [np.inf]
    assert fitted.transform(_column(value, 123.0, nan)).tolist() == [[0.0], [0.0], [0.0]]


def test_a_feature_that_is_missing_in_training_becomes_nothing() -> None:
    """All NaN, or all but one: there is nothing to learn a scale from."""
    X = np.full((50, 2), nan, dtype=np.float32)
    X[3, 1] = 4.0
    fitted = fit_feature_scaling(X)
    assert fitted.transform(np.array([[nan, nan], [5.0, 4.0]], dtype=np.float32)).tolist() == [
        [0.0, 0.0],
        [0.0, 0.0],
    ]


def test_missing_values_become_the_mean_and_teach_nothing() -> None:
    """A hole is neither high nor low, and the scale is that of the present rows."""
    present = np.random.default_rng(0).standard_normal(300).astype(np.float32)
    holed = np.full(600, nan, dtype=np.float32)
    holed[::2] = present
    fitted = fit_feature_scaling(holed[:, None])
    assert fitted.scale == pytest.approx(fit_feature_scaling(present[:, None]).scale)
    assert fitted.transform(holed[:, None])[1::2].tolist() == [[0.0]] * 300


def test_a_rare_flag_survives_clipping() -> None:
    """A flag that is set in one row of a thousand lies beyond both quantiles and is kept."""
    flag = np.zeros((1000, 1), dtype=np.float32)
    flag[10] = 1.0
    Z = fit_feature_scaling(flag).transform(flag)
    assert Z[10, 0] > 10 * abs(Z[0, 0]) > 0


def test_the_matrix_that_is_scaled_stays_as_it_was() -> None:
    """Shared arrays are read-only: scaling makes its own."""
    X = np.random.default_rng(0).standard_normal((100, 2)).astype(np.float32)
    X.flags.writeable = False
    before = X.copy()
    Z = fit_feature_scaling(X).transform(X)
    assert Z.dtype == np.float64
    assert np.array_equal(X, before)


def test_long_columns_are_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quantiles of a part that reaches from the first row to the last."""
    X = np.arange(1000, dtype=np.float32)[:, None]
    whole = fit_feature_scaling(X)
    monkeypatch.setattr(scaling, "QUANTILE_ROWS", 100)
    part = fit_feature_scaling(X)
    assert part.mean == pytest.approx(whole.mean, rel=0.01)
    assert part.scale == pytest.approx(whole.scale, rel=0.02)


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=50))
def test_winsorising_keeps_the_order_and_the_middle(values: list[float]) -> None:
    """Labels stay within their range, in order, and those between the quantiles unchanged."""
    y = np.array(values)
    clipped = winsorise_label(y)
    low, high = np.quantile(y, [0.01, 0.99])
    inside = (y > low) & (y < high)  # interpolation rounds: an end may be an outer value
    assert np.array_equal(clipped[inside], y[inside])
    assert np.all(np.diff(clipped[np.argsort(y)]) >= 0)
    assert clipped.min() >= y.min()
    assert clipped.max() <= y.max()


def test_one_wild_label_is_clipped() -> None:
    """A return of a million among hundreds of about 1 becomes their 99 % quantile."""
    y = np.random.default_rng(0).standard_normal(500)
    y[100] = 1e6
    assert winsorise_label(y)[100] < 3.0


def test_labels_that_are_mostly_equal_are_not_made_constant() -> None:
    """A return that is 0 in 99 of 100 rows keeps the few rows that say something."""
    y = np.zeros(1000)
    y[::200] = 2.0
    assert winsorise_label(y).max() == 2.0
