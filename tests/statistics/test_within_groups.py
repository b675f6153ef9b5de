"""Features less what the rows of a timestamp have in common."""

import numpy as np
import pandas as pd
import pytest

from ray_pipeline.statistics.ridge import solve_ridge
from ray_pipeline.statistics.within_groups import GroupMeans, less_group_means, subtract_group_means


def test_means_by_hand() -> None:
    """Groups of two and of one, in any order; several columns."""
    Z = np.array([[1.0, 10.0], [5.0, 0.0], [3.0, 20.0]])
    subtract_group_means(Z, np.array([4, 9, 4]))
    assert Z.tolist() == [[-1.0, -5.0], [0.0, 0.0], [1.0, 5.0]]


def test_blocks_of_rows_give_the_means_of_all() -> None:
    """Symbols come one after the other, and a timestamp has rows in each of them."""
    random = np.random.default_rng(0)
    Z, groups = random.standard_normal((300, 4)), np.tile(np.arange(100), 3)
    whole = Z.copy()
    subtract_group_means(whole, groups)
    means = GroupMeans(groups, 4)
    for start in range(0, 300, 100):
        means.add(Z[start : start + 100], groups[start : start + 100])
    for start in range(0, 300, 100):
        part = slice(start, start + 100)
        means.subtract(Z[part], groups[part])
    np.testing.assert_allclose(Z, whole, atol=1e-14)


def test_it_is_a_regression_with_a_dummy_for_every_timestamp() -> None:
    """The theorem of Frisch, Waugh and Lovell, with next to no penalty."""
    random = np.random.default_rng(1)
    groups = np.repeat(np.arange(40), 5)
    Z = random.standard_normal((200, 3)) + random.standard_normal((40, 3))[groups]
    y = (
        Z @ [1.0, -2.0, 0.5]
        + 3.0 * random.standard_normal(40)[groups]
        + random.standard_normal(200)
    )
    dummies = (groups[:, np.newaxis] == np.arange(40)).astype(np.float64)
    expected = np.linalg.lstsq(np.hstack([Z, dummies]), y, rcond=None)[0][:3]
    within = Z.copy()
    subtract_group_means(within, groups)
    found = solve_ridge(within, y[:, np.newaxis], [np.arange(200)], 1e-12)
    np.testing.assert_allclose(found.coefficients[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("common", [0.0, 5.0])
def test_what_symbols_share_does_not_cost_skill(common: float) -> None:
    """Common moves of the features, however large, leave the coefficients where they are."""
    random = np.random.default_rng(2)
    groups = np.repeat(np.arange(200), 10)
    own = random.standard_normal((2000, 20))
    weights = random.standard_normal(20)
    y = own @ weights + 5.0 * random.standard_normal(2000)
    Z = own + common * random.standard_normal((200, 20))[groups]
    subtract_group_means(Z, groups)
    found = solve_ridge(Z, y[:, np.newaxis], [np.arange(2000)], 0.1).coefficients[:, 0]
    assert np.corrcoef(found, weights)[0, 1] > 0.97


def test_means_of_the_values_that_are_there_are_taken_off() -> None:
    """As pandas does group by group; what all rows of a group share becomes exactly nothing."""
    random = np.random.default_rng(3)
    groups = random.integers(0, 40, 500)
    X = random.standard_normal((500, 4)).astype(np.float32)
    X[:, 2] = (0.1 * groups).astype(np.float32)
    X[random.random(X.shape) < 0.2] = np.nan
    found = less_group_means(X, groups)
    frame = pd.DataFrame(X.astype(np.float64))
    expected = frame - frame.groupby(groups).transform("mean")
    np.testing.assert_allclose(found, expected.to_numpy(), atol=1e-6)
    assert set(found[~np.isnan(X[:, 2]), 2].tolist()) == {0.0}
