"""Binary labels on top of the log-odds that a row has before the model says anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.families import (
    IterativeModel,
    Problem,
    Stopping,
    StreamedProblem,
    StreamingFamily,
    load_family,
)

Floats = NDArray[np.float64]
N_ROWS = 3_000
QUICK = {"n_estimators": 20}


def _problem(seed: int = 0) -> tuple[NDArray[np.float32], Floats, Problem]:
    """Return features, of which the first adds to the log-odds, and labels of wild base rates."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((N_ROWS, 3)).astype(np.float32)
    base = np.repeat(random.normal(0.0, 2.0, N_ROWS // 30), 30)
    X[:, 1] = base + 0.5 * random.standard_normal(N_ROWS)  # knows the base rate, and nothing else
    odds = base + 1.0 * (X[:, 0] > 0)
    y = (random.random(N_ROWS) < 1 / (1 + np.exp(-odds))).astype(float)
    return X, base, Problem(y, np.arange(N_ROWS), "binary", 1, offsets=base)


def test_the_model_adds_to_the_offset_and_leaves_it_out_of_predictions() -> None:
    """What is planted above the base rate is found; what only knows the base rate is not used."""
    X, base, problem = _problem()
    settings = {"n_estimators": 100, "learning_rate": 0.05, "num_leaves": 15}
    (model,) = load_family("lightgbm").fit(X, ["a", "b", "c"], [problem], settings)
    said = model.predict(X)
    planted = said[X[:, 0] > 0].mean() - said[X[:, 0] <= 0].mean()
    assert 0.6 < planted < 1.2  # of 1; shrinkage leaves some of it out
    assert abs(np.corrcoef(said, base)[0, 1]) < 0.15
    (plain,) = load_family("lightgbm").fit(
        X, ["a", "b", "c"], [replace(problem, offsets=None)], settings
    )
    assert np.corrcoef(plain.predict(X), base)[0, 1] > 0.8


def test_problems_beside_it_know_nothing_of_offsets_and_weights() -> None:
    """Neighbours on the same rows share a dataset, and none keeps what another has set."""
    X, _, problem = _problem()
    weights = np.random.default_rng(1).uniform(0.5, 1.5, N_ROWS)
    problems = [
        problem,
        replace(problem, offsets=None),
        replace(problem, weights=weights),
        replace(problem, offsets=None, weights=weights),
        problem,
    ]
    family = load_family("lightgbm")
    together = family.fit(X, ["a", "b", "c"], problems, QUICK)
    for model, each in zip(together, problems, strict=True):
        (alone,) = family.fit(X, ["a", "b", "c"], [each], QUICK)
        assert model.to_files() == alone.to_files()
    assert len({model.to_files()["model.txt"] for model in together}) == 4


def test_early_stopping_watches_with_the_offsets() -> None:
    """Without the watched rows' offsets the base rates would be the model's mistake."""
    X, _, problem = _problem()
    rows = problem.rows
    stopped = replace(problem, stopping=Stopping(rows[:2_000], rows[2_200:]))
    settings = {"n_estimators": 400, "early_stopping_rounds": 10, "learning_rate": 0.2}
    (model,) = load_family("lightgbm").fit(X, ["a", "b", "c"], [stopped], settings)
    assert isinstance(model, IterativeModel)
    assert 1 <= model.n_rounds < 60


class _Rows:
    """All rows in two blocks."""

    def __init__(self, X: NDArray[np.float32]) -> None:
        self._blocks = (X[:1_000], X[1_000:])

    @property
    def block_rows(self) -> tuple[int, ...]:
        return tuple(map(len, self._blocks))

    def block(self, index: int) -> NDArray[np.float32]:
        return self._blocks[index]


def test_streamed_rows_have_offsets_too() -> None:
    """The same model, but for the order of summation, as from rows in memory."""
    X, _, problem = _problem()
    family = load_family("lightgbm")
    assert isinstance(family, StreamingFamily)
    streamed = StreamedProblem(_Rows(X), problem.y, "binary", 1, offsets=problem.offsets)
    model = family.fit_streamed(X, ["a", "b", "c"], streamed, QUICK)
    (expected,) = family.fit(X, ["a", "b", "c"], [problem], QUICK)
    assert model.predict(X) == pytest.approx(expected.predict(X), abs=1e-6)
