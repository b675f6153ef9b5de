"""Problems on columns of their own: the models that each gets alone, with less work."""

from __future__ import annotations

import numpy as np
import pytest
from problems import FAMILIES, QUICK, problem

from ray_pipeline.families import Problem, fit_by_columns, load_family
from ray_pipeline.families.lightgbm_columns import WORTH_JOINING

N_ROWS, N_FEATURES = 600, 9


def matrix() -> np.ndarray:
    """Return features with holes, few values, and two rare flags that exclude each other."""
    random = np.random.default_rng(1)
    X = random.standard_normal((N_ROWS, N_FEATURES)).astype(np.float32)
    X[random.random(N_ROWS) < 0.2, 1] = np.nan
    X[:, 2] = np.round(X[:, 2])
    X[:, 3] = X[:, 3] > 1.7
    X[:, 4] = (X[:, 4] > 1.7) & (X[:, 3] == 0.0)
    return X


def problems(X: np.ndarray) -> list[Problem]:
    """Return a real-valued problem on all rows, one on a part of them, and a binary one."""
    random = np.random.default_rng(2)
    y = np.nan_to_num(X[:, 0] + X[:, 1] + X[:, 3] - X[:, 4]) + random.standard_normal(N_ROWS)
    return [
        problem(y),
        problem(y, rows=np.arange(0, N_ROWS - 50)),
        problem((y > 0.0).astype(np.float64), "binary", rows=np.arange(20, N_ROWS)),
    ]


NARROW = ([0, 1, 3], [5, 6], [2, 7, 8])
"""Columns that no two problems share."""

WIDE = (list(range(9)), [0, 1, 2, 3, 4, 5, 7, 8], [0, 1, 3, 4, 6, 7, 8])
"""Columns that most problems share: what they have in common is worth sharing."""


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("columns", [NARROW, WIDE])
def test_each_model_is_that_of_its_columns_alone(name: str, columns: list[list[int]]) -> None:
    """To the bit, whatever the others are fitted to; in their order."""
    X = matrix()
    names = [f"x{j}" for j in range(N_FEATURES)]
    settings = QUICK.get(name, {})
    family = load_family(name)
    asked = [np.array(some) for some in columns]
    found = fit_by_columns(family, X, names, problems(X), asked, settings)
    for model, each, some in zip(found, problems(X), asked, strict=True):
        (alone,) = family.fit(X.take(some, axis=1), [names[j] for j in some], [each], settings)
        rows = X.take(some, axis=1)
        assert model.predict(rows).tolist() == alone.predict(rows).tolist()
        assert model.importances.tolist() == alone.importances.tolist()
        assert model.to_files() == alone.to_files()


def test_the_columns_above_are_of_both_kinds() -> None:
    """LightGBM joins data sets of the one kind and makes each of the other at once."""
    shares = [
        sum(map(len, kind)) / len({j for some in kind for j in some}) for kind in (NARROW, WIDE)
    ]
    assert shares[0] < WORTH_JOINING < shares[1]
