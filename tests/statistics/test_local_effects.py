"""Accumulated local effects: planted shapes, what a model does not use, and correlated features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.statistics.local_effects import (
    N_BINS,
    accumulated_effects,
    effect_shape,
    quantile_edges,
)

Floats = NDArray[np.float64]


def effects(predict: object, X: Floats, j: int) -> Floats:
    edges = quantile_edges(X[:, j])[None]
    return accumulated_effects(predict, X.astype(np.float32), [j], edges)[0]  # type: ignore[arg-type]


def uniform(n: int = 2_000, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).uniform(-1, 1, (n, 3))


PLANTED = {
    "rising": lambda x: x**3 + x,
    "falling": lambda x: -np.exp(x),
    "U-shaped": lambda x: x**2,
    "hump-shaped": lambda x: -np.abs(x),
    "mixed": lambda x: np.sin(6 * x),
    "none": lambda x: 0.0 * x,
}


@pytest.mark.parametrize("shape", PLANTED)
def test_a_planted_shape_is_named(shape: str) -> None:
    """Of each of five folds' rows, beside a stronger feature that does not concern it."""
    curves = []
    for seed in range(5):
        X = uniform(seed=seed)

        def model(X: Floats) -> Floats:
            return PLANTED[shape](X[:, 0].astype(float)) + 2 * X[:, 1]

        curves.append(effects(model, X, 0) / model(X).std())
    found = effect_shape(np.array(curves))
    assert found is not None
    assert found.shape == shape
    assert (found.n_folds, found.n_agree) == (5, 0 if shape == "none" else 5)


@pytest.mark.parametrize("seed", range(4))
def test_models_of_noise_have_no_steady_effect(seed: int) -> None:
    """Each fold's model makes something else of a feature that means nothing."""
    rng = np.random.default_rng(seed)
    curves = []
    for _ in range(5):
        X, slope = uniform(), rng.normal(size=(2, 3))
        curves.append(effects(lambda X, s=slope: np.sin(4 * X @ s[0] + s[1, 0]), X, 0))
    found = effect_shape(np.array(curves) * [[1.0], [-1.0], [1.0], [-1.0], [1.0]])
    assert found is not None
    assert found.shape in ("none", "unsteady")


def test_a_linear_model_has_its_slope() -> None:
    """Exactly, in the feature's own unit, and 0 in the mean over rows."""
    X = uniform()
    edges = quantile_edges(X[:, 0])
    found = effects(lambda X: 3.0 * X[:, 0] - X[:, 1], X, 0)
    np.testing.assert_allclose(np.diff(found), 3.0 * np.diff(edges), rtol=1e-5)
    assert (found[1:] + found[:-1]).sum() / 2 == pytest.approx(0, abs=1e-2)


def test_what_a_model_does_not_use_has_none_whatever_it_goes_with() -> None:
    """Where two features are one, marginal means would give both the effect of the one used."""
    X = uniform()
    X[:, 1] = X[:, 0] + 1e-3 * X[:, 2]
    assert np.abs(effects(lambda X: X[:, 0], X, 1)).max() == 0.0


def test_no_row_is_asked_about_far_from_where_it_is() -> None:
    """Each is predicted at the bounds of its own bin alone: unlike partial dependence."""
    X = uniform()
    seen: list[Floats] = []

    def model(X: Floats) -> Floats:
        seen.append(X)
        return X[:, 0]

    effects(model, X, 0)
    (asked,) = seen
    edges = quantile_edges(X[:, 0])
    moved = np.abs(asked[:, 0] - np.concatenate([X, X])[:, 0].astype(np.float32))
    assert moved.max() <= np.diff(edges).max() * 1.0001
    np.testing.assert_array_equal(asked[:, 1:], np.concatenate([X, X])[:, 1:].astype(np.float32))


@given(
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=200),
    st.floats(-3, 3),
    st.integers(0, 10),
)
def test_a_monotone_model_never_has_an_effect_against_it(
    values: list[float], slope: float, n_missing: int
) -> None:
    """Whatever the ties, the outliers and the gaps; and the same rows give the same bits."""
    x = np.array([*values, *([np.nan] * n_missing)])
    X = np.stack([x, np.zeros(len(x))], axis=1)
    found = effects(lambda X: slope * np.cbrt(X[:, 0].astype(float)), X, 0)
    assert len(found) == N_BINS + 1
    assert (np.sign(slope) * np.diff(found) >= 0).all()
    again = effects(lambda X: slope * np.cbrt(X[:, 0].astype(float)), X, 0)
    assert found.tobytes() == again.tobytes()


def test_a_flag_has_one_step() -> None:
    """Bounds are values of the data: no row is asked about half a flag."""
    X = np.stack([np.arange(100) % 2, np.zeros(100)], axis=1).astype(float)
    seen: list[Floats] = []

    def model(X: Floats) -> Floats:
        seen.append(X)
        return X[:, 0].astype(float)

    found = effects(model, X, 0)
    assert set(seen[0][:, 0].tolist()) == {0.0, 1.0}
    assert found[-1] - found[0] == 1.0
    assert len(set(found.tolist())) == 2


def test_a_feature_without_values_has_none() -> None:
    """And the others have theirs."""
    X = uniform(100)
    X[:, 1] = np.nan
    edges = np.array([quantile_edges(X[:, 0]), quantile_edges(X[:, 1])])
    found = accumulated_effects(
        lambda X: X[:, 0].astype(float), X.astype(np.float32), [0, 1], edges
    )
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
    assert effect_shape(found[1:]) is None


def test_one_fold_agrees_with_itself() -> None:
    """A shape without any spread to tell."""
    found = effect_shape(np.linspace(-1, 1, N_BINS + 1)[None])
    assert found is not None
    assert (found.shape, found.n_agree) == ("rising", 1)
    assert np.isnan(found.std_error).all()
