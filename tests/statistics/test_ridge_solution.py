"""Ridge against least squares on a matrix with the penalty as extra rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ray_pipeline.statistics import ridge
from ray_pipeline.statistics.ridge import solve_ridge

Floats = NDArray[np.float64]


def _least_squares(Z: Floats, y: Floats, penalty: float) -> tuple[Floats, float]:
    """Minimise ``‖y − a − Zw‖² + penalty·n·‖w‖²``: one more row per feature, without intercept."""
    n, k = Z.shape
    rows = np.vstack(
        [
            np.hstack([Z, np.ones((n, 1))]),
            np.hstack([np.sqrt(penalty * n) * np.eye(k), np.zeros((k, 1))]),
        ]
    )
    solution = np.linalg.lstsq(rows, np.r_[y, np.zeros(k)], rcond=None)[0]
    return solution[:-1], float(solution[-1])


@given(seed=st.integers(0, 2**32), n_features=st.integers(1, 6), penalty=st.floats(0.01, 2.0))
def test_solution_is_penalised_least_squares_for_each_target(
    seed: int, n_features: int, penalty: float
) -> None:
    """Targets on the same rows, on other rows and with missing labels all get their own."""
    random = np.random.default_rng(seed)
    Z, Y = random.standard_normal((60, n_features)) + 3.0, random.standard_normal((60, 3))
    rows = [np.arange(50), np.arange(50), np.flatnonzero(random.random(60) < 0.7)]
    Y[50:, :2] = np.nan
    solution = solve_ridge(Z, Y, rows, penalty)
    for j, index in enumerate(rows):
        weights, intercept = _least_squares(Z[index], Y[index, j], penalty)
        assert solution.coefficients[:, j] == pytest.approx(weights, abs=1e-8)
        assert solution.intercepts[j] == pytest.approx(intercept, abs=1e-7)
        assert solution.penalties[j] == penalty


def test_planted_line_is_recovered_up_to_the_shrinkage() -> None:
    """A tenth of the variance as penalty shrinks a coefficient by 1 / 1.1, the intercept not."""
    Z = np.random.default_rng(0).standard_normal((5000, 2))
    Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    Z[:, 1] -= Z[:, 0] * (Z[:, 0] @ Z[:, 1]) / 5000
    y = 4.0 + 2.0 * Z[:, 0]
    solution = solve_ridge(Z, y[:, None], [np.arange(5000)], 0.1)
    assert solution.coefficients[:, 0] == pytest.approx([2.0 / 1.1, 0.0], abs=1e-9)
    assert solution.intercepts == pytest.approx([4.0])


def test_features_that_carry_nothing_have_no_coefficient() -> None:
    """A constant column and an exact twin are not an obstacle: the twins share."""
    x = np.random.default_rng(0).standard_normal(200)
    Z = np.column_stack([x, np.zeros(200), x])
    weights = solve_ridge(Z, x[:, None], [np.arange(200)], 0.1).coefficients
    assert weights[1, 0] == 0.0
    assert weights[0, 0] == pytest.approx(weights[2, 0])


def test_a_target_does_not_depend_on_its_company() -> None:
    """Alone or among others, and in whatever order, a target's coefficients are the same."""
    random = np.random.default_rng(1)
    Z, Y = random.standard_normal((80, 3)), random.standard_normal((80, 3))
    rows = [np.arange(80), np.arange(40), np.arange(80)]
    together = solve_ridge(Z, Y, rows, 0.1).coefficients
    reversed_ = solve_ridge(Z, Y[:, ::-1], rows[::-1], 0.1).coefficients
    assert together == pytest.approx(reversed_[:, ::-1], abs=1e-12)
    alone = solve_ridge(Z, Y[:, 1:2], rows[1:2], 0.1).coefficients
    assert together[:, 1] == pytest.approx(alone[:, 0])


@given(seed=st.integers(0, 2**32), share=st.floats(0.05, 0.95))
def test_every_target_may_lack_labels_of_its_own(seed: int, share: float) -> None:
    """Whether a target lacks few rows of the union or most, it gets the solution of its rows."""
    random = np.random.default_rng(seed)
    Z, Y = random.standard_normal((90, 4)) * 3.0, random.standard_normal((90, 5))
    rows = [np.flatnonzero(random.random(90) < share) for _ in range(5)]
    rows = [index if len(index) > 5 else np.arange(6) for index in rows]
    together = solve_ridge(Z, Y, rows, 0.1)
    for j, index in enumerate(rows):
        alone = solve_ridge(Z, Y[:, [j]], [index], 0.1)
        ours, expected = together.coefficients[:, j], alone.coefficients[:, 0]
        assert ours == pytest.approx(expected, abs=1e-10)
        assert together.intercepts[j] == pytest.approx(alone.intercepts[0], abs=1e-10)


def test_blocks_of_rows_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cross-products of many blocks are those of one."""
    random = np.random.default_rng(2)
    Z, Y = random.standard_normal((100, 3)), random.standard_normal((100, 1))
    whole = solve_ridge(Z, Y, [np.arange(100)], 0.1)
    monkeypatch.setattr(ridge, "BLOCK_ROWS", 7)
    parts = solve_ridge(Z, Y, [np.arange(100)], 0.1)
    assert parts.coefficients == pytest.approx(whole.coefficients, abs=1e-12)
    assert parts.intercepts == pytest.approx(whole.intercepts, abs=1e-12)


def test_targets_with_equal_rows_and_weights_share_the_decomposition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Weights that are equal in value are one group, whatever array holds them."""
    random = np.random.default_rng(4)
    Z, Y = random.standard_normal((200, 3)), random.standard_normal((200, 4))
    weights = random.random(200) + 0.5
    given = [weights, weights.copy(), None, weights[::-1].copy()]
    alone = [solve_ridge(Z, Y[:, [k]], [np.arange(200)], 0.2, [given[k]]) for k in range(4)]
    made: list[int] = []

    class Counted(ridge._Weighted):
        def __init__(self, n_features: int, n_targets: int) -> None:
            made.append(n_targets)
            super().__init__(n_features, n_targets)

    monkeypatch.setattr(ridge, "_Weighted", Counted)
    together = solve_ridge(Z, Y, [np.arange(200)] * 4, 0.2, given)
    assert made == [2, 1]
    for k, one in enumerate(alone):
        assert together.coefficients[:, k] == pytest.approx(one.coefficients[:, 0], abs=1e-13)
        assert together.intercepts[k] == pytest.approx(one.intercepts[0], abs=1e-13)


def test_a_row_of_weight_two_is_two_rows() -> None:
    """Targets of equal rows and weights get what least squares on repeated rows gives."""
    random = np.random.default_rng(4)
    Z, Y = random.standard_normal((90, 4)) + 1.0, random.standard_normal((90, 3))
    rows = [np.arange(80), np.arange(80), np.arange(10, 80)]
    twice = 1.0 + (np.arange(90) % 3 == 0)
    found = solve_ridge(Z, Y, rows, 0.3, [twice, twice, None])
    repeated = np.repeat(np.arange(80), twice[:80].astype(int))
    for j, index in enumerate([repeated, repeated, rows[2]]):
        expected, intercept = _least_squares(Z[index], Y[index, j], 0.3)
        assert found.coefficients[:, j] == pytest.approx(expected, abs=1e-8)
        assert found.intercepts[j] == pytest.approx(intercept, abs=1e-8)
