"""Families that take their training rows from a stream."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ray_pipeline.families import Problem, load_family
from ray_pipeline.families.streaming import StreamedProblem, StreamingFamily
from ray_pipeline.records import Task

NAMES = ("a", "b", "c", "d", "e")
STREAMING = ("ridge", "lightgbm")


@dataclass
class Blocks:
    """A matrix cut into blocks; remembers which were read."""

    X: NDArray[np.float32]
    block_rows: tuple[int, ...]
    read: list[int] = field(default_factory=list)

    def block(self, index: int) -> NDArray[np.float32]:
        """Return a block."""
        self.read.append(index)
        start = sum(self.block_rows[:index])
        return self.X[start : start + self.block_rows[index]]


@pytest.fixture(name="X")
def features() -> NDArray[np.float32]:
    random = np.random.default_rng(3)
    X = random.standard_normal((3_000, len(NAMES))).astype(np.float32)
    X[random.random(X.shape) < 0.03] = np.nan
    return X


def labels(X: NDArray[np.float32], task: Task) -> NDArray[np.float64]:
    noise = np.random.default_rng(4).standard_normal(len(X))
    score = np.nan_to_num(X[:, 0]).astype(np.float64) - np.nan_to_num(X[:, 1]) + noise
    return score if task == "regression" else (score > 0).astype(np.float64)


def streamed(name: str, X: NDArray[np.float32], y: NDArray[np.float64], task: Task, **more: object):
    family = load_family(name)
    assert isinstance(family, StreamingFamily)
    blocks = Blocks(X, (1_000, 1, 1_999))
    model = family.fit_streamed(X, NAMES, StreamedProblem(blocks, y, task, 11, **more), {})
    return model, blocks


@pytest.mark.parametrize("task", ["regression", "binary"])
@pytest.mark.parametrize("name", STREAMING)
def test_a_streamed_model_is_that_of_the_same_rows_in_memory(
    name: str, task: Task, X: NDArray[np.float32]
) -> None:
    """Blocks change the order of sums at most: trees are equal to the bit."""
    y = labels(X, task)
    model, _ = streamed(name, X, y, task)
    (whole,) = load_family(name).fit(X, NAMES, [Problem(y, np.arange(len(X)), task, 11)], {})
    tolerance = 0.0 if name == "lightgbm" else 1e-12
    np.testing.assert_allclose(model.predict(X), whole.predict(X), rtol=0, atol=tolerance)


def test_what_a_timestamp_shares_is_taken_off_streamed_rows_too(X: NDArray[np.float32]) -> None:
    """Blocks are symbols: a timestamp's rows lie in several of them."""
    y = labels(X, "regression")
    X[:, 2] += np.float32(0.5) * (np.arange(len(X)) % 1_000).astype(np.float32)
    groups = np.arange(len(X)) % 1_000
    model, blocks = streamed("ridge", X, y, "regression", groups=groups)
    problem = Problem(y, np.arange(len(X)), "regression", 11, groups=groups)
    whole, plain = load_family("ridge").fit(X, NAMES, [problem, replace(problem, groups=None)], {})
    np.testing.assert_allclose(model.predict(X), whole.predict(X), rtol=0, atol=1e-10)
    assert np.abs(whole.predict(X) - plain.predict(X)).max() > 0.01
    assert blocks.read == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("name", STREAMING)
def test_blocks_are_read_in_order_and_once(name: str, X: NDArray[np.float32]) -> None:
    """What is read twice from an object store costs twice."""
    _, blocks = streamed(name, X, labels(X, "regression"), "regression")
    assert blocks.read == [0, 1, 2]


@pytest.mark.parametrize("name", STREAMING)
def test_the_same_stream_gives_the_same_files(name: str, X: NDArray[np.float32]) -> None:
    """Nothing but rows and seed decides."""
    y = labels(X, "binary")
    first, _ = streamed(name, X, y, "binary")
    again, _ = streamed(name, X, y, "binary")
    assert first.to_files() == again.to_files()


def test_a_row_of_weight_two_counts_as_two_rows(X: NDArray[np.float32]) -> None:
    """The weighted ridge is that of repeated rows."""
    y = labels(X, "binary")
    weights = np.where(np.arange(len(X)) < 700, 2.0, 1.0)
    weighted, _ = streamed("ridge", X, y, "binary", weights=weights)
    repeated = np.repeat(np.arange(len(X)), weights.astype(int))
    family = load_family("ridge")
    assert isinstance(family, StreamingFamily)
    rows = Blocks(X[repeated], (len(repeated),))
    plain = family.fit_streamed(X, NAMES, StreamedProblem(rows, y[repeated], "binary", 11), {})
    np.testing.assert_allclose(weighted.predict(X), plain.predict(X), rtol=0, atol=1e-12)


def test_weights_reach_the_trees(X: NDArray[np.float32]) -> None:
    """Rows that hardly weigh are hardly learned from."""
    y = labels(X, "binary")
    reversed_half = np.where(np.arange(len(X)) < 1_500, y, 1 - y)
    weights = np.where(np.arange(len(X)) < 1_500, 1.0, 1e-3)
    model, _ = streamed("lightgbm", X, reversed_half, "binary", weights=weights)
    prediction = model.predict(X)
    assert prediction[y == 1].mean() > prediction[y == 0].mean() + 0.5


def test_early_stopping_without_rows_to_watch_fits_all_rounds(X: NDArray[np.float32]) -> None:
    """Where the pool was too small to find a number of rounds, the streamed model has them all."""
    y = labels(X, "binary")
    family = load_family("lightgbm")
    assert isinstance(family, StreamingFamily)
    problem = StreamedProblem(Blocks(X, (len(X),)), y, "binary", 11)
    stopped = family.fit_streamed(
        X, NAMES, problem, {"n_estimators": 20, "early_stopping_rounds": 3}
    )
    plain = family.fit_streamed(X, NAMES, problem, {"n_estimators": 20})
    np.testing.assert_array_equal(stopped.predict(X), plain.predict(X))
