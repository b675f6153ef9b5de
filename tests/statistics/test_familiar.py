"""Values unlike those of the training: found far away and where missing, and seldom elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from ray_pipeline.statistics.familiar import FeatureRange, feature_range, unfamiliar


def _column(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)[:, np.newaxis]


def test_what_is_far_away_is_found() -> None:
    """Beyond the range by more than half its width, on either side."""
    known = FeatureRange(low=-1.0, high=3.0, missing=0.0)
    found = unfamiliar(_column(-3.01, -3.0, 0.0, 5.0, 5.01, np.inf), [known])
    assert found.ravel().tolist() == [True, False, False, False, True, True]


@pytest.mark.parametrize(("missing", "is_unlike"), [(0.0, True), (0.009, True), (0.02, False)])
def test_a_missing_value_is_unlike_where_none_was_missing(missing: float, is_unlike: bool) -> None:
    """Where some were missing in training, the model has learned what that means."""
    known = FeatureRange(0.0, 1.0, missing)
    assert unfamiliar(_column(np.nan), [known]).item() is is_unlike


def test_a_constant_knows_no_other_value_and_nothing_knows_none() -> None:
    """What never varied, and what was never there."""
    constant = feature_range(np.full(50, 2.0, dtype=np.float32))
    absent = feature_range(np.full(50, np.nan, dtype=np.float32))
    X = np.array([[2.0, np.nan], [2.1, 0.0]], dtype=np.float32)
    assert unfamiliar(X, [constant, absent]).tolist() == [[False, False], [True, True]]


@pytest.mark.parametrize("n_trained", [300, 5_000, 60_000])
def test_rows_like_those_of_the_training_are_seldom_flagged(n_trained: int) -> None:
    """Of 50 features, normal or with the tails of returns, in new rows of the same kind."""
    random = np.random.default_rng(n_trained)

    def draw(n_rows: int) -> np.ndarray:
        heavy = random.standard_t(4, (n_rows, 25))
        return np.hstack([random.standard_normal((n_rows, 25)), heavy]).astype(np.float32)

    trained, new = draw(n_trained), draw(4_000)
    found = unfamiliar(new, [feature_range(column) for column in trained.T])
    assert found[:, :25].mean() < 1e-5
    assert found.mean() < 1e-3
    shifted = unfamiliar(new + 12.0, [feature_range(column) for column in trained.T])
    assert shifted[:, :25].mean() > 0.99


def test_the_range_of_many_rows_is_that_of_all() -> None:
    """Evenly spaced rows stand for the rest."""
    values = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    found = feature_range(values)
    low, high = np.quantile(values.astype(np.float64), [0.001, 0.999])
    assert found.low == pytest.approx(low, abs=0.25)
    assert found.high == pytest.approx(high, abs=0.25)
